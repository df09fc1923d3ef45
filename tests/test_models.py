"""The three networks: the paper's layer tables, its sanity checks, and the augmentation layers."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before Keras is imported

import functools
import typing

import keras
import numpy as np
import pytest
from helpers import EXPLAINED, small_dataset

from ferutils import paths
from ferutils.claims import paper
from ferutils.dataset import fer2013
from ferutils.measuring import models, training
from ferutils.records import recipes, runs

MODELS = [name for name, one in recipes.NETWORKS.items() if not one.reads]


@pytest.fixture(scope="module")
def drawn():
    """70 drawn faces, ten of each emotion: images uint8 (70, 48, 48, 1) and labels."""
    split = small_dataset().splits["Training"]
    return split.images[..., None], split.labels


@pytest.fixture(scope="module")
def built():
    """The model of each recipe's defaults, built once; a test that trains one spoils no other."""
    keras.utils.set_random_seed(0)
    return {model: models.build(recipes.make(model=model)) for model in MODELS}


def unit_images(count, seed=0):
    random = np.random.default_rng(seed)
    return random.uniform(0, 1, (count, *models.INPUT_SHAPE)).astype("float32")


def run(layers, images, **options):
    for layer in layers:
        images = layer(images, **options)
    return keras.ops.convert_to_numpy(images)


# Layer tables


def test_the_registry_names_the_models_of_the_recipes():
    named = typing.get_args(recipes.Recipe.model_fields["model"].annotation)
    assert set(models.MODELS) == set(recipes.NETWORKS) == set(named)
    assert set(recipes.PAPER) == set(paper.load().layer_tables) < set(named)
    assert all(models.MODELS[name].__name__ == name for name in models.MODELS)


@pytest.mark.parametrize("model", recipes.PAPER)
def test_the_layer_table_is_the_papers_line_by_line(built, model):
    printed = paper.load().layer_tables[model]
    network = models.network(built[model])
    ours = [
        (row.name, row.type, tuple(row.output_shape), row.parameters)
        for row in training.layer_table(network)
    ]
    assert ours == [tuple(row) for row in printed.rows]
    assert network.name == printed.name


def test_the_layers_in_every_record_are_those_of_its_recipes_network():
    built = functools.cache(lambda one: training.layer_table(models.MODELS[one.model](one)))
    for record in runs.read_all(paths.RECORDED_RUNS):
        recipe = record.recipe.model_copy(update={"seed": 0})
        assert record.run.layers == built(recipe), record.run.id


@pytest.mark.parametrize("model", recipes.PAPER)
def test_the_totals_are_the_papers(built, model):
    printed = paper.load().layer_tables[model].totals
    rows = training.layer_table(models.network(built[model]))
    trainable = sum(row.trainable_parameters for row in rows)
    assert built[model].count_params() == sum(row.parameters for row in rows) == printed.parameters
    assert trainable == printed.trainable
    assert printed.parameters - trainable == printed.non_trainable


@pytest.mark.parametrize("model", MODELS)
def test_every_layer_with_weights_but_the_last_has_relu(built, model):
    layers = models.network(built[model]).layers
    shown = [layer.activation.__name__ for layer in layers if hasattr(layer, "activation")]
    assert shown == ["relu"] * (len(shown) - 1) + ["linear"]


@pytest.mark.parametrize("model", MODELS)
def test_the_hidden_neurons_are_the_recipes(model):
    network = models.MODELS[model](recipes.make(model=model, hidden_neurons=3))
    dense = [layer for layer in network.layers if isinstance(layer, keras.layers.Dense)]
    assert [layer.units for layer in dense] == [3, 7]


def test_the_dropout_rates_are_the_recipes():
    for model in ("improved", "deep"):
        recipe = recipes.make(model=model, dropout_convolution=0.1, dropout_dense=0.7)
        network = models.MODELS[model](recipe)
        rates = [layer.rate for layer in network.layers if isinstance(layer, keras.layers.Dropout)]
        assert rates == [0.1] * (len(rates) - 1) + [0.7]


