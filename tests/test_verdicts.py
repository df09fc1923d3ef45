"""Every claim can be measured, and each check tells true from false on runs made to order.

Needs no dataset and no Keras.
"""

import numpy as np
import pytest
from synthetic import DRAWN, PAPER, answered, answers, group, layers, probed, record, study

from ferutils.claims import verdicts
from ferutils.claims.paper import Verdict
from ferutils.dataset.fer2013 import SPLITS
from ferutils.records import crossvalidation, examination, inspection, probes, recipes
from ferutils.records import study as study_of_the_report
from ferutils.records.probes import CHANGES
from ferutils.report import comparison_tables, tables

NUMBERS = [claim for claim in PAPER.claims if claim.kind == "number"]
SEEDS = (0, 1)
WHOLE = study(*(record(model, seed=seed) for model in PAPER.layer_tables for seed in SEEDS))
NONE = study()
LONGER = [{"model": model, "epochs": 30} for model in ("improved", "deep")]
EVERYTHING = study(
    *WHOLE.records,
    others=[
        *(group("longer", record(**longer), **longer) for longer in LONGER),
    ],
)

OF_PROBES = {"models.smaller_weights_steadier"}
# This wants no run, but a cross-validation of learning rates and widths: tests/test_selection.py.
SELECTED = {"deep.settings_most_accurate"}


@pytest.fixture(autouse=True)
def _without_cross_validation(tmp_path, monkeypatch):
    monkeypatch.setattr(crossvalidation, "FOLDER", tmp_path)


def outcomes(quantity, found):
    return verdicts.CHECKS[quantity](PAPER, found, PAPER.checks[quantity].bound)[0]


def claim_of(quantity):
    return next(claim for claim in PAPER.claims if claim.quantity == quantity)


def verdict_of(quantity, found):
    return verdicts.find(PAPER, found, claim_of(quantity)).verdict


# ---- numbers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("quantity", sorted({claim.quantity for claim in NUMBERS}))
def test_a_number_is_measured_or_a_setting(quantity):
    subject, _measure = quantity.split(".")
    measured, seen = verdicts.measurements(WHOLE, quantity)
    given = claim_of(quantity).about == "settings"
    runs = 0 if given else 1 if subject == "dataset" else len(SEEDS)
    assert len(measured) == len(seen) == runs
    assert all(type(value) is float for value in measured)
    assert verdicts.measurements(NONE, quantity) == ([], [])


FOLLOWED = [claim for claim in NUMBERS if claim.follows and claim.about == "networks"]


@pytest.mark.parametrize("claim", FOLLOWED, ids=lambda claim: claim.id)
def test_the_printed_network_has_the_numbers_that_the_report_follows(claim):
    assert verdicts.measurements(WHOLE, claim.quantity)[0] == [claim.value] * len(SEEDS)


def test_filters_and_kernels_follow_from_shapes_and_parameters():
    assert verdicts.convolutions(record("shallow")) == [(32, 3), (64, 3), (128, 3), (128, 3)]
    deep = [(64, 3)] * 2 + [(128, 5)] * 3 + [(512, 3)] * 8
    assert verdicts.convolutions(record("deep")) == deep


def test_the_parameters_of_the_deep_network_add_up():
    for measure, count in PAPER.layer_tables["deep"].totals:
        name = "parameters" if measure == "parameters" else f"{measure}_parameters"
        assert verdicts.measurements(WHOLE, f"deep.{name}")[0] == [count] * len(SEEDS)


def test_a_finding_names_the_runs_that_it_rests_on():
    (claim,) = [one for one in PAPER.claims if one.id == "table-3-deep-training-loss"]
    finding = verdicts.find(PAPER, WHOLE, claim)
    assert [one.recipe for one in finding.records] == [
        recipes.make(model="deep", seed=seed) for seed in SEEDS
    ]
    pair = verdicts.find(PAPER, WHOLE, claim_of("improved.gap_smaller_than_shallow"))
    assert [one.recipe.model for one in pair.records] == ["improved", "shallow"] * len(SEEDS)


