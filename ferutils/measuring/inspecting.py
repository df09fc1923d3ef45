"""Builds each printed network and tries it on drawn faces, so that it needs no dataset."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from ferutils.dataset import faces, fer2013
from ferutils.dataset.fer2013 import EMOTIONS, Split
from ferutils.measuring import backend
from ferutils.records import provenance, recipes
from ferutils.records.recipes import Recipe
from ferutils.records.runs import Environment

if TYPE_CHECKING:
    import keras
from ferutils.records.inspection import Inspection, Network

# Drawn faces of each emotion: for the loss before training, and to learn by heart.
FACES, HANDFUL = 10, 2
# Several times what the slowest of the three takes; a network that is wrong stays wrong.
MOST_STEPS = 200
STEPS_BETWEEN_LOOKS = 5


def inspect(models: Iterable[str] = tuple(recipes.PAPER), steps: int = MOST_STEPS) -> Inspection:
    """Build networks by their notebooks' defaults and try them on drawn faces.

    Args:
        models: names in `models.MODELS`.
        steps: the most training steps for learning by heart, 1 or more.

    Raises:
        ValueError: a model is unknown, or as `backend.load`.
    """
    backend.load()
    import keras

    from ferutils.measuring import models as networks
    from ferutils.measuring import training

    drawn = faces.draw_training(FACES)
    found = {}
    for recipe in (recipes.make(model=model) for model in models):
        keras.utils.set_random_seed(recipe.seed)
        model = networks.build(recipe)
        found[recipe.model] = inspect_network(model, recipe, drawn.splits["Training"], steps)
    return Inspection(
        networks=found,
        faces=drawn.fingerprints["Training"],
        first_images=FACES * len(EMOTIONS),
        handful=HANDFUL * len(EMOTIONS),
        most_steps=steps,
        environment=Environment(
            device=training.device() or provenance.processor(),
            backend=keras.backend.backend(),
            system=provenance.system(),
            versions=provenance.versions(),
        ),
    )


def inspect_network(
    model: "keras.Sequential", recipe: Recipe, drawn: Split, steps: int = MOST_STEPS
) -> Network:
    """Try one compiled model, which is trained thereby.

    Args:
        model: as `models.build` makes it: the network is its last layer; outputs logits.
        recipe: the recipe that it was built from.
        drawn: images uint8 (n, 48, 48), 0..255, and labels uint8 (n,), two or more per emotion.
        steps: the most training steps for learning by heart, 1 or more.

    Raises:
        ValueError: there are too few images.
    """
    handful = fer2013.subset(drawn, HANDFUL * len(EMOTIONS))
    first_loss, _ = _scores(model, model(drawn.images[..., None], training=False), drawn)
    return Network(
        recipe=recipe,
        code=provenance.code_fingerprint(recipe.model),
        optimizer=type(model.optimizer).__name__,
        learning_rate=float(model.optimizer.learning_rate),
        activations=_activations(model),
        first_loss=first_loss,  # before anything trains the model, which these do in this order:
        **_first_step(model, handful),
        **_learn(model, handful, steps),
        **_modes(model, handful),
    )


def _activations(model) -> dict[str, str]:
    """The activation of each convolution and dense layer by the layer's name."""
    from keras.layers import Conv2D, Dense

    weighted = [layer for layer in model.layers[-1].layers if isinstance(layer, Conv2D | Dense)]
    return {layer.name: layer.activation.__name__ for layer in weighted}


def _scores(model, logits, split: Split) -> tuple[float, float]:
    """Mean cross-entropy in nats, and accuracy."""
    from keras import ops

    right = ops.convert_to_numpy(logits).argmax(axis=1) == split.labels
    return float(model.loss(split.labels, logits)), float(right.mean())


def _first_step(model, handful: Split) -> dict:
    """Which weights one step moves: Adam moves those, and only those, that receive a gradient."""
    before = _values(model.trainable_weights)
    seen = model.train_on_batch(handful.images[..., None], handful.labels, return_dict=True)
    moved = [
        (new != old) & np.isfinite(new)
        for new, old in zip(_values(model.trainable_weights), before)
    ]
    names = [weight.path for weight in model.trainable_weights]
    return {
        "first_step_loss": float(seen["loss"]),
        "trainable": len(names),
        "without_gradient": [name for name, one in zip(names, moved) if not one.any()],
        "share_with_gradient": sum(one.sum() for one in moved) / sum(one.size for one in moved),
    }


def _learn(model, handful: Split, most_steps: int) -> dict:
    """Train on the handful, one step of which is done, until all of it is right."""
    images, steps = handful.images[..., None], 1
    loss, accuracy = _scores(model, _settled(model, images), handful)
    while accuracy < 1 and steps < most_steps:
        model.train_on_batch(images, handful.labels)
        steps += 1
        if steps % STEPS_BETWEEN_LOOKS == 0 or steps == most_steps:
            loss, accuracy = _scores(model, _settled(model, images), handful)
    in_inference = _scores(model, model(images, training=False), handful)
    return {
        "steps": steps,
        "loss": loss,
        "accuracy": accuracy,
        "inference_loss": in_inference[0],
        "inference_accuracy": in_inference[1],
    }


def _settled(model, images: np.ndarray):
    """Logits without dropout, batch normalisation using the statistics of these very images.

    Its moving averages would reach them with enough steps on the same images; they are hundreds
    of steps behind, and stay so here.

    Source: Y. Wu and J. Johnson, "Rethinking 'Batch' in BatchNorm" (2021), section 3: statistics
    computed anew for fixed weights.
    """
    from keras.layers import BatchNormalization

    averages = _values(model.non_trainable_weights)
    for layer in [*model.layers[:-1], *model.layers[-1].layers]:
        images = layer(images, training=isinstance(layer, BatchNormalization))
    for weight, value in zip(model.non_trainable_weights, averages):
        weight.assign(value)
    return images


def _modes(model, handful: Split) -> dict[str, bool]:
    """Whether outputs repeat themselves in inference mode, and differ in training mode."""
    from keras import ops

    def outputs(training: bool) -> np.ndarray:
        return ops.convert_to_numpy(model(handful.images[..., None], training=training))

    return {
        "same_at_inference": np.array_equal(outputs(False), outputs(False)),
        "varies_in_training": not np.array_equal(outputs(True), outputs(True)),
    }


def _values(weights) -> list[np.ndarray]:
    return [weight.numpy().copy() for weight in weights]
