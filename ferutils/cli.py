"""The command `ferutils`: what has been recorded, and what a recorded network answers.

Reads datasets, records and images; writes CSV files, and removes what interrupted work left. What
takes time to import is imported by the command that needs it, so that help comes at once.
"""

import csv
import difflib
import io
import json
import math
import os
import re
import shutil
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ferutils import paths, storage

if TYPE_CHECKING:
    from PIL.Image import Image

    from ferutils.dataset.fer2013 import Dataset
    from ferutils.records.crop import Square
    from ferutils.records.recipes import Recipe
    from ferutils.records.runs import Record, Run

RECORDED, NEW = "recorded", "new"  # in the report's folder; in the folder of new runs
NONE = "-"  # of a cell without value, so that every row has as many words
FORMULA = ("=", "+", "-", "@")  # a cell that begins so is computed by a spreadsheet
DRAWN = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}  # what pictures are drawn as
NEAR = 0.4  # how much of a name must agree for it to be proposed, 0 to 1

# What `runs.write`, `training.save_weights`, `storage.whole` for a checkpoint and the cache of
# datasets leave when they are cut off.
UNFINISHED_RECORD = re.compile(rf"\.({paths.RUN_ID})-\w+")
UNFINISHED_FILE = re.compile(
    rf"\.unfinished-{paths.RUN_ID}\.weights\.h5|\.{paths.RUN_ID}\.npz-\d+\.part"
    r"|fer2013-\w+\.part"
)
IN_WORK_SECONDS = 600  # what changed later than this may be a running process's


class _Explaining(click.Group):
    """Shows the package's errors in their own words, without traceback or control characters."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except click.ClickException as error:
            error.message = _plain_lines(error.message)
            raise
        except BrokenPipeError:  # the reader of a pipe has gone; click ends quietly
            raise
        except (OSError, ValueError) as error:
            if isinstance(error, ValueError) and not str(error).startswith("Expected"):
                raise  # a fault of ours, whose traceback is wanted
            raise click.ClickException(_plain_lines(_reason(error))) from None


def _reason(error: Exception) -> str:
    """An error in one sentence or more."""
    if isinstance(error, OSError) and error.strerror:
        return ": ".join(str(part) for part in (error.strerror, error.filename) if part)
    return str(error)


@click.group(cls=_Explaining, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Facial expression recognition, reproduced: the dataset, the recorded runs, their answers.

    RUN is the id of a run, as `ferutils runs` lists it, or a beginning that no other id has.
    """
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")


# Text that is safe to print, and aligned


def _plain(text: str) -> str:
    """Text whose control characters, which a terminal would obey, are written out as escapes."""
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in text
    )


def _plain_lines(text: str) -> str:
    return "\n".join(map(_plain, text.split("\n")))


def _print_table(rows: Sequence[Sequence[object]], numbers: Iterable[int] = (), indent="") -> None:
    """Print rows of cells in columns two spaces apart.

    Args:
        rows: equally long; the head is one of them.
        numbers: the columns that are aligned to the right.
        indent: before each row.
    """
    cells = [[_plain(str(cell)) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells)]
    for row in cells:
        aligned = [
            cell.rjust(width) if place in numbers else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths))
        ]
        click.echo(indent + "  ".join(aligned).rstrip())


def _print_section(title: str, rows: Mapping[str, object]) -> None:
    click.echo(f"\n{title}")
    _print_table(list(rows.items()), indent="  ")


def _print_json(content: Any) -> None:
    """Print JSON in ASCII; a number that JSON cannot hold becomes "NaN", as in run.json."""
    text = json.dumps(_in_json(content), indent=2, allow_nan=False)
    click.echo(text.replace("\x7f", r"\u007f"))  # the one control character that JSON lets stand


def _in_json(content: Any) -> Any:
    if isinstance(content, float) and not math.isfinite(content):
        return "NaN"
    if isinstance(content, dict):
        return {key: _in_json(value) for key, value in content.items()}
    return [_in_json(value) for value in content] if isinstance(content, list) else content


def _percent(share: float | None) -> str:
    return NONE if share is None else f"{100 * share:.1f}%"


def _accuracy(scores: Mapping[str, Any]) -> str:
    """The accuracy in some scores, with its interval where they have one."""
    value = _percent(scores["accuracy"])
    if "interval" not in scores:
        return value
    low, high = (f"{100 * limit:.1f}" for limit in scores["interval"])
    return f"{value} ({low} to {high})"


def _value(value: object) -> str:
    """A parameter of a recipe."""
    if value is None:
        return "all"  # of the images; every other parameter has a value of its own
    return f"{value:g}" if isinstance(value, float) else str(value)


# Finding runs