# ---- scores -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kept", "expected"), [(10, 0.1), (3, 0.8)])
def test_a_score_is_that_of_the_kept_epoch(kept, expected):
    falling = np.linspace(1, 0.1, 10)
    curves = {measure: falling for measure in verdicts.SCORES if measure != "test_accuracy"}
    one = record(curves=curves, run={"kept_epoch": kept})
    for measure in curves:
        assert verdicts.score(one, measure) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("followed", "test"), [("PublicTest", "PrivateTest"), ("PrivateTest", "PublicTest")]
)
def test_the_test_split_is_the_one_that_was_not_followed(followed, test):
    answered = {followed: answers([0, 1], [0, 1]), test: answers([0, 1, 2, 3], [0, 0, 0, 0])}
    one = record(validation_split=followed, answered=answered)
    assert verdicts.score(one, "test_accuracy") == 0.25


def test_the_gap_is_validation_less_training():
    assert verdicts.gap(record(curves={"training_loss": 0.25, "validation_loss": 1})) == 0.75


# ---- checks of one run --------------------------------------------------------------------------

FALLS = np.linspace(1, 0.2, 10)
TURNS = np.abs(np.linspace(-1, 0.5, 10)) + 0.8  # up again by 0.4 after its minimum
FLAT = np.full(10, 0.8)

# Quantity, curves where it holds, curves where it does not.
OF_ONE_RUN = [
    (
        "shallow.training_accuracy_far_above_validation",
        {"training_accuracy": 0.90, "validation_accuracy": 0.58},
        {"training_accuracy": 0.70, "validation_accuracy": 0.58},
    ),
    (
        "shallow.overfits",
        {"training_loss": FALLS, "validation_loss": TURNS},
        {"training_loss": FALLS, "validation_loss": FALLS + 0.5},
    ),
    (
        "shallow.overfits",
        {"training_loss": FALLS, "validation_loss": TURNS},
        {"training_loss": TURNS - 0.1, "validation_loss": TURNS},
    ),
    (
        "shallow.validation_loss_rises",
        {"training_loss": FALLS, "validation_loss": TURNS},
        {"training_loss": FALLS, "validation_loss": FALLS},
    ),
    (
        "shallow.validation_loss_rises",
        {"training_loss": FALLS, "validation_loss": TURNS},
        {"training_loss": TURNS, "validation_loss": TURNS},
    ),
    (
        "shallow.validation_loss_rises",
        {"training_loss": FALLS, "validation_loss": TURNS},
        {"training_loss": FALLS, "validation_loss": 1 + (TURNS - 1) / 100},
    ),
    (
        "shallow.loss_gap_large",
        {"training_loss": 0.26, "validation_loss": 1.8},
        {"training_loss": 0.26, "validation_loss": 1.0},
    ),
    (
        "improved.losses_fall",
        {"training_loss": FALLS, "validation_loss": FALLS + 0.3},
        {"training_loss": FALLS, "validation_loss": FLAT},
    ),
    (
        "improved.losses_fall",
        {"training_loss": FALLS, "validation_loss": FALLS + 0.3},
        {"training_loss": FLAT, "validation_loss": FALLS},
    ),
    # The training loss after training is 0.5 in every made record, whatever Keras' average says.
    (
        "improved.losses_stay_together",
        {"training_loss": 0.91, "validation_loss": 0.65},
        {"training_loss": 0.91, "validation_loss": 0.95},
    ),
    (
        "deep.losses_stay_together",
        {"training_loss": 1.1, "validation_loss": 0.35},
        {"training_loss": 0.3, "validation_loss": 0.25},
    ),
    (
        "deep.above_linear_classifier",
        {"validation_accuracy": 0.39},
        {"validation_accuracy": 0.38},
    ),
]


@pytest.mark.parametrize(("quantity", "holds", "fails"), OF_ONE_RUN)
def test_a_check_of_one_run(quantity, holds, fails):
    model = quantity.split(".")[0]
    runs = [record(model, holds), record(model, fails, seed=1), record(model, holds, seed=2)]
    assert outcomes(quantity, study(*runs)) == [True, False, True]
    assert outcomes(quantity, NONE) == []


def test_the_linear_classifier_is_that_of_the_followed_split():
    curves = {"validation_accuracy": 0.38}  # 38.4 % of PublicTest, 37.9 % of PrivateTest
    public = record("deep", curves)
    private = record("deep", curves, seed=1, validation_split="PrivateTest")
    assert outcomes("deep.above_linear_classifier", study(public, private)) == [False, True]


# ---- checks of two models -----------------------------------------------------------------------

