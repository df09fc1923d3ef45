"""Training throughput: ours, plain Keras, PyTorch by hand; and the price of checkpoints.

Ours is an epoch of `training.train`, as the notebooks run it: uint8 images, rescaling in the model,
our own order of images. Plain is `fit` of the bare network on float images in memory. By hand is
the same network in PyTorch, channels last and with its fused Adam, where PyTorch is installed.
Epochs of the three and checkpoints alternate, so that all meet the same machine, and the best of
each counts, after a first one that compiles. A checkpoint takes the same time whatever the epoch
before it took, hence it is set against an epoch of all of FER-2013's training images at the speed
measured here. Run by `make bench`, under the backend that KERAS_BACKEND names; fails where ours
reaches less than 0.95 of plain, or where training with checkpoints reaches less than 0.95 of
training without.
"""

import importlib.util
import math
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("KMP_BLOCKTIME", "0")  # PyTorch's threads wait without a core of their own

import keras

from ferutils.dataset import faces, fer2013
from ferutils.measuring import checkpoints, models, training
from ferutils.records import recipes, runs

ROWS = {  # images by network and precision
    ("shallow", "float32"): 1280,
    ("improved", "float32"): 1280,
    ("deep", "float32"): 128,
    ("deep", "mixed_bfloat16"): 128,
}
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


def by_hand(network, recipe, images, labels):
    """What trains a network for an epoch as PyTorch's own documentation would; None without it."""
    if importlib.util.find_spec("torch") is None:
        return None
    import torch
    from torch import nn

    def parts(one):
        channels, kind = one.input.shape[-1], type(one).__name__
        if kind == "Conv2D":
            padding = one.kernel_size[0] // 2 if one.padding == "same" else 0
            yield nn.Conv2d(channels, one.filters, one.kernel_size, padding=padding)
        elif kind == "Dense":
            yield nn.Linear(channels, one.units)
        elif kind == "BatchNormalization":
            of = nn.BatchNorm2d if one.input.ndim == 4 else nn.BatchNorm1d
            yield of(channels, momentum=1 - one.momentum, eps=one.epsilon)
        elif kind != "Activation":
            yield {
                "MaxPooling2D": lambda: nn.MaxPool2d(one.pool_size),
                "Dropout": lambda: nn.Dropout(one.rate),
                "Flatten": nn.Flatten,
            }[kind]()
        if getattr(one, "activation", None) is keras.activations.relu:
            yield nn.ReLU()

    built = (part for one in network.layers for part in parts(one))
    model = nn.Sequential(*built).to(memory_format=torch.channels_last)
    assert sum(one.numel() for one in model.parameters()) == sum(
        math.prod(one.shape) for one in network.trainable_variables
    )
    adam = torch.optim.Adam(model.parameters(), lr=recipe.learning_rate, fused=True)
    faces_of = torch.from_numpy(images).permute(0, 3, 1, 2)
    labels_of = torch.from_numpy(labels.astype("int64"))

    def epoch():
        for places in torch.randperm(len(labels_of)).split(recipe.batch_size):
            batch = faces_of[places].contiguous(memory_format=torch.channels_last)
            adam.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, recipe.precision == "mixed_bfloat16"):
                loss = nn.functional.cross_entropy(model(batch).float(), labels_of[places])
            loss.backward()
            adam.step()

    return epoch


def measure(name, precision, number, dataset, folder):
    """Images per second: ours, plain, by hand (None without PyTorch), ours with checkpoints."""
    recipe = recipes.make(
        model=name, dataset="drawn", epochs=EPOCHS, train_images=number, evaluation_images=7,
        precision=precision,
    )  # fmt: skip
    split = training.subset(dataset.splits["Training"], number)
    images = split.images[..., None].astype("float32") / 255
    keras.config.set_dtype_policy(precision)
    network = models.MODELS[name](recipe)
    keras.config.set_dtype_policy("float32")
    network.compile(
        optimizer=keras.optimizers.Adam(recipe.learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    ways = {"plain": lambda: network.fit(images, split.labels, recipe.batch_size, verbose=0)}
    if hand := by_hand(network, recipe, images, split.labels):
        ways["hand"] = hand
    seconds = {way: [] for way in ways}
    checkpoint = Timed(folder)

    def others(row):
        for way, epoch in ways.items():
            start = time.perf_counter()
            epoch()
            seconds[way].append(time.perf_counter() - start)

    trained = training.train(recipe, dataset, others, checkpoint)
    seconds["ours"] = trained.history["training_seconds"].tolist()
    speed = {way: number / min(each[1:]) for way, each in seconds.items()}
    kept = WHOLE / (WHOLE / speed["ours"] + min(checkpoint.seconds[1:]))
    return speed["ours"], speed["plain"], speed.get("hand"), kept


def main():
    """Print a row per network; exit 1 where a ratio is too low."""
    dataset = faces.draw()
    ratios = []
    head = ("ours", "plain", "ratio", "by hand", "ratio", "with checkpoints", "ratio")
    print(f"Images per second under {keras.backend.backend()}, and ours over each")
    print(f"{'network':<24}" + "".join(f"{one:>{max(8, len(one) + 2)}}" for one in head))
    for (name, precision), number in ROWS.items():
        with tempfile.TemporaryDirectory() as folder:
            ours, plain, hand, kept = measure(name, precision, number, dataset, folder)
        ratios += [ours / plain, kept / ours]
        hand, beside = (f"{hand:.1f}", f"{ours / hand:.3f}") if hand else ("-", "-")
        print(
            f"{name + ', ' + precision:<24}{ours:>8.1f}{plain:>8.1f}{ratios[-2]:>8.3f}{hand:>9}"
            f"{beside:>8}{kept:>18.1f}{ratios[-1]:>8.3f}",
            flush=True,
        )
    sys.exit(min(ratios) < LOWEST_RATIO)


if __name__ == "__main__":
    main()