# The built model


@pytest.mark.parametrize("model", MODELS)
def test_the_model_takes_grey_levels_and_gives_logits(built, model, drawn):
    images = drawn[0][:2]
    assert built[model].input_shape == (None, 48, 48, 1)
    logits = keras.ops.convert_to_numpy(built[model](images))
    assert logits.shape == (2, len(fer2013.EMOTIONS))
    assert np.abs(np.exp(logits).sum(axis=1) - 1).min() > 0.1  # no softmax yet
    direct = run([models.network(built[model])], images / np.float32(255), training=False)
    np.testing.assert_allclose(logits, direct, atol=1e-5)


@pytest.mark.parametrize("model", MODELS)
def test_the_optimiser_is_adam_with_the_recipes_learning_rate(built, model):
    optimizer = built[model].optimizer
    assert type(optimizer) is keras.optimizers.Adam
    assert float(optimizer.learning_rate) == pytest.approx(recipes.make(model=model).learning_rate)


def trained_a_little(images, labels, **parameters):
    keras.utils.set_random_seed(0)
    model = models.build(recipes.make(model="improved", hidden_neurons=16, **parameters))
    for _ in range(3):
        model.fit(images, labels, batch_size=len(labels), shuffle=False, verbose=0)
    return {one.path.split("/", 1)[1]: one.numpy() for one in model.trainable_weights}


def test_weight_decay_makes_kernels_smaller_and_spares_biases(drawn):
    rate = {"learning_rate": 1e-2, "dropout_convolution": 0.0, "dropout_dense": 0.0}
    usual = trained_a_little(*drawn, **rate)
    decayed = trained_a_little(*drawn, weight_decay=0.9, **rate)
    for (name, weight), other in zip(usual.items(), decayed.values()):
        smaller = np.linalg.norm(other) < np.linalg.norm(weight)
        assert smaller or not name.endswith("kernel"), name
    first_bias = next(name for name in usual if name.endswith("bias"))
    assert np.allclose(usual[first_bias], list(decayed.values())[1], atol=0.02)


def test_no_neuron_or_filter_has_a_larger_norm_than_the_recipe_allows(drawn):
    bound = 0.3
    for name, weight in trained_a_little(*drawn, max_norm=bound).items():
        if name.endswith("kernel"):
            norms = np.linalg.norm(weight.reshape(-1, weight.shape[-1]), axis=0)
            assert norms.max() <= bound + 1e-4, name


# The paper's sanity checks


@pytest.mark.parametrize("model", MODELS)
def test_the_first_loss_is_that_of_guessing(built, model, drawn):
    images, labels = (array[::5] for array in drawn)
    loss, _ = built[model].evaluate(images, labels, verbose=0)
    assert loss == pytest.approx(np.log(7), abs=0.3)


@pytest.mark.parametrize("model", ["shallow", "improved"])
def test_images_are_learned_completely(model, drawn):
    images, labels = (array[::5] for array in drawn)  # two of each emotion
    keras.utils.set_random_seed(0)
    fitted = models.build(recipes.make(model=model))
    for _ in range(40):
        fitted.fit(images, labels, batch_size=7, epochs=5, verbose=0)
        _, accuracy = fitted.evaluate(images, labels, verbose=0)
        if accuracy == 1:
            break
    assert accuracy == 1


def test_seventy_images_are_learned_completely_by_the_deep_model(drawn):
    # Measured in the training steps themselves: three or four are enough to learn the images, but
    # not for the running averages that batch normalisation uses in inference.
    keras.utils.set_random_seed(0)
    fitted = models.build(recipes.make(model="deep", dropout_convolution=0.0, dropout_dense=0.0))
    for _ in range(8):
        seen = fitted.fit(*drawn, batch_size=70, verbose=0).history
        if seen["accuracy"] == [1]:
            break
    assert seen["accuracy"] == [1]
    assert seen["loss"][0] < 0.2