# Quantity, the other model, the model's curves, the other's; it does not hold the other way round.
OF_TWO_MODELS = [
    (
        "improved.training_accuracy_below_shallow",
        "shallow",
        {"training_accuracy": 0.65},
        {"training_accuracy": 0.90},
    ),
    (
        "improved.gap_smaller_than_shallow",
        "shallow",
        {"training_loss": 1.0, "validation_loss": 0.9},
        {"training_loss": 0.26, "validation_loss": 1.8},
    ),
    (
        "improved.gap_smaller_than_shallow",
        "shallow",
        {"training_loss": 1.0, "validation_loss": 0.95},
        {"training_loss": 1.2, "validation_loss": 0.9},
    ),
]


@pytest.mark.parametrize(("quantity", "other", "ours", "theirs"), OF_TWO_MODELS)
def test_a_check_of_two_models(quantity, other, ours, theirs):
    model = quantity.split(".")[0]
    assert outcomes(quantity, study(record(model, ours), record(other, theirs))) == [True]
    assert outcomes(quantity, study(record(model, theirs), record(other, ours))) == [False]
    assert outcomes(quantity, study(record(model, ours), record(other, ours))) == [False]


@pytest.mark.parametrize(("quantity", "other", "ours", "theirs"), OF_TWO_MODELS)
def test_two_models_are_compared_seed_by_seed(quantity, other, ours, theirs):
    model = quantity.split(".")[0]
    found = study(
        record(model, ours, seed=0),
        record(model, theirs, seed=1),
        record(model, ours, seed=2),
        record(other, ours, seed=1),
        record(other, theirs, seed=0),
        record(other, theirs, seed=3),
    )
    assert sorted(outcomes(quantity, found)) == [False, True]
    assert verdict_of(quantity, found) == Verdict.UNDECIDED
    assert outcomes(quantity, study(record(model, ours), record(other, theirs, seed=1))) == []


# ---- networks compared over all of their runs ---------------------------------------------------

ANSWERED = np.arange(3000) % 7


KNOWN = np.isin(np.arange(len(ANSWERED)), examination.read().near_in_training["PublicTest"])


def right(share, seed):
    """Answers of which so many are right, others for each seed; a pair: on new and known faces."""
    wrong = np.empty(len(ANSWERED), bool)
    for faces, part in zip((~KNOWN, KNOWN), share if isinstance(share, tuple) else 2 * (share,)):
        order = np.random.default_rng(seed).permutation(faces.sum())
        wrong[faces] = order >= round(faces.sum() * part)
    return {"PublicTest": answers(ANSWERED, (ANSWERED + wrong) % 7)}


def accurate(runs=5, **shares):
    """The study of networks that are right so often."""
    return study(
        *(
            record(model, seed=seed, answered=right(share, 10 * place + seed))
            for place, (model, share) in enumerate(shares.items())
            for seed in range(runs)
        )
    )


@pytest.mark.parametrize(
    ("improved", "shallow", "expected"),
    [
        (0.61, 0.58, Verdict.REPRODUCED),
        (0.59, 0.58, Verdict.UNDECIDED),
        (0.58, 0.58, Verdict.NOT_REPRODUCED),  # not by as much as printed
        (0.70, 0.58, Verdict.NOT_REPRODUCED),  # better, and by far more than printed
        (0.55, 0.58, Verdict.NOT_REPRODUCED),
        ((0.61, 0.61), (0.55, 0.67), Verdict.REPRODUCED),  # the other one knows some by heart
        ((0.56, 0.64), (0.56, 0.53), Verdict.UNDECIDED),  # as printed, by what it knows by heart
    ],
)
def test_a_network_is_better_by_as_much_as_printed_or_not(improved, shallow, expected):
    found = accurate(improved=improved, shallow=shallow)
    finding = verdicts.find(PAPER, found, claim_of("improved.more_accurate_than_shallow"))
    assert finding.verdict == expected
    new = [share[0] if isinstance(share, tuple) else share for share in (improved, shallow)]
    assert finding.leads[0].value == pytest.approx(new[0] - new[1], abs=0.001)
    assert len(finding.records) == 10


@pytest.mark.parametrize("runs", [1, 2])
def test_few_runs_lead_without_deciding(runs):
    found = accurate(runs, improved=0.61, shallow=0.58)
    assert verdict_of("improved.more_accurate_than_shallow", found) == Verdict.UNDECIDED


