"""One recipe under several Keras backends: its records, whether they agree, tables and words.

Reads book/backends.yml, the records of book/backends and book/first_steps.json; writes nothing.
Needs no Keras.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from itertools import combinations

import numpy as np
import pandas as pd
from IPython.display import Markdown

from ferutils import paths
from ferutils.claims import metrics
from ferutils.claims.metrics import Interval
from ferutils.claims.paper import interval
from ferutils.claims.verdicts import score
from ferutils.dataset import fer2013
from ferutils.records import first_steps as recorded
from ferutils.records import runs, study
from ferutils.records.recipes import run_id
from ferutils.records.runs import HELD_OUT, Record
from ferutils.report.tables import led, listed, percent, spread, with_interval

FOLDER = paths.BOOK / "backends"  # a folder of records for each backend
RECIPES = paths.BOOK / "backends.yml"
COMMAND = "make backends FER2013=PATH"
NAMES = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}
OPEN = "open"

Found = Mapping[str, Sequence[Record]]  # by backend, in the order of seeds


class Agreement(StrEnum):
    """What is said of backends, or of two of them."""

    WITHIN = "within seed noise"
    BEYOND = "beyond seed noise"
    NOT_TESTED = "not tested"


RULE = """\
Two backends are *within seed noise* of each other where the 95 % interval of the difference between
their mean held-out accuracies, of both splits together, contains zero, and *beyond seed noise*
where it does not. The intervals are Tukey's {cite}`tukey1949`: they judge the difference by how
much the seeds of one backend differ among themselves, and hold for all pairs at once. A backend
needs two runs, else it is *not tested*. All backends together are *beyond seed noise* where one
pair is, else *not tested* where one backend is, else *within seed noise*.

