"""A sweep on a Slurm cluster of one node, which this machine becomes for the test.

`make test-slurm` runs it, as root; Debian's packages slurm-wlm and munge must be installed. Writes
/etc/slurm/slurm.conf, because the jobs read it there, and removes it again.
"""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from helpers import copy_repository

from ferutils import paths
from ferutils.records import runs, study

pytestmark = pytest.mark.slurm

PROGRAMS = ("munged", "munge", "unmunge", "slurmctld", "slurmd", "sinfo", "squeue", "scancel")
SETTINGS = Path("/etc/slurm/slurm.conf")
OURS = "# Written by tests/test_slurm.py, which removes it again.\n"
CORES = 4  # of the node, whatever this machine has: so many runs write at once
SLURM_CONF = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
StateSaveLocation={state}/controller
SlurmdSpoolDir={state}/node
SlurmctldPidFile={state}/slurmctld.pid
SlurmdPidFile={state}/slurmd.pid
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MinJobAge=300
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} State=UNKNOWN
PartitionName=test Nodes=ALL Default=YES State=UP
"""
OPTIONS = ["--slurm-status-command", "squeue", "--slurm-no-account"]
OPTIONS += ["--slurm-init-seconds-before-status-checks", "5", "--set-threads", "record=1"]
OPTIONS += ["--default-resources", "mem_mb=1"]
SMALL = {"dataset": "drawn", "hidden_neurons": 16, "train_images": 70, "evaluation_images": 70}
EIGHT = SMALL | {"model": "shallow", "epochs": [1, 2], "learning_rate": [0.001, 0.0001]}
SWEEP = {"runs": [EIGHT | {"seeds": [0, 1]}]}
PATIENCE_SECONDS = 900


def refuse(received):
    pytest.fail(
        f"Expected root on a machine with {', '.join(PROGRAMS)}, and no cluster of its own. "
        f"Received: {received}. As root: apt-get install slurm-wlm munge",
        pytrace=False,
    )


@contextlib.contextmanager
def daemon(state, *command, ready):
    """A daemon in the foreground, until it is no longer wanted."""
    log = state / f"{Path(command[0]).name}.log"
    with log.open("w") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
    try:
        wait_for(lambda: process.poll() is not None or succeeds(*ready), 30, log)
        if process.poll() is not None:
            refuse(f"{command[0]} that ended at once: {log.read_text()[-2000:]}")
        yield
    finally:
        process.terminate()
        process.wait()


def succeeds(*command):
    return subprocess.run(command, capture_output=True).returncode == 0


def wait_for(condition, seconds, log):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, log.read_text()[-4000:]
        time.sleep(0.5)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Slurm with one node, this machine, on the loopback interface."""
    absent = [name for name in PROGRAMS if not shutil.which(name)]
    if absent or os.getuid() != 0:
        refuse(f"no {', '.join(absent)}" if absent else "another user")
    if SETTINGS.exists() and not SETTINGS.read_text().startswith(OURS):
        refuse(f"a machine with {SETTINGS}, which belongs to a cluster")
    state = tmp_path_factory.mktemp("slurm")
    host = socket.gethostname().split(".")[0]
    for folder in ("controller", "node"):
        (state / folder).mkdir()
    SETTINGS.parent.mkdir(exist_ok=True)
    SETTINGS.write_text(OURS + SLURM_CONF.format(host=host, state=state, cores=CORES))
    with contextlib.ExitStack() as stack:
        stack.callback(SETTINGS.unlink)
        munge = ("sh", "-c", "munge -n | unmunge")
        if not succeeds(*munge):  # where systemd has not started it already
            subprocess.run(["install", "-d", "-o", "munge", "-m", "755", "/run/munge"], check=True)
            as_munge = ("runuser", "-u", "munge", "--", "munged", "--foreground", "--force")
            stack.enter_context(daemon(state, *as_munge, ready=munge))
        answers = ("sh", "-c", "scontrol ping | grep -q UP")
        stack.enter_context(daemon(state, "slurmctld", "-D", ready=answers))
        idle = ("sh", "-c", "sinfo --noheader --format %t | grep -qx idle")
        stack.enter_context(daemon(state, "slurmd", "-D", ready=idle))
        yield


@pytest.fixture
def checkout(tmp_path):
    """A copy of the repository, as it would lie on the folder that the nodes share."""
    folder = copy_repository(tmp_path / "shared folder")
    (folder / "sweep.yml").write_text(yaml.safe_dump(SWEEP))
    return folder


def start(folder):
    """`ferutils sweep`, as a person starts it, with its output in sweep.log."""
    own = ("FERUTILS_RUNS", "FERUTILS_CACHE", "FER2013", "SLURM_CONF")
    environment = {name: value for name, value in os.environ.items() if name not in own}
    command = [sys.executable, "-m", "ferutils.cli", "sweep", "sweep.yml", "--profile", "slurm"]
    with (folder / "sweep.log").open("w") as log:
        return subprocess.Popen(
            [*command, "--", *OPTIONS], cwd=folder, stdout=log, stderr=subprocess.STDOUT,
            env=environment | {"PYTHONPATH": str(folder)},
        )  # fmt: skip


def running():
    """Run id by number of the jobs that are at work."""
    listed = subprocess.run(
        ["squeue", "--noheader", "--states", "R", "--format", "%A %k"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    return dict(re.findall(rf"^(\d+) rule_record_wildcards_({paths.RUN_ID})", listed, re.MULTILINE))


def cancel_one(log):
    """Cancel a job that is at work; its run."""
    wait_for(running, PATIENCE_SECONDS, log)
    number, run = next(iter(running().items()))
    subprocess.run(["scancel", number], check=True)
    return run


def submitted(log):
    """The runs of which a job was sent to the cluster, once for each."""
    return re.findall(rf"with SLURM jobid \d+ \(log: \S.*?/({paths.RUN_ID})/", log.read_text())


def files(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_a_sweep_on_slurm_leaves_every_record_though_a_job_is_cancelled(cluster, checkout):
    log, folder = checkout / "sweep.log", checkout / ".cache" / "runs"
    wanted = study.described(checkout / "sweep.yml")

    process = start(checkout)
    cancelled = cancel_one(log)
    assert process.wait(PATIENCE_SECONDS) == 0, log.read_text()
    made = runs.read_all(folder)  # each is whole, and is what its name says
    assert {record.recipe for record in made} == set(wanted) and len(made) == len(wanted) == 8
    assert {path.name for path in folder.iterdir()} == {record.run.id for record in made}
    assert sorted(submitted(log)) == sorted([cancelled, *(record.run.id for record in made)])

    before = files(folder)
    assert start(checkout).wait(PATIENCE_SECONDS) == 0
    assert "8 recorded, 0 to train" in log.read_text() and submitted(log) == []
    assert files(folder) == before