def test_holm_corrects_for_all_three_pairs_whether_tested_or_not():
    found = accurate(improved=0.61, shallow=0.58)
    raw = verdicts.lead(found, "improved", "shallow").p_value
    assert verdicts.corrected(found) == {
        frozenset({"deep", "improved"}): 1,
        frozenset({"deep", "shallow"}): 1,
        frozenset({"improved", "shallow"}): pytest.approx(3 * raw),
    }


def test_what_table_3_refutes_needs_no_run():
    for found in (NONE, accurate(deep=0.7, improved=0.5, shallow=0.5)):
        for quantity in ("deep.more_accurate_than_improved", "deep.most_accurate"):
            assert verdict_of(quantity, found) == Verdict.NOT_REPRODUCED
    assert verdict_of("deep.more_accurate_than_shallow", NONE) == Verdict.NOT_TESTED


@pytest.mark.parametrize(
    ("deep", "expected"), [(0.60, Verdict.UNDECIDED), (0.64, Verdict.NOT_REPRODUCED)]
)
def test_of_several_comparisons_the_worst_is_the_verdict(deep, expected):
    claim = PAPER.claim("improved-better-than-shallow")
    printed = (*claim.compares, "table-3-deep-validation-accuracy")
    both = claim.model_copy(update={"compares": printed})
    found = accurate(improved=0.61, shallow=0.58, deep=deep)
    assert verdicts.find(PAPER, found, claim).verdict == Verdict.REPRODUCED
    assert verdicts.find(PAPER, found, both).verdict == expected


# ---- checks of other parts of the study ---------------------------------------------------------


@pytest.mark.parametrize("model", ["improved", "deep"])
def test_longer_training_is_compared_with_the_papers_of_the_same_seed(model):
    quantity = f"{model}.more_epochs_more_accurate"
    longer = [
        record(model, {"validation_accuracy": accuracy}, epochs=30, seed=seed)
        for seed, accuracy in enumerate([0.62, 0.55, 0.62])
    ]
    augmented = record(
        model, {"validation_accuracy": 0.9}, epochs=30, augmentation="generator", seed=0
    )
    found = study(
        *[record(model, {"validation_accuracy": 0.58}, seed=seed) for seed in (0, 1)],
        others=[
            group("longer", *longer, model=model, epochs=30),
            group("longer", augmented, model=model, epochs=30, augmentation="generator"),
        ],
    )
    assert outcomes(quantity, found) == [True, False]
    assert outcomes(quantity, study(record(model))) == []


@pytest.mark.parametrize(
    ("changed", "holds"), [({}, True), ({"dropout_dense": 0.4}, True), ({"epochs": 12}, False)]
)
def test_two_recipes_differ_in_dropout_alone(changed, holds):
    found = study(record("improved", **changed), record("shallow"))
    assert outcomes("improved.hyperparameters_as_shallow", found) == [holds]


# ---- checks of the networks as Keras builds them ------------------------------------------------


# Quantity, the networks, what breaks it for one of them.
OF_THE_INSPECTION = [
    ("models.optimizer_is_adam", "deep", {"optimizer": "SGD"}),
    ("models.relu_in_hidden_layers", "shallow", {"activations": {"a": "tanh", "b": "linear"}}),
    ("improved.dropout_only_in_training", "improved", {"varies_in_training": False}),
    ("improved.dropout_only_in_training", "improved", {"same_at_inference": False}),
    ("deep.passes_sanity_checks", "deep", {"accuracy": 0.5}),
]


@pytest.mark.parametrize(("quantity", "model", "broken"), OF_THE_INSPECTION)
def test_a_check_of_the_networks_as_built(monkeypatch, quantity, model, broken):
    recorded = inspection.read()
    assert outcomes(quantity, NONE) == [True]
    network = recorded.networks[model].model_copy(update=broken)
    changed = recorded.model_copy(update={"networks": recorded.networks | {model: network}})
    monkeypatch.setattr(inspection, "read", lambda: changed)
    assert outcomes(quantity, NONE) == [False]


# ---- checks of the networks ---------------------------------------------------------------------


def changed(model, change):
    rows = layers(model)
    change(rows)
    return record(model, run={"layers": rows})


