"""Drawn faces: form, seeding, the action units in the geometry, and how hard they are."""

import time
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, RidgeClassifier

from ferutils.dataset import faces, fer2013

FEW = {"Training": [6] * 7, "PublicTest": [2] * 7, "PrivateTest": [1, 2, 0, 3, 1, 2, 1]}


@pytest.fixture(scope="module")
def drawn():
    return faces.draw(FEW)


def rows(split):
    return {bytes([label]) + image.tobytes() for image, label in zip(split.images, split.labels)}


def face_of(emotion):
    """Outlines of one and the same person with every unit of the emotion at full intensity."""
    middle = dict(zip(faces.TRAITS, (faces.LOWEST + faces.HIGHEST) / 2))
    units = dict.fromkeys(faces.ACTION_UNITS[emotion], 1.0)
    return faces.outlines(faces.movements(units), SimpleNamespace(**middle))


def height(points):
    return np.ptp(points[:, 1])


def corner_below_centre(emotion):
    seam = face_of(emotion)["seam"]
    return seam[0, 1] - seam[len(seam) // 2, 1]


def brow_inner(emotion):
    return face_of(emotion)["brow_right"][0, 1]


def brow_slope(emotion):
    """How much lower the brow's outer end is than its inner end."""
    brow = face_of(emotion)["brow_right"][:9]
    return brow[-1, 1] - brow[0, 1]


def test_every_split_has_the_form_and_the_counts_asked_for(drawn):
    assert drawn.name == "drawn"
    assert drawn.differences == ()
    assert drawn.counts() == FEW
    for split in drawn.splits.values():
        assert split.images.dtype == split.labels.dtype == np.uint8
        assert split.images.shape == (len(split.labels), 48, 48)


def test_images_use_the_grey_levels(drawn):
    images = drawn.splits["Training"].images
    assert images.min() < 20
    assert images.max() > 235
    assert images.std(axis=(1, 2)).min() > 5


def test_no_face_is_drawn_twice(drawn):
    images = np.concatenate([split.images for split in drawn.splits.values()])
    assert len(np.unique(images, axis=0)) == len(images)


def test_the_same_seed_draws_the_same_dataset(drawn):
    assert faces.draw(FEW, seed=0).fingerprints == drawn.fingerprints


def test_another_seed_draws_other_faces(drawn):
    other = faces.draw(FEW, seed=1)
    assert not any(
        rows(other.splits[split]) & rows(drawn.splits[split]) for split in fer2013.SPLITS
    )


def test_a_smaller_dataset_is_part_of_a_larger_one(drawn):
    fewer = {"Training": [1, 0, 6, 2, 3, 4, 5], "PublicTest": [1] * 7, "PrivateTest": [1] + [0] * 6}
    small = faces.draw(fewer)
    assert all(rows(small.splits[split]) <= rows(drawn.splits[split]) for split in fer2013.SPLITS)


def test_default_counts_are_balanced_and_of_the_three_splits():
    assert tuple(faces.DEFAULT_COUNTS) == fer2013.SPLITS
    assert [sum(row) for row in faces.DEFAULT_COUNTS.values()] == [2100, 350, 350]


def test_every_emotion_and_unit_has_its_movements():
    assert tuple(faces.ACTION_UNITS) == fer2013.EMOTIONS
    used = {unit for units in faces.ACTION_UNITS.values() for unit in units}
    assert used == {unit for combination in faces.MOVEMENTS for unit in combination}


@pytest.mark.parametrize("emotion", fer2013.EMOTIONS)
def test_own_units_are_strong_and_others_weak(emotion):
    units = faces.intensities(emotion, np.random.default_rng(0))
    own = faces.ACTION_UNITS[emotion]
    assert all(0.5 <= units[unit] <= 1 for unit in own)
    assert all(0 <= units[unit] <= 0.12 for unit in set(units) - set(own))


def test_mouth_corners_rise_in_happy_and_fall_in_sad_and_disgust():
    at_rest = corner_below_centre("neutral")
    assert corner_below_centre("happy") < at_rest - 0.1
    assert corner_below_centre("sad") > at_rest + 0.1
    assert corner_below_centre("disgust") > at_rest + 0.1


def test_inner_brows_rise_in_sad_fear_and_surprise_and_fall_in_angry_and_disgust():
    at_rest = brow_inner("neutral")
    assert max(map(brow_inner, ("sad", "fear", "surprise"))) < at_rest - 0.1
    assert min(map(brow_inner, ("angry", "disgust"))) > at_rest + 0.05


def test_brows_slant_to_the_nose_in_angry_and_away_from_it_in_sad():
    assert brow_slope("angry") < brow_slope("neutral") - 0.1
    assert brow_slope("sad") > brow_slope("neutral") + 0.1


def test_eyes_are_widest_in_surprise_and_narrow_in_disgust_and_happy():
    opening = {emotion: height(face_of(emotion)["eye_right"]) for emotion in fer2013.EMOTIONS}
    assert max(opening, key=opening.get) == "surprise"
    assert max(opening["disgust"], opening["happy"]) < 0.8 * opening["neutral"]


def test_jaw_drops_in_surprise_and_fear_alone():
    opening = {}
    for emotion in fer2013.EMOTIONS:
        upper, lower = np.split(face_of(emotion)["gap"], 2)
        opening[emotion] = lower[len(lower) // 2, 1] - upper[len(upper) // 2, 1]
    assert min(opening["surprise"], opening["fear"]) > 0.2
    assert sum(value > 0.01 for value in opening.values()) == 2


def test_mouth_is_wide_in_happy_and_fear_and_narrow_in_angry_and_surprise():
    width = {emotion: np.ptp(face_of(emotion)["lips"][:, 0]) for emotion in fer2013.EMOTIONS}
    assert min(width["happy"], width["fear"]) > 1.2 * width["neutral"]
    assert max(width["angry"], width["surprise"]) < 0.9 * width["neutral"]


def test_a_dropped_jaw_darkens_the_mouth_of_the_average_image():
    generator = np.random.default_rng(0)
    middle = SimpleNamespace(**dict(zip(faces.TRAITS, (faces.LOWEST + faces.HIGHEST) / 2)))

    def mouth(emotion):
        moved = [faces.movements(faces.intensities(emotion, generator)) for _ in range(20)]
        images = [faces.paint(faces.outlines(m, middle), m, middle) for m in moved]
        return np.mean([np.asarray(image)[140:170, 80:112] for image in images])

    assert mouth("surprise") < mouth("neutral") - 10


def test_left_and_right_mirror_each_other_before_the_pose():
    shapes = face_of("fear")
    assert np.array_equal(shapes["brow_left"], shapes["brow_right"] * (-1, 1))


def score(classifier, images_per_class):
    """Test accuracy of a classifier of raw pixels."""
    counts = {"Training": [images_per_class] * 7, "PublicTest": [100] * 7, "PrivateTest": [1] * 7}
    splits = faces.draw(counts).splits
    train, test = (
        (splits[name].images.reshape(-1, 48 * 48) / 255 - 0.5, splits[name].labels)
        for name in ("Training", "PublicTest")
    )
    return classifier.fit(*train).score(*test)


def test_a_linear_classifier_fails():
    assert score(RidgeClassifier(alpha=1000), images_per_class=100) < 0.35


@pytest.mark.slow
def test_logistic_regression_fails_on_as_many_images_as_the_default():
    assert score(LogisticRegression(C=0.01, max_iter=300), images_per_class=300) < 0.35


def test_a_face_is_drawn_in_a_few_milliseconds():
    start = time.perf_counter()
    faces.draw({"Training": [20] * 7, "PublicTest": [1] * 7, "PrivateTest": [1] * 7})
    assert time.perf_counter() - start < 154 * 0.005  # seconds; 0.0005 each on one core


@pytest.mark.parametrize(
    "counts",
    [
        FEW | {"Training": [6, 6, 6, -1, 6, 6, 6]},
        FEW | {"Training": [6] * 6},
        FEW | {"Training": [6.5] * 7},
        FEW | {"Training": [0] * 7},
        FEW | {"Training": 42},
        FEW | {"Testing": [1] * 7},
        {"Training": [6] * 7, "PublicTest": [2] * 7},
        [6] * 7,
    ],
    ids=["negative", "six", "fraction", "empty", "number", "unknown", "missing", "list"],
)
def test_impossible_counts_are_refused(counts):
    with pytest.raises(ValueError, match=r"(?s)Expected 7 whole .* Received: .*\. Give a dict"):
        faces.draw(counts)


@pytest.mark.parametrize("seed", [-1, 1.5, "one", None, True])
def test_an_impossible_seed_is_refused(seed):
    with pytest.raises(ValueError, match=r"Expected a seed .* Received: .*\. Choose one"):
        faces.draw(FEW, seed=seed)
