"""The paper's networks as built: optimiser, activations, dropout, and the usual sanity checks.

Writes and reads book/inspection.json.
"""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from ferutils import paths, storage
from ferutils.dataset.fer2013 import EMOTIONS
from ferutils.records import provenance, recipes
from ferutils.records.recipes import Recipe
from ferutils.records.runs import Accuracy, Environment

if TYPE_CHECKING:
    pass


INSPECTION_FILE = paths.BOOK / "inspection.json"
# Nats. Grey levels that were not rescaled or weights that are too large at the start give more.
NEAR_GUESSING = 0.1


class Network(BaseModel):
    """What was seen of one network.

    Attributes:
        recipe: how it was built.
        code: fingerprint of the code that builds and trains it.
        optimizer: class of its optimiser.
        learning_rate: of the optimiser.
        activations: by convolution and dense layer, in their order.
        first_loss: mean cross-entropy in nats before training, in inference mode: untrained batch
            normalisation then passes on what it gets, so that this is the network's own start.
        first_step_loss: the same of the handful in training mode, as the first step saw it, with
            dropout, and with batch normalisation by the statistics of the handful.
        trainable: how many trainable weights it has, each a tensor.
        without_gradient: those of which the first step moved no element.
        share_with_gradient: of all their elements, the share that the first step moved.
        steps: training steps taken, each on the whole handful, until all of it was right.
        loss: of the handful after them, in nats, with no dropout, and with batch normalisation by
            the statistics of the handful: those that its moving averages are on their way to.
        accuracy: likewise.
        inference_loss: of the handful in inference mode, with the moving averages as they were.
        inference_accuracy: likewise.
        same_at_inference: whether the same images gave the same outputs twice, in inference mode.
        varies_in_training: whether they gave other outputs the second time, in training mode.
    """

    # "strings": a loss that is not a number is written as "NaN", which JSON can hold.
    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="strings")

    recipe: Recipe
    code: str
    optimizer: str
    learning_rate: float
    activations: dict[str, str]
    first_loss: float
    first_step_loss: float
    trainable: int
    without_gradient: list[str]
    share_with_gradient: Accuracy
    steps: int
    loss: float
    accuracy: Accuracy
    inference_loss: float
    inference_accuracy: Accuracy
    same_at_inference: bool
    varies_in_training: bool

    @property
    def is_current(self) -> bool:
        """Whether today's code and defaults still give this network."""
        model = self.recipe.model
        same_code = self.code == provenance.code_fingerprint(model)
        return same_code and self.recipe == recipes.make(model=model)

    @property
    def optimizer_is_adam(self) -> bool:
        """Whether it is compiled with Adam."""
        return self.optimizer == "Adam"

    @property
    def relu_in_hidden_layers(self) -> bool:
        """Whether every convolution and dense layer but the last has ReLU."""
        hidden = list(self.activations.values())[:-1]
        return bool(hidden) and set(hidden) == {"relu"}

    @property
    def dropout_only_in_training(self) -> bool:
        """Whether its outputs vary in training mode and not in inference mode."""
        return self.varies_in_training and self.same_at_inference

    @property
    def guesses_at_first(self) -> bool:
        """Whether the loss before training is near that of equal probabilities."""
        return abs(self.first_loss - math.log(len(EMOTIONS))) <= NEAR_GUESSING

    @property
    def learned_by_heart(self) -> bool:
        """Whether all images of the handful were right: one that is not shows a network stuck."""
        return self.accuracy == 1

    @property
    def every_weight_has_gradient(self) -> bool:
        """Whether each trainable tensor moved; behind a ReLU, some of its elements may rest."""
        return self.trainable > 0 and not self.without_gradient

    @property
    def passes_sanity_checks(self) -> bool:
        """Whether all three sanity checks succeed.

        Source: A. Karpathy, "A Recipe for Training Neural Networks" (2019): verify the loss at
        the start, overfit one batch.
        """
        return self.guesses_at_first and self.learned_by_heart and self.every_weight_has_gradient


class Inspection(BaseModel):
    """What was seen of the networks, and on what.

    Attributes:
        networks: by model.
        faces: SHA-256 of the drawn faces.
        first_images: how many of them the loss before training is a mean over.
        handful: how many of them were to be memorised.
        most_steps: training steps that a network was given for it.
        environment: device, backend and versions.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    networks: dict[str, Network]
    faces: str
    first_images: int
    handful: int
    most_steps: int
    environment: Environment

    def outdated(self) -> list[str]:
        """The models that today's code would build or train otherwise."""
        return [model for model, network in self.networks.items() if not network.is_current]

    def outcome(self, measure: str, models: Iterable[str] = tuple(recipes.PAPER)) -> list[bool]:
        """Whether a property holds for all models named; empty unless all were seen as they are.

        Args:
            measure: a property of `Network`, such as "optimizer_is_adam".
            models: names in `networks`.
        """
        found = [self.networks.get(model) for model in models]
        if not all(network and network.is_current for network in found):
            return []
        return [all(getattr(network, measure) for network in found)]


def read(path: Path = INSPECTION_FILE) -> Inspection:
    """The recorded inspection.

    Raises:
        ValueError: there is none, or it is damaged.
    """
    remedy = "Restore it from git, or run make inspect."
    with storage.expecting("the inspection of the networks", path, remedy):
        return Inspection.model_validate_json(storage.unsealed(path))


def write(found: Inspection, path: Path = INSPECTION_FILE) -> None:
    """Write an inspection, whole or not at all."""
    storage.write_whole(path, storage.sealed(found.model_dump_json(indent=2)))