An interval that contains zero does not show that two backends are the same. Half its width is the
smallest difference that these seeds would have shown."""


def rule() -> Markdown:
    """The rule of the verdicts, as the page prints it."""
    return Markdown(RULE)


def read() -> dict[str, list[Record]]:
    """The records of the recipe on the published dataset, by backend, in the order of seeds.

    Raises:
        ValueError: a record was made under another backend than its folder says.
    """
    fingerprints = fer2013.published_fingerprints()
    names = [run_id(recipe, fingerprints) for recipe in study.described(RECIPES)]
    found = {
        backend: [one for one in (runs.find(name, [FOLDER / backend]) for name in names) if one]
        for backend in NAMES
    }
    for backend, some in found.items():
        for one in some:
            _check(one, backend)
    return found


def _check(record: Record, backend: str) -> None:
    used = record.run.environment.backend
    if used != backend:
        raise ValueError(
            f"Expected in book/backends/{backend} what was trained under {backend}. Received: "
            f"{record.run.id}, trained under {used}. Remove that folder and run {COMMAND}."
        )


def every(found: Found) -> list[Record]:
    """The records of all backends."""
    return [record for some in found.values() for record in some]


def accuracies(found: Found, split: str = "both") -> dict[str, list[float]]:
    """The accuracies of each backend on one held-out split or both, in the order of seeds."""
    return {name: [score(one, f"{split}_accuracy") for one in found[name]] for name in found}


def differences(values: Mapping[str, Sequence[float]]) -> dict[tuple[str, str], Interval | None]:
    """Of each two backends, the difference of their means; None where one has fewer than two runs.

    Args:
        values: the accuracies of each backend.
    """
    tested = {name: some for name, some in values.items() if len(some) > 1}
    known = metrics.differences_of_means(tested)
    return {pair: known.get(pair) for pair in combinations(values, 2)}


def agreement(found: Sequence[Interval | None]) -> Agreement:
    """What is said of pairs of backends, by RULE.

    Args:
        found: the difference between the means of each pair; None where it is not known.
    """
    if any(one and not one.low <= 0 <= one.high for one in found):
        return Agreement.BEYOND
    if not found or None in found:
        return Agreement.NOT_TESTED
    return Agreement.WITHIN


def deviation(values: Mapping[str, Sequence[float]]) -> float:
    """The standard deviation over the seeds of one backend, pooled; NaN without two runs of one."""
    several = [some for some in values.values() if len(some) > 1]
    freedom = sum(len(some) - 1 for some in several)
    squares = sum(np.square(np.subtract(some, np.mean(some))).sum() for some in several)
    return float(np.sqrt(squares / freedom)) if freedom else float("nan")


def means(found: Found) -> pd.DataFrame:
    """The held-out accuracies as numbers, a row per backend, for `figures.means`.

    Columns: name, seeds, measured, value, low, high.
    """
    values = accuracies(found)
    return pd.DataFrame(
        {
            "name": NAMES[backend],
            "seeds": [one.recipe.seed for one in some],
            "measured": values[backend],
            **_mean(values[backend])._asdict(),
        }
        for backend, some in found.items()
    )


def _mean(values: Sequence[float]) -> Interval:
    """The mean of some values and its 95 % t interval; NaN without any value."""
    if not values:
        return Interval(*[float("nan")] * 3)
    return Interval(float(np.mean(values)), *interval(values))


def table(found: Found) -> pd.DataFrame:
    """What was measured under each backend.

    Columns: Backend; Runs; Version; Held-out accuracy (95 % interval); Deviation, points; Held-out
    loss (nats).
    """
    return pd.DataFrame([_row(backend, some) for backend, some in found.items()])


def _row(backend: str, some: Sequence[Record]) -> dict[str, str]:
    versions = dict.fromkeys(one.run.environment.versions.get(backend, "–") for one in some)
    columns = ("Version", "Held-out accuracy (95 % interval)", "Deviation, points",
               "Held-out loss (nats)")  # fmt: skip
    shown = dict.fromkeys(columns, OPEN)
    if some:
        values = [score(one, "both_accuracy") for one in some]
        loss = [score(one, "both_loss") for one in some]
        texts = (
            ", ".join(versions),
            with_interval(_mean(values)) if len(values) > 1 else percent(values[0]),
            f"{100 * np.std(values, ddof=1):.1f}" if len(values) > 1 else "–",
            spread(loss, "{:.3f}".format),
        )
        shown = dict(zip(columns, texts, strict=True))
    return {"Backend": NAMES[backend], "Runs": str(len(some))} | shown


def pairs(found: Found) -> pd.DataFrame:
    """Each two backends: how far their means are apart, and what is said of it.

    Columns: Backends; PublicTest, PrivateTest and Both, each the difference of means with its
    interval, points; Smallest difference seen, points; Verdict, which goes by both.
    """
    heads = dict(zip((*HELD_OUT, "both"), ("PublicTest", "PrivateTest", "Both"), strict=True))
    known = {head: differences(accuracies(found, one)) for one, head in heads.items()}
    return pd.DataFrame(
        [
            {
                "Backends": " − ".join(NAMES[one] for one in pair),
                **{head: _difference(some[pair]) for head, some in known.items()},
                "Smallest difference seen, points": _half_width(difference),
                "Verdict": str(agreement([difference])),
            }
            for pair, difference in known["Both"].items()
        ]
    )


def _difference(found: Interval | None) -> str:
    return OPEN if found is None else led(found)


def _half_width(found: Interval | None) -> str:
    return OPEN if found is None else f"{50 * (found.high - found.low):.1f}"


def conclusion(found: Found) -> Markdown:
    """Whether the backends agree, what would have been seen, and what is still to be trained.

    Raises:
        ValueError: as `study.described`.
    """
    values = accuracies(found)
    known = differences(values).values()
    backends, verdict = listed(list(NAMES.values())), agreement(list(known))
    sentences = [f"The recipe's held-out accuracy under {backends} is **{verdict}**."]
    widths = [one.high - one.low for one in known if one]
    if widths:
        sentences.append(
            f"Over the seeds of one backend it deviates by {100 * deviation(values):.1f} points; "
            f"{50 * max(widths):.1f} points between two backends would have been seen, and less "
            "may be there."
        )
    return Markdown(" ".join([*sentences, *_to_train(found)]))


def _to_train(found: Found) -> list[str]:
    """What has no record yet, in a sentence, where there is such a run."""
    wanted = len(study.described(RECIPES))
    counts = {NAMES[backend]: len(some) for backend, some in found.items() if len(some) < wanted}
    if not counts:
        return []
    recorded = listed([f"{count} of {wanted} runs under {name}" for name, count in counts.items()])
    return [f"Recorded so far: {recorded}. `{COMMAND}` trains the others."]


def first_steps(measured: recorded.Measured) -> pd.DataFrame:
    """What each backend makes of the same weights and images.

    Columns: Network; Backend; First loss; Last loss; Gradient, %; Step of Adam, %; Moving
    statistics, %; Kernels drawn. Losses are of the first and the last step, in nats; what has % is
    how far it is from the first backend's, as a share of its norm; the last is the least and the
    greatest standard deviation of a kernel, as a share of Glorot's.
    """
    return pd.DataFrame(
        {
            "Network": model,
            "Backend": NAMES.get(name, f"{NAMES[recorded.FIRST]}, weights rounded"),
            "First loss": f"{one.losses[0]:.5f}",
            "Last loss": f"{one.losses[-1]:.3f}",
            **{
                head: "–" if name == recorded.FIRST else _share(value)
                for head, value in {
                    "Gradient, %": one.gradient,
                    "Step of Adam, %": one.update,
                    "Moving statistics, %": one.statistics,
                }.items()
            },
            "Kernels drawn": "{:.2f}–{:.2f}".format(*one.drawn),
        }
        for model, some in measured.networks.items()
        for name, one in some.items()
    )


def _share(value: float) -> str:
    """A share in %, with two digits down to a thousandth."""
    if 0 < 100 * value < 0.001:
        return "< 0.001"
    return np.format_float_positional(100 * value, precision=2, fractional=False, trim="-")
