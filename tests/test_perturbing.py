"""Faces that are changed in the ways that networks are tried with."""

import numpy as np
import pytest

from ferutils.dataset import faces, perturbing
from ferutils.records import pretrained
from ferutils.records.probes import CHANGES as PROBED

CHANGES = PROBED | pretrained.CHANGES
FACES = faces.draw().splits["PublicTest"].images[:40]


@pytest.mark.parametrize("kind", CHANGES)
def test_a_stronger_change_changes_more(kind):
    far = [
        np.abs(perturbing.perturb(FACES, kind, strength, 0).astype(int) - FACES).mean()
        for strength in CHANGES[kind].strengths
    ]
    assert 0 < far[0] < far[1] < far[2]


@pytest.mark.parametrize("kind", CHANGES)
def test_the_same_seed_changes_in_the_same_way_and_keeps_the_form(kind):
    before, strength = FACES.copy(), CHANGES[kind].strengths[0]
    first, again = (perturbing.perturb(FACES, kind, strength, 3) for _ in range(2))
    assert np.array_equal(first, again)
    assert (first.shape, first.dtype) == (FACES.shape, np.uint8)
    assert np.array_equal(FACES, before)


def test_no_noise_brightness_or_shift_leaves_faces_as_they_are():
    for kind in ("noise", "brightness", "shift", "rotation", "occlusion"):
        assert np.array_equal(perturbing.perturb(FACES, kind, 0, 0), FACES), kind


def test_a_shift_moves_whole_pixels_in_all_four_directions_and_repeats_the_edge():
    ramp = np.add.outer(5 * np.arange(48), np.zeros(48)).astype(np.uint8)
    both = np.stack([ramp, ramp.T] * 40)
    moved = perturbing.perturb(both, "shift", 2, 0).astype(int) - both
    inside = moved[:, 2:-2, 2:-2].reshape(len(both), -1)
    assert (inside == inside[:, :1]).all()
    assert set(inside[:, 0]) == {-10, 0, 10}
    assert np.abs(moved).max() == 10  # at the border too, where the edge stands


def test_an_occlusion_covers_a_square_within_the_image_with_its_mean():
    checked = np.tile(np.indices((48, 48)).sum(axis=0) % 2 * 100, (500, 1, 1)).astype(np.uint8)
    found = perturbing.perturb(checked, "occlusion", 8, 0)
    assert set(np.unique(found)) == {0, 50, 100}
    images, rows, columns = np.nonzero(found == 50)
    assert (np.bincount(images) == 64).all()
    for places in (rows.reshape(-1, 64), columns.reshape(-1, 64)):
        assert (np.ptp(places, axis=1) == 7).all()
        assert set(places.min(axis=1)) == set(range(41))  # every place, the rim too


def test_a_new_kind_goes_to_the_end_because_its_place_is_part_of_the_seed():
    assert list(perturbing.WAYS) == [*PROBED, "occlusion"]


def test_brighter_never_wraps_around_to_black():
    white = np.full((1, 48, 48), 250, np.uint8)
    assert (perturbing.perturb(white, "brightness", 0.3, 0) == 255).all()


def test_both_kinds_of_a_signed_change_are_drawn():
    face = np.repeat(FACES[:1], 30, axis=0)
    assert len(np.unique(perturbing.perturb(face, "rotation", 10, 0), axis=0)) == 2
    assert len(np.unique(perturbing.perturb(face, "shift", 1, 0), axis=0)) == 4
    assert len(np.unique(perturbing.perturb(face, "noise", 0.1, 0), axis=0)) == 30
