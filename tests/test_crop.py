"""How FER-2013 cuts out faces: the measuring, the record, and what the page says of it."""

import itertools
from datetime import UTC, datetime

import numpy as np
import pytest
from helpers import EXPLAINED, reseal, small_dataset
from synthetic import record

from ferutils.measuring import cropping
from ferutils.measuring.detecting import Box
from ferutils.records import crop, runs
from ferutils.records.crop import Crop, Margins, Rule, Size
from ferutils.report import crop_figures, crop_tables, origin

DATASET = small_dataset()
NOTE = runs.note(DATASET)
RUN = record().run
COUNTS = {split: sum(NOTE.counts[split]) for split in runs.HELD_OUT}


def labels(split):
    return np.repeat(np.arange(7), NOTE.counts[split])


def told(split, wrong=0):
    """Right answers to a split, but the first ones and to the last image, of which no face is."""
    answered = labels(split)
    answered[:wrong] = (answered[:wrong] + 1) % 7
    return "".join(map(str, answered[:-1])) + "-"


def measured(networks=1):
    """A record in which one held-out face of each split was not found."""
    answers = Margins(
        run=RUN.id,
        weights_sha256="0" * 64,
        environment=RUN.environment,
        unchanged={split: told(split) for split in COUNTS},
        cropped={
            1.0: {split: told(split, 5) for split in COUNTS},
            1.2: {split: told(split, 2) for split in COUNTS},
        },
    )
    return Crop(
        detector="a detector 1.0",
        detector_sha256="1" * 64,
        dataset=NOTE,
        counts=NOTE.counts,
        padding=48,
        training=[(24, 28, 40), (25, 27, 36), None, (23, 28, 48)],
        held_out={split: [(24, 28, 40)] * (n - 1) + [None] for split, n in COUNTS.items()},
        sizes=[
            Size(share=0.2, images=14, found=(13, 14), wrong=(0, 1), margin=1.2),
            Size(share=0.05, images=14, found=(0, 0), wrong=(0, 2), margin=1),
        ],
        environment=RUN.environment,
        code=RUN.code,
        measured=datetime(2026, 1, 2, tzinfo=UTC),
        runs=[answers] * networks,
    )


# The record


def test_a_record_is_read_as_it_was_written(tmp_path):
    crop.write(measured(), tmp_path / "crop.json")
    assert crop.read(tmp_path / "crop.json") == measured()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda content: content["held_out"]["PublicTest"].pop(), "held-out image"),
        (lambda content: content["runs"][0]["unchanged"].popitem(), "held-out image"),
        (lambda content: content.update(training=[None]), "no face"),
        (lambda content: content["training"].append([1, 2, 0]), "training"),
        (lambda content: content.update(unknown=1), "unknown"),
    ],
)
def test_a_record_that_cannot_be_is_refused(tmp_path, change, words):
    path = tmp_path / "crop.json"
    crop.write(measured(), path)
    reseal(path, change)
    with pytest.raises(ValueError, match=EXPLAINED) as refused:
        crop.read(path)
    assert words in str(refused.value)


def test_the_rule_is_the_median_over_training():
    rule = measured().rule
    assert rule.margin == pytest.approx(1.2)
    assert (rule.right, rule.down) == pytest.approx((0, -4 / 48))
    assert rule.square(24, 28, 40) == pytest.approx((0, 28 - 4 / 48 * 40 - 24, 48))


def test_a_square_is_moved_and_widened_by_the_side_of_the_box():
    assert Rule(2, 0.1, -0.2).square(50, 50, 10) == (41, 38, 20)


def test_a_network_that_answers_again_has_one_place():
    found = measured()
    assert found.having(found.runs[0]) == found
    assert len(measured(networks=0).having(found.runs[0]).runs) == 1


def test_what_is_recorded_cuts_a_little_wider_than_the_box_and_above_its_centre():
    rule = crop.read().rule
    assert 1 < rule.margin < 1.5
    assert abs(rule.right) < 0.05 and -0.2 < rule.down < 0


# The measuring


class Frames:
    """A detector that finds a box in the middle, a fifth of the picture wide."""

    def find(self, picture, tiles=True):
        middle, half = picture.width / 2, 0.3 * picture.width / 3
        away = [Box(0, 0, 1, 1, 0.6)] * tiles
        return [Box(middle - half, middle - half, middle + half, middle + half, 0.9), *away]


def test_a_place_is_told_in_pixels_of_the_image():
    found = cropping.place(Frames(), DATASET.splits["Training"].images[0])
    assert found == (24, 24, pytest.approx(28.8))


