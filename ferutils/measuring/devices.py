"""Which accelerator cards a run may use, and that no more runs of a user share one than may.

Reads the environment variables FERUTILS_DEVICE, FERUTILS_RUNS_PER_CARD and CUDA_VISIBLE_DEVICES and
asks nvidia-smi; holds lock files in the folder for temporary files. Needs no Keras.
"""

import fcntl
import itertools
import os
import re
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO

WAIT_SECONDS = 1.0  # between two looks for a card that has become free
# What lets the backend take memory of the card as it needs it, instead of all at the start.
GROWING = {
    "tensorflow": {"TF_FORCE_GPU_ALLOW_GROWTH": "true"},
    "jax": {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"},
    "torch": {},  # does so of itself
}
_held: list[IO] = []  # the lock of this process's card; the system frees it however we end


def cards() -> list[str]:
    """The UUIDs of the NVIDIA cards, or parts of cards, that this process may use."""
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True).stdout
    except OSError:
        return []
    found = re.findall(r"UUID: (MIG-[^)]+)", listed) or re.findall(r"UUID: (GPU-[^)]+)", listed)
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return found if visible is None else _chosen(found, visible)


def _chosen(found: list[str], visible: str) -> list[str]:
    """Those that CUDA_VISIBLE_DEVICES names, which ends, as in CUDA, at the first wrong name."""
    chosen = []
    for name in visible.split(","):
        by_number = name.strip().isdigit() and found[int(name) : int(name) + 1]
        matching = by_number or [one for one in found if name.strip() and one.startswith(name)]
        if len(matching) != 1:
            break
        chosen += matching
    return chosen


def places() -> int:
    """How many runs the cards take at once.

    Raises:
        ValueError: FERUTILS_RUNS_PER_CARD is no number from 1 to 99.
    """
    return len(cards()) * _runs_per_card()


def _runs_per_card() -> int:
    """How many runs may share a card: FERUTILS_RUNS_PER_CARD, or one."""
    given = os.environ.get("FERUTILS_RUNS_PER_CARD") or "1"
    if not re.fullmatch(r"[1-9]\d?", given):
        raise ValueError(
            "Expected for the environment variable FERUTILS_RUNS_PER_CARD: 1 to 99. "
            f"Received: {given!r}. Correct it or remove it."
        )
    return int(given)


def claim() -> None:
    """Take a place on one card for this process and hide the other cards; without a card, nothing.

    Call it before the backend of Keras looks for cards. Where every place is taken by another run
    of the same user, it waits, and says so.

    Raises:
        ValueError: as `places`.
    """
    found = cards()
    if not found or _held or _take_one(found):
        return
    print(f"Every GPU of {len(found)} is in use by another run: waiting for one.", flush=True)
    while not _take_one(found):
        time.sleep(WAIT_SECONDS)


def _take_one(found: list[str]) -> bool:
    """Whether one of these cards was free; it is ours then."""
    folder = Path(tempfile.gettempdir()) / f"ferutils-cards-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    for place, card in itertools.product(range(_runs_per_card()), found):
        lock = (folder / f"{card.replace('/', '-')}-{place}").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            continue
        _held.append(lock)
        os.environ["CUDA_VISIBLE_DEVICES"] = card
        return True
    return False


def check(accelerator: str) -> None:
    """Refuse to train on the processor where FERUTILS_DEVICE=gpu asks for a GPU.

    Args:
        accelerator: what Keras trains on, "" for the processor.

    Raises:
        ValueError: a GPU is asked for and Keras has none.
    """
    wanted = os.environ.get("FERUTILS_DEVICE", "")
    if wanted not in ("", "gpu"):
        raise ValueError(
            "Expected for the environment variable FERUTILS_DEVICE: gpu, or nothing. "
            f"Received: {wanted!r}. Correct it or remove it."
        )
    if wanted and not accelerator:
        raise ValueError(
            "Expected a GPU, which FERUTILS_DEVICE=gpu asks for. Received: a machine on which "
            "Keras finds only the processor. Install requirements-gpu.txt where there is a GPU, "
            "or train on the processor with the kernel python3 and, if there is a card, "
            "CUDA_VISIBLE_DEVICES=-1."
        )


if __name__ == "__main__":
    print(places())
