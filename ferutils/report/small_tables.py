"""Networks for a phone -> what their files weigh, cost and answer: frames, and words about them.

Reads what it is given; writes nothing. Frames hold text ready to print, but for `sizes`.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from IPython.display import Markdown

from ferutils.claims import metrics
from ferutils.claims.metrics import Interval
from ferutils.records.examination import Examination
from ferutils.records.keeping import HELD_OUT
from ferutils.records.peers import SMALLEST, Peers
from ferutils.records.small import (
    COMMANDS,
    FORMS,
    MIRRORED,
    NETWORKS,
    Answered,
    Files,
    Formats,
    Trained,
)
from ferutils.records.study import Study
from ferutils.report.tables import listed, percent, scored

TEST = "PrivateTest"  # on which nothing was chosen
OURS, PAPERS, PUBLISHED = "this report's", "the paper's", "published"

Groups = Mapping[str, Sequence[Files]]  # by network; a trained one has several seeds


def groups(ours: Sequence[Trained], papers: Sequence[Formats]) -> dict[str, list[Files]]:
    """The files by network: ours, which have several seeds, then the paper's."""
    found: dict[str, list[Files]] = {}
    for one in ours:
        name = one.recipe.network + (", taught" if one.recipe.teachers else "")
        found.setdefault(name, []).append(one.files)
    for other in papers:
        found.setdefault(other.run.rpartition("-")[0], []).append(other.files)
    return found


def accuracy(files: Answered, form: str, split: str, known: Sequence[int] = ()) -> Interval:
    """How often a file is right on the images of a split.

    Args:
        files: of one network, or those that people install.
        form: which of them.
        split: a held-out split.
        known: positions of images to leave out, such as those whose photograph is in Training.
    """
    return metrics.share_right(files.right(form, split), known)


def answers(found: Groups, examined: Examination) -> pd.DataFrame:
    """How often each file is right, and how often it answers as the float32 one does.

    Columns: Network; Runs; Form; PublicTest; PublicTest, new faces; PrivateTest; PrivateTest, new
    faces; As float32.
    """
    rows = []
    for name, form, some in _each(found):
        row = {"Network": name, "Runs": str(len(some)), "Form": form}
        for split in HELD_OUT:
            for head, known in (("", ()), (", new faces", examined.near_in_training[split])):
                row[split + head] = scored([accuracy(one, form, split, known) for one in some])
        same = [np.mean([one.same(form, split) for split in HELD_OUT]) for one in some]
        rows.append(row | {"As float32": "–" if form == FORMS[0] else percent(np.mean(same))})
    columns = [split + head for split in HELD_OUT for head in ("", ", new faces")]
    return _frame(rows, ["Runs", "Form", *columns, "As float32"])


def costs(found: Groups) -> pd.DataFrame:
    """What each file weighs and takes on one thread; of several runs, the mean.

    Columns: Network, Parameters, Form, Bytes, Milliseconds a face, Memory (MB).
    """
    rows = []
    for name, form, some in _each(found):
        forms = [one.forms[form] for one in some]
        memory = [one.memory_bytes for one in forms]
        rows.append(
            {
                "Network": name,
                "Parameters": f"{some[0].parameters:,}",
                "Form": form,
                "Bytes": f"{np.mean([one.bytes for one in forms]):,.0f}",
                "Milliseconds a face": f"{np.mean([one.milliseconds for one in forms]):.2f}",
                "Memory (MB)": "–" if None in memory else f"{np.mean(memory) / 1e6:.1f}",
            }
        )
    columns = ["Parameters", "Form", "Bytes", "Milliseconds a face", "Memory (MB)"]
    return _frame(rows, columns)


def _frame(rows: list[dict[str, str]], columns: list[str]) -> pd.DataFrame:
    """Rows by network, and an open one for each network of ours that has none."""
    known = {row["Network"].partition(",")[0] for row in rows}
    missing = [name for name in NETWORKS if name not in known]
    still_open = [{"Network": name} | dict.fromkeys(columns, "open") for name in missing]
    return pd.DataFrame([*still_open, *rows], columns=["Network", *columns])


def _each(found: Groups) -> list[tuple[str, str, Sequence[Files]]]:
    """Every network with every form that its files have."""
    return [
        (name, form, some)
        for name, some in found.items()
        for form in (*FORMS, MIRRORED)
        if all(form in one.forms for one in some)
    ]


