"""Findings and records -> sentences of a page, as Markdown.

Reads what it is given; writes nothing. No number stands here: each comes from a claim or a record.
"""

from collections import Counter
from collections.abc import Sequence
from statistics import mean

import pandas as pd
from IPython.display import Markdown

from ferutils.claims import metrics, verdicts
from ferutils.claims.paper import ALPHA, Paper, Verdict
from ferutils.claims.selection import Selection
from ferutils.claims.verdicts import Finding
from ferutils.dataset.fer2013 import Dataset
from ferutils.records import crossvalidation, provenance
from ferutils.records.baselines import Linear
from ferutils.records.crossvalidation import Cell
from ferutils.records.examination import Examination
from ferutils.records.probes import Probed
from ferutils.records.runs import HELD_OUT, Record
from ferutils.records.study import Study
from ferutils.report import comparison_tables, probe_tables, reading_tables, tables


def notice(*records: Record) -> Markdown | None:
    """What a reader must know before the numbers: reduced, drawn, other pixels, older code.

    Where it does not hold of all runs, it says of which; None where there is nothing of the kind.
    """
    of: dict[str, list[Record]] = {}
    for record in records:
        own = _not_as_printed(record) if len(records) == 1 else []
        for sentence in own + _special(record):
            of.setdefault(sentence, []).append(record)
    some = {sentence for sentence, runs in of.items() if len(runs) < len(records)}
    return _warning(
        [
            f"{sentence} This holds of {_named(runs)}." if sentence in some else sentence
            for sentence, runs in of.items()
        ]
    )


def _named(runs: Sequence[Record]) -> str:
    """Runs in words, recipe by recipe, with their seeds."""
    seeds: dict[str, list[str]] = {}
    for one in runs:
        seeds.setdefault(one.recipe.variant, []).append(str(one.recipe.seed))
    told = (
        f"{name}, seed{'s' * (len(some) > 1)} {', '.join(some)}" for name, some in seeds.items()
    )
    return "; ".join(told)


def _not_as_printed(record: Record) -> list[str]:
    """What the title of a network's page does not say of the run that it shows."""
    model, printed = record.recipe.model, record.recipe.printed_model
    if model == printed:
        return []
    return [
        f"This is **{model}**, the {printed} model as the paper's text has it; titles and captions "
        "below are those of the network that its figures print."
    ]


def _special(record: Record) -> list[str]:
    """What is special about a run, in sentences."""
    run, words = record.run, []
    if run.dataset.name == "drawn":
        words.append("Trained on **drawn faces**: nothing here is a result on FER-2013.")
    elif run.recipe.reduced:
        images = run.scores["Training"].images
        words.append(
            f"**Reduced run**: {images:,} training images and {run.recipe.epochs} epochs, smaller "
            "than the paper's. Its figures are not a test of the paper's."
        )
    if run.recipe.precision != "float32":
        words.append("Trained in **mixed precision** (bfloat16), which the paper does not mention.")
    words += run.dataset.differences
    if not provenance.is_current(run):
        words.append("Made by an **older version of the code** that trains.")
    if run.code.clean is False:
        words.append("Made from a working tree with uncommitted changes.")
    return words


def cross_validation_notice(*every: Selection) -> Markdown | None:
    """What a reader must know before the choices of cross-validations: open, reduced, older code.

    None where there is nothing of the kind.
    """
    return _warning([sentence for chosen in every for sentence in _special_selection(chosen)])


def _special_selection(chosen: Selection) -> list[str]:
    """What is special about the cross-validation of a network, in sentences."""
    of, found = f"of the {chosen.model} network", chosen.found
    command = f"`{crossvalidation.COMMAND} MODEL={chosen.model}`"
    if found is None:
        return [f"The cross-validation {of} is **not yet run**: {command}."]
    words = []
    if not found.finished:
        done = f"{len(found.trainings):,} of {len(found.settings.plan(chosen.model)):,}"
        words.append(
            f"The cross-validation {of} is **not finished**: {done} trainings. It goes on with "
            f"{command}."
        )
    if found.reduced:
        images = sum(sum(fold.counts) for fold in found.folds)
        words.append(
            f"**Reduced cross-validation** {of}: {images:,} training images and "
            f"{found.settings.epochs} epochs, smaller than the paper's. It is not a test of the "
            "paper's values."
        )
    if not found.is_current:
        words.append(f"The cross-validation {of} was made by an **older version of the code**.")
    if found.code.clean is False:
        words.append(
            f"The cross-validation {of} was made from a working tree with uncommitted changes."
        )
    return words


