"""The profiles: options that Snakemake knows, and what they ask of a cluster for a run."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from helpers import copy_repository
from snakemake.cli import get_argument_parser
from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry

from ferutils import paths
from ferutils.measuring import sweep
from ferutils.records import runs

PROFILES = sorted((paths.ROOT / "profiles").glob("*/config.yaml"))
CONTAINER = paths.ROOT / "profiles" / "kubernetes" / "Containerfile"
every_profile = pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.parent.name)


@every_profile
def test_a_profile_has_only_options_that_there_are(path):
    ExecutorPluginRegistry().collect_plugins()
    every = get_argument_parser()._actions
    known = {word.lstrip("-") for action in every for word in action.option_strings}
    assert set(yaml.safe_load(path.read_text())) <= known


@every_profile
def test_a_run_that_was_lost_is_tried_again_and_stops_no_other(path):
    profile = yaml.safe_load(path.read_text())
    assert profile["retries"] >= 1 and profile["keep-going"] and profile["rerun-incomplete"]


@pytest.mark.slow
@every_profile
def test_the_resources_of_a_profile_are_those_of_the_rule_that_trains(path, tmp_path):
    """Snakemake passes over a setting for a rule that there is not."""
    profile = yaml.safe_load(path.read_text())
    rules = subprocess.run(
        [sys.executable, "-m", "snakemake", "--list-rules"],
        cwd=paths.ROOT, check=True, capture_output=True, text=True,
    ).stdout.split()  # fmt: skip
    named = profile.get("set-threads", []) + profile.get("set-resources", [])
    assert {re.split("[:=]", one)[0] for one in named} <= set(rules)


@every_profile
def test_the_executor_of_a_profile_is_locked(path):
    project = tomllib.loads((paths.ROOT / "pyproject.toml").read_text())["project"]
    name = f"snakemake-executor-plugin-{yaml.safe_load(path.read_text())['executor']}"
    (listed,) = project["optional-dependencies"][path.parent.name]
    assert listed.startswith(f"{name}>=")
    for lock in ("requirements.txt", "requirements-gpu.txt"):
        locked = (paths.ROOT / lock).read_text()
        assert re.search(rf"^{name}==.*\\\n +--hash=sha256:", locked, re.MULTILINE)


def test_the_container_is_made_of_the_lock_alone():
    text = CONTAINER.read_text()
    copied = re.findall(r"^COPY (\S+) (\S+)$", text, re.MULTILINE)
    assert [source for source, _ in copied] == ["requirements-gpu.txt"]
    assert f"--require-hashes --requirement {copied[0][1]}" in text
    version = re.search(r"^FROM \S+/python:3\.(\d+)-", text, re.MULTILINE)[1]
    assert 11 <= int(version) < 14


# What a cluster would do: runs the container's command here, and remembers how it ended.
KUBECTL = """\
#!{python}
import json, os, pathlib, subprocess, sys
jobs = pathlib.Path({jobs!r})
if sys.argv[1] == "create":
    job = json.load(sys.stdin)
    number = len(list(jobs.glob("*.json")))
    (jobs / f"{{number}}.json").write_text(json.dumps(job))
    run = job["spec"]["template"]["spec"]["containers"][0]
    own = {{one["name"]: one["value"] for one in run["env"]}}
    code = subprocess.run(run["command"], cwd=run["workingDir"], env=os.environ | own).returncode
    (jobs / f"{{number}}.code").write_text(str(code))
    print(f"job.batch/ferutils-{{number}}")
else:
    code = (jobs / f"{{sys.argv[2].rsplit('-')[-1]}}.code").read_text()
    print(json.dumps({{"status": {{"succeeded" if code == "0" else "failed": 1}}}}))
"""


@pytest.mark.slow
def test_a_run_goes_through_kubernetes_jobs(tmp_path):
    checkout, jobs = copy_repository(tmp_path / "checkout"), tmp_path / "jobs"
    small = {"dataset": "drawn", "hidden_neurons": 16, "train_images": 70, "evaluation_images": 70}
    file = checkout / "sweep.yml"
    listed = {"model": "shallow", "list": [small | {"epochs": 1}], "seeds": [0]}
    file.write_text(yaml.safe_dump(listed))
    jobs.mkdir()
    kubectl = tmp_path / "bin" / "kubectl"
    kubectl.parent.mkdir()
    kubectl.write_text(KUBECTL.format(python=sys.executable, jobs=str(jobs)))
    kubectl.chmod(0o755)
    searched = [str(kubectl.parent), str(Path(sys.executable).parent), os.environ["PATH"]]
    own = {"PATH": os.pathsep.join(searched), "FERUTILS_IMAGE": "image", "FERUTILS_CLAIM": "claim"}
    path = os.pathsep.join([str(checkout), os.environ.get("PYTHONPATH", "")])
    own |= {"PYTHONPATH": path, "FERUTILS_CACHE": str(tmp_path / "cache"), "FERUTILS_RUNS": ""}
    run = subprocess.run(
        [sys.executable, "-m", "ferutils.cli", "sweep", "sweep.yml", "--profile", "kubernetes"],
        cwd=checkout, env=os.environ | own, capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    (record,) = runs.read_all(tmp_path / "cache" / "runs")
    assert [record.recipe] == sweep.load(file)
    (job,) = [json.loads(path.read_text()) for path in jobs.glob("*.json")]
    pod = job["spec"]["template"]["spec"]
    assert pod["volumes"][0]["persistentVolumeClaim"] == {"claimName": "claim"}
    (container,) = pod["containers"]
    assert container["image"] == "image" and container["resources"] == {
        "requests": {"cpu": 4}, "limits": {"memory": "4096Mi"},
    }  # fmt: skip
    assert container["volumeMounts"][0]["mountPath"] == str(checkout)
