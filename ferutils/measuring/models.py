"""The networks of the paper, layer by layer, and what comes before: rescaling, augmentation.

Reads a recipe; returns Keras models. Backend-neutral: Keras layers alone.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import keras
from keras import layers

from ferutils.dataset.fer2013 import EMOTIONS, IMAGE_SIZE
from ferutils.records.recipes import NETWORKS, Recipe

INPUT_SHAPE = (IMAGE_SIZE, IMAGE_SIZE, 1)


def shallow(recipe: Recipe) -> keras.Sequential:
    """The shallow network: four convolutions without padding, one hidden dense layer.

    Input float (n, 48, 48, 1) in [0, 1]; output logits float (n, 7).

    The paper's text speaks of two convolutions; this follows its printed layer table. Left open
    by the paper: the initial weights (Keras' default, Glorot uniform).

    Source: Figure 6 of the paper, names included.
    """
    return keras.Sequential(
        [
            keras.Input(INPUT_SHAPE),
            layers.Conv2D(32, 3, activation="relu", name="conv2d"),
            layers.Conv2D(64, 3, activation="relu", name="conv2d_1"),
            layers.MaxPooling2D(2, name="max_pooling2d"),
            layers.Conv2D(128, 3, activation="relu", name="conv2d_2"),
            layers.MaxPooling2D(2, name="max_pooling2d_1"),
            layers.Conv2D(128, 3, activation="relu", name="conv2d_3"),
            layers.MaxPooling2D(2, name="max_pooling2d_2"),
            layers.Flatten(name="flatten"),
            layers.Dense(recipe.hidden_neurons, activation="relu", name="dense"),
            layers.Dense(len(EMOTIONS), dtype="float32", name="dense_1"),
        ],
        name="sequential",
    )


def improved(recipe: Recipe) -> keras.Sequential:
    """The improved network: the shallow one with three dropout layers.

    Input float (n, 48, 48, 1) in [0, 1]; output logits float (n, 7).

    The paper's text puts dropout after each convolution; this follows its printed layer table.
    Left open by the paper: the dropout rates, and the initial weights (Glorot uniform).

    Source: Figure 7 of the paper, names included.
    """
    return keras.Sequential(
        [
            keras.Input(INPUT_SHAPE),
            layers.Conv2D(32, 3, activation="relu", name="conv2d_4"),
            layers.Conv2D(64, 3, activation="relu", name="conv2d_5"),
            layers.MaxPooling2D(2, name="max_pooling2d_3"),
            layers.Dropout(recipe.dropout_convolution, name="dropout"),
            layers.Conv2D(128, 3, activation="relu", name="conv2d_6"),
            layers.MaxPooling2D(2, name="max_pooling2d_4"),
            layers.Conv2D(128, 3, activation="relu", name="conv2d_7"),
            layers.MaxPooling2D(2, name="max_pooling2d_5"),
            layers.Dropout(recipe.dropout_convolution, name="dropout_1"),
            layers.Flatten(name="flatten_1"),
            layers.Dense(recipe.hidden_neurons, activation="relu", name="dense_2"),
            layers.Dropout(recipe.dropout_dense, name="dropout_2"),
            layers.Dense(len(EMOTIONS), dtype="float32", name="dense_3"),
        ],
        name="sequential_1",
    )


def deep(recipe: Recipe) -> keras.Sequential:
    """The deep network: thirteen padded convolutions in four groups, each with batch normalisation.

    Input float (n, 48, 48, 1) in [0, 1]; output logits float (n, 7).

    The paper's text speaks of four convolutions, all 3 x 3; this follows its printed layer table,
    whose parameter counts fix the 5 x 5 kernels of the second group. Left open by the paper: the
    dropout rates, the initial weights (Glorot uniform), and whether ReLU stands before batch
    normalisation (here it does: the table has no activation layer, so it is the convolution's).

    Source: Figure 8 of the paper, names included.
    """
    return keras.Sequential(
        [
            keras.Input(INPUT_SHAPE),
            *_normalised_convolution(64, 3, 70),
            *_normalised_convolution(64, 3, 71),
            layers.MaxPooling2D(2, name="max_pooling2d_30"),
            layers.Dropout(recipe.dropout_convolution, name="dropout_37"),
            *_normalised_convolution(128, 5, 72),
            *_normalised_convolution(128, 5, 73),
            *_normalised_convolution(128, 5, 74),
            layers.MaxPooling2D(2, name="max_pooling2d_31"),
            layers.Dropout(recipe.dropout_convolution, name="dropout_38"),
            *_normalised_convolution(512, 3, 75),
            *_normalised_convolution(512, 3, 76),
            *_normalised_convolution(512, 3, 77),
            *_normalised_convolution(512, 3, 78),
            layers.MaxPooling2D(2, name="max_pooling2d_32"),
            layers.Dropout(recipe.dropout_convolution, name="dropout_39"),
            *_normalised_convolution(512, 3, 79),
            *_normalised_convolution(512, 3, 80),
            *_normalised_convolution(512, 3, 81),
            *_normalised_convolution(512, 3, 82),
            layers.MaxPooling2D(2, name="max_pooling2d_33"),
            layers.Dropout(recipe.dropout_convolution, name="dropout_40"),
            layers.Flatten(name="flatten_8"),
            layers.Dense(recipe.hidden_neurons, activation="relu", name="dense_20"),
            layers.Dropout(recipe.dropout_dense, name="dropout_41"),
            layers.Dense(len(EMOTIONS), dtype="float32", name="dense_21"),
        ],
        name="sequential_8",
    )


def _normalised_convolution(filters: int, kernel: int, number: int) -> list[layers.Layer]:
    """A padded convolution with ReLU and its batch normalisation, numbered as Figure 8 does."""
    return [
        layers.Conv2D(filters, kernel, padding="same", activation="relu", name=f"conv2d_{number}"),
        BatchNormalization(name=f"batch_normalization_{number + 1}"),
    ]


class BatchNormalization(layers.BatchNormalization):
    """Keras' layer, whose training pass is the backend's own operation where there is one.

    Keras composes that pass of means, products and sums, each of which reads the whole activation
    again; on a processor that is a third of the deep network's step. The results are the same
    within rounding, moving averages included.
    """

    def call(self, inputs, training=None):  # noqa: D102 - as its parent
        normalise = NORMALISE.get(keras.backend.backend())
        if not training or normalise is None:
            return super().call(inputs, training=training)
        outputs, mean, variance = normalise(inputs, self.gamma, self.beta, self.epsilon)
        for moving, batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + batch * (1 - self.momentum))
        return outputs


def _normalise_tensorflow(inputs, gamma, beta, epsilon):
    """Normalised inputs (n, h, w, c), and the mean and variance of the batch, each (c,)."""
    import tensorflow as tf

    outputs, mean, unbiased = tf.compat.v1.nn.fused_batch_norm(
        inputs, gamma.value, beta.value, epsilon=epsilon, is_training=True
    )
    values = tf.cast(tf.size(inputs) / tf.size(mean), unbiased.dtype)
    return outputs, mean, unbiased * (1 - 1 / values)  # Keras' moving variance is the biased one


def _normalise_torch(inputs, gamma, beta, epsilon):
    """As `_normalise_tensorflow`."""
    import torch

    outputs, mean, inverse = torch.native_batch_norm(
        inputs.movedim(-1, 1), gamma.value, beta.value, None, None, True, 0.0, epsilon
    )
    return outputs.movedim(1, -1), mean.detach(), inverse.detach() ** -2 - epsilon


# JAX has no such operation: its compiler fuses Keras' own.
NORMALISE = {"tensorflow": _normalise_tensorflow, "torch": _normalise_torch}


def shallow_text(recipe: Recipe) -> keras.Sequential:
    """The shallow network as the paper's text has it: two convolutions, the second with a pool.

    Input float (n, 48, 48, 1) in [0, 1]; output logits float (n, 7).

    Left open by the text: padding (none, as in the printed network) and "Did the same for the next
    layer as well", which is not followed, because the sentence before it counts two convolutions.

    Source: section 2.2, paragraph 1 of the paper.
    """
    return keras.Sequential(
        [
            keras.Input(INPUT_SHAPE),
            layers.Conv2D(32, 3, activation="relu", name="conv2d"),
            layers.Conv2D(128, 3, activation="relu", name="conv2d_1"),
            layers.MaxPooling2D(2, name="max_pooling2d"),
            layers.Flatten(name="flatten"),
            layers.Dense(recipe.hidden_neurons, activation="relu", name="dense"),
            layers.Dense(len(EMOTIONS), dtype="float32", name="dense_1"),
        ],
        name="shallow_text",
    )


def improved_text(recipe: Recipe) -> keras.Sequential:
    """The improved network as the paper's text has it: dropout after each convolution.

    Input float (n, 48, 48, 1) in [0, 1]; output logits float (n, 7).

    Left open by the text: the dropout rate, and the padding (none).

    Source: section 2.2, paragraph 1 of the paper.
    """
    return keras.Sequential(
        [
            keras.Input(INPUT_SHAPE),
            layers.Conv2D(32, 3, activation="relu", name="conv2d"),
            layers.Dropout(recipe.dropout_convolution, name="dropout"),
            layers.Conv2D(128, 3, activation="relu", name="conv2d_1"),
            layers.Dropout(recipe.dropout_convolution, name="dropout_1"),
            layers.MaxPooling2D(2, name="max_pooling2d"),
            layers.Flatten(name="flatten"),
            layers.Dense(recipe.hidden_neurons, activation="relu", name="dense"),
            layers.Dense(len(EMOTIONS), dtype="float32", name="dense_1"),
        ],
        name="improved_text",
    )


def deep_text(recipe: Recipe) -> keras.Sequential:
    """The deep network as the paper's text has it: four convolutions, all 3 x 3.

    Input float (n, 48, 48, 1) in [0, 1]; output logits float (n, 7).

    Left open by the text: the order of what follows a convolution, the dropout rates, and the
    padding (all as in the printed network).

    Source: section 2.2, paragraph 2 of the paper.
    """
    return keras.Sequential(
        [
            keras.Input(INPUT_SHAPE),
            *_normalised_convolution(64, 3, 0),
            layers.MaxPooling2D(2, name="max_pooling2d"),
            layers.Dropout(recipe.dropout_convolution, name="dropout"),
            *_normalised_convolution(128, 3, 1),
            layers.MaxPooling2D(2, name="max_pooling2d_1"),
            layers.Dropout(recipe.dropout_convolution, name="dropout_1"),
            *_normalised_convolution(512, 3, 2),
            layers.MaxPooling2D(2, name="max_pooling2d_2"),
            layers.Dropout(recipe.dropout_convolution, name="dropout_2"),
            *_normalised_convolution(512, 3, 3),
            layers.MaxPooling2D(2, name="max_pooling2d_3"),
            layers.Dropout(recipe.dropout_convolution, name="dropout_3"),
            layers.Flatten(name="flatten"),
            layers.Dense(recipe.hidden_neurons, activation="relu", name="dense"),
            layers.Dropout(recipe.dropout_dense, name="dropout_4"),
            layers.Dense(len(EMOTIONS), dtype="float32", name="dense_1"),
        ],
        name="deep_text",
    )


MODELS: dict[str, Callable[[Recipe], keras.Sequential]] = {
    name: globals()[name] for name in NETWORKS
}


def augmentation(recipe: Recipe) -> list[layers.Layer]:
    """The random layers of a recipe, active in training only; empty without augmentation.

    Each takes and returns float images (n, 48, 48, 1) in [0, 1]; what comes in over the border
    repeats the edge.

    Source: section 2.1 of the paper names Keras' ImageDataGenerator and no strength; flips,
    rotations, shifts and zooms are its usual ones.
    """
    random_layers = []
    if recipe.flip:
        random_layers.append(layers.RandomFlip("horizontal"))
    if recipe.rotation:
        random_layers.append(layers.RandomRotation(recipe.rotation / 360, fill_mode="nearest"))
    if recipe.shift:
        random_layers.append(
            layers.RandomTranslation(recipe.shift, recipe.shift, fill_mode="nearest")
        )
    if recipe.zoom:
        random_layers.append(layers.RandomZoom(recipe.zoom, recipe.zoom, fill_mode="nearest"))
    return random_layers


def build(recipe: Recipe) -> keras.Sequential:
    """The compiled model of a recipe: rescaling, augmentation, then the network as one layer.

    Input uint8 (n, 48, 48, 1), 0..255; output logits float (n, 7). Adam on the cross-entropy of
    the softmax, which the paper calls its loss function.

    With mixed precision the layers compute in bfloat16 but for the last, whose logits are float32;
    weights are float32 always.

    Raises:
        ValueError: the recipe wants XLA, and the backend cannot compile with it.

    Source: section 2 (Adam), section 2.2 (softmax), Tables 1 and 2 (learning rate).
    """
    with _precision(recipe.precision):
        model = keras.Sequential(
            [
                keras.Input(INPUT_SHAPE, dtype="uint8"),
                layers.Rescaling(1 / 255),
                *augmentation(recipe),
                MODELS[recipe.model](recipe),
            ],
            name=recipe.model,
        )
    if recipe.max_norm:
        _bound(network(model), recipe.max_norm)
    model.compile(
        optimizer=_optimizer(recipe),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        # PyTorch has no XLA; JAX computes with nothing else.
        jit_compile=recipe.xla or ("auto" if keras.backend.backend() == "jax" else False),
    )
    if recipe.xla:
        _check_xla(model)
    return model


def _optimizer(recipe: Recipe) -> keras.optimizers.Optimizer:
    """Adam, with weight decay apart from the gradient, of kernels alone.

    Source: I. Loshchilov and F. Hutter, "Decoupled weight decay regularization" (2019).
    """
    found = keras.optimizers.Adam(recipe.learning_rate, weight_decay=recipe.weight_decay or None)
    if recipe.weight_decay:
        found.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return found


def _bound(network: keras.Sequential, norm: float) -> None:
    """Let no step leave the weights into a neuron or filter with a larger norm.

    Source: N. Srivastava et al., "Dropout" (2014), section 5.1: max-norm regularization.
    """
    for layer in network.layers:
        if isinstance(layer, layers.Conv2D | layers.Dense):
            inputs = tuple(range(len(layer.kernel.shape) - 1))
            layer.kernel.constraint = keras.constraints.MaxNorm(norm, axis=inputs)


@contextmanager
def _precision(name: str) -> Iterator[None]:
    """Give the layers that are made inside a data type policy of Keras, and none made after."""
    usual = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(usual)


def _check_xla(model: keras.Sequential) -> None:
    """Refuse where Keras would go on without XLA: it only warns, and PyTorch has another compiler.

    Raises:
        ValueError: as `build`.
    """
    backend = keras.backend.backend()
    if backend == "torch" or not model.jit_compile:
        raise ValueError(
            "Expected a training that XLA compiles, for xla = true. "
            f"Received: the backend {backend}, with compilation "
            f"{'on' if model.jit_compile else 'refused by Keras'}. Leave xla out, or set "
            "KERAS_BACKEND=tensorflow and do without deterministic operations."
        )


def network(model: keras.Sequential) -> keras.Sequential:
    """The network inside a built model, without rescaling and augmentation."""
    return model.layers[-1]
