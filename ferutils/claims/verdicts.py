"""Claims of the paper beside what our records measured.

Reads the paper's claims, run records, the inspection of the networks and their cross-validation;
writes nothing.
`ferutils.claims.paper` holds the rule.
"""

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import combinations

from ferutils.claims import metrics, selection
from ferutils.claims.metrics import Lead
from ferutils.claims.paper import (
    About,
    NumberClaim,
    Paper,
    StatementClaim,
    Verdict,
    difference_verdict,
    statement_verdict,
    verdict,
)
from ferutils.dataset.fer2013 import EMOTIONS, IMAGE_SIZE
from ferutils.records import baselines, crossvalidation, examination, inspection, probes
from ferutils.records.crossvalidation import Cell
from ferutils.records.probes import Probed
from ferutils.records.recipes import PAPER, Recipe
from ferutils.records.runs import Record
from ferutils.records.study import Group, Study

SCORES = (
    "training_loss",
    "training_accuracy",
    "validation_loss",
    "validation_accuracy",
    "test_accuracy",
)
# What a cross-validation chooses, and a statement on its choice.
SELECTED = (*Cell._fields, "settings_most_accurate")
FAMILY = tuple(combinations(reversed(PAPER), 2))  # the pairs of networks that Holm corrects for


@dataclass(frozen=True)
class Finding:
    """One claim with what was measured of it."""

    claim: NumberClaim | StatementClaim
    measured: list[float] | list[bool]  # one value or outcome per run
    verdict: Verdict
    records: list[Record] = field(default_factory=list)  # the runs that it was measured in
    selected: bool = False  # whether it was a cross-validation that measured it, and no run
    leads: list[Lead] = field(default_factory=list)  # over each other network, on new faces
    sizes: list[Lead] = field(default_factory=list)  # on all images, of a claim that is sized
    p_values: list[float] = field(default_factory=list)  # of no lead, corrected for the family


def score(record: Record, measure: str) -> float:
    """One number of a run: a loss in nats, an accuracy in [0, 1], at the kept epoch.

    Training figures are Keras' means over the epoch, as the paper's curves are. The test split is
    the held-out one that was not followed during training; NaN where both were.
    """
    if measure == "test_accuracy":
        if record.recipe.validation_split == "both":
            return float("nan")
        other = "PublicTest" if record.recipe.validation_split == "PrivateTest" else "PrivateTest"
        return metrics.accuracy(record.predictions[other]).value
    row = record.history.loc[record.history["epoch"] == record.run.kept_epoch]
    return float(row[measure].iloc[0])


def gap(record: Record) -> float:
    """Validation loss less training loss at the kept epoch, nats."""
    return score(record, "validation_loss") - score(record, "training_loss")


def inference_gap(record: Record) -> float:
    """The same with the training loss taken after training, dropout off."""
    return score(record, "validation_loss") - record.run.scores["Training"].loss


def findings(paper: Paper, study: Study) -> list[Finding]:
    """Every claim of the paper, in its order, with measurements and verdict.

    Raises:
        ValueError: as `find`.
    """
    return [find(paper, study, claim) for claim in paper.claims]


def about(findings: Iterable[Finding], kind: About) -> list[Finding]:
    """The findings on one kind of claim, such as results."""
    return [one for one in findings if one.claim.about == kind]


def results(findings: Iterable[Finding]) -> list[Finding]:
    """The findings on results, one per quantity."""
    return distinct(about(findings, "results"))


def distinct(findings: Iterable[Finding]) -> list[Finding]:
    """One finding per quantity: of the reading that the report follows, else of the first."""
    found = sorted(findings, key=lambda one: one.claim.follows is False)
    return list({one.claim.quantity: one for one in reversed(found)}.values())[::-1]