def selected(chosen: Selection) -> Markdown:
    """What the cross-validation of a network chooses, and how much that decides."""
    if not chosen.finished:
        return Markdown("Open: there is no choice before every cell has been trained in each fold.")
    emotion, always = chosen.always
    if not chosen.measures:
        return Markdown(
            "**Inconclusive**: even the best cell is not more than one standard error "
            f"above always “{emotion}”, so none of its numbers is a measurement. "
            f"{_one_answer(chosen)}"
        )
    best = chosen.cells.loc[chosen.best, "accuracy"]
    sentences = [
        f"The best cell is {_values(chosen.best)}: {tables.percent(best)} of the held-out fold, "
        f"where always “{emotion}” gets {tables.percent(always)} right.",
        f"The one-standard-error choice is {_values(chosen.one_standard_error)}.",
        _of_the_paper(chosen),
        _one_answer(chosen),
    ]
    return Markdown("\n\n".join([" ".join(sentences), _decides(chosen)]))


def _one_answer(chosen: Selection) -> str:
    """How many networks told no faces apart."""
    return (
        f"{chosen.of_one_answer:,} of the {len(chosen.found.trainings):,} networks gave all "
        "held-out images the same answer."
        if chosen.of_one_answer
        else ""
    )


def _values(cell: Cell) -> str:
    return f"learning rate {cell.rate} with {cell.hidden_neurons:,} hidden neurons"


def _of_the_paper(chosen: Selection) -> str:
    """The paper's cell beside the best."""
    if chosen.paper == chosen.best:
        return "The paper's cell is the best."
    value, low, high = map(tables.points, chosen.difference)
    within = "within" if chosen.within(chosen.paper) else "not within"
    return (
        f"The paper's cell, {_values(chosen.paper)}, is {within} one standard error of the best: "
        f"over the same folds it differs from it by {value} percentage points ({low} to {high})."
    )


def _decides(chosen: Selection) -> str:
    """Whether the cells along each of the paper's two values differ, and by what."""
    found = []
    for factor in Cell._fields:
        p_value = chosen.p_value(factor)
        differ = "differ" if p_value < ALPHA else "do not differ by more than folds do by chance"
        found.append(
            f"{factor.replace('_', ' ').capitalize()}: the cells with the paper's other value "
            f"{differ} (Friedman's test, p {metrics.printed_p_value(p_value)})."
        )
    return " ".join(found)


def faces_notice(dataset: Dataset) -> Markdown | None:
    """Which faces a page shows, where they are not those of the published FER-2013."""
    if dataset.name == "drawn":
        text = (
            "The faces on this page are **drawn**, because the report was built without the "
            "dataset, whose images are not ours to publish. Built with `make book FER2013=PATH`, "
            "it shows real ones. The counts below are those of FER-2013."
        )
        return Markdown(f"```{{note}}\n{text}\n```")
    return _warning(dataset.differences)


def _warning(sentences: Sequence[str]) -> Markdown | None:
    text = "\n\n".join(sentences)
    return Markdown(f"```{{warning}}\n{text}\n```") if text else None


# What is said of Table 3 for a network whose figures there all have one verdict.
OF_TABLE_3 = {
    Verdict.REPRODUCED: "**reproduces**",
    Verdict.NOT_REPRODUCED: "**does not reproduce**",
    Verdict.UNDECIDED: "is **undecided**",
    Verdict.NOT_TESTED: "is **not tested** yet",
}


