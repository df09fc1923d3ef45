"""Records that several processes write at once into one folder, as the nodes of a cluster do."""

import multiprocessing

import pytest
from helpers import fabricated, small_recipe
from synthetic import DRAWN

from ferutils.records import runs

pytestmark = pytest.mark.slow

WRITERS, RUNS = 4, 20
NOTE = DRAWN.model_copy(update={"counts": {split: [3] * 7 for split in DRAWN.counts}})


def made(writer):
    """The same runs for every process, with numbers that no other has."""
    return [fabricated(small_recipe(seed=seed), NOTE, RUNS * writer + seed) for seed in range(RUNS)]


def write(writer, folder, start):
    mine = made(writer)
    start.wait()
    for one in mine:
        runs.write(*one, folder)


def test_records_written_at_once_never_mix(tmp_path):
    spawn = multiprocessing.get_context("spawn")
    start = spawn.Barrier(WRITERS)
    writers = [
        spawn.Process(target=write, args=(number, tmp_path, start)) for number in range(WRITERS)
    ]
    for one in writers:
        one.start()
    for one in writers:
        one.join()
    assert [one.exitcode for one in writers] == [0] * WRITERS
    every = [made(number) for number in range(WRITERS)]
    found = {record.run.id: record for record in runs.read_all(tmp_path)}
    assert found.keys() == {run.id for run, *_ in every[0]}
    assert found.keys() == {path.name for path in tmp_path.iterdir()}
    for candidates in zip(*every):
        record = found[candidates[0][0].id]
        (history,) = [one[1] for one in candidates if one[0].scores == record.run.scores]
        assert history.round(9).equals(record.history.round(9))