def find(paper: Paper, study: Study, claim: NumberClaim | StatementClaim) -> Finding:
    """One claim with measurements and verdict.

    Raises:
        ValueError: as `selection.read` and `lead`.
    """
    if is_selected(claim):
        return _selected(claim)
    if claim.quantity in COMPARISONS:
        return _comparison(paper, study, claim)
    if claim.kind == "number":
        measured, records = measurements(study, claim.quantity)
    else:
        check = CHECKS.get(claim.quantity)
        bound = paper.checks[claim.quantity].bound
        measured, records = check(paper, study, bound) if check else ([], [])
    # The size of a training decides its results, and nothing of the network or the dataset.
    result = claim.about == "results"
    if result and any(record.recipe.reduced for record in records):
        return Finding(claim, [], Verdict.NOT_TESTED, records)
    if claim.kind == "number":
        found = verdict(claim, measured, paper.margin(claim.unit))
    else:
        found = statement_verdict(measured, result)
    return Finding(claim, measured, found, records)


# Statements that one network is more accurate than others, judged over all of their runs at once.
COMPARISONS = (
    "improved.more_accurate_than_shallow",
    "deep.more_accurate_than_improved",
    "deep.more_accurate_than_shallow",
    "deep.most_accurate",
)


def _comparison(paper: Paper, study: Study, claim: StatementClaim) -> Finding:
    """The statement that a network is more accurate than others, over all runs and images."""
    pairs = paper.compared(claim)
    networks = [tuple(one.quantity.split(".")[0] for one in pair) for pair in pairs]
    leads = [lead(study, *pair) for pair in networks]
    sizes = [lead(study, *pair, new=False) if claim.sized else None for pair in networks]
    every = dict.fromkeys(name for pair in networks for name in pair)
    records = [record for name in every for record in study.by_model[name]]
    p_values: list[float] = []
    if paper.refuted(claim):
        found = Verdict.NOT_REPRODUCED
    elif None in leads:
        found = Verdict.NOT_TESTED
    else:
        of_pair = corrected(study)
        p_values = [of_pair[frozenset(names)] for names in networks]
        each = {
            difference_verdict(*pair, one, p_value, size)
            for pair, one, p_value, size in zip(pairs, leads, p_values, sizes, strict=True)
        }
        order = (Verdict.NOT_REPRODUCED, Verdict.UNDECIDED, Verdict.REPRODUCED)
        found = next(one for one in order if one in each)
    leads, sizes = ([one for one in some if one] for some in (leads, sizes))
    return Finding(claim, [], found, records, leads=leads, sizes=sizes, p_values=p_values)


def lead(study: Study, first: str, second: str, new: bool = True) -> Lead | None:
    """By how much one network leads another on the split that both followed.

    On new faces, whose photograph is not in Training, or on all images.

    None where one of them has no run of the paper's size; an interval of NaN where it has too few.

    Raises:
        ValueError: their runs did not see the same images.
    """
    sides = [
        [one for one in study.by_model[name] if not one.recipe.reduced] for name in (first, second)
    ]
    followed = {one.recipe.validation_split for side in sides for one in side}
    if not all(sides) or len(followed) > 1 or followed == {"both"}:
        return None
    (split,) = followed
    known = examination.read().near_in_training[split] if new else []
    found = metrics.lead(
        *([metrics.apart(one.predictions[split], known)[1] for one in side] for side in sides)
    )
    enough = min(map(len, sides)) >= metrics.FEWEST_RUNS
    return found if enough else Lead(found.value, *[math.nan] * 4)


def corrected(study: Study) -> dict[frozenset[str], float]:
    """The p-values of the pairs of FAMILY, corrected by Holm; of an untested pair, 1.

    Raises:
        ValueError: as `lead`.
    """
    leads = [lead(study, *pair) for pair in FAMILY]
    raw = [one.p_value if one and not math.isnan(one.p_value) else 1.0 for one in leads]
    return dict(zip(map(frozenset, FAMILY), metrics.holm(raw), strict=True))


def is_selected(claim: NumberClaim | StatementClaim) -> bool:
    """Whether a claim is about what a cross-validation chooses."""
    subject, measure = claim.quantity.split(".")
    return subject in crossvalidation.MODELS and measure in SELECTED


