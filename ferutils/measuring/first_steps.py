"""The same weights and the same drawn faces under each Keras backend -> how far their steps agree.

Keras has one backend in a process, so each takes its steps in a process of its own, which leaves
arrays in a temporary folder: `python -m ferutils.measuring.first_steps FILE`.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from ferutils.dataset import faces
from ferutils.dataset.fer2013 import EMOTIONS
from ferutils.measuring import backend
from ferutils.records import provenance, recipes
from ferutils.records.first_steps import FIRST, ROUNDED, Measured, Steps
from ferutils.records.recipes import Recipe
from ferutils.records.runs import words

# The improved network without dropout is the shallow one.
RECIPES = {
    "shallow": recipes.make(model="shallow"),
    "deep": recipes.make(model="deep", dropout_convolution=0.0, dropout_dense=0.0),
}
FACES = 9  # of each emotion: together about the paper's batch
STEPS = 5  # after more, rounding alone drives any two trainings apart
BACKENDS = {FIRST: FIRST, ROUNDED: FIRST, "jax": "jax", "torch": "torch"}  # whose Keras takes it
# So large a step that rounding of the weights hides nothing of the gradient.
LEARNING_RATE = 2.0**20


def measure(steps: int = STEPS) -> Measured:
    """Take the first steps under each backend, and compare them.

    Args:
        steps: how many, 1 or more.

    Raises:
        ValueError: a backend is not installed.
    """
    with tempfile.TemporaryDirectory() as folder:
        found = {name: _elsewhere(name, Path(folder) / f"{name}.npz", steps) for name in BACKENDS}
    versions = provenance.versions()
    return Measured(
        recipes=RECIPES,
        images=FACES * len(EMOTIONS),
        faces=faces.draw_training(FACES).fingerprints["Training"],
        networks={
            model: {name: _compared(found, model, name) for name in BACKENDS} for model in RECIPES
        },
        versions={name: versions[name] for name in BACKENDS if name in versions},
        device=words(provenance.processor()),
    )


def _elsewhere(name: str, file: Path, steps: int) -> dict[str, np.ndarray]:
    """What `main` leaves in a file, in a process whose backend is the one named."""
    done = subprocess.run(
        [sys.executable, "-m", __name__, str(file), str(steps), name],
        env=os.environ | {"KERAS_BACKEND": BACKENDS[name], "TF_CPP_MIN_LOG_LEVEL": "3"},
        stderr=subprocess.PIPE,
        text=True,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise ValueError(
            f"Expected steps under the Keras backend {name}. Received: {last} Install what is "
            "missing with make backends FER2013=PATH."
        )
    with np.load(file, allow_pickle=False) as arrays:
        return dict(arrays)


def _compared(found: dict[str, dict[str, np.ndarray]], model: str, name: str) -> Steps:
    """One network under one backend, against the first backend."""

    def distance(what: str) -> float:
        own, first = (found[one][f"{model}/{what}"] for one in (name, FIRST))
        if not first.size:
            return 0.0
        return float(np.linalg.norm(own - first) / np.linalg.norm(first))

    drawn = found[name][f"{model}/drawn"]
    return Steps(
        losses=found[name][f"{model}/losses"].tolist(),
        gradient=distance("gradient"),
        update=distance("update"),
        statistics=distance("statistics"),
        drawn=(float(drawn.min()), float(drawn.max())),
    )


def take(
    recipe: Recipe, images: np.ndarray, labels: np.ndarray, steps: int, rounded: bool = False
) -> dict:
    """Steps of one network under this process's backend.

    Args:
        recipe: without dropout, so that nothing but the weights is random.
        images: uint8 (n, 48, 48, 1), 0..255.
        labels: uint8 (n,).
        steps: how many, 1 or more.
        rounded: whether each weight is changed by one rounding error first, up or down at random.

    Returns:
        losses float (steps,), nats; gradient, update and statistics float (weights,), each tensor
        after the other; drawn float (kernels,): the deviation of each as Keras draws it, as a
        share of Glorot's.

    Raises:
        ValueError: as `models.build`.

    Source: X. Glorot and Y. Bengio, "Understanding the difficulty of training deep feedforward
    neural networks" (2010), equation 16.
    """
    import keras

    from ferutils.measuring import models

    keras.utils.set_random_seed(recipe.seed)
    model = models.build(recipe)
    kernels = [value for value in _values(model.trainable_weights) if value.ndim > 1]
    drawn = [value.std() / (_glorot(value.shape) / np.sqrt(3)) for value in kernels]
    random = np.random.default_rng(recipe.seed)
    start = [
        random.uniform(-1, 1, value.shape).astype("float32") * _glorot(value.shape)
        if value.ndim > 1
        else value
        for value in model.get_weights()
    ]
    if rounded:
        start = [
            np.nextafter(one, random.choice([-9, 9], one.shape), dtype=one.dtype)
            if one.dtype.kind == "f"
            else one
            for one in start
        ]
    model.set_weights(start)
    before = _values(model.trainable_weights)
    losses = [_loss(model, images, labels)]
    update = _flat(_values(model.trainable_weights)) - _flat(before)
    statistics = _flat(_values(model.non_trainable_weights))
    losses += [_loss(model, images, labels) for _ in range(steps - 1)]
    model.set_weights(start)
    model.compile(optimizer=keras.optimizers.SGD(LEARNING_RATE), loss=model.loss, jit_compile=False)
    model.train_on_batch(images, labels)
    gradient = (_flat(before) - _flat(_values(model.trainable_weights))) / LEARNING_RATE
    return {
        "losses": np.array(losses),
        "gradient": gradient,
        "update": update,
        "statistics": statistics,
        "drawn": np.array(drawn),
    }


def _loss(model, images, labels) -> float:
    """The loss of one step: Keras reports means since the metrics were reset."""
    model.reset_metrics()
    return float(model.train_on_batch(images, labels)[0])


def _glorot(shape: tuple[int, ...]) -> np.float32:
    """The bound of Glorot's uniform distribution for a kernel (..., inputs, outputs)."""
    field = int(np.prod(shape[:-2]))
    return np.float32(np.sqrt(6 / (field * (shape[-2] + shape[-1]))))


def _values(weights) -> list[np.ndarray]:
    import keras

    return [np.array(keras.ops.convert_to_numpy(weight)) for weight in weights]


def _flat(values: list[np.ndarray]) -> np.ndarray:
    flat = [value.ravel() for value in values if value.dtype.kind == "f"]
    return np.concatenate(flat, dtype="float64") if flat else np.zeros(0)


def main(file: str, steps: str, name: str) -> None:
    """Take the steps of each network under this process's backend, and leave them in a file."""
    backend.load()
    drawn, found = faces.draw_training(FACES).splits["Training"], {}
    for model, recipe in RECIPES.items():
        taken = take(recipe, drawn.images[..., None], drawn.labels, int(steps), name == ROUNDED)
        found |= {f"{model}/{what}": value for what, value in taken.items()}
    np.savez(file, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
