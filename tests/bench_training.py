"""Training throughput of each network, our way beside plain Keras, in the same run.

Ours is an epoch of `training.train`, as the notebooks run it: uint8 images, rescaling in the model,
our own order of images. Plain is `fit` of the bare network on float images in memory. Epochs of
the two alternate, so that both meet the same machine, and the best of each counts, after a first
one that compiles. Run by `make bench`; fails where ours reaches less than 0.95 of plain.
"""

import sys
import time

import keras

from ferutils import faces, models, recipes, training

IMAGES = {"shallow": 1280, "improved": 1280, "deep": 128}
EPOCHS = 6
LOWEST_RATIO = 0.95


def measure(name, dataset):
    """Images per second of both ways."""
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
    plain = []

    def plain_epoch(row):
        start = time.perf_counter()
        network.fit(images, split.labels, batch_size=recipe.batch_size, verbose=0)
        plain.append(time.perf_counter() - start)

    trained = training.train(recipe, dataset, plain_epoch)
    ours = trained.history["training_seconds"].tolist()
    return IMAGES[name] / min(ours[1:]), IMAGES[name] / min(plain[1:])


def main():
    """Print a row per network; exit 1 where a ratio is too low."""
    dataset = faces.draw()
    ratios = []
    print(f"{'network':<10}{'ours, images/s':>16}{'plain, images/s':>18}{'ratio':>8}")
    for name in IMAGES:
        ours, plain = measure(name, dataset)
        ratios.append(ours / plain)
        print(f"{name:<10}{ours:>16.1f}{plain:>18.1f}{ratios[-1]:>8.3f}", flush=True)
    sys.exit(min(ratios) < LOWEST_RATIO)


if __name__ == "__main__":
    main()