def without(kind):
    return lambda rows: rows.__setitem__(slice(None), [row for row in rows if row.type != kind])


def with_after_each_convolution(*kinds):
    """Put the layers there which a model has anywhere, and take them away elsewhere."""

    def change(rows):
        template = {row.type: row for row in [*layers("deep"), *layers("improved")]}
        kept = [row for row in rows if row.type not in kinds]
        rows[:] = [
            one
            for row in kept
            for one in (row, *(template[kind] for kind in kinds if row.type == "Conv2D"))
        ]

    return change


def every_kernel_of(width):
    def change(rows):
        channels = 1
        for place, row in enumerate(rows):
            if row.type == "Conv2D":
                parameters = row.output_shape[-1] * (channels * width**2 + 1)
                rows[place] = row.model_copy(update={"parameters": parameters})
            channels = row.output_shape[-1]

    return change


def renamed(rows):
    rows[0] = rows[0].model_copy(update={"name": "conv2d_99"})


def reshaped(rows):
    rows[0] = rows[0].model_copy(update={"output_shape": [48, 48, 32]})


def heavier(rows):
    rows[-1] = rows[-1].model_copy(update={"parameters": rows[-1].parameters + 1})


def unfinished(rows):
    del rows[-1]


def longer(rows):
    rows.append(rows[-1])


@pytest.mark.parametrize("model", ["shallow", "improved", "deep"])
@pytest.mark.parametrize("change", [renamed, reshaped, heavier, unfinished, longer])
def test_a_network_is_as_printed_in_every_row_or_not_at_all(model, change):
    quantity = f"{model}.layers_as_printed"
    assert outcomes(quantity, study(record(model))) == [True]
    assert outcomes(quantity, study(changed(model, change))) == [False]


def test_only_the_differing_rows_differ():
    same = verdicts.same_rows(PAPER, "shallow", changed("shallow", heavier))
    assert same == [True] * 9 + [False]
    assert verdicts.same_rows(PAPER, "shallow", changed("shallow", longer)) == [True] * 10 + [False]


# Quantity, a change of the printed network with which it holds, one with which it does not.
OF_A_NETWORK = [
    (
        "shallow.first_pooling_after_second_convolution",
        lambda rows: None,
        lambda rows: rows.insert(1, rows.pop(2)),
    ),
    (
        "improved.dropout_after_each_convolution",
        with_after_each_convolution("Dropout"),
        lambda rows: None,
    ),
    (
        "improved.has_batch_normalization",
        with_after_each_convolution("BatchNormalization"),
        lambda rows: None,
    ),
    ("deep.every_kernel_3x3", every_kernel_of(3), lambda rows: None),
    ("deep.every_kernel_3x3", every_kernel_of(3), every_kernel_of(5)),
    (
        "deep.every_convolution_normalized_pooled_and_dropped",
        with_after_each_convolution("BatchNormalization", "MaxPooling2D", "Dropout"),
        lambda rows: None,
    ),
    (
        "deep.batch_normalization_only_in_training",
        without("BatchNormalization"),
        lambda rows: None,
    ),
    ("deep.dropout_after_hidden_layer", lambda rows: None, without("Dropout")),
    (
        "deep.every_convolution_normalized_pooled_and_dropped",
        with_after_each_convolution("BatchNormalization", "MaxPooling2D", "Dropout"),
        with_after_each_convolution("BatchNormalization", "MaxPooling2D"),
    ),
]


@pytest.mark.parametrize(("quantity", "holds", "fails"), OF_A_NETWORK)
def test_a_check_of_the_network(quantity, holds, fails):
    model = quantity.split(".")[0]
    assert outcomes(quantity, study(changed(model, holds))) == [True]
    assert outcomes(quantity, study(changed(model, fails))) == [False]
    assert outcomes(quantity, NONE) == []


def test_a_dropout_after_the_dense_layer_is_after_no_convolution():
    after = with_after_each_convolution("Dropout")

    def change(rows):
        after(rows)
        place = next(i for i, row in enumerate(rows) if row.type == "Flatten")
        last = max(i for i, row in enumerate(rows) if row.type == "Dropout")
        rows.insert(place + 1, rows.pop(last))

    found = study(changed("improved", change))
    assert outcomes("improved.dropout_after_each_convolution", found) == [False]


