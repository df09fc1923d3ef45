"""What the list of claims should say of every number that the paper prints, and the verdicts."""

import math
from typing import Any

import numpy as np
from scipy import stats

from audit import records as r
from audit.records import Book, Rows, Run, next_run, scores, spread

KINDS = {"convolutions": "Conv2D", "dense_layers": "Dense", "dropout_layers": "Dropout"}
KINDS |= {"pooling_layers": "MaxPooling2D", "batch_normalizations": "BatchNormalization"}
DATASET = {"training_images": "Training", "validation_images": "PublicTest"}
DATASET |= {"test_images": "PrivateTest"}
GIVEN = ("learning_rate", "hidden_neurons", "epochs")  # settings, which no run measures
SIGNS = {"reproduced": "✓", "not reproduced": "✗", "undecided": "?", "not tested": "–"}


def rows(book: Book) -> Rows:
    """Each claim that prints a number, or a difference between networks, by its id."""
    found = {}
    for claim in book.paper["claims"]:
        subject, measure = claim["quantity"].split(".")
        if claim["kind"] == "number" and measure not in GIVEN:
            result = claim["about"] == "results"
            found[claim["id"],] = (of_result if result else exact)(book, claim, subject, measure)
        elif measure.startswith(("more_accurate_than", "most_accurate")):
            found[claim["id"],] = difference(book, claim)
    return found


def percent(claim: dict[str, Any], value: float) -> float:
    return 100 * value if claim["unit"] == "fraction" else value


def of_result(book: Book, claim: dict[str, Any], model: str, measure: str) -> dict[str, Any]:
    """A loss or an accuracy: what the runs have, how far that is from it, and the verdict."""
    runs = [run for run in book.printed.get(model, []) if not run.reduced]
    values, value = scores(runs, measure), percent(claim, claim["value"])
    row = {"Printed": claim["printed"], "Shown": spread(values), "Measured": spread(values)}
    if not values:
        return row | {"Verdict": sign("not tested")}
    ends = next_run(values) if len(values) > 1 else [values[0]] * 2
    row["Plot"] = [value, min(values), max(values), *ends]
    row["Runs"] = [len(runs), *(run.recipe["seed"] for run in runs)]
    if len(values) == 1:
        return row | {"Verdict": sign("undecided")}
    row["Measured"] = spread(values) + ends
    rounding, margin = percent(claim, claim["rounding"]), percent(claim, edge(book, claim["unit"]))
    apart = abs(np.mean(values) - value)
    error = stats.t.ppf(0.95, len(values) - 1) * r.error(values)
    row["Test"] = [rounding, *ends, apart, error, margin]
    if ends[0] - rounding <= value <= ends[1] + rounding:
        decided = "reproduced" if apart + error <= margin else "undecided"
    else:
        decided = "not reproduced" if apart - error > margin + rounding else "undecided"
    return row | {"Verdict": sign(decided)}


def edge(book: Book, unit: str) -> float:
    """Half of the smallest difference that the paper concludes from within Table 3."""
    told = [one["compares"] for one in book.paper["claims"] if one.get("compares")]
    pairs = [(book.claims[some[0]], book.claims[other]) for some in told for other in some[1:]]
    kept = [pair for pair in pairs if all(one in book.table_3 for one in pair)]
    apart = [abs(one["value"] - other["value"]) for one, other in kept if one["unit"] == unit]
    return min(filter(None, apart)) / 2


def exact(book: Book, claim: dict[str, Any], subject: str, measure: str) -> dict[str, Any]:
    """A count of the dataset or of a network, the same in every run."""
    runs = book.printed.get(subject, book.runs[:1])
    values = [float(count(run, subject, measure)) for run in runs]
    if claim.get("relation") == "at_least":
        holds = min(values) >= claim["value"]
    else:
        holds = max(abs(one - claim["value"]) for one in values) <= claim["rounding"]
    decided = sign("reproduced" if holds else "not reproduced")
    row = {"Printed": claim["printed"], "Shown": values[:1], "Measured": values[:1]}
    return row | {"Runs": [len(runs)], "Verdict": decided}


def count(run: Run, subject: str, measure: str) -> float:
    if subject == "dataset":
        sizes = run.told["dataset"]["counts"]
        whole = {"images": sum(map(sum, sizes.values())), "splits": len(sizes)}
        whole |= {"image_size": 48, "classes": len(r.EMOTIONS)}
        return whole[measure] if measure in whole else sum(sizes[DATASET[measure]])
    layers = run.told["layers"]
    if measure in KINDS:
        return sum(layer["type"] == KINDS[measure] for layer in layers)
    total, trainable = (
        sum(one[k] for one in layers) for k in ("parameters", "trainable_parameters")
    )
    sums = {"parameters": total, "trainable_parameters": trainable}
    sums |= {"non_trainable_parameters": total - trainable}
    if measure in sums:
        return sums[measure]
    if measure == "pool_size":
        at = [layer["type"] for layer in layers].index("MaxPooling2D")
        return layers[at - 1]["output_shape"][0] / layers[at]["output_shape"][0]
    name, _, number = measure.rpartition("_")
    before, at = 1, 0
    for layer in layers:
        filters = layer["output_shape"][-1]
        at += layer["type"] == "Conv2D"
        if at == int(number):
            kernel = math.sqrt((layer["parameters"] / filters - 1) / before)
            return filters if name == "filters" else kernel
        before = filters
    raise ValueError(f"Expected convolution {number}. Received: {at} of them.")


def difference(book: Book, claim: dict[str, Any]) -> dict[str, Any]:
    """By how much one network is more accurate than others on the split called validation.

    On new faces, and on all where the paper says by how much.
    """
    first, *others = (book.claims[name] for name in claim["compares"])
    row, refuted = {"Printed": [], "Shown": [], "Measured": []}, []
    for other in others:
        sides = [book.printed[one["quantity"].split(".")[0]] for one in (first, other)]
        row["Printed"].append(100 * (first["value"] - other["value"]))
        for which in ("new", "all") if claim.get("sized") else ("new",):
            found = r.lead(*sides, "PublicTest", book.faces("PublicTest", which))
            row["Shown"].append(found[0])
            row["Measured"] += found[:3]
        if first["value"] < other["value"]:
            refuted += [100 * first["value"], 100 * other["value"]]
    row["Measured"] += refuted
    return row


def sign(verdict: str) -> str:
    return f"{SIGNS[verdict]} {verdict}"