def _selected(claim: NumberClaim | StatementClaim) -> Finding:
    """A claim beside the best choice of the cross-validation; a statement fold by fold."""
    subject, measure = claim.quantity.split(".")
    chosen = selection.read(subject)
    if not chosen.finished:
        return Finding(claim, [], Verdict.NOT_TESTED)
    if chosen.found.reduced or not chosen.measures:
        found = Verdict.NOT_TESTED if chosen.found.reduced else Verdict.UNDECIDED
        return Finding(claim, [], found, selected=True)
    if claim.kind == "statement":
        outcomes = chosen.most_accurate_by_fold
        return Finding(claim, outcomes, statement_verdict(outcomes, True), selected=True)
    best = float(getattr(chosen.along(measure)[0], measure))
    found = selection.verdict(chosen, measure, claim.value)
    return Finding(claim, [best], found, selected=True)


def measurements(study: Study, quantity: str) -> tuple[list[float], list[Record]]:
    """What the records say of a quantity, one value per run, and these records."""
    subject, measure = quantity.split(".")
    if subject == "dataset":
        seen = study.records[:1]
        return [_dataset(record, measure) for record in seen], seen
    if measure in ("learning_rate", "hidden_neurons", "epochs"):  # given to a run, not measured
        return [], []
    measured, records = score if measure in SCORES else _structure, study.by_model[subject]
    return [measured(record, measure) for record in records], records


def _dataset(record: Record, measure: str) -> float:
    sizes = {split: sum(counts) for split, counts in record.run.dataset.counts.items()}
    values = {
        "images": sum(sizes.values()),
        "training_images": sizes["Training"],
        "validation_images": sizes["PublicTest"],
        "test_images": sizes["PrivateTest"],
        "image_size": IMAGE_SIZE,
        "classes": len(record.run.dataset.counts["Training"]),
        "splits": len(sizes),
    }
    return float(values[measure])


