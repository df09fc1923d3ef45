"""Limits of the process: too low ones are named before a library fails in its own words."""

import resource
import subprocess
import sys

import pytest
from helpers import EXPLAINED

from ferutils import paths
from ferutils.measuring import backend, limits


def limited(monkeypatch, name, allowed):
    """Pretend that one limit of this process is so and that it has no other."""
    values = {getattr(resource, name): allowed}
    unlimited = resource.RLIM_INFINITY
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (values.get(kind, unlimited),) * 2)


@pytest.mark.parametrize("option", limits.NEEDED)
def test_keras_is_not_loaded_under_a_limit_that_is_too_low(option, monkeypatch):
    name, _, needed, unit = limits.NEEDED[option]
    limited(monkeypatch, name, needed - 1)
    with pytest.raises(ValueError, match=EXPLAINED) as refused:
        backend.load()
    assert f"ulimit {option} {needed // unit}," in str(refused.value)
    limited(monkeypatch, name, needed)
    limits.check()


@pytest.mark.slow
def test_nor_is_anything_built():
    planned = f"ulimit -n 64; {sys.executable} -m snakemake --cores 1 -n book"
    done = subprocess.run(planned, shell=True, cwd=paths.ROOT, capture_output=True, text=True)
    assert done.returncode and "Received: a limit of 64." in done.stdout + done.stderr
