"""Records that several processes write at once into one folder, as the nodes of a cluster do."""

import multiprocessing

import pytest
from helpers import fabricated, small_recipe
from synthetic import DRAWN

from ferutils import records

pytestmark = pytest.mark.slow

WRITERS = 4
SMALL = {split: [3] * 7 for split in DRAWN.counts}
NOTE = DRAWN.model_copy(update={"counts": SMALL})
RECIPES = [small_recipe(seed=seed) for seed in range(20)]


def write(writer, folder, start, failed):
    """Write a record of every recipe, with numbers that no other writer has."""
    made = [fabricated(recipe, NOTE, 1000 * writer + recipe.seed) for recipe in RECIPES]
    start.wait()
    for one in made:
        try:
            records.write(*one, folder)
        except Exception as error:
            failed.put(repr(error))
            raise


def test_records_written_at_once_never_mix(tmp_path):
    spawn = multiprocessing.get_context("spawn")
    start, failed = spawn.Barrier(WRITERS), spawn.Queue()
    writers = [
        spawn.Process(target=write, args=(number, tmp_path, start, failed))
        for number in range(WRITERS)
    ]
    for one in writers:
        one.start()
    for one in writers:
        one.join()
    assert [one.exitcode for one in writers] == [0] * WRITERS, failed.get()
    made = records.read_all(tmp_path)
    assert {record.recipe for record in made} == set(RECIPES)
    assert {path.name for path in tmp_path.iterdir()} == {record.run.id for record in made}
    for record in made:
        candidates = [
            fabricated(record.recipe, NOTE, 1000 * writer + record.recipe.seed)
            for writer in range(WRITERS)
        ]
        (whole,) = [one for one in candidates if one[0].scores == record.run.scores]
        assert whole[1].round(9).equals(record.history.round(9))