@pytest.mark.parametrize("model", MODELS)
def test_every_trainable_weight_receives_gradient(model, drawn):
    images, labels = (array[::10] if model == "deep" else array for array in drawn)
    keras.utils.set_random_seed(0)
    fitted = models.build(recipes.make(model=model))
    before = [weight.numpy().copy() for weight in fitted.trainable_weights]
    fitted.fit(images, labels, batch_size=len(labels), verbose=0)  # one step
    for weight, old in zip(fitted.trainable_weights, before):
        moved = weight.numpy() != old
        assert np.isfinite(weight.numpy()).all()
        assert moved.mean() > 0.25, weight.path  # behind a ReLU, some elements rest


@pytest.mark.parametrize("model", MODELS)
def test_training_and_inference_differ_by_dropout_and_batch_normalisation(built, model):
    images = unit_images(4)
    network = models.network(built[model])
    inference = run([network], images, training=False)
    np.testing.assert_array_equal(inference, run([network], images, training=False))
    same = np.array_equal(inference, run([network], images, training=True))
    assert same == (not any(recipes.NETWORKS[model].dropout))


@pytest.mark.parametrize("model", ["improved", "deep"])
def test_every_dropout_drops_in_training_only(built, model):
    ones = np.ones((1, 200, 50), "float32")
    for layer in models.network(built[model]).layers:
        if isinstance(layer, keras.layers.Dropout):
            np.testing.assert_array_equal(run([layer], ones, training=False), ones)
            dropped = run([layer], ones, training=True)
            assert (dropped == 0).mean() == pytest.approx(layer.rate, abs=0.03)
            assert dropped.mean() == pytest.approx(1, abs=0.05)