def test_a_box_beside_the_face_is_not_the_faces():
    detector = Frames()
    detector.find = lambda picture, tiles: [Box(0, 0, 20, 20, 0.9), Box(0, 0, 144, 144, 0.9)]
    assert cropping.place(detector, DATASET.splits["Training"].images[0]) is None


def test_the_dataset_is_measured_whole(monkeypatch):
    monkeypatch.setattr(cropping, "Detector", Frames)
    monkeypatch.setattr(cropping.importlib.metadata, "version", lambda _: "0.6.0")
    monkeypatch.setattr(cropping, "WIDTH", 96)
    monkeypatch.setattr(cropping, "SHARES", (1 / 3,))
    found = cropping.measure(DATASET, lambda _: None)
    assert found.rule.margin == pytest.approx(48 / 28.8)
    assert {split: len(some) for split, some in found.held_out.items()} == COUNTS
    (size,) = found.sizes
    assert size.found == (size.images, size.images) and size.wrong == (0, size.images)
    assert size.margin == pytest.approx(48 / 28.8, abs=0.01)


def test_a_network_answers_the_faces_that_were_found(monkeypatch):
    counter = itertools.count()

    class Model:
        def predict(self, images, verbose):
            next(counter)
            return np.eye(7)[(images.mean(axis=(1, 2, 3)) // 37).astype(int)]

    monkeypatch.setattr(cropping.predicting, "trained", lambda _: Model())
    from ferutils.measuring import recording

    monkeypatch.setattr(recording, "weights_sum", lambda _: "2" * 64)
    found = cropping.answers(record(), DATASET, measured(networks=0), lambda _: None)
    assert next(counter) == 2 * (1 + len(cropping.MARGINS))
    for answers in found.cropped.values():
        assert all(one[-1] == "-" and "-" not in one[:-1] for one in answers.values())
    images = DATASET.splits["PublicTest"].images
    assert found.unchanged["PublicTest"] == "".join(
        map(str, images.mean(axis=(1, 2)).astype(int) // 37)
    )


def test_of_a_large_dataset_a_part_is_measured(monkeypatch):
    monkeypatch.setattr(cropping, "IMAGES", 7)
    assert [len(one.labels) for one in cropping._part(DATASET).values()] == [7, 7, 7]


def test_faces_of_another_dataset_are_refused():
    found = measured().model_copy(update={"dataset": NOTE.model_copy(update={"name": "drawn"})})
    other = found.model_copy(update={"dataset": NOTE.model_copy(update={"name": "other"})})
    with pytest.raises(ValueError, match=EXPLAINED):
        cropping.answers(record(), DATASET, other)


# The page


def test_accuracies_leave_out_faces_that_were_not_found():
    table = crop_tables.accuracies(measured()).set_index("Margin")
    n = COUNTS["PublicTest"] - 1
    assert table.loc["as published", "PublicTest"].startswith("100.0")
    assert table.loc["1", "PublicTest"].startswith(f"{100 * (n - 5) / n:.1f}")
    curve = crop_tables.curve(measured())
    every = sum(COUNTS.values()) - 2
    assert curve["accuracy_share"].tolist() == pytest.approx([1, 1 - 10 / every, 1 - 4 / every])
    assert curve["margin"].isna().tolist() == [True, False, False]


def test_the_tables_tell_what_was_found():
    emotions = crop_tables.emotions(measured()).set_index("Emotion")
    assert emotions.loc["all", "Images"] == str(sum(COUNTS.values()))
    assert emotions.loc["angry", "Found"].startswith("100.0")
    assert not emotions.loc["neutral", "Found"].startswith("100.0")
    assert set(emotions["Margin"]) == {"1.20"}
    sizes = crop_tables.sizes(measured())
    assert sizes["Found, one look"].tolist() == ["92.9\u00a0%", "0.0\u00a0%"]
    assert sizes["Margin"].tolist() == ["1.20", "–"]


def test_the_conclusion_tells_rule_and_best_margin_or_what_is_open():
    text = crop_tables.conclusion(measured()).data
    assert "1.20 times as wide" in text and "above" in text and "best at a margin of 1.2" in text
    assert "**Open**" in crop_tables.conclusion(measured(networks=0)).data


def test_the_origin_names_detector_and_commands():
    text = origin.crop(measured()).data
    assert "a detector 1.0" in text and f"ferutils measure crop {RUN.id}" in text
    assert "Networks" not in origin.crop(measured(networks=0)).data


def test_without_a_network_the_figure_is_empty_and_drawn():
    table = crop_tables.curve(measured(networks=0))
    assert crop_figures.curve(table, 1.2).get_xlabel()