def trainings(ours: Sequence[Trained]) -> pd.DataFrame:
    """How our networks were trained.

    Columns: Network, Seed, Epochs, Learning rate, Weight decay, Precision, Teachers, PublicTest
    after the last epoch, Minutes.
    """
    rows = [
        {
            "Network": one.recipe.network,
            "Seed": str(one.recipe.seed),
            "Epochs": str(one.recipe.epochs),
            "Learning rate": f"{one.recipe.learning_rate:g}",
            "Weight decay": f"{one.recipe.weight_decay:g}",
            "Precision": one.recipe.precision,
            "Teachers": ", ".join(one.recipe.teachers) or "–",
            "PublicTest after the last epoch": percent(one.history[-1].public_accuracy),
            "Minutes": f"{one.cost.wall_seconds / 60:,.0f}",
        }
        for one in ours
    ]
    columns = ["Seed", "Epochs", "Learning rate", "Weight decay", "Precision", "Teachers"]
    return _frame(rows, [*columns, "PublicTest after the last epoch", "Minutes"])


def sizes(found: Groups, study: Study, peers: Peers) -> pd.DataFrame:
    """Bytes and accuracy on PrivateTest as numbers, a row a file, for `figures.sizes`.

    A network of the paper whose files were not measured has the bytes of its parameters in
    float32, and the accuracies of its runs.

    Columns: network, form, whose, bytes, accuracy_share.
    """
    rows = [
        (name, form, _whose(name), one.forms[form].bytes, accuracy(one, form, TEST).value)
        for name, form, some in _each(found)
        for one in some
    ]
    for model, records in study.by_model.items():
        for one in records if model not in found else ():
            weights = 4 * sum(layer.parameters for layer in one.run.layers)
            right = metrics.accuracy(one.predictions[TEST]).value
            rows.append((model, "float32 weights", PAPERS, weights, right))
    for name, peer in peers.forms.items():
        package, _, form = name.partition(", ")
        right = accuracy(peers, name, TEST).value
        rows.append((package, form or "as published", PUBLISHED, peer.bytes, right))
    return pd.DataFrame(rows, columns=["network", "form", "whose", "bytes", "accuracy_share"])


def _whose(name: str) -> str:
    return OURS if name.partition(",")[0] in NETWORKS else PAPERS


# Words


def conclusion(found: Groups, peers: Peers, examined: Examination) -> Markdown:
    """How good the smallest files are beside the installed one, and which networks have none."""
    ours = {name: some for name, some in found.items() if _whose(name) == OURS}
    sentences = [_sentence(name, some, examined) for name, some in ours.items()]
    missing = [name for name in NETWORKS if name not in {key.partition(",")[0] for key in ours}]
    size = f"its file of {peers.forms[SMALLEST].bytes:,} bytes"
    installed = _right([peers], SMALLEST, examined)
    sentences.append(f"**{SMALLEST}**, which people install: {size} is {installed}.")
    if missing:
        verb = "are" if len(missing) > 1 else "is"
        command = f"`{COMMANDS[0]}`"
        sentences.append(f"**Open**: {listed(missing)} {verb} not trained; {command} trains both.")
    if len(ours) == len(found):
        sentences.append(
            "**Open**: no file of the paper's networks has been measured; the figure shows their "
            f"weights in float32. `{COMMANDS[1]}` exports a run of theirs."
        )
    return Markdown("\n".join(f"- {sentence}" for sentence in sentences))


def _sentence(name: str, some: Sequence[Files], examined: Examination) -> str:
    """How good the smallest file of a network is."""
    form = MIRRORED if all(MIRRORED in one.forms for one in some) else FORMS[-1]
    size = np.mean([one.forms[form].bytes for one in some])
    limit = f" (it has to stay under {NETWORKS[name.partition(',')[0]]:,})"
    right = _right(some, form, examined)
    return f"**{name}**: its int8 file of {size:,.0f} bytes{limit} is {right}."


def _right(some: Sequence[Answered], form: str, examined: Examination) -> str:
    every, new = (
        percent(np.mean([accuracy(one, form, TEST, known).value for one in some]))
        for known in ((), examined.near_in_training[TEST])
    )
    return f"right for {every} of {TEST}, and for {new} of the new faces there"