def headline(paper: Paper, findings: Sequence[Finding]) -> Markdown:
    """The answer in one sentence: for which networks Table 3 reproduces."""
    counts: dict[str, Counter[Verdict]] = {}
    for finding in findings:
        if finding.claim in paper.table_3():
            network = finding.claim.quantity.split(".")[0]
            counts.setdefault(network, Counter())[finding.verdict] += 1
    networks: dict[str, list[str]] = {}
    for network, count in counts.items():
        networks.setdefault(_of_table_3(count), []).append(network)
    told = [
        said.format(each=" each" * (len(names) > 1))
        + f" for the {tables.listed(names)} network{'s' * (len(names) > 1)}"
        for said, names in networks.items()
    ]
    if told[0].startswith("**reproduces"):  # and need not be said twice
        told[1:] = [one.replace("**reproduces in", "**in") for one in told[1:]]
    return Markdown(f"The paper's Table 3 {tables.listed(told)}.")


def _of_table_3(count: Counter[Verdict]) -> str:
    """What is said of Table 3 for a network, from the verdicts on its figures there."""
    if len(count) == 1:
        return OF_TABLE_3[next(iter(count))]
    others = [f"{count[one]} {one}" for one in Verdict if count[one] and one != Verdict.REPRODUCED]
    share = f"{count[Verdict.REPRODUCED] or 'none'} of {count.total()} figures{{each}}"
    return f"**reproduces in {share}** ({', '.join(others)})"


def summary(
    findings: Sequence[Finding],
    study: Study,
    linear: Linear,
    examined: Examination,
    split: str,
) -> Markdown:
    """What a reader asks first, each answered in a line with a link to what shows it.

    Args:
        findings: of every claim of the paper.
        study: the runs behind them.
        linear: the baseline that stands beside the networks.
        examined: which photographs of the split are in Training too.
        split: the held-out split that the answers are about.

    Raises:
        ValueError: as `comparison_tables.leads`.
    """
    leads = comparison_tables.leads(study, linear, examined)
    leads = leads[leads["split"] == split].set_index(["networks", "faces"])
    counts = Counter(one.verdict for one in verdicts.results(findings))
    share = len(examined.near_in_training[split]) / examined.images[split]
    answers = {
        "Is the deep network better?": _deep(study, leads),
        "Does dropout help?": _dropout(leads),
        "Can accuracies on FER-2013 be trusted?": f"{tables.percent(share, 0)} of {split} shows a "
        "[photograph that is also in Training](dataset.ipynb).",
        "How sure is this?": f"{counts[Verdict.UNDECIDED]} of {counts.total()} results are "
        f"[undecided](claims.ipynb), {counts[Verdict.NOT_TESTED]} not tested; "
        f"runs: {_runs(study)}.",
    }
    return Markdown("\n\n".join(f"**{name}** {answer}" for name, answer in answers.items()))


def _deep(study: Study, leads: pd.DataFrame) -> str:
    """The deep network over each other one, on new faces."""
    records = study.by_model["deep"]
    deep = tables.network(records[0]) if records else "deep"
    pairs = {one: (f"{deep} and {one}", "new") for one in ("shallow", "improved")}
    found = [
        f"[{tables.led(leads.loc[pair])}](comparison.ipynb) over {one}"
        for one, pair in pairs.items()
        if pair in leads.index
    ]
    return f"Points on new faces: {', '.join(found)}." if found else "Not tested yet."


def _dropout(leads: pd.DataFrame) -> str:
    """The improved network over the shallow one, on all faces and on new ones."""
    if ("improved and shallow", "new") not in leads.index:
        return "Not tested yet."
    new, every = (leads.loc[("improved and shallow", one)] for one in ("new", "all"))
    memory = ": shallow memorised the rest" if new["low"] > every["value"] else ""
    return (
        f"{tables.led(every)} points on all faces, "
        f"[{tables.led(new)} on new ones](#what-the-paper-does-not-say){memory}."
    )


def _runs(study: Study) -> str:
    """How many runs of each network as printed there are."""
    return ", ".join(
        f"{len(records)} {tables.network(records[0]) if records else model}"
        for model, records in study.by_model.items()
    )


def effort(found: Study) -> Markdown:
    """How many runs of the study are recorded, what they cost, and on what they ran."""
    return Markdown(
        f"Of the {found.wanted} runs of the study, {len(found.records)} are recorded: "
        f"{found.hours:.1f} hours of training in all, on {found.devices}."
    )