@pytest.mark.parametrize(
    ("quantity", "kind", "other", "holds"),
    [
        ("deep.more_convolutions_than_shallow", "Conv2D", "shallow", True),
        ("deep.more_dense_layers_than_improved", "Dense", "improved", False),
    ],
)
def test_a_network_has_more_layers_than_another(quantity, kind, other, holds):
    ours, theirs = record("deep"), record(other)
    assert outcomes(quantity, study(ours, theirs)) == [holds]
    assert outcomes(quantity, study(changed("deep", without(kind)), theirs)) == [False]
    assert outcomes(quantity, study(ours, changed(other, without(kind)))) == [True]
    assert outcomes(quantity, study(ours)) == outcomes(quantity, study(theirs)) == []


def test_the_deep_network_changes_a_batch_normalization_that_there_was():
    quantity = "deep.changes_batch_normalization"
    normalized = changed("improved", with_after_each_convolution("BatchNormalization"))
    assert outcomes(quantity, study(record("deep"), record("improved"))) == [False]
    assert outcomes(quantity, study(record("deep"), normalized)) == [True]
    assert outcomes(quantity, study(record("deep"))) == []


def test_the_depths_differ_unless_all_are_the_same():
    quantity = "models.depths_differ"
    others = [record("shallow"), record("improved")]
    assert outcomes(quantity, study(*others, record("deep"))) == [True]
    as_deep = record("deep", run={"layers": layers("shallow")})
    assert outcomes(quantity, study(*others, as_deep)) == [False]
    assert outcomes(quantity, study(*others)) == []


def test_every_run_was_trained_by_tensorflow_on_all_images():
    one = record()
    torch = one.run.environment.model_copy(update={"backend": "torch"})
    assert outcomes("models.trained_by_tensorflow", study(one)) == [True]
    assert outcomes("models.trained_by_tensorflow", study(record(run={"environment": torch}))) == [
        False
    ]
    scores = one.run.scores["Training"]
    for images, holds in ((28709, True), (28708, False)):
        seen = {"Training": scores.model_copy(update={"images": images})}
        found = study(record(run={"scores": one.run.scores | seen}))
        assert outcomes("models.trained_on_all_images", found) == [holds]


def test_the_pictures_are_photographs_where_none_is_blank_or_a_notice(monkeypatch):
    quantity = "dataset.only_photographs"
    assert outcomes(quantity, NONE) == [False]
    found = examination.read()
    nothing = {key: [] for key in found.blank}
    for blank, notices, holds in (
        (nothing, nothing, True),
        (nothing | {"Training": [3]}, nothing, False),
        (nothing, nothing | {"Training": [3]}, False),
    ):
        one = found.model_copy(update={"blank": blank, "unlike_faces": notices})
        monkeypatch.setattr(examination, "read", lambda one=one: one)
        assert outcomes(quantity, NONE) == [holds]


def test_the_outputs_are_as_many_as_the_classes():
    quantity = "models.outputs_equal_classes"
    others = [record("shallow"), record("improved")]
    assert outcomes(quantity, study(*others, record("deep"))) == [True]
    assert outcomes(quantity, study(*others, changed("deep", unfinished))) == [False]
    assert outcomes(quantity, study(*others)) == []


# ---- checks of the dataset ----------------------------------------------------------------------


def test_the_labels_are_zero_to_six_where_each_has_images():
    quantity = "dataset.labels_from_zero_to_six"
    assert outcomes(quantity, study(record())) == [True]
    assert outcomes(quantity, NONE) == []
    note = DRAWN.model_copy(update={"counts": {split: [5] * 6 + [0] for split in SPLITS}})
    assert outcomes(quantity, study(record(note=note))) == [False]


@pytest.mark.parametrize(
    ("place", "holds"), [("introduction", False), ("figure_1", True), ("section_2_1", False)]
)
def test_the_emotions_are_compared_without_any_run(place, holds):
    assert outcomes(f"dataset.emotions_as_in_{place}", NONE) == [holds]


# ---- checks of probed networks ------------------------------------------------------------------


