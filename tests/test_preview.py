"""Augmentation as the dataset page shows it."""

import numpy as np
import pytest
from helpers import small_dataset

from ferutils.measuring import preview
from ferutils.records import recipes

IMAGES = small_dataset().splits["Training"].images[::10]


def augmented(images=IMAGES, **parameters):
    return preview.augmented(images, recipes.make(model="shallow", **parameters))


def test_augmented_images_have_the_form_and_range_of_the_given_ones():
    kept = IMAGES.copy()
    changed = augmented(augmentation="generator")
    assert changed.shape == IMAGES.shape == (7, 48, 48)
    assert changed.dtype == np.float32
    assert changed.min() >= 0
    assert changed.max() <= 255.001
    assert np.array_equal(IMAGES, kept)


def test_augmentation_changes_every_image():
    changed = augmented(augmentation="generator")
    assert (np.abs(changed - IMAGES).mean(axis=(1, 2)) > 1).all()


def test_without_augmentation_the_images_stay():
    assert augmented() == pytest.approx(IMAGES, abs=0.001)


def test_a_flip_alone_mirrors_or_leaves_an_image():
    only = {"rotation": 0, "shift": 0, "zoom": 0}
    changed = augmented(augmentation="generator", flip=True, **only)
    mirrored = [np.allclose(new, old[:, ::-1], atol=0.01) for new, old in zip(changed, IMAGES)]
    stayed = [np.allclose(new, old, atol=0.01) for new, old in zip(changed, IMAGES)]
    assert all(one or other for one, other in zip(mirrored, stayed))
    assert any(mirrored)


def test_the_seed_decides_what_is_shown():
    one, same, other = (augmented(augmentation="generator", seed=seed) for seed in (0, 0, 1))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
