"""Training throughput of each network, our way beside plain Keras, and the price of checkpoints.

Ours is an epoch of `training.train`, as the notebooks run it: uint8 images, rescaling in the model,
our own order of images. Plain is `fit` of the bare network on float images in memory. Epochs of
the two and checkpoints alternate, so that all meet the same machine, and the best of each counts,
after a first one that compiles. A checkpoint takes the same time whatever the epoch before it took,
hence it is set against an epoch of all of FER-2013's training images at the speed measured here.
Run by `make bench`; fails where ours reaches less than 0.95 of plain, or where training with
checkpoints reaches less than 0.95 of training without.
"""

import sys
import tempfile
import time
from pathlib import Path

import keras

from ferutils.dataset import faces, fer2013
from ferutils.measuring import checkpoints, models, training
from ferutils.records import recipes, runs

IMAGES = {"shallow": 1280, "improved": 1280, "deep": 128}
WHOLE = sum(fer2013.FER2013["Training"]["counts"])
EPOCHS = 6
LOWEST_RATIO = 0.95


class Timed(checkpoints.Checkpoint):
    """A checkpoint that notes how long it took to write."""

    def __init__(self, folder):
        where = runs.Environment(device="", backend="", system="", versions={})
        mine = checkpoints.Identity(run="bench", code="", environment=where)
        super().__init__(Path(folder) / "bench.npz", mine)
        self.seconds = []

    def save(self, model, progress):
        start = time.perf_counter()
        super().save(model, progress)
        self.seconds.append(time.perf_counter() - start)


def measure(name, dataset, folder):
    """Images per second of both ways, and of ours with checkpoints."""
    recipe = recipes.make(
        model=name, dataset="drawn", epochs=EPOCHS, train_images=IMAGES[name], evaluation_images=7
    )
    split = training.subset(dataset.splits["Training"], IMAGES[name])
    images = split.images[..., None].astype("float32") / 255
    network = models.MODELS[name](recipe)
    network.compile(
        optimizer=keras.optimizers.Adam(recipe.learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    plain, checkpoint = [], Timed(folder)

    def plain_epoch(row):
        start = time.perf_counter()
        network.fit(images, split.labels, batch_size=recipe.batch_size, verbose=0)
        plain.append(time.perf_counter() - start)

    trained = training.train(recipe, dataset, plain_epoch, checkpoint)
    ours = trained.history["training_seconds"].tolist()
    speed = IMAGES[name] / min(ours[1:])
    kept = WHOLE / (WHOLE / speed + min(checkpoint.seconds[1:]))
    return speed, IMAGES[name] / min(plain[1:]), kept


def main():
    """Print a row per network; exit 1 where a ratio is too low."""
    dataset = faces.draw()
    ratios = []
    print(
        f"{'network':<10}{'ours, images/s':>16}{'plain, images/s':>18}{'ratio':>8}"
        f"{'with checkpoints':>19}{'ratio':>8}"
    )
    for name in IMAGES:
        with tempfile.TemporaryDirectory() as folder:
            ours, plain, kept = measure(name, dataset, folder)
        ratios += [ours / plain, kept / ours]
        print(
            f"{name:<10}{ours:>16.1f}{plain:>18.1f}{ratios[-2]:>8.3f}{kept:>19.1f}"
            f"{ratios[-1]:>8.3f}",
            flush=True,
        )
    sys.exit(min(ratios) < LOWEST_RATIO)


if __name__ == "__main__":
    main()
