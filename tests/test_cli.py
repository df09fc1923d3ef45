"""The command line: what each command prints, refuses, writes and removes."""

import csv
import dataclasses
import importlib
import io
import json
import os
import re
import subprocess
import sys
import time
import tomllib

import numpy as np
import pytest
from click.testing import CliRunner
from helpers import EXPLAINED, scores_of, small_dataset
from PIL import Image
from synthetic import DRAWN, OTHER_COPY, PUBLISHED, answers, made

from ferutils import cli, paths
from ferutils.claims import metrics
from ferutils.dataset import fer2013, reading
from ferutils.measuring import predicting
from ferutils.records import provenance, runs

EVIL = "\x1b[31m\u202eprocessor\r\n\x07é"  # a record that holds this is refused
HIDDEN = "\u202eprocessor\x9b31mé"  # a record may hold this, but no terminal may obey it
LONG_AGO = 10_000  # seconds


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    """Empty folders for records and cache, and no FER-2013."""
    monkeypatch.setattr(paths, "RECORDED_RUNS", tmp_path / "recorded")
    monkeypatch.setenv("FERUTILS_RUNS", str(tmp_path / "new"))
    monkeypatch.setenv("FERUTILS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("FER2013", raising=False)
    return tmp_path


def ferutils(*arguments, **options):
    """What a command prints to a terminal, with its exit status; a fault of ours is raised."""
    options |= {"catch_exceptions": False, "color": True}  # or click removes some escapes itself
    return CliRunner().invoke(cli.main, [str(one) for one in arguments], **options)


def put(folder, *arguments, **parameters):
    """The id of a finished record in a folder."""
    return runs.write(*made(*arguments, **parameters), folder).name


def damage(folder, name):
    (folder / name / "history.csv").write_text("cut off")


def refused(result, status=1):
    """The explanation of an error that was shown without a traceback."""
    assert result.exit_code == status
    message = result.stderr.removeprefix("Error: ")
    assert re.match(EXPLAINED, message)
    return message


def cells(line):
    return re.split(" {2,}", line.strip())


# The command itself


def test_help_imports_nothing_that_takes_time():
    code = (
        "import sys\nfrom ferutils import cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: print(sorted(m for m in sys.modules if '.' not in m))"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "predict" in printed.stdout
    loaded = set(re.findall(r"'(\w+)'", printed.stdout.splitlines()[-1]))
    assert "click" in loaded
    assert not loaded & {"numpy", "pandas", "pydantic", "scipy", "PIL", "keras", "tensorflow"}


def test_the_installed_script_is_this_command():
    project = tomllib.loads((paths.ROOT / "pyproject.toml").read_text())["project"]
    module, name = project["scripts"]["ferutils"].split(":")
    assert getattr(importlib.import_module(module), name) is cli.main


def test_every_command_has_help():
    for name in cli.main.commands:
        assert ferutils(name, "--help").stdout.startswith("Usage:")


def test_wrong_usage_ends_with_2():
    assert ferutils("no-such").exit_code == ferutils("show").exit_code == 2


def test_what_the_report_says_of_the_dataset_is_measured_on_the_published_one_alone(monkeypatch):
    other = small_dataset()
    arrays = {name: (split.images, split.labels) for name, split in other.splits.items()}
    monkeypatch.setattr(reading, "load", lambda *_: fer2013.make_dataset("fer2013", arrays))
    for command in (
        ["dataset"],
        ["linear"],
        ["crossvalidation"],
        ["small", "tiny"],
        ["pretrained", "alexnet"],
    ):
        monkeypatch.delenv("FER2013", raising=False)
        assert "FER2013=PATH" in ferutils("measure", *command).stderr, command
        monkeypatch.setenv("FER2013", "some copy")
        assert "Nothing was written" in ferutils("measure", *command).stderr, command
    assert "small or tiny" in ferutils("measure", "small", "huge").stderr
    assert "hed-vgg16-frozen, " in ferutils("measure", "pretrained", "vgg19").stderr
    assert "shallow or deep" in ferutils("measure", "crossvalidation", "improved").stderr


def test_an_error_that_the_package_did_not_explain_keeps_its_traceback(monkeypatch):
    def fail(*arguments):
        raise ValueError("truth value of an array is ambiguous")

    monkeypatch.setattr(cli, "_read_runs", fail)
    with pytest.raises(ValueError, match="ambiguous"):
        ferutils("runs")


def test_output_is_utf_8_whatever_the_locale(places):
    left = places / "cähe" / "weights" / ".unfinished-shallow-0123456789ab.weights.h5"
    left.parent.mkdir(parents=True)
    left.touch()
    environment = os.environ | {
        "PYTHONIOENCODING": "latin-1",
        "FERUTILS_CACHE": str(places / "cähe"),
    }
    command = [sys.executable, "-m", "ferutils.cli", "clean"]
    printed = subprocess.run(command, capture_output=True, env=environment, check=True).stdout
    assert "cähe" in printed.decode("utf-8")


def harmless(result):
    """Whether nothing that was printed is obeyed by a terminal."""
    return all(one.isprintable() or one == "\n" for one in result.stdout + result.stderr)


READERS = pytest.mark.parametrize("command", ["runs", "show", "show --json", "diff", "export"])


def put_with_words(folder, words):
    """The id of a record whose free texts are these words, and of a record in a folder so named."""
    run, history, predictions = made(note=DRAWN)
    environment = run.environment.model_construct(
        device=words, backend=words, system=words, versions={"keras" + words: words}
    )
    note = run.dataset.model_copy(update={"differences": [words]})
    changed = run.model_copy(update={"environment": environment, "dataset": note})
    (folder / "\x1b[31m").mkdir(parents=True)
    (folder / "\x1b[31m" / "run.json").touch()
    return runs.write(changed, history, predictions, folder).name


def read_by(command, name):
    first, *options = command.split()
    return ferutils(first, *options, *[name] * {"show": 1, "diff": 2}.get(first, 0))


@READERS
def test_text_of_a_record_cannot_control_the_terminal(places, command):
    name = put_with_words(places / "new", HIDDEN)
    result = read_by(command, name)
    assert name in result.stdout
    assert harmless(result)


@READERS
def test_a_record_with_control_characters_is_refused(places, command):
    name = put_with_words(places / "new", EVIL)
    result = read_by(command, name)
    assert "pattern" in result.stdout + result.stderr
    assert harmless(result)


def test_what_was_typed_cannot_control_the_terminal(places):
    assert harmless(ferutils("show", "--\x1b[31m"))
    assert harmless(ferutils("export", "-o", places / "\x1b[31m" / "runs.csv"))
    (places / "new" / "shallow-\x1b[31m").mkdir(parents=True)
    (places / "new" / "shallow-\x1b[31m" / "run.json").touch()
    assert harmless(ferutils("show", "shallow"))


# Naming a run


def test_a_run_is_found_by_the_beginning_of_its_id(places):
    name = put(places / "recorded")
    put(places / "new", "deep")
    assert ferutils("show", name[:9]).stdout.startswith(f"{name} (recorded")


def test_an_ambiguous_beginning_is_refused_with_the_ids_it_could_mean(places):
    names = [put(places / "new", seed=seed) for seed in (0, 1)]
    message = refused(ferutils("show", "shallow-"))
    assert all(name in message for name in names)


def test_an_unknown_run_is_refused_with_near_names(places):
    name = put(places / "new")
    put(places / "new", "deep")
    message = refused(ferutils("show", "shalow" + name[7:]))
    assert f"Did you mean {name}?" in message


@pytest.mark.parametrize("given", ["", ".", "../new", "*", "xyzzy"])
def test_what_is_no_beginning_of_an_id_is_refused(places, given):
    put(places / "new")
    assert "ferutils runs" in refused(ferutils("show", given))


def test_a_whole_id_is_found_though_it_begins_another_folder(places):
    name = put(places / "new")
    (places / "new" / f"{name}-copy").mkdir()
    (places / "new" / f"{name}-copy" / "run.json").touch()
    assert ferutils("show", name).exit_code == 0


def test_a_damaged_record_is_refused(places):
    name = put(places / "new")
    damage(places / "new", name)
    assert "SHA-256" in refused(ferutils("show", name))


# check


def write_csv(path, dataset):
    rows = [
        f"{label},{' '.join(map(str, image.ravel()))},{name}"
        for name, split in dataset.splits.items()
        for image, label in zip(split.images, split.labels)
    ]
    path.write_text("\n".join(["emotion,pixels,Usage", *rows]))
    return path


@pytest.fixture
def small_fer2013(places, monkeypatch):
    """A file of drawn faces, which for this test are the published dataset."""
    dataset = small_dataset()
    published = {
        split: {"counts": dataset.counts()[split], "fingerprint": dataset.fingerprints[split]}
        for split in fer2013.SPLITS
    }
    monkeypatch.setattr(fer2013, "FER2013", published)
    return write_csv(places / "fer2013.csv", dataset)


def test_the_published_dataset_passes_with_its_counts_and_fingerprints(small_fer2013):
    result = ferutils("check", small_fer2013)
    assert result.exit_code == 0
    assert "is the published FER-2013" in result.stdout
    dataset = small_dataset()
    rows = [cells(line) for line in result.stdout.splitlines()[1:4]]
    assert rows[0] == ["Training", "70", *["10"] * 7, dataset.fingerprints["Training"]]
    assert [row[0] for row in rows] == list(fer2013.SPLITS)


def test_the_environment_names_the_dataset_where_no_path_is_given(small_fer2013, monkeypatch):
    monkeypatch.setenv("FER2013", str(small_fer2013))
    assert "is the published FER-2013" in ferutils("check").stdout


def test_another_dataset_fails_and_says_what_differs(small_fer2013):
    dataset = small_dataset()
    dataset.splits["PublicTest"].images[0, 0, 0] ^= 1
    result = ferutils("check", write_csv(small_fer2013, dataset))
    assert result.exit_code == 1
    assert result.stdout.startswith("split")
    assert "not the published FER-2013" in result.stderr
    assert "PublicTest: " in result.stderr
    assert "Training: " not in result.stderr


def test_a_dataset_that_is_cut_off_is_refused(small_fer2013):
    small_fer2013.write_bytes(small_fer2013.read_bytes()[:-100])
    assert "cut off" in refused(ferutils("check", small_fer2013))


def test_a_path_without_dataset_is_refused(places):
    assert "does not exist" in refused(ferutils("check", places / "nothing.csv"))


# runs


def test_runs_are_listed_with_scores_and_what_is_special(places):
    name = put(places / "recorded")
    other = put(places / "new", "deep", note=DRAWN, seed=3, epochs=2, rotation=5.0,
                augmentation="generator")  # fmt: skip
    head, *rows = [cells(line) for line in ferutils("runs").stdout.splitlines()]
    assert head[:5] == ["run", "network", "dataset", "seed", "epochs"]
    by_id = {row[0]: dict(zip(head, row)) for row in rows}
    assert set(by_id) == {name, other}
    assert by_id[name]["options"] == "-"
    special = by_id[other]
    assert (special["dataset"], special["seed"], special["epochs"]) == ("drawn", "3", "2")
    assert special["where"] == "new"
    assert special["date"] == "2026-01-02"
    assert "rotation=5" in special["options"]
    accuracy = made("deep", note=DRAWN, epochs=2)[0].scores["PrivateTest"].accuracy
    assert special["test"] == f"{100 * accuracy:.1f}%"


@pytest.mark.parametrize("option, where", [("--new", "new"), ("--recorded", "recorded")])
def test_runs_of_one_folder_alone_are_listed(places, option, where):
    put(places / "recorded")
    put(places / "new", "deep")
    listed = json.loads(ferutils("runs", option, "--json").stdout)
    assert [one["where"] for one in listed] == [where]


def test_a_run_is_listed_once_where_new_runs_go_to_the_report(places, monkeypatch):
    monkeypatch.setenv("FERUTILS_RUNS", str(places / "recorded"))
    put(places / "recorded")
    assert len(json.loads(ferutils("runs", "--json").stdout)) == 1


def test_validation_and_test_are_the_splits_that_the_run_took_for_them(places):
    put(places / "new", validation_split="PrivateTest")
    (listed,) = json.loads(ferutils("runs", "--json").stdout)
    scores = made(validation_split="PrivateTest")[0].scores
    assert listed["validation_accuracy"] == scores["PrivateTest"].accuracy
    assert listed["test_accuracy"] == scores["PublicTest"].accuracy


def test_a_run_that_followed_both_splits_has_no_test(places):
    put(places / "new", validation_split="both")
    (listed,) = json.loads(ferutils("runs", "--json").stdout)
    scores = made(validation_split="both")[0].scores
    both = [scores[split].accuracy for split in runs.HELD_OUT]
    assert listed["validation_accuracy"] == pytest.approx(sum(both) / 2)  # of equally many images
    assert listed["test_accuracy"] is None


def test_a_run_on_another_copy_of_the_dataset_is_marked(places):
    put(places / "new", note=OTHER_COPY)
    assert "other-copy" in ferutils("runs").stdout


@pytest.mark.parametrize("command", ["runs", "export"])
def test_a_damaged_record_is_told_of_and_hides_no_other(places, command):
    broken, whole = put(places / "new"), put(places / "new", "deep")
    damage(places / "new", broken)
    result = ferutils(command)
    assert result.exit_code == 1
    assert whole in result.stdout
    assert broken not in result.stdout
    assert f"{broken}/history.csv" in result.stderr


def test_without_runs_the_list_is_empty():
    result = ferutils("runs")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "no run yet" in result.stderr
    assert json.loads(ferutils("runs", "--json").stdout) == []


# show


def test_show_has_recipe_scores_cost_and_the_command_that_repeats_it(places):
    name = put(places / "new", note=PUBLISHED, hidden_neurons=512)
    result = ferutils("show", name)
    lines = {row[0]: row[1:] for row in map(cells, result.stdout.splitlines())}
    assert lines["hidden_neurons"] == ["512"]
    assert lines["minutes"] == ["0.0"]
    assert lines["device"] == ["processor"]
    assert lines["command"] == [made(hidden_neurons=512)[0].recipe.command()]
    assert lines["weights"] == ["not at hand"]
    assert lines["state"] == ["as published"]
    found = metrics.accuracy(made(hidden_neurons=512)[2]["PrivateTest"])
    low, high = (f"{100 * limit:.1f}" for limit in (found.low, found.high))
    assert f"{100 * found.value:.1f}% ({low} to {high})" in result.stdout


def test_show_says_whether_the_code_is_still_the_same(places, monkeypatch):
    name = put(places / "new")
    assert json.loads(ferutils("show", name, "--json").stdout)["code"]["current"] is False
    assert "older than the code here" in ferutils("show", name).stdout
    monkeypatch.setattr(provenance, "code_fingerprint", lambda model: "0123456789abcdef")
    assert json.loads(ferutils("show", name, "--json").stdout)["code"]["current"] is True
    assert "older than the code here" not in ferutils("show", name).stdout


def test_show_as_json_is_the_record_with_intervals(places):
    name = put(places / "recorded")
    shown = json.loads(ferutils("show", name, "--json").stdout)
    recorded = json.loads((places / "recorded" / name / "run.json").read_text())
    for part in ("id", "recipe", "dataset", "layers", "cost", "environment", "checksums"):
        assert shown[part] == recorded[part]
    test = shown["scores"]["PrivateTest"]
    assert test["interval"][0] < test["accuracy"] < test["interval"][1]
    assert (shown["where"], test["role"]) == ("recorded", "test")


def test_the_report_s_record_is_shown_where_both_folders_have_one(places):
    for folder in ("new", "recorded"):
        name = put(places / folder)
    assert ferutils("show", name).stdout.startswith(f"{name} (recorded")


def test_a_run_that_diverged_is_shown(places):
    run, history, predictions = made()
    scores = run.scores | {"Training": runs.Scores(loss=np.nan, accuracy=0, images=70)}
    diverged = {
        split: dataclasses.replace(one, log_probabilities=one.log_probabilities * np.nan)
        for split, one in predictions.items()
    }
    changed = run.model_copy(update={"scores": scores})
    name = runs.write(changed, history, diverged, places / "new").name
    assert "nan" in ferutils("show", name).stdout
    shown = json.loads(ferutils("show", name, "--json").stdout)
    assert shown["scores"]["Training"]["loss"] == shown["scores"]["PublicTest"]["loss"] == "NaN"


# diff


def put_answers(folder, right, model, **parameters):
    """A record of a run that has the given number of the first images right on both splits."""
    run, history, predictions = made(model, **parameters)
    changed = {}
    for split, one in predictions.items():
        said = np.where(np.arange(len(one.labels)) < right, one.labels, (one.labels + 1) % 7)
        changed[split] = answers(one.labels, said)
    run = run.model_copy(update={"scores": run.scores | scores_of(changed)})
    return runs.write(run, history, changed, folder).name


def test_diff_has_the_parameters_that_differ_and_the_changed_verdicts(places):
    first = put_answers(places / "new", 1000, "shallow")
    second = put_answers(places / "recorded", 1100, "improved", seed=1)
    found = json.loads(ferutils("diff", first, second, "--json").stdout)
    assert found["runs"] == [first, second]
    assert set(found["recipe"]) == {"model", "seed", "dropout_convolution", "dropout_dense"}
    assert found["recipe"]["seed"] == [0, 1]
    test = found["splits"]["PrivateTest"]
    assert test["changed_verdict"] == test["second_alone_right"] == 100
    assert test["first_alone_right"] == 0
    assert test["difference"] == pytest.approx(100 / 3589)
    assert test["p_value"] == pytest.approx(2 * 0.5**100)


def test_diff_prints_scores_with_intervals_and_the_p_value(places):
    first = put_answers(places / "new", 1000, "shallow")
    second = put_answers(places / "new", 1100, "shallow", seed=1)
    printed = ferutils("diff", first, second).stdout
    assert re.search(r"\n  seed +0 +1\n", printed)
    low, high = (100 * limit for limit in metrics.share(1000, 3589)[1:])
    assert f"27.9% ({low:.1f} to {high:.1f})" in printed
    assert "100 images changed verdict: 0 only the first has right, 100 only the second" in printed
    assert "McNemar's p < 0.001" in printed


def test_a_run_does_not_differ_from_itself(places):
    name = put(places / "new")
    found = json.loads(ferutils("diff", name, name, "--json").stdout)
    assert found["recipe"] == {}
    assert found["splits"]["PublicTest"]["changed_verdict"] == 0
    assert "none" in ferutils("diff", name, name).stdout


OTHER_TEST = PUBLISHED.model_copy(
    update={"fingerprints": PUBLISHED.fingerprints | {"PrivateTest": "0" * 64}}
)


@pytest.mark.parametrize("note", [OTHER_TEST, DRAWN])
def test_runs_on_different_images_are_not_compared(places, note):
    first, second = put(places / "new"), put(places / "new", note=note, seed=1)
    message = refused(ferutils("diff", first, second))
    assert first in message
    assert second in message


def test_runs_on_differently_many_images_are_not_compared(places):
    first = put(places / "new")
    few = PUBLISHED.counts | dict.fromkeys(runs.HELD_OUT, [10] * 7)
    run, history, predictions = made(
        note=PUBLISHED.model_copy(update={"counts": few}), evaluation_images=70
    )
    second = runs.write(run, history, predictions, places / "new").name
    assert "70 of PublicTest" in refused(ferutils("diff", first, second))


def test_other_training_images_are_a_difference(places):
    first, second = put(places / "new"), put(places / "new", note=OTHER_COPY)
    found = json.loads(ferutils("diff", first, second, "--json").stdout)
    assert list(found["recipe"]) == ["training_sha256"]


# export


def read_csv(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_every_run_is_one_row_of_the_export(places):
    names = {put(places / "recorded"), put(places / "new", "deep", epochs=3)}
    rows = read_csv(ferutils("export").stdout)
    assert {row["run"] for row in rows} == names
    (deep,) = [row for row in rows if row["model"] == "deep"]
    assert (deep["where"], deep["epochs"], deep["train_images"]) == ("new", "3", "")
    run = made("deep", epochs=3)[0]
    assert float(deep["PrivateTest_loss"]) == run.scores["PrivateTest"].loss
    assert float(deep["wall_seconds"]) == run.cost.wall_seconds
    assert deep["version_keras"] == "3"
    assert int(deep["parameters"]) == sum(layer.parameters for layer in run.layers)


def test_a_cell_of_the_export_cannot_become_a_formula(places):
    for at, sign in enumerate("=+-@"):
        environment = runs.Environment(
            device=f'{sign}HYPERLINK("x"),y', backend="b", system="s", versions={}
        )
        put(places / "new", seed=at, run={"environment": environment})
    rows = read_csv(ferutils("export").stdout)
    assert {row["device"] for row in rows} == {f'\'{sign}HYPERLINK("x"),y' for sign in "=+-@"}


def test_runs_with_other_libraries_share_one_head(places):
    for at, name in enumerate(("torch", "jax")):
        environment = runs.Environment(device="d", backend=name, system="s", versions={name: "1"})
        put(places / "new", seed=at, run={"environment": environment})
    rows = {row["backend"]: row for row in read_csv(ferutils("export").stdout)}
    assert (rows["jax"]["version_jax"], rows["jax"]["version_torch"]) == ("1", "")


def test_the_export_to_a_file_is_that_to_standard_output(places):
    put(places / "new")
    file = places / "out é.csv"
    assert ferutils("export", "-o", file).stdout == ""
    assert file.read_text(encoding="utf-8") == ferutils("export").stdout
    assert ferutils("export", "-o", "-").stdout == ferutils("export").stdout


def test_an_export_that_fails_leaves_the_old_file_and_nothing_else(places, monkeypatch):
    put(places / "new")
    folder = places / "out"
    folder.mkdir()
    (folder / "runs.csv").write_text("old")

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cli.os, "fsync", full)
    result = ferutils("export", "-o", folder / "runs.csv")
    assert result.exit_code == 1 and "No space left on device. Free space" in result.stderr
    assert [file.name for file in folder.iterdir()] == ["runs.csv"]
    assert (folder / "runs.csv").read_text() == "old"


# clean


def left(path, content="x", age=LONG_AGO):
    """A file that an interrupted process left so many seconds ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    for one in (path, path.parent):
        os.utime(one, (time.time() - age,) * 2)
    return path


UNNAMED = ".shallow-0123456789ab-k2j4h1gf"


@pytest.fixture
def left_behind(places):
    """One of everything that interrupted work leaves; what of it must go."""
    return [
        left(places / "new" / "deep-0123456789ab" / "history.csv").parent,
        left(places / "recorded" / UNNAMED / "history.csv").parent,
        left(places / "cache" / "weights" / ".unfinished-deep-0123456789ab.weights.h5"),
        left(places / "cache" / "datasets" / "fer2013-0123456789abcdefx1y2.part"),
        left(places / "cache" / "checkpoints" / ".deep-0123456789ab.npz-4711.part"),
    ]


def test_clean_lists_asks_and_removes(places, left_behind):
    result = ferutils("clean", input="y\n")
    assert result.exit_code == 0
    for path in left_behind:
        assert str(path) in result.stdout
        assert not path.exists()
    assert "Removed: 5" in result.stdout


@pytest.mark.parametrize("answer", ["n\n", "\n", ""])
def test_clean_removes_nothing_unless_told_yes(left_behind, answer):
    assert ferutils("clean", input=answer).exit_code == 1
    assert all(path.exists() for path in left_behind)


def test_clean_does_not_ask_where_it_was_told_yes(left_behind):
    assert "?" not in ferutils("clean", "--yes").stdout
    assert not any(path.exists() for path in left_behind)


def test_clean_never_touches_what_is_finished_or_foreign(places, left_behind):
    whole, damaged = put(places / "new"), put(places / "recorded", "improved")
    damage(places / "recorded", damaged)
    left(places / "new" / whole / "run.json", (places / "new" / whole / "run.json").read_text())
    foreign = [
        left(places / "new" / "notes" / "text.txt"),
        left(places / "new" / ".snapshot" / "text.txt"),
        left(places / "cache" / "weights" / f"{whole}.weights.h5"),
        left(places / "cache" / "checkpoints" / "deep-0123456789ab.npz"),
        left(places / "cache" / "datasets" / "fer2013-0123456789abcdef.npz"),
        # Whole, only not given its name: all that there is of a training.
        left(places / "new" / UNNAMED / "run.json"),
    ]
    kept = [*foreign, places / "new" / whole / "run.json", places / "recorded" / damaged]
    assert ferutils("clean", "--yes").exit_code == 0
    assert all(path.exists() for path in kept)
    assert not any(path.exists() for path in left_behind)


def test_clean_removes_a_second_copy_of_a_finished_record(places):
    name = put(places / "new")
    copy = left(places / "new" / f".{name}-k2j4h1gf" / "run.json")
    assert ferutils("clean", "--yes").exit_code == 0
    assert not copy.exists()
    assert (places / "new" / name / "run.json").exists()


@pytest.mark.parametrize("age", [0, -3600])  # now; and after now, by a clock that was set back
def test_clean_leaves_what_may_be_in_work(places, age):
    young = left(places / "new" / UNNAMED / "history.csv", age=age)
    os.utime(young.parent, (time.time() - LONG_AGO,) * 2)
    result = ferutils("clean", "--yes")
    assert f"May be in work, stays: {young.parent}" in result.stdout
    assert young.exists()


def test_clean_follows_no_link(places):
    elsewhere = left(places / "elsewhere" / "history.csv")
    (places / "new").mkdir()
    (places / "new" / "deep-0123456789ab").symlink_to(elsewhere.parent)
    old = (time.time() - LONG_AGO,) * 2
    os.utime(places / "new" / "deep-0123456789ab", old, follow_symlinks=False)
    assert "Nothing to remove" in ferutils("clean", "--yes").stdout
    assert elsewhere.exists()


def test_clean_keeps_a_record_that_is_finished_while_it_asks(places, monkeypatch):
    path = left(places / "new" / "deep-0123456789ab" / "history.csv").parent
    monkeypatch.setattr(
        cli.click, "confirm", lambda *_, **__: left(path / "run.json", age=LONG_AGO)
    )
    assert "Removed: 0" in ferutils("clean").stdout
    assert path.exists()


# predict


@pytest.fixture
def image(places):
    Image.new("L", (48, 48), 7).save(places / "a face.png")
    return places / "a face.png"


def test_predict_prints_seven_probabilities_and_what_they_are_not(places, image, monkeypatch):
    name = put(places / "new", note=DRAWN)
    given = []

    def answered(record, faces):
        given.extend([record.run.id, faces.shape, int(faces[0, 0, 0])])
        return np.log([[0.5, 0.1, 0.1, 0.1, 0.1, 0.05, 0.05]] * len(faces))

    monkeypatch.setattr(predicting, "log_probabilities", answered)
    result = ferutils("predict", name, image, image)
    assert given == [name, (2, 48, 48), 7]
    assert "not what a person feels" in result.stdout
    assert "trained on drawn" in result.stdout
    head, row, again = [cells(line) for line in result.stdout.splitlines()[-3:]]
    assert head == ["image", "answer", *fer2013.EMOTIONS]
    assert row == again
    assert row[1:] == ["angry", "50.0%", *["10.0%"] * 4, *["5.0%"] * 2]


@pytest.mark.parametrize("weights_sum", ["0" * 64, None])
def test_predict_says_where_weights_cannot_be_checked(places, image, monkeypatch, weights_sum):
    monkeypatch.setattr(predicting, "log_probabilities", lambda *_: np.zeros((1, 7)))
    name = put(places / "new", run={"weights_sha256": weights_sum})
    assert ("unchecked" in ferutils("predict", name, image).stdout) == (weights_sum is None)


def test_predict_without_weights_names_the_command_that_trains(places, image):
    name = put(places / "new", note=DRAWN, seed=5)
    message = refused(ferutils("predict", name, image))
    assert made(note=DRAWN, seed=5)[0].recipe.command() in message


def test_predict_names_the_file_that_is_no_image(places, image):
    name = put(places / "new")
    (places / "b\x1b[31m.png").write_text("no image")
    message = refused(ferutils("predict", name, image, places / "b\x1b[31m.png"))
    assert r"b\x1b[31m.png" in message


def test_predict_needs_an_image(places):
    assert ferutils("predict", put(places / "new")).exit_code == 2
