"""The networks that the paper names as future work: AlexNet, CapsNet, VGG16 with given weights.

Writes and reads book/pretrained/<name>-seed-<n>.json. Needs no Keras.
"""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, ValidationError, model_validator

from ferutils import paths, storage
from ferutils.records import answers, probes, provenance
from ferutils.records.answers import Answers
from ferutils.records.probes import Change, Steadiness
from ferutils.records.runs import Accuracy, Code, Cost, DatasetNote, Environment, Part, Words
from ferutils.records.small import Epoch

FOLDER = paths.BOOK / "pretrained"
COMMAND = "FER2013=PATH ferutils measure pretrained"
ORIGINS = ("hed-vgg16", "imagenet-vgg16", "random-vgg16")
WAYS = ("frozen", "fine-tuned")
CAPSULES = ("capsnet", "capsnet-dense")  # and the same trunk without capsules
NEW = ("alexnet", *CAPSULES)
# By name, the network and what is trained of it: a linear classifier on its frozen features, all
# of it from the weights it comes with, or all of it from random ones.
NAMES = {f"{origin}-{way}": (origin, way) for origin in ORIGINS for way in WAYS}
NAMES |= {network: (network, "from scratch") for network in NEW}
# How the images are changed that CapsNet and its twin answer, too.
CHANGES = {kind: probes.CHANGES[kind] for kind in ("shift", "rotation")}
CHANGES |= {"occlusion": Change("pixels wide", (8, 12, 16))}
STEADY = ("dataset/perturbing", "measuring/capsules", "measuring/changing")
STEADY += ("measuring/models", "measuring/tuning")
# As provenance.SHAPING: functions that shape the numbers, and the modules they reach into; of a
# network from scratch by its own name, as below.
SHAPING = {
    "frozen": (["classify"], ("measuring/linear", "measuring/vgg", "measuring/frozen")),
    "fine-tuned": (["tuned"], ("measuring/vgg", "measuring/tuning")),
    "alexnet": (["alexnet"], ("measuring/alexnet", "measuring/tuning")),
    "capsnet": (["capsnet", "steadiness"], STEADY),
    "capsnet-dense": (["capsnet_dense", "steadiness"], STEADY),
}
USUAL = {
    "frozen": {"epochs": 0},
    "fine-tuned": {"epochs": 3, "learning_rate": 1e-4},
    "alexnet": {"epochs": 10, "learning_rate": 3e-4},
}
USUAL |= dict.fromkeys(CAPSULES, USUAL["alexnet"] | {"precision": "float32"})

Seed = Annotated[int, Field(ge=0, lt=2**32)]
Share = Annotated[float, Field(ge=0, lt=1)]
Sum = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Recipe(Part):
    """Everything that decides one measurement, but the dataset and the weights it begins from."""

    network: Literal[*ORIGINS, *NEW]
    way: Literal[*WAYS, "from scratch"]
    seed: Seed = 0  # of random weights, and of what is drawn in training
    precision: Literal["float32", "mixed_bfloat16"] = "mixed_bfloat16"
    # Of what is trained by epochs:
    epochs: Annotated[int, Field(ge=0)]
    batch_size: Annotated[int, Field(ge=1)] = 128
    learning_rate: Share = 0.0  # of AdamW after the warm-up, then to zero along a cosine
    weight_decay: Share = 0.01  # of kernels alone
    shift: Annotated[int, Field(ge=0, lt=48)] = 3  # pixels at most; half of the images are mirrored

    @model_validator(mode="after")
    def _is_one(self) -> "Recipe":
        if (self.network, self.way) not in NAMES.values():
            raise ValueError(f"{self.network}, {self.way}")
        if (self.way == "frozen") == bool(self.epochs and self.learning_rate):
            raise ValueError("epochs and a learning rate of what is not frozen, and of that alone")
        return self

    @property
    def name(self) -> str:
        """What it is called, without its seed."""
        return next(name for name, one in NAMES.items() if one == (self.network, self.way))


class Head(Part):
    """The linear classifier on frozen features: logistic regression on standardised ones."""

    block: Annotated[int, Field(ge=1, le=5)]  # whose maps, averaged, are the features
    strength: Annotated[float, Field(gt=0)]  # C, the inverse of the penalty's
    features: Annotated[int, Field(ge=1)]
    iterations: Annotated[int, Field(ge=1)]
    tried: dict[Words, Accuracy]  # on PublicTest, by block and strength


