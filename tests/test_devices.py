"""Cards: which there are, that two runs never share one, and that none is done without."""

import json
import os
import subprocess
import sys
import time

import pytest
from helpers import EXPLAINED, small_recipe

from ferutils import paths
from ferutils.measuring import devices, kernel

TWO = """\
GPU 0: NVIDIA A100 (UUID: GPU-aaaa1111-0000)
GPU 1: NVIDIA A100 (UUID: GPU-bbbb2222-0000)
"""
PARTS = """\
GPU 0: NVIDIA A100 (UUID: GPU-aaaa1111-0000)
  MIG 1g.5gb Device 0: (UUID: MIG-cccc3333-0000)
  MIG 1g.5gb Device 1: (UUID: MIG-dddd4444-0000)
"""
FIRST, SECOND = "GPU-aaaa1111-0000", "GPU-bbbb2222-0000"


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine whose nvidia-smi lists these cards."""

    def set_up(listed, visible=None):
        program = tmp_path / "bin" / "nvidia-smi"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\ncat <<'END'\n{listed}END\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
        monkeypatch.setenv("TMPDIR", str(tmp_path))
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        if visible is not None:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    return set_up


@pytest.mark.parametrize(
    "listed, visible, found",
    [
        (TWO, None, [FIRST, SECOND]),
        (TWO, "1", [SECOND]),
        (TWO, "1,0", [SECOND, FIRST]),
        (TWO, "GPU-bbbb", [SECOND]),
        (TWO, "-1", []),
        (TWO, "", []),
        (TWO, "0,7,1", [FIRST]),
        (PARTS, None, ["MIG-cccc3333-0000", "MIG-dddd4444-0000"]),
        ("", None, []),
    ],
)
def test_the_cards_are_those_that_cuda_would_use(machine, listed, visible, found):
    machine(listed, visible)
    assert devices.cards() == found


CLAIM = """
import os, sys
from ferutils.measuring import devices
devices.claim(); devices.claim()
print(os.environ.get("CUDA_VISIBLE_DEVICES"), flush=True)
sys.stdin.read()
"""


def claiming():
    return subprocess.Popen(
        [sys.executable, "-c", CLAIM], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(paths.ROOT)},
    )  # fmt: skip


@pytest.mark.parametrize("cards, per_card", [([FIRST, SECOND], "1"), ([FIRST, FIRST], "2")])
def test_a_card_has_room_for_so_many_and_a_third_run_waits(machine, monkeypatch, cards, per_card):
    machine(TWO, ",".join(set(cards)))
    monkeypatch.setenv("FERUTILS_RUNS_PER_CARD", per_card)
    assert devices.places() == 2
    first, second = claiming(), claiming()
    try:
        taken = [one.stdout.readline().strip() for one in (first, second)]
        assert sorted(taken) == cards
        third = claiming()
        assert "in use by another run: waiting" in third.stdout.readline()
        time.sleep(2 * devices.WAIT_SECONDS)
        assert third.poll() is None
        second.kill()
        assert third.stdout.readline().strip() == taken[1]
    finally:
        for one in (first, second, third):
            one.kill()
            one.communicate()


def test_without_a_card_nothing_is_claimed(machine):
    machine("")
    process = claiming()
    assert process.communicate("")[0] == "None\n"


def test_training_without_the_gpu_that_is_asked_for_is_refused(monkeypatch):
    monkeypatch.setenv("FERUTILS_DEVICE", "gpu")
    devices.check("NVIDIA A100")
    with pytest.raises(ValueError, match=EXPLAINED):
        devices.check("")
    monkeypatch.setenv("FERUTILS_DEVICE", "abacus")
    with pytest.raises(ValueError, match=EXPLAINED):
        devices.check("NVIDIA A100")
    monkeypatch.delenv("FERUTILS_DEVICE")
    devices.check("")
    monkeypatch.setenv("FERUTILS_RUNS_PER_CARD", "0")
    with pytest.raises(ValueError, match=EXPLAINED):
        devices.places()


# ---- the kernel ---------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", kernel.GROWING)
def test_the_kernel_has_its_environment(tmp_path, backend):
    folder = kernel.install(backend, "0,1", deterministic=True, prefix=str(tmp_path))
    assert folder == tmp_path / "share" / "jupyter" / "kernels" / "fer-gpu"
    spec = json.loads((folder / "kernel.json").read_text())
    assert "ipykernel_launcher" in spec["argv"]
    own = spec["env"]
    assert own["FERUTILS_DEVICE"] == "gpu" and own["KERAS_BACKEND"] == backend
    assert own["CUDA_VISIBLE_DEVICES"] == "0,1"
    assert kernel.GROWING[backend].items() <= own.items()
    assert kernel.DETERMINISTIC[backend].items() <= own.items()
    kernel.install(backend, deterministic=False, prefix=str(tmp_path))
    own = json.loads((folder / "kernel.json").read_text())["env"]
    assert "CUDA_VISIBLE_DEVICES" not in own
    assert not kernel.DETERMINISTIC[backend].keys() & own.keys()


@pytest.mark.slow
def test_on_the_kernel_a_machine_without_gpu_refuses_to_train(tmp_path):
    kernel.install("tensorflow", "-1", prefix=str(tmp_path))  # hides a card, where there is one
    notebook = str(paths.NOTEBOOKS / "shallow.ipynb")
    run = subprocess.run(
        [sys.executable, "-m", "papermill", "-k", "fer-gpu", notebook, "out.ipynb",
         *small_recipe().options().split()],
        cwd=tmp_path, capture_output=True, text=True,
        env=os.environ | {
            "PYTHONPATH": str(paths.ROOT),
            "JUPYTER_PATH": str(tmp_path / "share" / "jupyter"),
            "FERUTILS_RUNS": str(tmp_path / "runs"),
        },
    )  # fmt: skip
    assert run.returncode != 0
    assert "ValueError: Expected a GPU, which FERUTILS_DEVICE=gpu asks for." in run.stderr
    assert not list(tmp_path.glob("runs/*/run.json"))