def nearest(tried: pd.DataFrame) -> Markdown:
    """Which reading comes nearest to Table 3, network by network.

    Args:
        tried: as `reading_tables.readings` gives it.
    """
    told = [
        f"the {network} network "
        + tables.listed([f"{recipe} in {count} of {sum(counts.values())} figures"
                         for recipe, count in counts.items()])
        for network, counts in reading_tables.nearest(tried).items()
    ]  # fmt: skip
    return Markdown(f"Nearest to Table 3: {'; '.join(told)}.")


def one_order(paper: Paper, found: Study) -> Markdown | None:
    """What one order of images for all epochs changes, and which order is nearer to Table 3.

    Over the runs of both and the images of each held-out split; None without such a run.

    Raises:
        ValueError: the runs of both did not see the same images.
    """
    nearer = reading_tables.nearest(reading_tables.readings(paper, found, "order"))
    told = []
    for group in found.part("order"):
        fresh = found.by_model[group.recipe.model]
        if not (group.records and fresh):
            continue
        changed = []
        for split in HELD_OUT:
            sides = ([one.predictions[split] for one in runs] for runs in (group.records, fresh))
            changed.append(f"{tables.led(metrics.lead(*sides))} on {split}")
        counts = nearer[group.recipe.model]
        told.append(
            f"- **{group.recipe.model}** ({len(group.records)} runs with one order, {len(fresh)} "
            f"with new ones): in points, accuracy changes by {tables.listed(changed)}; of Table "
            f"3's {sum(counts.values())} figures, {counts.get(reading_tables.PRINTED, 0)} are "
            "nearer to new orders."
        )
    return Markdown("\n".join(told)) if told else None


def untrained(found: Study, *parts: str) -> Markdown:
    """What parts of the study ask and no run answers yet, folded; nothing where all has a run.

    Raises:
        ValueError: as `study.load`.
    """
    asked = reading_tables.untrained(found, *parts)
    lines = [
        f"- {question}: "
        + "; ".join(f"{recipe} ({', '.join(networks)})" for recipe, networks in recipes.items())
        for question, recipes in asked.items()
    ]
    if not lines:
        return Markdown("")
    head = "```{dropdown} Not trained yet\n`make study FER2013=PATH` trains it:\n\n"
    return Markdown(head + "\n".join(lines) + "\n```")


def copies(found: Examination) -> Markdown:
    """What the copies of the dataset amount to."""
    exact, near = found.exact, found.near
    return Markdown(
        f"Of all {sum(found.images.values()):,} images, {found.copies_in_all:,} equal an earlier "
        f"one pixel for pixel. {sum(near.sizes.values()):,} photographs occur more than once, as "
        "copies or cropped, mirrored, lit or compressed in another way. "
        f"{exact.contradicting_groups:,} distinct images ({exact.contradicting_images:,} files) "
        f"carry conflicting labels; counting near-duplicates, {near.contradicting_groups:,} "
        f"photographs ({near.contradicting_images:,} files) do. Nothing was excluded: the paper "
        "trains and evaluates on the dataset as it is.\n\n"
        f"```{{dropdown}} How they were found\n{_method(found)}\n```"
    )


def _method(found: Examination) -> str:
    """How copies, near copies, blank pictures and pictures of no face were looked for."""
    method = found.method
    size = f"{method['frequencies']:g}"
    return (
        "Two images are *copies* where all their pixels are equal. Near copies, of *one "
        "photograph*, are found in two steps. The first describes each image by the low "
        f"frequencies ({size} by {size}) of the cosine transform of {method['windows']:g} windows, "
        f"{method['centre_window']:g} or {method['smaller_window']:g} pixels wide, standardised "
        "over all images; every two images whose descriptions have a cosine above "
        f"{method['candidate_cosine']:g}, as they are or one of them mirrored, are candidates: "
        f"{found.candidates:,} pairs. The second searches for the inner part of one image in the "
        f"other, over shifts of up to {method['reach']:g} pixels and zooms of "
        f"{method['least_zoom']:g} to {method['greatest_zoom']:g}, by the correlation of their "
        f"detail between blurs of {method['fine_blur']:g} and {method['broad_blur']:g} pixels; "
        f"above {method['same_photograph']:g} they are of one photograph: {found.linked:,} pairs, "
        f"{found.linked_mirrored:,} of them mirrored. The threshold was set by looking at pairs on "
        "both sides of it. Rotated images and very different crops are missed.\n\n"
        "An image is *blank* where its grey levels deviate by less than "
        f"{method['blank_deviation']:g}, and *no photograph* where the entropy of its grey levels "
        f"is below {method['placeholder_entropy']:g} bits, as in a notice or a sign. Photographs "
        "of things other than faces go undetected."
    )


