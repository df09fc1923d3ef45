"""The profiles: options that Snakemake knows, and what they ask of a cluster for a run."""

import os
import re
import subprocess
import sys
import tomllib

import pytest
import yaml
from helpers import copy_repository
from snakemake.cli import get_argument_parser
from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry

from ferutils import paths

PROFILES = sorted((paths.ROOT / "profiles").glob("*/config.yaml"))
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
    # In a copy: another worker may be building the report here.
    folder = copy_repository(tmp_path)
    rules = subprocess.run(
        [sys.executable, "-m", "snakemake", "--list-rules"],
        cwd=folder, env=os.environ | {"PYTHONPATH": str(folder)}, check=True,
        capture_output=True, text=True,
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