class Pretrained(Part):
    """The content of `<name>-seed-<n>.json`."""

    recipe: Recipe
    dataset: DatasetNote
    parameters: Annotated[
        int, Field(ge=1)
    ]  # of the network; of a frozen one, without what is fitted to its features
    begun_from: Sum | None  # SHA-256 of the file of weights; None: random
    head: Head | None = None
    history: list[Epoch] = Field(default_factory=list)
    cost: Cost
    environment: Environment
    code: Code
    started: datetime
    resumed_after_epochs: list[int] = Field(default_factory=list)
    answers: Answers
    steadiness: Steadiness | None = None

    @model_validator(mode="after")
    def _whole(self) -> "Pretrained":
        if len(self.history) != self.recipe.epochs:
            raise ValueError(f"{len(self.history)} epochs, not {self.recipe.epochs}")
        if (self.head is None) == (self.recipe.way == "frozen"):
            raise ValueError("a linear classifier on frozen features, and on these alone")
        if (self.begun_from is None) == (self.recipe.network in ORIGINS[:2]):
            raise ValueError("the file of the weights that it begins from, if it has one")
        if not answers.complete(self.answers, self.dataset):
            raise ValueError("an answer to each held-out image")
        if (self.steadiness is None) == (self.recipe.network in CAPSULES):
            raise ValueError(
                "answers to changed images of CapsNet and its twin, and of these alone"
            )
        if self.steadiness and self.steadiness.changes != probes.each(CHANGES):
            raise ValueError("other changes than those of today's code")
        return self

    @property
    def name(self) -> str:
        """What the record is called."""
        return file_name(self.recipe)

    @property
    def is_current(self) -> bool:
        """Whether the code that made it would give the same numbers today."""
        return self.code.fingerprint == fingerprint(self.recipe)

    def right(self, split: str) -> np.ndarray:
        """Which images of a split are answered rightly, bool (n,), in canonical order."""
        return answers.right(self.answers, self.dataset, split)


def usual(name: str, **given: object) -> Recipe:
    """The recipe of that name, with what is given instead of its usual values.

    Raises:
        ValueError: there is no such name, or a value is impossible.
    """
    if name not in NAMES:
        raise ValueError(f"Expected one of {', '.join(NAMES)}. Received: {name}. Correct the name.")
    network, way = NAMES[name]
    try:
        return Recipe(**{"network": network, "way": way} | USUAL[_kind(network, way)] | given)
    except ValidationError as error:
        raise ValueError(
            f"Expected a recipe of {name}. Received: {storage.described(error)}. Correct it."
        ) from None


def fingerprint(recipe: Recipe) -> str:
    """A hash of the code that shapes the numbers of a recipe."""
    (root, *also), modules = SHAPING[_kind(recipe.network, recipe.way)]
    modules = ("dataset/fer2013", *modules)
    return provenance.code_fingerprint(root, modules=modules, also=tuple(also))


def _kind(network: str, way: str) -> str:
    return way if way in WAYS else network


# Files


def file_name(recipe: Recipe) -> str:
    """What the record of a recipe is called."""
    return f"{recipe.name}-seed-{recipe.seed}"


def read_all(folder: Path | None = None) -> list[Pretrained]:
    """Every record, in the order of names and seeds.

    Raises:
        ValueError: one is damaged, was edited, or has another's name.
    """
    found = [_read(path) for path in (folder or FOLDER).glob("[!.]*.json")]
    order = list(NAMES)
    return sorted(found, key=lambda one: (order.index(one.recipe.name), one.recipe.seed))


def _read(path: Path) -> Pretrained:
    remedy = f"Restore it from git, or remove it and run {COMMAND}."
    with storage.expecting(f"the record {path.stem}", path, remedy):
        found = Pretrained.model_validate_json(storage.unsealed(path))
        if found.name != path.stem:
            raise ValueError(f"the record {found.name}")
        return found


def write(found: Pretrained, folder: Path | None = None) -> None:
    """Write a record, whole or not at all."""
    folder = folder or FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    storage.write_whole(
        folder / f"{found.name}.json", storage.sealed(found.model_dump_json(indent=1))
    )
