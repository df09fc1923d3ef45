"""Scores and intervals against numbers worked out by hand or published. Needs no dataset."""

import math

import numpy as np
import pytest
from synthetic import answers

from ferutils import metrics, records
from ferutils.data import EMOTIONS


def wilson(correct, of, z=1.959963984540054):
    """Wilson's formula, written out."""
    share = correct / of
    centre = share + z**2 / (2 * of)
    half = z * math.sqrt(share * (1 - share) / of + z**2 / (4 * of**2))
    return (centre - half) / (1 + z**2 / of), (centre + half) / (1 + z**2 / of)


# ---- intervals ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("correct", "of", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_the_interval_is_the_published_one(correct, of, low, high):
    # Source: R. G. Newcombe, Statistics in Medicine 17 (1998), 857-872, Table I, method 3.
    assert metrics.share(correct, of)[1:] == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize("correct", [0, 1, 30, 54, 55])
def test_the_interval_of_the_rarest_emotion(correct):
    found = metrics.share(correct, 55)
    assert found.value == correct / 55
    assert found[1:] == pytest.approx(wilson(correct, 55), abs=1e-9)
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_nothing_right_and_everything_right_keep_the_border():
    assert metrics.share(0, 55).low == 0
    assert metrics.share(55, 55).high == 1


def test_more_images_make_the_interval_narrower():
    few, many = metrics.share(30, 55), metrics.share(1958, 3589)
    assert many.high - many.low < few.high - few.low


def test_no_image_says_nothing():
    value, low, high = metrics.share(0, 0)
    assert math.isnan(value)
    assert (low, high) == (0, 1)


# ---- scores -------------------------------------------------------------------------------------


def test_accuracy_is_the_share_of_right_answers():
    found = metrics.accuracy(answers([0, 1, 2, 3], [0, 1, 2, 6]))
    assert found == metrics.share(3, 4)


def test_loss_is_the_mean_cross_entropy():
    right, wrong = 0.9, 0.1 / 6
    expected = -(math.log(right) + math.log(right) + math.log(wrong)) / 3
    assert metrics.loss(answers([0, 1, 2], [0, 1, 3])) == pytest.approx(expected, rel=1e-6)


def test_loss_of_guessing_is_the_logarithm_of_seven():
    assert metrics.loss(answers([0, 3, 6], [0, 0, 0], 1 / 7)) == pytest.approx(math.log(7))


def test_macro_f1_of_an_example_worked_out_by_hand():
    # angry: 2/3; disgust: precision 2/3 and recall 1, hence 4/5; the other five: 0.
    found = metrics.macro_f1(answers([0, 0, 1, 1, 2], [0, 1, 1, 1, 3]))
    assert found == pytest.approx((2 / 3 + 4 / 5) / 7)


def test_macro_f1_is_one_where_every_answer_is_right():
    assert metrics.macro_f1(answers(range(7), range(7))) == 1


def test_confusion_counts_the_truth_in_rows():
    found = metrics.confusion(answers([0, 0, 1, 6], [0, 1, 1, 3]))
    expected = np.zeros((7, 7), int)
    expected[0, 0] = expected[0, 1] = expected[1, 1] = expected[6, 3] = 1
    assert found.to_numpy().tolist() == expected.tolist()
    assert tuple(found.index) == tuple(found.columns) == EMOTIONS


def test_recall_is_the_diagonal_of_the_confusion_matrix():
    found = metrics.recall(answers([0, 0, 1, 6], [0, 1, 1, 3]))
    assert tuple(found.index) == EMOTIONS
    assert tuple(found.loc["angry", ["value", "low", "high"]]) == metrics.share(1, 2)
    assert found["images"].tolist() == [2, 1, 0, 0, 0, 0, 1]
    assert found["value"].iloc[[0, 1, 6]].tolist() == [0.5, 1, 0]


def test_an_absent_emotion_has_no_recall_and_the_whole_interval():
    found = metrics.recall(answers([0, 1], [0, 1])).loc["sad"]
    assert found["images"] == 0
    assert math.isnan(found["value"])
    assert (found["low"], found["high"]) == (0, 1)


def test_the_baseline_always_answers_the_same():
    predictions = answers([3, 3, 3, 0], [0, 0, 0, 0])
    assert metrics.majority(predictions) == metrics.share(3, 4)
    assert metrics.majority(predictions, "angry") == metrics.share(1, 4)


def test_a_split_without_images_has_no_accuracy():
    nobody = records.Predictions(np.zeros(0, np.uint8), np.zeros((0, 7), np.float32))
    assert math.isnan(metrics.accuracy(nobody).value)


# ---- two models on the same images --------------------------------------------------------------


def test_mcnemar_counts_what_one_alone_gets_right():
    labels = np.zeros(30, np.uint8)
    first, second = np.zeros(30, int), np.zeros(30, int)
    first[:3], second[3:15] = 1, 1  # wrong answers: 3 of the first, 12 others of the second
    found = metrics.mcnemar(answers(labels, first), answers(labels, second))
    assert found[:2] == (12, 3)
    # Two-sided exact binomial: twice the sum of C(15, k) / 2**15 for k up to 3.
    assert found.p_value == pytest.approx(2 * (1 + 15 + 105 + 455) / 2**15)


def test_mcnemar_of_equal_answers_finds_nothing():
    labels = np.arange(7, dtype=np.uint8)
    same = answers(labels, labels)
    assert metrics.mcnemar(same, same) == (0, 0, 1.0)


def test_mcnemar_refuses_other_images():
    labels = np.arange(7, dtype=np.uint8)
    with pytest.raises(
        ValueError, match=r"Expected predictions of the same images\. Received: 7 and"
    ):
        metrics.mcnemar(answers(labels, labels), answers(labels[:6], labels[:6]))


def test_holm_multiplies_the_smallest_most_and_keeps_the_order():
    assert metrics.holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert metrics.holm([0.9, 0.8]) == [1, 1]
    assert metrics.holm([]) == []