def test_every_batch_normalisation_uses_the_batch_in_training_only(built):
    random = np.random.default_rng(0)
    layers = [
        layer
        for layer in models.network(built["deep"]).layers
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    assert len(layers) == 13
    for layer in layers:
        batch = random.normal(5, 3, (20, 4, 4, layer.gamma.shape[0])).astype("float32")
        inference, trained = (run([layer], batch, training=way) for way in (False, True))
        np.testing.assert_allclose(trained.mean(axis=(0, 1, 2)), 0, atol=1e-3)
        np.testing.assert_allclose(trained.std(axis=(0, 1, 2)), 1, atol=1e-2)
        assert np.abs(inference - trained).mean() > 1


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_batch_normalisation_is_that_of_keras_within_rounding(precision):
    images, target = unit_images(32), np.arange(32)[:, None] / 32

    def trained(normalisation):
        keras.utils.set_random_seed(0)
        layers = [keras.layers.Conv2D(4, 3), normalisation, keras.layers.Flatten()]
        model = keras.Sequential([*layers, keras.layers.Dense(1, dtype="float32")])
        model.compile(keras.optimizers.SGD(1e-4), "mse")
        model.fit(images, target, batch_size=16, epochs=3, shuffle=False, verbose=0)
        return model.get_weights()

    with models._precision(precision):
        ours, theirs = map(
            trained, (models.BatchNormalization(), keras.layers.BatchNormalization())
        )
    within = 1e-5 if precision == "float32" else 0.02
    for mine, other in zip(ours, theirs):
        np.testing.assert_allclose(mine, other, rtol=within, atol=within)


# Augmentation


def augmented(images, **strengths):
    """The images after the random layers of a recipe, in training."""
    off = {"flip": False, "rotation": 0.0, "shift": 0.0, "zoom": 0.0}
    recipe = recipes.make(model="improved", augmentation="generator", **(off | strengths))
    keras.utils.set_random_seed(0)
    return run(models.augmentation(recipe), images, training=True)[..., 0]


def square_images(count=200):
    """A bright rectangle, 24 wide and 12 high, in the middle of a black image."""
    images = np.zeros((count, *models.INPUT_SHAPE), "float32")
    images[:, 18:30, 12:36] = 1
    return images


def moments(images):
    """Centre (y, x) in pixels, area in pixels and angle of the long axis in degrees."""
    y, x = np.mgrid[:48, :48]
    area = images.sum(axis=(1, 2))
    centre_y, centre_x = ((images * axis).sum(axis=(1, 2)) / area for axis in (y, x))
    dy, dx = y - centre_y[:, None, None], x - centre_x[:, None, None]
    yy, xx, xy = ((images * part).sum(axis=(1, 2)) for part in (dy * dy, dx * dx, dy * dx))
    return centre_y, centre_x, area, np.degrees(np.arctan2(2 * xy, xx - yy) / 2)


def test_without_augmentation_there_is_no_random_layer():
    for model in MODELS:
        assert models.augmentation(recipes.make(model=model)) == []


@pytest.mark.parametrize("name", recipes.GENERATOR)
def test_a_strength_of_zero_leaves_its_layer_out(name):
    whole = recipes.make(model="improved", augmentation="generator")
    without = recipes.make(
        model="improved", augmentation="generator", **{name: recipes.NO_AUGMENTATION[name]}
    )
    assert len(models.augmentation(whole)) == 4
    assert len(models.augmentation(without)) == 3


def test_augmentation_keeps_form_and_range():
    images = unit_images(50)
    changed = augmented(images, **recipes.GENERATOR)
    assert changed.shape == images.shape[:3]
    assert changed.min() >= 0
    assert changed.max() <= 1 + 1e-6
    assert np.abs(changed - images[..., 0]).mean() > 0.05


def test_augmentation_is_off_in_inference(drawn):
    images = drawn[0][:7]
    keras.utils.set_random_seed(0)
    recipe = recipes.make(model="shallow", augmentation="generator", hidden_neurons=4)
    model = models.build(recipe)
    plain = run([models.network(model)], images / np.float32(255), training=False)
    np.testing.assert_allclose(run([model], images, training=False), plain, atol=1e-6)
    first, second = (run([model], images, training=True) for _ in range(2))
    assert not np.allclose(first, plain)
    assert not np.allclose(first, second)


def test_half_of_the_images_are_mirrored():
    images = unit_images(300)[..., 0]
    changed = augmented(images[..., None], flip=True)
    same = (changed == images).all(axis=(1, 2))
    mirrored = (changed == images[:, :, ::-1]).all(axis=(1, 2))
    assert (same ^ mirrored).all()
    assert mirrored.mean() == pytest.approx(0.5, abs=0.1)


def test_rotations_stay_within_the_strength():
    _, _, area, angle = moments(augmented(square_images(), rotation=10.0))
    assert np.abs(angle).max() <= 10.5
    assert np.abs(angle).max() > 8
    assert angle.min() < 0 < angle.max()
    np.testing.assert_allclose(area, 288, rtol=0.02)


def test_shifts_stay_within_the_strength():
    y, x, area, angle = moments(augmented(square_images(), shift=0.1))
    for centre in (y, x):
        assert np.abs(centre - 23.5).max() <= 4.8 + 0.1
        assert np.abs(centre - 23.5).max() > 4
        assert centre.min() < 23.5 < centre.max()
    np.testing.assert_allclose(area, 288, rtol=0.02)
    np.testing.assert_allclose(angle, 0, atol=0.1)


def test_zooms_stay_within_the_strength():
    images = augmented(square_images(), zoom=0.1)
    y, x, _, _ = moments(images)
    assert np.abs(np.concatenate([y, x]) - 23.5).max() < 0.6
    height, width = images[:, :, 24].sum(axis=1) / 12, images[:, 24].sum(axis=1) / 24
    for size in (height, width):
        assert 1 / 1.1 - 0.01 <= size.min() < 0.94
        assert 1.06 < size.max() <= 1 / 0.9 + 0.01


@pytest.mark.parametrize("strength", ["rotation", "shift", "zoom"])
def test_what_comes_in_over_the_border_repeats_the_edge(strength):
    ramp = np.broadcast_to(np.linspace(0.1, 1, 48, dtype="float32"), (100, 48, 48))
    given = {strength: recipes.GENERATOR[strength]}
    # No other filling leaves a ramp without a step back or a jump at its ends.
    for images in (ramp, ramp[:, ::-1, ::-1].transpose(0, 2, 1)):
        changed = augmented(np.ascontiguousarray(images)[..., None], **given)
        slope = np.diff(changed, axis=2 if images is ramp else 1)
        slope = slope if images is ramp else -slope
        assert slope.min() > -1e-5
        assert slope.max() < 0.05
        assert changed.min() > 0.1 - 1e-5


def test_the_same_seed_augments_the_same():
    images = unit_images(5)
    first, second = (augmented(images, **recipes.GENERATOR) for _ in range(2))
    np.testing.assert_array_equal(first, second)


# Arithmetic and compilation


@pytest.mark.parametrize("model", models.MODELS)
def test_mixed_precision_computes_in_bfloat16_and_ends_in_float32(model):
    recipe = recipes.make(model=model, hidden_neurons=3, precision="mixed_bfloat16")
    mixed = models.build(recipe)
    logits = mixed(np.zeros((1, *models.INPUT_SHAPE), "uint8"))
    *inner, last = models.network(mixed).layers
    assert {layer.compute_dtype for layer in inner} == {"bfloat16"}
    assert {weight.dtype for weight in mixed.weights} == {"float32"}
    assert last.compute_dtype == keras.backend.standardize_dtype(logits.dtype) == "float32"
    assert keras.config.dtype_policy().name == "float32"  # what is built next is not mixed


def test_mixed_precision_and_xla_are_off_unless_asked_for(built):
    for model in built.values():
        assert {layer.compute_dtype for layer in models.network(model).layers} == {"float32"}
        assert not model.jit_compile


@pytest.mark.parametrize("option", [{"precision": "mixed_bfloat16"}, {"xla": True}], ids=str)
def test_mixed_precision_and_xla_change_little_of_the_answers(drawn, option):
    answers = []
    for given in ({}, option):
        keras.utils.set_random_seed(5)
        model = models.build(recipes.make(model="shallow", hidden_neurons=8, **given))
        answers.append(model.predict(drawn[0][:7], verbose=0))
    np.testing.assert_allclose(*answers, atol=0.01)
    assert (np.abs(answers[0] - answers[1]) > 0).any()


def test_xla_is_refused_where_keras_would_go_on_without(monkeypatch):
    recipe = recipes.make(model="shallow", hidden_neurons=3, xla=True)
    assert models.build(recipe).jit_compile
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(keras.backend, "backend", lambda: "torch")
        with pytest.raises(ValueError, match=EXPLAINED):
            models.build(recipe)
    # Keras does so, with a warning, where operations are to be deterministic.
    monkeypatch.setattr("keras.src.trainers.trainer.model_supports_jit", lambda model: False)
    with pytest.raises(ValueError, match=EXPLAINED), pytest.warns(UserWarning):
        models.build(recipe)


# The text's reading of the networks


@pytest.mark.parametrize(
    ("model", "filters", "dropouts"),
    [
        ("shallow_text", [32, 128], 0),
        ("improved_text", [32, 128], 2),
        ("deep_text", [64, 128, 512, 512], 5),
    ],
)
def test_the_texts_networks_have_its_convolutions(model, filters, dropouts):
    network = models.MODELS[model](recipes.make(model=model))
    kinds = [type(layer).__name__ for layer in network.layers]
    convolutions = [layer for layer in network.layers if type(layer).__name__ == "Conv2D"]
    assert [layer.filters for layer in convolutions] == filters
    assert {layer.kernel_size for layer in convolutions} == {(3, 3)}
    assert kinds.count("Dropout") == dropouts
    assert kinds.count("BatchNormalization") == (len(filters) if model == "deep_text" else 0)
    assert network.layers[-1].units == 7
    hidden = next(layer for layer in network.layers if type(layer).__name__ == "Dense")
    assert hidden.units == recipes.PAPER[model.removesuffix("_text")]["hidden_neurons"]
