"""Records that several processes write at once into one folder, as the nodes of a cluster do."""

import multiprocessing

import pytest
from helpers import fabricated, small_recipe
from synthetic import DRAWN

from ferutils import records

pytestmark = pytest.mark.slow

WRITERS, RUNS = 4, 10
NOTE = DRAWN.model_copy(update={"counts": {split: [3] * 7 for split in DRAWN.counts}})


def made(writer):
    """The runs of a process."""
    seeds = range(RUNS * writer, RUNS * (writer + 1))
    return [fabricated(small_recipe(seed=seed), NOTE, seed) for seed in seeds]


def write(writer, folder, start):
    mine = made(writer)
    start.wait()
    for one in mine:
        records.write(*one, folder)


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
    found = {record.run.id: record for record in records.read_all(tmp_path)}
    expected = {
        run.id: (run, history) for number in range(WRITERS) for run, history, _ in made(number)
    }
    assert found.keys() == expected.keys() == {path.name for path in tmp_path.iterdir()}
    for name, (run, history) in expected.items():
        assert found[name].run.model_copy(update={"checksums": {}}) == run
        assert found[name].history.round(9).equals(history.round(9))