def _folders(only: str | None = None) -> dict[str, Path]:
    """The folders of records, each once, by what a run in them is called."""
    folders = {RECORDED: paths.RECORDED_RUNS, NEW: paths.new_runs()}
    if folders[RECORDED].resolve() == folders[NEW].resolve():
        del folders[NEW]
    return {where: folder for where, folder in folders.items() if only in (None, where)}


def _read_runs(only: str | None = None) -> tuple[list[tuple[str, "Record"]], list[str]]:
    """Every finished run with where it is, in the order of ids, and why the others are not read."""
    from ferutils.records import runs

    found, problems = [], []
    for where, folder in _folders(only).items():
        for file in folder.glob("[!.]*/run.json"):
            try:
                found.append((where, runs.read(file.parent)))
            except (OSError, ValueError) as error:
                problems.append(_reason(error))
    found.sort(key=lambda one: (one[1].recipe.model, one[1].run.started.isoformat()))
    return found, problems


def _stop_for(problems: list[str]) -> None:
    """End with what could not be read, after what could."""
    if problems:
        raise click.ClickException("\n".join(["Not every record could be read.", *problems]))


def _find_run(given: str) -> tuple[str, "Record"]:
    """Where the run lies that a user named, and its record.

    Raises:
        ValueError: no run, or more than one, has an id that begins so; or its record is damaged.
    """
    from ferutils.records import runs

    name = _resolve(given)
    found = runs.find(name)
    where = RECORDED if (paths.RECORDED_RUNS / name / "run.json").is_file() else NEW
    return where, found


def _resolve(given: str) -> str:
    """The id that a user meant."""
    folders = _folders().values()
    names = sorted({file.parent.name for one in folders for file in one.glob("[!.]*/run.json")})
    matching = [name for name in names if given and name.startswith(given)]
    if given in names or len(matching) == 1:
        return given if given in names else matching[0]
    if matching:
        received = f"{given!r}, with which {len(matching)} ids begin: {', '.join(matching[:8])}"
        remedy = "Give more of the id."
        received += ", ..." if len(matching) > 8 else ""
    else:
        near = difflib.get_close_matches(given, names, cutoff=NEAR)
        received = f"{given!r}, with which no id begins"
        remedy = f"Did you mean {' or '.join(near)}?" if near else "List the runs: ferutils runs"
    raise ValueError(
        f"Expected the id of a run, or a beginning of one. Received: {received}. {remedy}"
    )


# What a run says of itself


def _role(recipe: "Recipe", split: str) -> str:
    """What a held-out split is to a run: those followed during training are its validation."""
    return "validation" if recipe.validation_split in (split, "both") else "test"


def _accuracies(run: "Run") -> dict[str, float | None]:
    """Accuracy by role; None for the test where both held-out splits were followed."""
    from ferutils.records.runs import HELD_OUT

    found = {}
    for role in ("validation", "test"):
        scores = [run.scores[split] for split in HELD_OUT if _role(run.recipe, split) == role]
        images = sum(one.images for one in scores)
        right = sum(one.accuracy * one.images for one in scores)
        found[role] = right / images if images else None
    return found


def _copy(run: "Run") -> str:
    """Which dataset a run saw, in one word."""
    return "other-copy" if run.dataset.differences else run.dataset.name


def _measured(record: "Record", split: str) -> dict[str, Any]:
    """The scores of a held-out split, computed from the recorded answers."""
    from ferutils.claims import metrics

    found = record.predictions[split]
    accuracy = metrics.accuracy(found)
    return {
        "role": _role(record.recipe, split),
        "images": len(found.labels),
        "accuracy": accuracy.value,
        "interval": [accuracy.low, accuracy.high],
        "loss": metrics.loss(found),
        "macro_f1": metrics.macro_f1(found),
    }


# Commands


@main.command()
@click.argument("path", envvar="FER2013", type=click.Path(path_type=Path))
def check(path: Path) -> None:
    """Read FER-2013 and compare it with the published one.

    PATH is a CSV file, a folder of images, or one of these packed; without it, what the
    environment variable FER2013 names. The exit status is 1 where it is not the published dataset.
    """
    from ferutils.dataset import fer2013, reading

    dataset, notes = reading.load_with_notes(path)
    heads = [("split", "images", *fer2013.EMOTIONS, "SHA-256")]
    _print_table(
        heads
        + [
            (split, sum(counts), *counts, dataset.fingerprints[split])
            for split, counts in dataset.counts().items()
        ],
        numbers=range(1, 2 + len(fer2013.EMOTIONS)),
    )
    click.echo("\n".join(notes))
    if dataset.differences:
        raise click.ClickException(
            "\n".join(["This is not the published FER-2013.", *dataset.differences])
        )
    click.echo("This is the published FER-2013, pixel for pixel.")


