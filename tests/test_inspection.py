"""The inspection tells a sound network from a wrong one, and its record is of today's networks."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before Keras is imported

import subprocess
import sys

import keras
import numpy as np
import pytest
from helpers import small_dataset
from keras import layers

from ferutils.claims import paper
from ferutils.dataset import fer2013
from ferutils.measuring import inspecting, models
from ferutils.records import inspection, recipes

RECORDED = inspection.read()
RECIPE = recipes.make(model="shallow")
DRAWN = small_dataset().splits["Training"]


def compiled(*hidden, rescaling=1 / 255, optimizer=None):
    """A network of some layers before a last dense one, in the form that `models.build` gives."""
    keras.utils.set_random_seed(0)
    network = keras.Sequential([layers.Flatten(), *hidden, layers.Dense(7, name="last")])
    model = keras.Sequential(
        [keras.Input(models.INPUT_SHAPE, dtype="uint8"), layers.Rescaling(rescaling), network]
    )
    model.compile(
        optimizer=optimizer or keras.optimizers.Adam(1e-3),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


def seen(*hidden, steps=1, drawn=DRAWN, **options):
    return inspecting.inspect_network(compiled(*hidden, **options), RECIPE, drawn, steps)


def hidden_layer(units=32, activation="relu", **options):
    return layers.Dense(units, activation=activation, name="hidden", **options)


class AlwaysDropout(layers.Dropout):
    """The mistake of dropping at inference too."""

    def call(self, inputs, training=False):
        return super().call(inputs, training=True)


def with_network(model, **changed):
    """The recorded inspection with other values for one network."""
    network = RECORDED.networks[model].model_copy(update=changed)
    return RECORDED.model_copy(update={"networks": RECORDED.networks | {model: network}})


# ---- the record ---------------------------------------------------------------------------------


def test_an_inspection_is_read_as_it_was_written(tmp_path):
    found = with_network("deep", loss=float("inf"), without_gradient=["conv2d_70/kernel"])
    inspection.write(found, tmp_path / "inspection.json")
    assert inspection.read(tmp_path / "inspection.json") == found
    assert [file.name for file in tmp_path.iterdir()] == ["inspection.json"]


def test_a_loss_that_is_not_a_number_is_kept_and_does_not_pass(tmp_path):
    inspection.write(with_network("deep", first_loss=float("nan")), tmp_path / "inspection.json")
    network = inspection.read(tmp_path / "inspection.json").networks["deep"]
    assert np.isnan(network.first_loss)
    assert not network.passes_sanity_checks


@pytest.mark.parametrize("content", [None, "", "{}", '{"networks": {}}', '{"networks": 3}'])
def test_a_damaged_inspection_is_refused(tmp_path, content):
    file = tmp_path / "inspection.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ValueError, match=r"(?s)Expected the inspection.*Received: .*make inspect"):
        inspection.read(file)


def test_the_recorded_inspection_is_of_todays_networks():
    assert set(RECORDED.networks) == set(recipes.PAPER)
    assert RECORDED.outdated() == [], "run: make inspect"
    assert all(name == network.recipe.model for name, network in RECORDED.networks.items())


@pytest.mark.parametrize("model", recipes.PAPER)
def test_the_recorded_inspection_saw_every_printed_layer_with_an_activation(model):
    rows = paper.load().layer_tables[model].rows
    printed = [row.name for row in rows if row.type in ("Conv2D", "Dense")]
    assert list(RECORDED.networks[model].activations) == printed


def test_a_record_is_read_without_keras():
    code = (
        "import sys; from ferutils.records import inspection; "
        "found = inspection.read(); found.outcome('passes_sanity_checks'); "
        "sys.exit('keras' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# ---- what follows from a record -----------------------------------------------------------------

MEASURES = {
    "optimizer_is_adam": {"optimizer": "SGD"},
    "relu_in_hidden_layers": {"activations": {"conv2d": "sigmoid", "dense": "linear"}},
    "dropout_only_in_training": {"same_at_inference": False},
    "guesses_at_first": {"first_loss": 2.3},
    "learned_by_heart": {"accuracy": 13 / 14},
    "every_weight_has_gradient": {"without_gradient": ["dense/bias"]},
}
SANITY_CHECKS = ("guesses_at_first", "learned_by_heart", "every_weight_has_gradient")


@pytest.mark.parametrize("measure", MEASURES)
def test_each_property_depends_on_what_was_seen(measure):
    sound, wrong = RECORDED, with_network("improved", **MEASURES[measure])
    assert sound.outcome(measure, ["improved"]) == [True]
    assert wrong.outcome(measure, ["improved"]) == [False]
    assert sound.outcome(measure, ["deep"]) == wrong.outcome(measure, ["deep"])
    failed = measure in SANITY_CHECKS
    assert wrong.outcome("passes_sanity_checks", ["improved"]) == [not failed]


def test_a_network_that_never_varies_has_no_dropout():
    found = with_network("improved", varies_in_training=False)
    assert found.outcome("dropout_only_in_training", ["improved"]) == [False]


def test_a_network_without_weights_or_hidden_layers_confirms_nothing():
    found = with_network("shallow", trainable=0, activations={"last": "linear"})
    for measure in ("relu_in_hidden_layers", "passes_sanity_checks"):
        assert found.outcome(measure, ["shallow"]) == [False]


def test_all_networks_must_have_a_property():
    assert RECORDED.outcome("optimizer_is_adam") == [True]
    assert with_network("deep", optimizer="SGD").outcome("optimizer_is_adam") == [False]


@pytest.mark.parametrize(
    "changed",
    [{"code": "0123456789abcdef"}, {"recipe": recipes.make(model="deep", learning_rate=0.5)}],
    ids=["code", "recipe"],
)
def test_what_was_seen_of_an_older_network_decides_nothing(changed):
    found = with_network("deep", **changed)
    assert found.outdated() == ["deep"]
    assert found.outcome("optimizer_is_adam") == []
    assert found.outcome("optimizer_is_adam", ["shallow", "improved"]) == [True]


def test_a_network_that_was_not_inspected_decides_nothing():
    found = RECORDED.model_copy(update={"networks": {}})
    assert found.outcome("passes_sanity_checks", ["deep"]) == []


# ---- what is seen of a network ------------------------------------------------------------------


def test_a_sound_network_passes():
    small = keras.initializers.RandomNormal(stddev=0.005)
    network = seen(hidden_layer(kernel_initializer=small), steps=150)
    assert network.optimizer_is_adam
    assert network.learning_rate == pytest.approx(1e-3)
    assert network.activations == {"hidden": "relu", "last": "linear"}
    assert network.trainable == 4
    assert network.relu_in_hidden_layers
    assert network.passes_sanity_checks
    assert 1 < network.steps < 150
    assert network.share_with_gradient > 0.1
    assert (network.loss, network.accuracy) == (network.inference_loss, network.inference_accuracy)


def test_another_optimiser_is_caught():
    assert not seen(optimizer=keras.optimizers.SGD(1e-3)).optimizer_is_adam


def test_another_activation_is_caught():
    assert not seen(hidden_layer(activation="sigmoid")).relu_in_hidden_layers


def test_grey_levels_that_were_not_rescaled_are_caught():
    assert not seen(hidden_layer(), rescaling=1.0).guesses_at_first


def test_weights_behind_a_dead_layer_are_caught():
    dead = seen(
        layers.Dense(8, activation="relu", name="before"),
        hidden_layer(bias_initializer=keras.initializers.Constant(-1000.0)),
    )
    assert not dead.every_weight_has_gradient
    lost = {"/".join(path.split("/")[-2:]) for path in dead.without_gradient}
    # A dead layer hands on nothing but zeros, so that of the last one only the bias learns.
    assert lost == {"before/kernel", "before/bias", "hidden/kernel", "hidden/bias", "last/kernel"}


def test_weights_that_are_no_numbers_have_not_moved():
    network = seen(hidden_layer(kernel_initializer=keras.initializers.Constant(float("nan"))))
    assert any(path.endswith("hidden/kernel") for path in network.without_gradient)
    assert not network.passes_sanity_checks


def test_a_network_that_cannot_tell_images_apart_is_caught():
    same = fer2013.Split(images=np.repeat(DRAWN.images[:1], 70, axis=0), labels=DRAWN.labels)
    stuck = seen(hidden_layer(), drawn=same, steps=12)
    assert stuck.every_weight_has_gradient
    assert not stuck.learned_by_heart
    assert stuck.steps == 12
    assert stuck.accuracy == pytest.approx(1 / 7)


@pytest.mark.parametrize(
    ("dropout", "varies", "same"),
    [(None, False, True), (layers.Dropout, True, True), (AlwaysDropout, True, False)],
)
def test_dropout_shows_in_training_mode_only(dropout, varies, same):
    network = seen(hidden_layer(), *([dropout(0.5)] if dropout else []))
    assert (network.varies_in_training, network.same_at_inference) == (varies, same)


# ---- batch normalisation ------------------------------------------------------------------------


def normalised(momentum):
    return compiled(hidden_layer(), layers.BatchNormalization(momentum=momentum))


def settled(model, images):
    return keras.ops.convert_to_numpy(inspecting._settled(model, images))


def at_inference(model, images):
    return keras.ops.convert_to_numpy(model(images, training=False))


def test_what_counts_as_learned_is_inference_once_the_moving_averages_have_followed():
    images = DRAWN.images[::5][..., None]
    model = normalised(momentum=0.5)
    assert not np.allclose(settled(model, images), at_inference(model, images), atol=0.1)
    for _ in range(40):  # the weights stay; the moving averages follow these images
        model(images, training=True)
    np.testing.assert_allclose(settled(model, images), at_inference(model, images), atol=1e-4)


def test_looking_leaves_the_moving_averages_as_they_are():
    images = DRAWN.images[::5][..., None]
    model = normalised(momentum=0.5)
    before = at_inference(model, images)
    settled(model, images)
    np.testing.assert_array_equal(at_inference(model, images), before)


def test_learning_is_seen_before_slow_moving_averages_show_it():
    network = inspecting.inspect_network(normalised(momentum=0.999), RECIPE, DRAWN, 60)
    assert network.learned_by_heart
    assert network.inference_loss > network.loss
    assert network.inference_accuracy < 1


# ---- the paper's networks -----------------------------------------------------------------------


def test_a_new_inspection_sees_what_is_recorded():
    found = inspecting.inspect(["shallow"], steps=2)
    new, old = found.networks["shallow"], RECORDED.networks["shallow"]
    for field in ("recipe", "code", "optimizer", "learning_rate", "activations", "trainable"):
        assert getattr(new, field) == getattr(old, field)
    for field in ("same_at_inference", "varies_in_training", "without_gradient"):
        assert getattr(new, field) == getattr(old, field)
    assert new.guesses_at_first == old.guesses_at_first
    assert new.steps == found.most_steps == 2
    assert new.accuracy < old.accuracy
    assert (found.faces, found.first_images, found.handful) == (
        RECORDED.faces,
        RECORDED.first_images,
        RECORDED.handful,
    )