def leaked(found: Study, linear: Linear, examined: Examination, split: str) -> Markdown:
    """What photographs that are in Training too do to the comparison of shallow and improved.

    Raises:
        ValueError: as `comparison_tables.leads`.
    """
    leads = comparison_tables.leads(found, linear, examined)
    pair = leads[(leads["networks"] == "improved and shallow") & (leads["split"] == split)]
    told = {one.faces: one for one in pair.itertuples()}
    if not told:
        return Markdown("Shallow and improved networks have not both been trained yet.")
    new, known, every = (tables.led(told[faces]) for faces in ("new", "known", "all"))
    known_images, images = len(examined.near_in_training[split]), examined.images[split]
    helps = {True: "cannot be told", told["new"].low > 0: "helps", told["new"].high < 0: "harms"}
    return Markdown(
        f"**On faces that a network has never seen, dropout {helps[True]}.** Of the {images:,} "
        f"images of {split}, {known_images:,} show a photograph that is also in Training "
        f"({len(examined.in_training[split]):,} of them are exact copies). On the other "
        f"{images - known_images:,}, the improved network's accuracy minus the shallow one's is "
        f"{new} points; on the known ones {known}, on all together {every}. Leaked photographs "
        "reward the network that memorises, so this report [compares networks](comparison.ipynb) "
        "on new faces."
    )


def tally(findings: Sequence[Finding]) -> Markdown:
    """How many results have which verdict, each quantity once, and of them the conclusions."""
    kinds = {
        "results": verdicts.results(findings),
        "conclusions": [one for one in findings if one.claim.concludes],
    }
    told = []
    for name, some in kinds.items():
        counts = Counter(one.verdict for one in some)
        each = tables.listed([f"{counts[one]} {one}" for one in Verdict if counts[one]])
        told.append(f"{len(some)} {name}: {each}.")
    return Markdown(f"**{' '.join(told)}**")


def rule(paper: Paper) -> Markdown:
    """The rule of the verdicts with its numbers in short; folded in full, with what it replaced."""
    full = f"{paper.told(paper.rule.text)}\n\n*Of {paper.rule.date}.* {paper.rule.history}"
    return Markdown(
        f"{paper.told(paper.rule.short)}\n\n````{{dropdown}} The rule in full\n{full}\n````"
    )


def selection_rule(paper: Paper) -> Markdown:
    """The rule of the verdicts on what a cross-validation chooses."""
    return Markdown(paper.told(paper.rule.cross_validation))


def contradictions(paper: Paper) -> Markdown:
    """Each contradiction of the paper, folded: its readings, which the report follows, and why."""
    parts = []
    for one in paper.contradictions:
        followed = "measured" if one.followed is None else one.readings[one.followed].place
        parts.append(f"```{{dropdown}} {one.topic} · *{followed}*")
        for number, reading in enumerate(one.readings):
            mark = " **Followed here.**" if number == one.followed else ""
            parts.append(f"- *{reading.place}:* {reading.says}{mark}")
        parts += ["", one.why, "```", ""]
    return Markdown("\n".join(parts))


def one_pixel(probed: Sequence[Probed]) -> Markdown | None:
    """What the smallest shift does to the answers of each network; None without a probe."""
    found = {
        name: probe_tables.cost(some, "shift", 1)
        for name, some in probe_tables.by_network(probed).items()
    }
    if not found:
        return None
    turned = [f"{tables.percent(one)} ({name})" for name, (_, one) in found.items()]
    won = [f"{tables.points(-mean(one))} ({name})" for name, (one, _) in found.items()]
    return Markdown(
        f"Move a face by a single pixel, and the answer changes for {tables.listed(turned)} of the "
        f"faces. Accuracy on new faces changes by {tables.listed(won)} points: some answers turn "
        "wrong, others turn right."
    )