@main.command("runs")
@click.option("--new", "only", flag_value=NEW, help="Only runs outside the report.")
@click.option("--recorded", "only", flag_value=RECORDED, help="Only the report's runs.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def list_runs(only: str | None, as_json: bool) -> None:
    """List the runs there are."""
    found, problems = _read_runs(only)
    if as_json:
        _print_json([_summary(where, record.run) for where, record in found])
    elif found:
        heads = "run network dataset seed epochs validation test minutes date where options"
        rows = [_listed(_summary(where, record.run), record.recipe) for where, record in found]
        _print_table([heads.split(), *rows], numbers=(3, 4, 5, 6, 7))
    else:
        click.echo("There is no run yet.", err=True)
    _stop_for(problems)


def _summary(where: str, run: "Run") -> dict[str, Any]:
    accuracies = {f"{role}_accuracy": value for role, value in _accuracies(run).items()}
    return {
        "id": run.id,
        "where": where,
        "dataset": _copy(run),
        "recipe": run.recipe.model_dump(),
        **accuracies,
        "wall_seconds": run.cost.wall_seconds,
        "started": run.started.isoformat(),
    }


def _listed(summary: dict[str, Any], recipe: "Recipe") -> tuple[object, ...]:
    """A run as a row of the list; its options are those that no other column tells."""
    told = ("model", "dataset", "seed", "epochs")
    options = [f"{name}={_value(v)}" for name, v in recipe.differing().items() if name not in told]
    return (
        summary["id"],
        recipe.model,
        summary["dataset"],
        recipe.seed,
        recipe.epochs,
        _percent(summary["validation_accuracy"]),
        _percent(summary["test_accuracy"]),
        f"{summary['wall_seconds'] / 60:.1f}",
        summary["started"][:10],
        summary["where"],
        " ".join(options) or NONE,
    )


@main.command()
@click.argument("run")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def show(run: str, as_json: bool) -> None:
    """Show all about one run.

    Its recipe, scores with 95 % intervals (Wilson), dataset, cost, environment, code, and the
    command that repeats it.
    """
    from ferutils.measuring import recording
    from ferutils.records import provenance
    from ferutils.records.runs import HELD_OUT

    where, record = _find_run(run)
    content = json.loads(record.run.model_dump_json())
    content["scores"] |= {split: _measured(record, split) for split in HELD_OUT}
    content["where"] = where
    content["weights_at_hand"] = recording.weights(record.run.id).is_file()
    content["code"]["current"] = provenance.is_current(record.run)
    content["command"] = record.recipe.command()
    if as_json:
        _print_json(content)
    else:
        _print_run(content)


def _print_run(content: dict[str, Any]) -> None:
    """Print what `show` has gathered of a run."""
    recipe, cost = content["recipe"], content["cost"]
    click.echo(f"{content['id']} ({content['where']}, begun {_plain(content['started'])})")
    _print_section("Recipe", {name: _value(value) for name, value in recipe.items()})
    _print_scores(content["scores"], content["kept_epoch"])
    _print_section("Dataset", _dataset_rows(content["dataset"]))
    gibibytes = cost["peak_memory_bytes"] / 2**30
    _print_section(
        "Cost",
        {
            "minutes": f"{float(cost['wall_seconds']) / 60:.1f}",
            "training images per second": f"{float(cost['images_per_second']):.0f}",
            "largest memory": f"{gibibytes:.1f} GiB",
        },
    )
    environment = content["environment"]
    _print_section("Environment", {**environment, "versions": _pairs(environment["versions"])})
    _print_section("Code", _code_rows(content["code"]))
    weights = "at hand" if content["weights_at_hand"] else "not at hand"
    _print_section("Again", {"command": content["command"], "weights": weights})


def _print_scores(scores: dict[str, dict[str, Any]], kept_epoch: int) -> None:
    click.echo(f"\nScores with the weights of epoch {kept_epoch}")
    rows = [("split", "role", "images", "loss", "macro-F1", "accuracy (95 % interval)")]
    for split, one in scores.items():
        # Of the training images, Keras' own figures alone are recorded.
        macro_f1 = f"{one['macro_f1']:.3f}" if "macro_f1" in one else NONE
        loss, role = f"{float(one['loss']):.3f}", one.get("role", "training")
        rows.append((split, role, one["images"], loss, macro_f1, _accuracy(one)))
    _print_table(rows, numbers=(2, 3, 4), indent="  ")


def _dataset_rows(note: dict[str, Any]) -> dict[str, str]:
    rows = {
        split: f"{sum(note['counts'][split])} images, SHA-256 {fingerprint}"
        for split, fingerprint in note["fingerprints"].items()
    }
    as_published = "as published" if note["name"] == "fer2013" else "drawn faces"
    return {"name": note["name"], **rows, "state": " ".join(note["differences"]) or as_published}


def _code_rows(code: dict[str, Any]) -> dict[str, str]:
    state = {True: "clean tree", False: "changed tree", None: "no git"}[code["clean"]]
    age = "as now" if code["current"] else "older than the code here, or newer"
    return {
        "commit": f"{code['commit'] or 'unknown'}, {state}",
        "fingerprint": f"{code['fingerprint']}, {age}",
    }


def _pairs(values: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


@main.command()
@click.argument("first", metavar="RUN")
@click.argument("second", metavar="RUN")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def diff(first: str, second: str, as_json: bool) -> None:
    """Compare two runs on the same images.

    The parameters that differ, the scores, how many images one of the runs alone has right, and
    the p-value of McNemar's exact test. Differences are those of the second from the first.
    """
    from ferutils.records.runs import HELD_OUT

    one, other = (_find_run(given)[1] for given in (first, second))
    _check_same_images(one, other)
    content = {
        "runs": [one.run.id, other.run.id],
        "recipe": _differing(one, other),
        "splits": {split: _compared(one, other, split) for split in HELD_OUT},
    }
    if as_json:
        _print_json(content)
    else:
        _print_difference(content)


def _check_same_images(first: "Record", second: "Record") -> None:
    """Refuse to compare what two runs got right of different images."""
    from ferutils.records.runs import HELD_OUT

    seen = [
        {split: (one.run.dataset.fingerprints[split], one.run.scores[split].images)
         for split in HELD_OUT}
        for one in (first, second)
    ]  # fmt: skip
    if seen[0] != seen[1]:
        received = " and ".join(f"{one.run.id} on {_seen(one)}" for one in (first, second))
        raise ValueError(
            f"Expected two runs evaluated on the same images. Received: {received}. Compare runs "
            "of one dataset with the same evaluation_images."
        )


def _seen(record: "Record") -> str:
    """Which held-out images a run was evaluated on."""
    from ferutils.records.runs import HELD_OUT

    prints, scores = record.run.dataset.fingerprints, record.run.scores
    sizes = [f"{scores[one].images} of {one} {prints[one][:8]}..." for one in HELD_OUT]
    return f"{_copy(record.run)} ({', '.join(sizes)})"


def _differing(first: "Record", second: "Record") -> dict[str, list[Any]]:
    """The parameters in which two runs differ, and their training images where these do."""
    one, other = (record.recipe.model_dump() for record in (first, second))
    found = {name: [one[name], other[name]] for name in one if one[name] != other[name]}
    prints = [record.run.dataset.fingerprints["Training"] for record in (first, second)]
    return found | ({"training_sha256": prints} if prints[0] != prints[1] else {})


def _compared(first: "Record", second: "Record", split: str) -> dict[str, Any]:
    """The scores of two runs on the same images, and what differs between their answers."""
    from ferutils.claims import metrics

    one, other = (record.predictions[split] for record in (first, second))
    test, gap = metrics.mcnemar(one, other), metrics.difference(other, one)
    return {
        "scores": [_measured(record, split) for record in (first, second)],
        "difference": gap.value,
        "difference_interval": [gap.low, gap.high],
        "changed_verdict": test.first_alone + test.second_alone,
        "first_alone_right": test.first_alone,
        "second_alone_right": test.second_alone,
        "p_value": test.p_value,
    }


def _print_difference(content: dict[str, Any]) -> None:
    """Print what `diff` has gathered of two runs."""
    from ferutils.claims import metrics

    click.echo("Parameters that differ")
    rows = [(name, *map(_value, values)) for name, values in content["recipe"].items()]
    _print_table([("", *content["runs"]), *(rows or [("none", "", "")])], indent="  ")
    for split, found in content["splits"].items():
        role = "/".join(dict.fromkeys(one["role"] for one in found["scores"]))
        click.echo(f"\n{split} ({role}), {found['scores'][0]['images']} images")
        _print_table(_score_rows(content["runs"], found), indent="  ")
        click.echo(
            f"  {found['changed_verdict']} images changed verdict: "
            f"{found['first_alone_right']} only the first has right, "
            f"{found['second_alone_right']} only the second; "
            f"McNemar's p {metrics.printed_p_value(found['p_value'])}"
        )


def _score_rows(names: Sequence[str], found: dict[str, Any]) -> list[tuple[str, ...]]:
    gaps = (found["difference"], *found["difference_interval"])
    gap, low, high = (f"{100 * share:+.1f}" for share in gaps)
    rows = [("", *names, "difference, points")]
    rows.append(("accuracy", *map(_accuracy, found["scores"]), f"{gap} ({low} to {high})"))
    for head, name in (("loss", "loss"), ("macro-F1", "macro_f1")):
        rows.append((head, *(f"{one[name]:.3f}" for one in found["scores"]), ""))
    return rows


@main.command()
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="The file; standard output by default."
)
def export(output: Path | None) -> None:
    """Write every run as one row of a CSV file.

    Recipe, scores, dataset, cost, environment and code; times in seconds, losses in nats.
    """
    found, problems = _read_runs()
    content = _csv([_row(where, record.run) for where, record in found])
    if output in (None, Path("-")):
        click.echo(content, nl=False)
    else:
        _write(output.resolve(), content.encode())
        click.echo(f"{len(found)} runs in {_plain(str(output))}", err=True)
    _stop_for(problems)


def _write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; what is no file, such as a device or a pipe, stays one."""
    if path.exists() and not path.is_file():
        path.write_bytes(content)
    else:
        storage.write_whole(path, content)


def _row(where: str, run: "Run") -> dict[str, Any]:
    """A run as one row, by column."""
    scores = {
        f"{split}_{name}": value
        for split, one in run.scores.items()
        for name, value in one.model_dump().items()
    }
    prints = {f"{split}_sha256": value for split, value in run.dataset.fingerprints.items()}
    environment = run.environment.model_dump(exclude={"versions"})
    versions = {f"version_{name}": value for name, value in run.environment.versions.items()}
    return {
        "run": run.id,
        "where": where,
        "started": run.started.isoformat(),
        **run.recipe.model_dump(),
        "kept_epoch_number": run.kept_epoch,
        "parameters": sum(layer.parameters for layer in run.layers),
        **scores,
        **prints,
        "differences": " ".join(run.dataset.differences),
        **run.cost.model_dump(),
        **environment,
        **{f"code_{name}": value for name, value in run.code.model_dump().items()},
        **versions,
    }


def _csv(rows: list[dict[str, Any]]) -> str:
    """Rows of text and numbers as CSV, whose head has every column once."""
    columns = dict.fromkeys(column for row in rows for column in row)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(_cell, columns))
    writer.writerows([_cell(row.get(column)) for column in columns] for row in rows)
    return text.getvalue()


def _cell(value: object) -> object:
    """A cell; text that a spreadsheet would compute is marked as text by an apostrophe."""
    if not isinstance(value, str):
        return value
    return "'" * value.startswith(FORMULA) + _plain(value)


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("options", metavar="[-- SNAKEMAKE OPTION...]", nargs=-1, type=click.UNPROCESSED)
@click.option("--profile", metavar="NAME", help="Where: a folder of profiles/, such as slurm.")
@click.option("-n", "--dry-run", is_flag=True, help="Only say how many runs, and what they take.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def sweep(
    file: Path, options: tuple[str, ...], profile: str | None, dry_run: bool, yes: bool
) -> None:
    """Train many runs, as a YAML file describes them.

    FILE has runs, each with model, seeds and parameters; a list of values stands for a run with
    each of them. A recorded run is not trained again; new records go where `ferutils runs --new`
    finds them. It can be stopped and started again.
    """
    from ferutils.measuring import sweep
    from ferutils.records import study

    wanted = sweep.plan(study.described(file))
    size, unknown = sweep.estimate(wanted)
    click.echo(sweep.described(wanted, size, unknown))
    if dry_run or not size.runs:
        return
    if sweep.is_large(size) and not yes:
        click.confirm("This is much. Begin?", abort=True)
    sys.exit(sweep.start(sweep.write(wanted), profile, options))


@main.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), default=paths.ROOT / "_build/bundle"
)
@click.option("--python", default="3.12", show_default=True, help="Of the machine that trains.")
@click.option("--platform", default="x86_64-manylinux_2_28", show_default=True)
@click.option("--has", metavar="'NAME ...'", default="", help="Libraries that are there already.")
@click.option("--part", metavar="MIB", type=click.IntRange(1), default=40, show_default=True)
def bundle(
    file: Path | None, output: Path, python: str, platform: str, has: str, part: int
) -> None:
    """Pack what a machine without network needs to train open runs.

    FILE describes the runs, as for sweep; without it they are the study's. The folder has parts of
    at most MIB mebibytes, to be carried as one pleases, and train.sh, which runs there with a
    backend of Keras that the machine has. `ferutils adopt` takes the records in.
    """
    from ferutils.measuring import bundling, recording, sweep
    from ferutils.records import study

    wanted = sweep.plan(study.trainings(study.load(file or study.STUDY_FILE).runs))
    runs = {run: one for run, one in wanted.runs.items() if run not in wanted.recorded}
    on_faces = any(one.dataset == "fer2013" for one in runs.values())
    dataset = recording.read_dataset("fer2013") if on_faces else None
    files = bundling.bundle(runs, output, dataset, python, platform, has.split(), part * 2**20)
    for path in files:
        click.echo(f"{path.stat().st_size / 2**20:6.1f} MiB  {path}")
    images = "with the images" if dataset else "without images"
    click.echo(f"{len(runs)} runs, {images}. There: sh train.sh MINUTES OUT --jobs 6")


@main.command()
@click.argument("archive", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def adopt(archive: Path) -> None:
    """Take in the records that train.sh made on another machine.

    Each is checked first: sums, recipe, dataset, and whether the code is the one that is here.
    """
    from ferutils.records import adopting

    refused = 0
    for run, reason in adopting.adopt(archive):
        click.echo(f"{run}: {_plain(reason) or 'taken in'}")
        refused += reason not in ("", *adopting.KEPT)
    sys.exit(refused > 0)


@main.command()
@click.option("--backend", type=click.Choice(["tensorflow", "jax", "torch"]), default="tensorflow")
@click.option("--cards", metavar="0,1", help="The cards it may use; any by default.")
@click.option("--deterministic/--fast", default=True, help="Same numbers again, or speed.")
def kernel(backend: str, cards: str | None, deterministic: bool) -> None:
    """Install the Jupyter kernel fer-gpu, which trains on a GPU or not at all.

    papermill runs a notebook on it with -k fer-gpu.
    """
    from ferutils.measuring import kernel

    kernel.install(backend, cards, deterministic)
    click.echo(f"Kernel {kernel.NAME}: Keras on {backend}, papermill -k {kernel.NAME}")


@main.group()
def measure() -> None:
    """Make again what the report says beside its runs.

    Where it needs the dataset, the environment variable FER2013 says where that is.
    """


def _published() -> "Dataset":
    from ferutils.dataset import reading

    return reading.load_published(os.environ.get("FER2013"), paths.cache() / "datasets")


@measure.command("dataset")
def measure_dataset() -> None:
    """Look for copies, contradicting labels and images without a face."""
    from ferutils.measuring import examining
    from ferutils.records import examination

    dataset = _published()
    found = examining.examine(dataset)
    examination.write(found.model_copy(update={"planted": examining.planted(dataset)}))


@measure.command("linear")
def measure_linear() -> None:
    """Fit a linear classifier to all pixels of Training (about ten minutes)."""
    from ferutils.measuring import linear
    from ferutils.records import baselines

    baselines.write(linear.fit(_published()))


@measure.command("crossvalidation")
@click.argument("models", metavar="[MODEL]...", nargs=-1)
def measure_crossvalidation(models: tuple[str, ...]) -> None:
    """Cross-validate shallow and deep, or those named; after an interruption it goes on."""
    from ferutils.measuring import crossvalidating
    from ferutils.records.crossvalidation import MODELS

    if not set(models) <= set(MODELS):
        raise ValueError(
            f"Expected {' or '.join(MODELS)}. Received: {' '.join(models)}. Correct the name."
        )
    dataset = _published()
    for model in models or MODELS:
        origin = crossvalidating.origin(model, dataset)
        crossvalidating.cross_validate(origin, dataset.splits["Training"], click.echo)


@measure.command("small")
@click.argument("network")
@click.option("--seed", type=int, default=0, show_default=True, help="Of weights and images.")
@click.option("--epochs", type=int, default=100, show_default=True, help="Over Training.")
@click.option("--mixup", type=float, default=0.0, show_default=True, help="0: none.")
@click.option("--precision", default="mixed_bfloat16", show_default=True, help="Or float32.")
@click.option("--teacher", "teachers", multiple=True, help="A record, as small-seed-0. Repeatable.")
def measure_small(network: str, **options: Any) -> None:
    """Train small or tiny for a phone, export it, and measure the files.

    After an interruption it goes on; what is recorded already is only measured again.
    """
    from ferutils.records import small as records

    recipe = records.usual(network, **options)
    dataset = _published()
    _load_keras()
    from ferutils.measuring import small_recording

    small_recording.obtain(recipe, dataset, click.echo)


@measure.command("face")
@click.argument("name")
def measure_face(name: str) -> None:
    """Export a network for a phone to the page that runs it; its weights are needed."""
    from ferutils.records import face

    dataset = _published()
    _load_keras()
    from ferutils.measuring import quantising

    face.write(quantising.measure(name, dataset))


@measure.command("formats")
@click.argument("run")
def measure_formats(run: str) -> None:
    """Export the network of a run for a phone, and measure the files; its weights are needed."""
    from ferutils.records import small as records

    record, dataset = _find_run(run)[1], _published()
    _load_keras()
    from ferutils.measuring import litert

    files = litert.measure(litert.of_run(record), dataset)
    records.write(records.Formats(run=record.run.id, files=files))


@measure.command("pretrained")
@click.argument("name")
@click.option("--seed", type=int, default=0, show_default=True, help="Of weights and images.")
@click.option("--epochs", type=int, help="Over Training; by default, few.")
@click.option(
    "--weights",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The file of ImageNet's or HED's weights, where it is not to be downloaded.",
)
def measure_pretrained(name: str, weights: Path | None, **options: Any) -> None:
    """Measure AlexNet, CapsNet, or VGG16 with weights from elsewhere, on FER-2013.

    NAME is alexnet, capsnet, capsnet-dense (its twin without capsules), or hed-vgg16,
    imagenet-vgg16 or random-vgg16 with -frozen or -fine-tuned. A training that was cut off goes on.
    """
    from ferutils.records import examination, pretrained

    given = {key: value for key, value in options.items() if value is not None}
    recipe, dataset = pretrained.usual(name, **given), _published()
    _load_keras()
    from ferutils.measuring import pretrained_recording

    known = examination.read().near_in_training
    pretrained_recording.measure(recipe, dataset, known, weights, click.echo)


@measure.command("peers")
def measure_peers() -> None:
    """Download the packages that people install instead, and measure the networks in them."""
    from ferutils.records import peers as records

    dataset = _published()
    _load_keras()
    from ferutils.measuring import peers

    records.write(peers.measure(dataset, click.echo))


def _load_keras() -> None:
    """Import Keras, without TensorFlow telling of its start, on a card where one is free."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from ferutils.measuring import backend, devices

    devices.claim()
    backend.load()


@measure.command("networks")
def measure_networks() -> None:
    """Build the networks and try them on a handful of drawn faces."""
    from ferutils.measuring import inspecting
    from ferutils.records import inspection

    inspection.write(inspecting.inspect())


@measure.command("first-steps")
def measure_first_steps() -> None:
    """Take the same first steps under each Keras backend, and compare them."""
    from ferutils.measuring import first_steps
    from ferutils.records import first_steps as records

    records.write(first_steps.measure())


@measure.command("probe")
@click.argument("names", metavar="RUN...", nargs=-1, required=True)
def measure_probe(names: tuple[str, ...]) -> None:
    """Change faces and cover parts of them, and see what the networks of runs answer.

    Needs the weights that a run leaves in the cache.
    """
    from ferutils.records import examination, probes

    records, dataset = [_find_run(name)[1] for name in names], _published()
    _load_keras()
    from ferutils.measuring import probing

    known = examination.read().near_in_training
    for record in records:
        click.echo(f"Run {record.run.id}: {record.recipe.name}")
        probes.write(probing.probe(record, dataset, known, click.echo))


@measure.command("crop")
@click.argument("names", metavar="[RUN]...", nargs=-1)
def measure_crop(names: tuple[str, ...]) -> None:
    """Find the faces of FER-2013, and measure how it cut them out.

    With RUN, see instead what the network of a run answers where these faces are cut out with
    other margins; its weights are needed.
    """
    from ferutils.records import crop

    records, dataset = [_find_run(name)[1] for name in names], _published()
    from ferutils.measuring import cropping

    if not records:
        crop.write(cropping.measure(dataset, click.echo))
    else:
        _load_keras()
    for record in records:
        click.echo(f"Run {record.run.id}: {record.recipe.name}")
        found = crop.read()
        crop.write(found.having(cropping.answers(record, dataset, found, click.echo)))


@measure.command("crowd")
def measure_crowd() -> None:
    """Count how often people agree with the networks' mistakes, by the votes of FER+.

    The environment variable FERPLUS says where fer2013new.csv is. FER2013 names the challenge's
    CSV, in its original order: FER+ names an image by its row alone.
    """
    from ferutils.dataset import crowd
    from ferutils.measuring import crowd as measuring
    from ferutils.records import crowd as records
    from ferutils.records import study

    asked = crowd.load(os.environ.get("FER2013"), os.environ.get("FERPLUS"))
    every = [one for some in study.read().by_model.values() for one in some]
    whole = [one for one in every if not one.recipe.reduced]
    records.write(measuring.measure(asked, whole))


@main.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
def clean(yes: bool) -> None:
    """Delete leftovers of interrupted runs.

    Unfinished records and temporary files. A finished record is never removed, nor a whole
    checkpoint, from which its training goes on, nor what changed in the last ten minutes, which may
    be in work.
    """
    found = _left_behind()
    waiting = [path for path in found if _may_be_in_work(path)]
    for path in waiting:
        click.echo(f"May be in work, stays: {_plain(str(path))}")
    removable = [path for path in found if path not in waiting]
    for path in removable:
        click.echo(f"Unfinished: {_plain(str(path))}")
    if not removable:
        click.echo("Nothing to remove.")
        return
    if not yes:
        click.confirm(f"Remove these {len(removable)}?", abort=True)
    removed = [path for path in removable if _remove(path)]
    click.echo(f"Removed: {len(removed)}")


def _left_behind() -> list[Path]:
    """Unfinished records, checkpoints, weights and dataset caches."""
    caches = (paths.cache() / name for name in ("checkpoints", "weights", "datasets"))
    return [
        path
        for folder in (*_folders().values(), *caches)
        if folder.is_dir()
        for path in sorted(folder.iterdir())
        if _is_unfinished(path)
    ]


def _is_unfinished(path: Path) -> bool:
    """Whether this was not written to its end.

    A whole record that has only not been given its name counts where the run has another one.
    """
    if path.is_symlink():
        return False
    if not path.is_dir():
        return bool(UNFINISHED_FILE.fullmatch(path.name))
    whole, begun = (path / "run.json").exists(), UNFINISHED_RECORD.fullmatch(path.name)
    if begun:
        return not whole or (path.parent / begun[1] / "run.json").exists()
    return bool(re.fullmatch(paths.RUN_ID, path.name)) and not whole


def _may_be_in_work(path: Path) -> bool:
    """Whether something in it changed of late, or, by a clock set back, later than now."""
    inside = path.rglob("*") if path.is_dir() else ()
    changed = max(one.lstat().st_mtime for one in (path, *inside))
    return time.time() - changed < IN_WORK_SECONDS


def _remove(path: Path) -> bool:
    """Remove what is unfinished still; False where it has been finished or removed meanwhile."""
    if not path.exists() or not _is_unfinished(path) or _may_be_in_work(path):
        return False
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    return True


@main.command()
@click.argument("run")
@click.argument(
    "images", metavar="IMAGE...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option("--whole", is_flag=True, help="A face fills each IMAGE: look for none.")
@click.option(
    "--out", metavar="FILE", type=click.Path(path_type=Path), help="Draw IMAGE with its faces here."
)
def predict(run: str, images: tuple[Path, ...], whole: bool, out: Path | None) -> None:
    """Classify the faces in image files with a run's network.

    An IMAGE is a PNG or JPEG file. Its faces are found from left to right, and each is cut out as
    those of FER-2013 were: the square is printed, left, top, right and bottom in pixels of the
    upright picture, and can go beyond its rim. With --whole, or where an IMAGE has 48 x 48 pixels,
    a face fills it: the largest square around its centre is taken. Squares are made grey and
    resized to 48 x 48 pixels. The answers are the network's probabilities for seven words; they do
    not tell what a person feels.
    """
    from ferutils.dataset import fer2013
    from ferutils.measuring import predicting

    _check_drawing(out, images)
    record = _find_run(run)[1]
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # or TensorFlow tells of its start
    import numpy as np

    found = predicting.faces(images, whole)
    every = [(path, face) for path, some in zip(images, found) for face in some]
    if every:
        pixels = np.stack([face.pixels for _, face in every])
        answers = np.exp(predicting.log_probabilities(record, pixels))
        words = [fer2013.EMOTIONS[row.argmax()] for row in answers]
        _say_whose(record)
        searched = any(face.square for _, face in every)
        rows = [
            (path, *[_square(face.square)] * searched, word, *map(_percent, row))
            for (path, face), word, row in zip(every, words, answers)
        ]
        head = ("image", *["square"] * searched, "answer", *fer2013.EMOTIONS)
        _print_table([head, *rows], numbers=range(len(head) - len(fer2013.EMOTIONS), len(head)))
        if out:
            texts = [f"{word} {_percent(row.max())}" for word, row in zip(words, answers)]
            _draw(out, predicting.drawn(images[0], found[0], texts))
    without = [str(path) for path, some in zip(images, found) if not some]
    if without:
        raise click.ClickException(
            f"Expected a face in each image. Received: none found in {', '.join(without)}. Give a "
            "picture in which it is upright, lit and larger; or --whole, where a face fills it."
        )


def _check_drawing(out: Path | None, images: Sequence[Path]) -> None:
    """Refuse to draw several images into one file, or into one that is no image."""
    if not out:
        return
    if len(images) > 1:
        raise ValueError(
            f"Expected one IMAGE with --out. Received: {len(images)}. Draw them one by one."
        )
    if out.suffix.lower() not in DRAWN:
        raise ValueError(
            f"Expected --out with an ending of {', '.join(DRAWN)}. Received: {out.name!r}. "
            "Give the file another name."
        )


def _say_whose(record: "Record") -> None:
    """What a reader must know before the answers of a network."""
    from ferutils.measuring import predicting
    from ferutils.records import provenance

    test = _percent(_accuracies(record.run)["test"])
    click.echo(
        f"What the network of run {record.run.id} answers, which is not what a person feels.\n"
        f"It was trained on {_copy(record.run)} and is right for {test} of the test images."
    )
    if not provenance.is_current(record.run):
        click.echo("It was trained by other code than is here, and may answer otherwise.")
    if not predicting.weights_sums(record):
        click.echo("Its record has no sum of its weights: whether these are its own is unchecked.")
    click.echo()


def _square(found: "Square | None") -> str:
    """Left, top, right and bottom of a square in pixels."""
    if not found:
        return NONE
    left, top, side = found
    return ",".join(f"{at:.0f}" for at in (left, top, left + side, top + side))


def _draw(out: Path, picture: "Image") -> None:
    content = io.BytesIO()
    picture.save(content, DRAWN[out.suffix.lower()])
    _write(out, content.getvalue())


if __name__ == "__main__":
    main()