def with_small_weights(folder, end, changed):
    """A study with a run as usual and one whose weights were kept small, both probed."""
    mixed = {"precision": "mixed_bfloat16"}
    weakest = {(kind, one.strengths[0]): answered(changed=changed) for kind, one in CHANGES.items()}
    usual, small = probed(**mixed), probed(changes=weakest, end=end, weight_decay=0.3, **mixed)
    for one in (usual, small):
        probes.write(one.probe, folder)
    return study(
        others=[
            group("precision", usual.record, model="shallow", **mixed),
            group("weights", small.record, model="shallow", weight_decay=0.3, **mixed),
        ]
    )


@pytest.mark.parametrize(
    ("end", "changed", "expected"),
    [(2.0, 9, [True]), (2.0, 11, [False]), (2.0, 10, [False]), (4.0, 9, [])],
    ids=["steadier", "less steady", "as steady", "no smaller weights"],
)
def test_smaller_weights_are_steadier_where_fewer_answers_change(
    tmp_path, monkeypatch, end, changed, expected
):
    monkeypatch.setattr(probes, "FOLDER", tmp_path)
    found = with_small_weights(tmp_path, end, changed)
    assert outcomes("models.smaller_weights_steadier", found) == expected


def test_a_run_that_was_not_probed_says_nothing_of_weights(tmp_path, monkeypatch):
    monkeypatch.setattr(probes, "FOLDER", tmp_path)
    found = with_small_weights(tmp_path, 2.0, 9)
    for group_ in found.part("precision"):
        (tmp_path / f"{group_.records[0].run.id}.json").unlink()
    assert outcomes("models.smaller_weights_steadier", found) == []
    assert verdict_of("models.smaller_weights_steadier", found) == Verdict.NOT_TESTED


# ---- the list of checks -------------------------------------------------------------------------


def test_each_check_is_one_of_the_papers():
    assert set(verdicts.CHECKS) <= set(PAPER.checks)


def test_what_is_not_tested_is_known():
    assert set(PAPER.checks) - set(verdicts.CHECKS) == SELECTED | set(verdicts.COMPARISONS)
    assert all(verdicts.is_selected(claim_of(quantity)) for quantity in SELECTED)


def test_each_check_is_tried_above():
    tried = {row[0] for row in OF_ONE_RUN + OF_TWO_MODELS + OF_A_NETWORK}
    tried |= {f"{model}.layers_as_printed" for model in PAPER.layer_tables}
    tried |= {"models.outputs_equal_classes", "models.depths_differ"}
    tried |= {"models.trained_by_tensorflow", "models.trained_on_all_images"}
    tried |= {"deep.changes_batch_normalization"}
    tried |= {"deep.more_convolutions_than_shallow", "deep.more_dense_layers_than_improved"}
    tried |= {name for name in verdicts.CHECKS if name.startswith("dataset.")}
    tried |= {"models.optimizer_is_adam", "models.relu_in_hidden_layers"}
    tried |= {"improved.dropout_only_in_training", "deep.passes_sanity_checks"}
    tried |= {"improved.hyperparameters_as_shallow"}
    tried |= {"improved.more_epochs_more_accurate", "deep.more_epochs_more_accurate"}
    assert tried | OF_PROBES == set(verdicts.CHECKS)


@pytest.mark.parametrize("quantity", sorted(set(verdicts.CHECKS) - OF_PROBES))
def test_outcomes_are_plain_truth_values(quantity):
    assert {type(one) for one in outcomes(quantity, EVERYTHING)} == {bool}


def test_a_bound_comes_from_the_paper_file():
    found = study(record(curves={"training_loss": 0.0, "validation_loss": 0.5}))
    check = verdicts.CHECKS["shallow.loss_gap_large"]
    assert check(PAPER, found, 0.5)[0] == [True]
    assert check(PAPER, found, 0.6)[0] == [False]


# ---- verdicts -----------------------------------------------------------------------------------

SMALLER = study(*(record(model, epochs=2) for model in PAPER.layer_tables))


def test_the_findings_are_the_claims_in_order():
    found = verdicts.findings(PAPER, WHOLE)
    assert [one.claim for one in found] == list(PAPER.claims)


def test_one_quantity_counts_once_by_the_reading_that_the_report_follows():
    found = verdicts.distinct(verdicts.findings(PAPER, WHOLE))
    quantities = [one.claim.quantity for one in found]
    assert len(quantities) == len(set(quantities))
    assert set(quantities) == {claim.quantity for claim in PAPER.claims}
    ids = {one.claim.id for one in found}
    assert "table-3-improved-validation-accuracy" in ids
    assert "improved-validation-accuracy-text" not in ids
    assert "improved-test-accuracy-text" in ids  # which no other passage prints


