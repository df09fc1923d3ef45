"""Scores and intervals against numbers worked out by hand or published. Needs no dataset."""

import math

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, log_loss
from synthetic import answers, record

from ferutils.claims import metrics
from ferutils.dataset.fer2013 import EMOTIONS
from ferutils.records import keeping, runs


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


def test_accuracy_is_standardised_to_the_shares_of_other_labels():
    angry, fear, happy = (EMOTIONS.index(name) for name in ("angry", "fear", "happy"))
    found = answers([angry, angry, happy], [angry, happy, happy])
    others = np.array([angry, angry, angry, happy])
    assert metrics.accuracy(found).value == pytest.approx(2 / 3)
    assert metrics.standardised_accuracy(found, others) == pytest.approx(3 / 4 * 1 / 2 + 1 / 4 * 1)
    assert metrics.standardised_accuracy(found, found.labels) == pytest.approx(2 / 3)
    with_fear = np.append(others, [fear] * 9)  # of which the predictions have no image
    assert metrics.standardised_accuracy(found, with_fear) == pytest.approx(5 / 8)


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


def probable(labels, rows):
    """Predictions with these probabilities, one row per image."""
    return runs.Predictions(
        np.array(labels, np.uint8), np.log(np.array(rows, float)).astype(np.float32)
    )


FIRST_THREE = [0.5, 0.3, 0.12, 0.02, 0.02, 0.02, 0.02]


def test_top_2_counts_the_first_and_the_second_answer():
    found = metrics.top_2(probable([0, 1, 2, 2], [FIRST_THREE] * 4))
    assert found == metrics.share(2, 4)


def test_top_2_is_never_below_accuracy_even_where_all_are_equally_probable():
    guessed = answers([0, 0, 1, 6], [0] * 4, 1 / 7)
    assert metrics.top_2(guessed).value >= metrics.accuracy(guessed).value == 0.5


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
    nobody = runs.Predictions(np.zeros(0, np.uint8), np.zeros((0, 7), np.float32))
    assert math.isnan(metrics.accuracy(nobody).value)


# ---- probabilities ------------------------------------------------------------------------------


def test_probabilities_add_up_to_one_although_records_are_rounded():
    rounded = keeping.to_float16(record().predictions["PublicTest"].log_probabilities)
    one = runs.Predictions(np.zeros(len(rounded), np.uint8), rounded.astype(np.float32))
    assert np.abs(np.exp(one.log_probabilities).sum(axis=1) - 1).max() > 1e-5
    found = metrics.probabilities(one)
    assert found.sum(axis=1) == pytest.approx(1, abs=1e-12)
    assert (found.argmax(axis=1) == one.predicted).all()


def test_brier_is_the_sum_of_squared_differences():
    right = 0.5**2 + 0.3**2 + 0.12**2 + 4 * 0.02**2
    wrong = 0.5**2 + 0.7**2 + 0.12**2 + 4 * 0.02**2
    found = metrics.brier(probable([0, 1], [FIRST_THREE] * 2))
    assert found == pytest.approx((right + wrong) / 2, rel=1e-6)


def test_brier_ends_at_nothing_and_two():
    sure = 1 - 6e-7
    assert metrics.brier(answers([0, 1], [0, 1], sure)) == pytest.approx(0, abs=1e-6)
    assert metrics.brier(answers([0, 1], [1, 0], sure)) == pytest.approx(2, abs=1e-5)


def test_brier_is_the_librarys():
    one = record().predictions["PublicTest"]
    expected = brier_score_loss(one.labels, metrics.probabilities(one), labels=range(7))
    assert metrics.brier(one) == pytest.approx(expected)


def test_calibration_sorts_answers_by_their_confidence():
    sure, unsure = answers([0, 1, 2, 3], [0, 1, 2, 0], 0.85), answers([0, 1], [0, 0], 0.45)
    both = runs.Predictions(
        *(
            np.concatenate([getattr(one, name) for one in (sure, unsure)])
            for name in ("labels", "log_probabilities")
        )
    )
    found = metrics.calibration(both, bins=10)
    assert found["images"].tolist() == [0, 0, 0, 0, 2, 0, 0, 0, 4, 0]
    assert found["confidence"].iloc[[4, 8]].tolist() == pytest.approx([0.45, 0.85])
    for place, expected in ((4, metrics.share(1, 2)), (8, metrics.share(3, 4))):
        assert tuple(found.iloc[place][["value", "low", "high"]]) == expected
    assert found.loc[0.85, "images"] == 4  # the index is what the bin holds
    assert found.loc[0.05, ["value", "confidence"]].isna().all()


