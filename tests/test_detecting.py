"""From a detector's answers to boxes; the detector itself where it is installed."""

import importlib.metadata

import numpy as np
import pytest
from helpers import EXPLAINED
from PIL import Image

from ferutils.measuring import detecting
from ferutils.measuring.detecting import Box, Detector

SIDE = detecting.SIDE


def answers(*faces):
    """Regressors and logits of a detector that is sure of faces: anchor, logit, shift, size."""
    regressors, logits = np.zeros((896, 16), np.float32), np.full((896, 1), -100, np.float32)
    for anchor, logit, shift, size in faces:
        regressors[anchor, :4] = *shift, *size
        logits[anchor] = logit
    return regressors, logits


class Runner:
    """An interpreter that gives the answers of a function to what it was given."""

    def __init__(self, answer):
        self.answer = answer

    def get_input_details(self):
        return [{"index": 0}]

    def get_output_details(self):
        return [{"index": 1, "shape": (1, 896, 1)}, {"index": 2, "shape": (1, 896, 16)}]

    def set_tensor(self, _, shown):
        self.shown = shown[0]

    def invoke(self):
        self.found = self.answer(self.shown)

    def get_tensor(self, index):
        return self.found[2 - index][None]


@pytest.fixture
def detector(monkeypatch):
    """Makes a detector of a function from pictures to answers."""

    def made(answer):
        monkeypatch.setattr(detecting, "file", lambda: None)
        monkeypatch.setattr(detecting.litert, "interpreter", lambda *_, **__: Runner(answer))
        return Detector()

    return made


def sees_white(shown):
    """Finds the one white rectangle of a picture, if it is 12 pixels wide or more."""
    rows, columns = np.nonzero(shown.min(axis=2) > 0.5)
    if len(columns) == 0 or np.ptp(columns) < 12:
        return answers()
    low, high = np.array([columns.min(), rows.min()]), np.array([columns.max(), rows.max()]) + 1
    middle = (low + high) / 2 - SIDE * detecting.anchors()[0]
    return answers((0, 5, middle, high - low))


def test_there_are_896_anchors_row_by_row():
    found = detecting.anchors()
    assert found.shape == (896, 2)
    assert np.allclose(found[[0, 1, 2]], [[1 / 32, 1 / 32], [1 / 32, 1 / 32], [3 / 32, 1 / 32]])
    assert np.allclose(found[512], [1 / 16, 1 / 16])
    assert np.allclose(found[-1], [15 / 16, 15 / 16])


def test_a_box_is_told_from_its_anchor_in_pixels():
    (found,) = detecting.decoded(*answers((0, 0, (8, 16), (64, 32))))
    assert np.allclose(found, [-0.0625, 0.03125, 0.1875, 0.15625, 0.5])


def test_unsure_and_empty_boxes_are_none_and_huge_logits_do_not_overflow():
    given = answers((0, -0.1, (0, 0), (9, 9)), (1, 5, (0, 0), (-9, 9)), (2, 1e30, (0, 0), (9, 9)))
    with np.errstate(all="raise"):
        found = detecting.decoded(*given)
    assert len(found) == 1 and found[0, 4] == 1


def test_boxes_of_one_face_become_their_weighted_mean_and_other_faces_stay():
    boxes = np.array([[0, 0, 10, 10, 0.6], [2, 0, 12, 10, 0.9], [30, 0, 40, 10, 0.7]])
    found = detecting.suppressed(boxes)
    assert np.allclose(found, [[1.2, 0, 11.2, 10, 0.9], [30, 0, 40, 10, 0.7]])
    assert detecting.suppressed(boxes[:0]).shape == (0, 5)


def test_overlap_is_intersection_over_union():
    box = np.array([0, 0, 10, 10, 1])
    others = np.array([[0, 0, 10, 10, 1], [5, 0, 15, 10, 1], [10, 10, 20, 20, 1]])
    assert np.allclose(detecting.overlap(box, others), [1, 1 / 3, 0])


@pytest.mark.parametrize("size", [(400, 200), (200, 400), (100, 100), (2000, 1)])
def test_a_picture_is_shown_whole_and_undistorted(size):
    shown, scale = detecting.letterboxed(Image.new("RGB", size, "white"), (0, 0, *size))
    assert shown.shape == (SIDE, SIDE, 3) and shown.dtype == np.float32
    white = np.argwhere(shown[..., 0] == 1).max(axis=0) + 1
    assert np.allclose(white[::-1], np.maximum(1, SIDE * np.array(size) / max(size)))
    assert scale == max(size)


@pytest.mark.parametrize("place", [(0, 0), (560, 0), (560, 360), (250, 170)])
@pytest.mark.parametrize("side", [30, 40, 200])
def test_a_face_is_found_where_it_is_however_small(detector, place, side):
    picture = Image.new("RGB", (600, 400))
    left, top = place if side < 200 else (250, 100)
    picture.paste("white", (left, top, left + side, top + side))
    (found,) = detector(sees_white).find(picture)
    assert np.allclose(found[:4], [left, top, min(left + side, 600), min(top + side, 400)], atol=4)


def test_without_tiles_small_faces_are_missed(detector):
    picture = Image.new("RGB", (600, 400))
    picture.paste("white", (250, 100, 278, 128))
    assert len(detector(sees_white).find(picture)) == 1
    assert detector(sees_white).find(picture, tiles=False) == []


def test_a_face_that_a_tile_cuts_is_no_second_face(detector):
    picture = Image.new("RGB", (600, 400))
    picture.paste("white", (280, 180, 340, 240))  # over the middle of the picture

    def beyond(shown):
        """As `sees_white`, but boxes reach a little further than what is seen."""
        regressors, logits = sees_white(shown)
        regressors[0, 2:4] *= 1.05
        return regressors, logits

    (found,) = detector(beyond).find(picture)
    assert np.allclose(found[:4], [280, 180, 340, 240], atol=6)


def test_faces_are_told_from_left_to_right(detector):
    two = answers((0, 2, (150, 0), (40, 40)), (2, 5, (0, 0), (40, 40)))
    found = detector(lambda _: two).find(Image.new("RGB", (200, 200)))
    assert [one.score for one in found] == pytest.approx([0.9933, 0.8808], abs=1e-4)
    assert Box(0, 10, 4, 16, 1).place == (2, 13, 5)


def test_without_the_detector_the_command_that_installs_it_is_named(monkeypatch):
    monkeypatch.setattr(detecting, "PACKAGE", "no-such-package")
    with pytest.raises(ValueError, match=EXPLAINED) as refusal:
        detecting.file()
    assert "pip install -e '.[faces]'" in str(refusal.value)


def test_another_file_than_the_detectors_is_refused(tmp_path, monkeypatch):
    (tmp_path / "other.tflite").write_bytes(b"other")
    there = type("Installed", (), {"locate_file": lambda _, __: tmp_path / "other.tflite"})
    monkeypatch.setattr(importlib.metadata, "distribution", lambda _: there())
    with pytest.raises(ValueError, match="another file"):
        detecting.file()


@pytest.mark.slow
def test_the_astronauts_face_is_found():
    try:
        importlib.metadata.distribution(detecting.PACKAGE)
        photographs = importlib.metadata.distribution("scikit-image")
    except importlib.metadata.PackageNotFoundError as missing:
        pytest.skip(f"no package {missing.name}, which has the detector or the photograph")
    with Image.open(photographs.locate_file("skimage/data/astronaut.png")) as picture:
        (found,) = Detector().find(picture.convert("RGB"))
    assert np.allclose(found.place, [225, 125, 105], atol=15)