@pytest.mark.parametrize("claim", PAPER.claims, ids=lambda claim: claim.id)
def test_smaller_runs_test_no_result_and_every_structure(claim):
    finding = verdicts.find(PAPER, SMALLER, claim)
    if claim.about == "results" and not PAPER.refuted(claim):
        assert (finding.measured, finding.verdict) == ([], Verdict.NOT_TESTED)
    elif finding.measured and claim.quantity not in OF_WHOLE_RUNS:
        assert finding.verdict == verdicts.find(PAPER, WHOLE, claim).verdict


OF_WHOLE_RUNS = ("models.trained_by_tensorflow", "models.trained_on_all_images")


@pytest.mark.parametrize("claim", PAPER.claims, ids=lambda claim: claim.id)
def test_without_records_only_what_needs_no_run_is_tested(claim):
    finding = verdicts.find(PAPER, NONE, claim)
    inspected = claim.quantity in {quantity for quantity, _, _ in OF_THE_INSPECTION}
    named = claim.quantity.startswith(("dataset.emotions", "dataset.only"))
    refuted = bool(PAPER.refuted(claim))
    assert (finding.verdict == Verdict.NOT_TESTED) != (named or inspected or refuted)


@pytest.mark.parametrize("claim", PAPER.claims, ids=lambda claim: claim.id)
def test_the_report_follows_the_reading_that_the_network_has(claim):
    finding = verdicts.find(PAPER, WHOLE, claim)
    if claim.follows is not None and claim.about != "results" and finding.measured:
        assert (finding.verdict == Verdict.REPRODUCED) == claim.follows


def test_one_smaller_model_leaves_untested_what_it_is_compared_in():
    found = study(record("shallow"), record("improved"), record("deep", train_images=7178))
    assert verdict_of("deep.more_accurate_than_shallow", found) == Verdict.NOT_TESTED
    assert verdict_of("deep.validation_accuracy", found) == Verdict.NOT_TESTED
    assert verdict_of("improved.more_accurate_than_shallow", found) == Verdict.UNDECIDED
    assert verdict_of("shallow.validation_accuracy", found) == Verdict.UNDECIDED
    assert verdict_of("deep.parameters", found) == Verdict.REPRODUCED


def test_a_missing_model_leaves_its_comparisons_untested():
    found = study(record("shallow"))
    assert verdict_of("improved.more_accurate_than_shallow", found) == Verdict.NOT_TESTED
    assert verdict_of("deep.layers_as_printed", found) == Verdict.NOT_TESTED
    assert verdict_of("deep.test_accuracy", found) == Verdict.NOT_TESTED
    assert sum(verdicts.rows_as_printed(PAPER, found)) == len(layers("shallow"))
    assert len(verdicts.rows_as_printed(PAPER, found)) == 61


@pytest.mark.parametrize(
    ("accuracy", "expected"), [(0.585, Verdict.REPRODUCED), (0.62, Verdict.NOT_REPRODUCED)]
)
def test_a_figure_of_table_3_is_set_against_the_last_epoch(accuracy, expected):
    curves = {"validation_accuracy": [0.1] * 9 + [accuracy]}
    claim = PAPER.claim("table-3-shallow-validation-accuracy")
    runs = [record(seed=seed, curves=curves) for seed in range(3)]
    finding = verdicts.find(PAPER, study(*runs), claim)
    assert finding.measured == [accuracy] * 3
    assert finding.verdict == expected
    assert verdicts.find(PAPER, study(runs[0]), claim).verdict == Verdict.UNDECIDED


# ---- the recorded runs --------------------------------------------------------------------------


def test_no_networks_runs_reproduce_a_figure_that_is_printed_for_another():
    """But for equal figures, and one where our improved network has the deep one's printed loss."""
    frame = comparison_tables.specificity(PAPER, study_of_the_report.read())
    apart = frame["Printed for it"] != frame["Set against"].str.split(", ").str[1]
    reproduced = frame[apart & (frame["Verdict"] == tables.SIGNS[Verdict.REPRODUCED])]
    assert reproduced[["Runs of", "Measure", "Set against"]].to_numpy().tolist() == [
        ["improved", "validation loss", "deep, 1.1"]
    ]