def test_a_confidence_on_a_limit_belongs_to_the_bin_below():
    quarters = np.array([[0.25, 0.25, 0.25, 0.25, 0, 0, 0]])
    with np.errstate(divide="ignore"):
        found = metrics.calibration(probable([0], quarters), bins=4)
    assert found["images"].tolist() == [1, 0, 0, 0]


def test_full_confidence_is_in_the_last_bin():
    found = metrics.calibration(answers([0], [0], 1 - 1e-9))
    assert found["images"].tolist() == [0] * 14 + [1]


def test_the_calibration_error_weighs_each_gap_by_its_images():
    sure = answers([0, 1, 2, 3], [0, 1, 0, 0], 0.85)  # half of them right
    assert metrics.expected_calibration_error(sure) == pytest.approx(0.35, abs=1e-6)
    mixed = probable([0, 0, 1], [[0.85, *[0.025] * 6]] * 2 + [FIRST_THREE])
    assert metrics.expected_calibration_error(mixed) == pytest.approx((2 * 0.15 + 0.5) / 3)


def test_too_much_and_too_little_confidence_do_not_cancel_out_across_bins():
    both = probable([0, 1], [FIRST_THREE, [0.9, 0.05, *[0.01] * 5]])  # right at 0.5, wrong at 0.9
    assert metrics.expected_calibration_error(both) == pytest.approx((0.5 + 0.9) / 2)


def test_a_training_that_diverged_has_scores_that_are_no_numbers():
    nothing = runs.Predictions(np.zeros(3, np.uint8), np.full((3, 7), np.nan, np.float32))
    assert math.isnan(metrics.brier(nothing))
    assert math.isnan(metrics.expected_calibration_error(nothing))


# ---- several networks as one --------------------------------------------------------------------


def test_an_ensemble_answers_with_the_mean_of_the_probabilities():
    first, second = (
        probable([1], [[0.6, 0.4, *[1e-9] * 5]]),
        probable([1], [[0.1, 0.9, *[1e-9] * 5]]),
    )
    found = metrics.ensemble([first, second])
    assert np.exp(found.log_probabilities[0, :2]) == pytest.approx([0.35, 0.65])
    assert found.predicted == [1]


def test_an_ensemble_of_one_is_that_one():
    one = record().predictions["PublicTest"]
    found = metrics.ensemble([one])
    assert np.allclose(found.log_probabilities, one.log_probabilities, atol=1e-6)
    assert np.array_equal(found.labels, one.labels)


def test_an_ensembles_loss_is_never_above_the_mean_of_its_members():
    members = [record(seed=seed).predictions["PublicTest"] for seed in range(3)]
    shuffled = [
        runs.Predictions(one.labels, np.roll(one.log_probabilities, turn, axis=1))
        for turn, one in enumerate(members)
    ]
    found = metrics.ensemble(shuffled)
    mean = sum(map(metrics.loss, shuffled)) / 3
    assert metrics.loss(found) < mean
    averaged = sum(np.exp(one.log_probabilities.astype(float)) for one in shuffled) / 3
    expected = log_loss(
        found.labels, averaged / averaged.sum(axis=1, keepdims=True), labels=range(7)
    )
    assert metrics.loss(found) == pytest.approx(expected, rel=1e-5)


def test_an_ensemble_refuses_members_that_saw_other_images():
    labels = np.arange(7, dtype=np.uint8)
    members = [answers(labels, labels), answers(labels, labels), answers(labels[::-1], labels)]
    with pytest.raises(ValueError, match=r"Expected predictions of the same images\. Received: 7"):
        metrics.ensemble(members)


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