def _structure(record: Record, measure: str) -> float:
    """A number of the network, from the layer table of a record."""
    layers = record.run.layers
    kinds = {
        "convolutions": "Conv2D",
        "dense_layers": "Dense",
        "dropout_layers": "Dropout",
        "pooling_layers": "MaxPooling2D",
        "batch_normalizations": "BatchNormalization",
    }
    if measure in kinds:
        return float(sum(layer.type == kinds[measure] for layer in layers))
    total = sum(layer.parameters for layer in layers)
    trainable = sum(layer.trainable_parameters for layer in layers)
    totals = {
        "parameters": total,
        "trainable_parameters": trainable,
        "non_trainable_parameters": total - trainable,
    }
    if measure in totals:
        return float(totals[measure])
    if measure == "pool_size":
        place = next(i for i, layer in enumerate(layers) if layer.type == "MaxPooling2D")
        return float(layers[place - 1].output_shape[0] // layers[place].output_shape[0])
    name, number = re.fullmatch(r"(filters|kernel_size)_(\d+)", measure).groups()
    filters, kernel_size = convolutions(record)[int(number) - 1]
    return float(filters if name == "filters" else kernel_size)


def convolutions(record: Record) -> list[tuple[int, int]]:
    """Filters and kernel width in pixels of each convolution, from shapes and parameters."""
    found, channels = [], 1
    for layer in record.run.layers:
        if layer.type == "Conv2D":
            filters = layer.output_shape[-1]
            kernel = round(((layer.parameters / filters - 1) / channels) ** 0.5)
            found.append((filters, kernel))
        channels = layer.output_shape[-1]
    return found


# A check answers with its outcomes, one per run or per seed (or one in all), and with the records
# that it looked at. The bound is the one that book/paper.yml states for it.
Answer = tuple[list[bool], list[Record]]
Check = Callable[[Paper, Study, float | None], Answer]


def _each(model: str, holds: Callable[[Record, float | None], bool]) -> Check:
    """A property of each run of a model."""

    def check(paper: Paper, study: Study, bound: float | None) -> Answer:
        return [holds(record, bound) for record in study.by_model[model]], study.by_model[model]

    return check


def _same_seed(*runs: list[Record]) -> list[tuple[Record, ...]]:
    """Runs beside each other, one of each list, for every seed that all lists have."""
    by_seed = [{record.recipe.seed: record for record in some} for some in runs]
    seeds = [seed for seed in by_seed[0] if all(seed in one for one in by_seed)]
    return [tuple(one[seed] for one in by_seed) for seed in seeds]


def _compared(beside: list[tuple[Record, ...]], holds: Callable[..., bool]) -> Answer:
    return [holds(*runs) for runs in beside], [record for runs in beside for record in runs]


def _paired(one: str, other: str, holds: Callable[[Record, Record], bool]) -> Check:
    """A comparison of two models, seed by seed."""
    return lambda paper, study, bound: _compared(
        _same_seed(study.by_model[one], study.by_model[other]), holds
    )


def _structural(model: str, holds: Callable[[Paper, Record], bool]) -> Check:
    """A property of the network, the same in every run and whatever its size."""

    def check(paper: Paper, study: Study, bound: float | None) -> Answer:
        seen = study.by_model[model][:1]
        return [holds(paper, record) for record in seen], seen

    return check


def _inspected(measure: str, *models: str) -> Check:
    """A property of networks as Keras builds them, which the inspection has recorded."""
    return lambda paper, study, bound: (inspection.read().outcome(measure, models), [])


def _emotions(*named: str) -> Check:
    return lambda paper, study, bound: ([set(named) == set(EMOTIONS)], [])


def _as_printed(model: str) -> Check:
    return _structural(model, lambda paper, record: all(same_rows(paper, model, record)))


def same_rows(paper: Paper, model: str, record: Record) -> list[bool]:
    """Whether each row of our layer table equals the printed one in all it says."""
    printed, ours = paper.layer_tables[model].rows, record.run.layers
    same = [
        (row.name, row.type, list(row.shape), row.parameters)
        == (layer.name, layer.type, layer.output_shape, layer.parameters)
        for row, layer in zip(printed, ours, strict=False)
    ]
    return same + [False] * abs(len(printed) - len(ours))


def rows_as_printed(paper: Paper, study: Study) -> list[bool]:
    """Whether each row of the printed layer tables equals ours; False of a network with no run."""
    return [
        same
        for model, table in paper.layer_tables.items()
        for record in [study.record(model)]
        for same in (same_rows(paper, model, record) if record else [False] * len(table.rows))
    ]


def _types(record: Record) -> list[str]:
    return [layer.type for layer in record.run.layers]


def _after_each_convolution(record: Record, wanted: set[str]) -> bool:
    """Whether all wanted layer types stand between each convolution and the next, or Flatten."""
    groups = " ".join(_types(record)).split("Conv2D")[1:]
    return all(wanted <= set(group.split("Flatten")[0].split()) for group in groups)


def _higher(measure: str) -> Callable[[Record, Record], bool]:
    return lambda one, other: score(one, measure) > score(other, measure)


def _rises(record: Record, bound: float) -> bool:
    losses = record.history["validation_loss"].to_numpy()
    training = record.history["training_loss"].to_numpy()
    return bool(losses[-1] > losses.min() + bound and training[-1] < training[losses.argmin()])


def _overfits(record: Record, bound: float) -> bool:
    losses = record.history["validation_loss"].to_numpy()
    return bool(losses.argmin() < len(losses) - 1 and gap(record) > bound)


def _losses_fall(record: Record, bound: None) -> bool:
    losses = record.history[["training_loss", "validation_loss"]]
    return bool((losses.iloc[-1] < losses.iloc[0]).all())


def _losses_stay_together(record: Record, bound: float) -> bool:
    return abs(inference_gap(record)) <= bound


def _training_accuracy_far_above(record: Record, bound: float) -> bool:
    difference = score(record, "training_accuracy") - score(record, "validation_accuracy")
    return difference >= bound


def _above_linear_classifier(record: Record, bound: None) -> bool:
    linear = baselines.read().predictions[record.recipe.validation_split]
    return score(record, "validation_accuracy") > metrics.accuracy(linear).value


def _more_epochs(model: str) -> Check:
    """Longer trainings beside those of the paper's length, all else equal."""

    def check(paper: Paper, study: Study, bound: None) -> Answer:
        beside = [
            pair
            for group in _of(study, "longer", model)
            if group.recipe.augmentation == "none"
            for pair in _same_seed(group.records, study.by_model[model])
        ]
        return _compared(beside, _higher("validation_accuracy"))

    return check


def _smaller_weights_steadier(paper: Paper, study: Study, bound: None) -> Answer:
    """Probed runs with smaller weights beside those of the same network and seed."""
    every = [probes.read(group.records) for group in study.part("precision")]
    usual = {_whose(one): one for some in every for one in some}
    kept = [one for group in study.part("weights") for one in probes.read(group.records)]
    beside = [(one, usual[_whose(one)]) for one in kept if _whose(one) in usual]
    smaller = [pair for pair in beside if pair[0].probe.weight_size < pair[1].probe.weight_size]
    outcomes = [one.probe.unsteadiness < other.probe.unsteadiness for one, other in smaller]
    return outcomes, [one.record for pair in smaller for one in pair]


def _whose(one: Probed) -> tuple[str, int]:
    return one.record.recipe.model, one.record.recipe.seed


def _of(study: Study, part: str, model: str) -> list[Group]:
    return [group for group in study.part(part) if group.recipe.model == model]


def _differ_in_dropout_alone(one: Record, other: Record) -> bool:
    return not _differing(one.recipe, other.recipe) - {
        "model",
        "dropout_convolution",
        "dropout_dense",
    }


def _differing(one: Recipe, other: Recipe) -> set[str]:
    mine, others = one.model_dump(), other.model_dump()
    return {name for name in mine if mine[name] != others[name]}


def _seven_labels(paper: Paper, study: Study, bound: None) -> Answer:
    seen = study.records[:1]
    counts = [record.run.dataset.counts.values() for record in seen]
    return [all(min(split) > 0 for split in splits) for splits in counts], seen


def _only_photographs(paper: Paper, study: Study, bound: None) -> Answer:
    found = examination.read()
    return [not any([*found.blank.values(), *found.unlike_faces.values()])], []


def _every_run(holds: Callable[[Record], bool]) -> Check:
    """What was set up alike in all runs of the printed networks that have the paper's size."""

    def check(paper: Paper, study: Study, bound: None) -> Answer:
        whole = [one for one in study.records if not one.recipe.reduced]
        return [holds(one) for one in whole], whole

    return check


def _depths_differ(paper: Paper, study: Study, bound: None) -> Answer:
    found = [record for model in study.by_model for record in study.by_model[model][:1]]
    depths = {sum(kind in ("Conv2D", "Dense") for kind in _types(one)) for one in found}
    return ([len(depths) > 1] if len(found) == len(study.by_model) else []), found


def _changes_batch_normalization(paper: Paper, study: Study, bound: None) -> Answer:
    deep, improved = study.record("deep"), study.record("improved")
    if not (deep and improved):
        return [], []
    ours, before = (_types(one).count("BatchNormalization") for one in (deep, improved))
    return [0 < before != ours], [deep, improved]


def _outputs_equal_classes(paper: Paper, study: Study, bound: None) -> Answer:
    found = [record for model in study.by_model for record in study.by_model[model][:1]]
    if len(found) < len(study.by_model):
        return [], []
    return [all(record.run.layers[-1].output_shape == [len(EMOTIONS)] for record in found)], found


def _more(kind: str, one: str, other: str) -> Check:
    def check(paper: Paper, study: Study, bound: None) -> Answer:
        first, second = study.record(one), study.record(other)
        if not (first and second):
            return [], []
        return [_types(first).count(kind) > _types(second).count(kind)], [first, second]

    return check


# A statement whose check is not here, and that is not of SELECTED, is not tested.
CHECKS: dict[str, Check] = {
    "dataset.labels_from_zero_to_six": _seven_labels,
    "dataset.emotions_as_in_introduction": _emotions(
        "neutral", "fear", "angry", "happy", "sad", "contempt"
    ),
    "dataset.emotions_as_in_figure_1": _emotions(
        "angry", "neutral", "sad", "happy", "surprise", "fear", "disgust"
    ),
    "dataset.emotions_as_in_section_2_1": _emotions(
        "happy", "disgust", "fear", "sad", "neutral", "angry"
    ),
    "models.optimizer_is_adam": _inspected("optimizer_is_adam", *PAPER),
    "models.outputs_equal_classes": _outputs_equal_classes,
    "models.depths_differ": _depths_differ,
    "models.trained_by_tensorflow": _every_run(
        lambda record: record.run.environment.backend == "tensorflow"
    ),
    "models.trained_on_all_images": _every_run(
        lambda record: (
            record.run.scores["Training"].images == sum(record.run.dataset.counts["Training"])
        )
    ),
    "dataset.only_photographs": _only_photographs,
    "models.relu_in_hidden_layers": _inspected("relu_in_hidden_layers", *PAPER),
    "shallow.layers_as_printed": _as_printed("shallow"),
    "shallow.first_pooling_after_second_convolution": _structural(
        "shallow",
        lambda paper, record: _types(record)[:3] == ["Conv2D", "Conv2D", "MaxPooling2D"],
    ),
    "shallow.training_accuracy_far_above_validation": _each(
        "shallow", _training_accuracy_far_above
    ),
    "shallow.overfits": _each("shallow", _overfits),
    "shallow.validation_loss_rises": _each("shallow", _rises),
    "shallow.loss_gap_large": _each("shallow", lambda record, bound: gap(record) >= bound),
    "improved.layers_as_printed": _as_printed("improved"),
    "improved.dropout_after_each_convolution": _structural(
        "improved", lambda paper, record: _after_each_convolution(record, {"Dropout"})
    ),
    "improved.has_batch_normalization": _structural(
        "improved", lambda paper, record: "BatchNormalization" in _types(record)
    ),
    "improved.dropout_only_in_training": _inspected("dropout_only_in_training", "improved"),
    "improved.hyperparameters_as_shallow": _paired("improved", "shallow", _differ_in_dropout_alone),
    "improved.more_epochs_more_accurate": _more_epochs("improved"),
    "improved.training_accuracy_below_shallow": _paired(
        "shallow", "improved", _higher("training_accuracy")
    ),
    "improved.gap_smaller_than_shallow": _paired(
        "improved", "shallow", lambda one, other: abs(gap(one)) < abs(gap(other))
    ),
    "improved.losses_fall": _each("improved", _losses_fall),
    "improved.losses_stay_together": _each("improved", _losses_stay_together),
    "deep.layers_as_printed": _as_printed("deep"),
    "deep.more_convolutions_than_shallow": _more("Conv2D", "deep", "shallow"),
    "deep.more_dense_layers_than_improved": _more("Dense", "deep", "improved"),
    "deep.every_kernel_3x3": _structural(
        "deep", lambda paper, record: all(kernel == 3 for _, kernel in convolutions(record))
    ),
    "deep.every_convolution_normalized_pooled_and_dropped": _structural(
        "deep",
        lambda paper, record: _after_each_convolution(
            record, {"BatchNormalization", "MaxPooling2D", "Dropout"}
        ),
    ),
    "deep.more_epochs_more_accurate": _more_epochs("deep"),
    "models.smaller_weights_steadier": _smaller_weights_steadier,
    "deep.passes_sanity_checks": _inspected("passes_sanity_checks", "deep"),
    "deep.losses_stay_together": _each("deep", _losses_stay_together),
    "deep.above_linear_classifier": _each("deep", _above_linear_classifier),
    "deep.batch_normalization_only_in_training": _structural(
        "deep",
        lambda paper, record: all(
            layer.parameters == layer.trainable_parameters for layer in record.run.layers
        ),
    ),
    "deep.dropout_after_hidden_layer": _structural(
        "deep", lambda paper, record: _types(record)[-3:] == ["Dense", "Dropout", "Dense"]
    ),
    "deep.changes_batch_normalization": _changes_batch_normalization,
}