def test_the_difference_of_accuracies_has_the_interval_of_the_paired_t_test():
    labels = np.zeros(200, np.uint8)
    first, second = np.zeros(200, int), np.zeros(200, int)
    first[:10], second[10:50] = 1, 1  # 40 images that the first alone gets right, 10 the second
    found = metrics.difference(answers(labels, first), answers(labels, second))
    assert found.value == pytest.approx(0.15)
    half = 1.971957 * math.sqrt((50 / 200 - 0.15**2) / 199)  # t at 97.5 % with 199 degrees
    assert found[1:] == pytest.approx((0.15 - half, 0.15 + half), abs=1e-6)


def test_the_difference_changes_its_sign_with_the_order():
    one, other = answers([0, 1, 2, 3], [0, 1, 2, 0]), answers([0, 1, 2, 3], [0, 0, 0, 0])
    found, turned = metrics.difference(one, other), metrics.difference(other, one)
    assert found == pytest.approx((-turned.value, -turned.high, -turned.low))
    assert found.value == 0.5
    assert metrics.difference(one, one) == (0, 0, 0)


def test_the_difference_refuses_other_images():
    with pytest.raises(ValueError, match=r"Expected predictions of the same images"):
        metrics.difference(answers([0, 1], [0, 1]), answers([1, 0], [0, 1]))


def test_holm_multiplies_the_smallest_most_and_keeps_the_order():
    assert metrics.holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert metrics.holm([0.9, 0.8]) == [1, 1]
    assert metrics.holm([]) == []


def test_a_p_value_has_no_digits_that_mean_nothing():
    found = [metrics.printed_p_value(value) for value in (1, 0.0123, 0.0005, 0.0004, 9.9e-20)]
    assert found == ["= 1.000", "= 0.012", "= 0.001", "< 0.001", "< 0.001"]


def test_a_lead_widens_with_the_spread_of_the_seeds_and_counts_the_images():
    labels = np.arange(700) % 7
    wrong = (labels + 1) % 7

    def run(right):
        return answers(labels, np.where(np.arange(700) < right, labels, wrong))

    steady = metrics.lead([run(400), run(400)], [run(350), run(350)])
    spread = metrics.lead([run(500), run(300)], [run(350), run(350)])
    assert steady.value == spread.value == pytest.approx(50 / 700)
    assert steady.low > 0 and steady.probability > 0.99
    assert spread.low < 0 < spread.high and 0.5 < spread.probability < 0.9
    turned = metrics.lead([run(350), run(350)], [run(400), run(400)])
    assert turned.value == -steady.value and turned.probability < 0.01
    with pytest.raises(ValueError, match="Expected predictions of the same images"):
        metrics.lead([run(1)], [answers(labels[:6], labels[:6])])


def test_the_p_value_of_a_lead_is_two_sided_and_never_zero():
    labels = np.arange(700) % 7
    right, wrong = answers(labels, labels), answers(labels, (labels + 1) % 7)
    assert metrics.lead([right, right], [right, right]).p_value == 1
    least = pytest.approx(2 / (metrics.RESAMPLES + 1))
    assert metrics.lead([right, right], [wrong, wrong]).p_value == least
    assert metrics.lead([wrong, wrong], [right, right]).p_value == least


# Of a two-sided t test at 5 %, as Cohen's tables and statsmodels' TTestPower have it.
@pytest.mark.parametrize(("effect", "runs"), [(0.5, 34), (0.8, 15), (1.0, 10), (2.0, 5)])
def test_the_runs_that_would_see_an_effect_are_those_of_the_tables(effect, runs):
    values = [1, 2, 3]  # standard deviation 1
    assert metrics.power(values, effect).runs == runs


def test_the_effect_that_runs_see_is_in_the_values_unit():
    found = metrics.power([1, 2, 3, 4, 5], 1).seen
    assert found == pytest.approx(1.682 * np.std([1, 2, 3, 4, 5], ddof=1), abs=0.01)
    tenth = metrics.power([0.1, 0.2, 0.3, 0.4, 0.5], 1).seen
    assert tenth == pytest.approx(found / 10)
    assert metrics.power([3, 3, 3], 1) == (0, 2)
    assert metrics.power([1, 2], 1).seen > 5  # two runs see hardly anything
