"""Recipes: the paper's values, refusals, run ids, the command, and the notebooks' parameters."""

import itertools
import re
import shlex

import papermill
import pytest
from helpers import EXPLAINED
from papermill.cli import _resolve_type
from papermill.cli import papermill as papermill_command

from ferutils import paths
from ferutils.claims import paper
from ferutils.dataset import fer2013
from ferutils.records import recipes, study
from ferutils.report import run_tables

MODELS = [name for name, one in recipes.NETWORKS.items() if not one.reads]  # of a notebook each
DATASETS = ("fer2013", "drawn")
FINGERPRINTS = {split: fer2013.FER2013[split]["fingerprint"] for split in fer2013.SPLITS}

# A value for every field that differs from that of `varied()`.
OTHER = {
    "model": "deep",
    "dataset": "drawn",
    "seed": 2**32 - 1,
    "epochs": 60,
    "batch_size": 32,
    "learning_rate": 1e-5,
    "hidden_neurons": 77,
    "dropout_convolution": 0.1,
    "dropout_dense": 0.0,
    "augmentation": "none",
    "flip": False,
    "rotation": 7.5,
    "shift": 0.0,
    "zoom": 0.25,
    "order": "repeated",
    "weight_decay": 0.01,
    "max_norm": 2.0,
    "train_images": 700,
    "evaluation_images": 70,
    "validation_split": "both",
    "kept_epoch": "best",
    "precision": "mixed_bfloat16",
    "xla": True,
}


EVERYTHING = OTHER | {"augmentation": "generator", "xla": False}
STILL = {"rotation": 0.0, "shift": 0.0, "zoom": 0.0}  # the augmentation that XLA compiles


def varied(**parameters):
    return recipes.make(**({"model": "improved", "augmentation": "generator"} | parameters))


def notebook_parameters(model):
    return papermill.inspect_notebook(str(paths.NOTEBOOKS / f"{model}.ipynb"))


def notebook_namespace(model):
    """The variables after the cell of parameters has run."""
    return {
        name: eval(parameter["default"])  # a literal of our own notebook
        for name, parameter in notebook_parameters(model).items()
    }


def through_papermill(recipe, command=""):
    """The recipe that comes out of the notebook when its command is typed, or another one."""
    typed = shlex.split(command or recipe.command())
    words = [word for word in typed if word != "FER2013=PATH"]
    assert words[0] == "papermill"
    parsed = papermill_command.make_context("papermill", words[1:]).params
    assert (paths.ROOT / parsed["notebook_path"]).is_file()
    injected = {name: _resolve_type(value) for name, value in parsed["parameters"]}
    namespace = notebook_namespace(recipe.printed_model) | injected
    return recipes.from_notebook(namespace, recipe.printed_model)


# Defaults


def test_the_defaults_are_what_the_paper_prints():
    compared = set()
    for claim in paper.load().claims:
        model, _, field = claim.quantity.partition(".")
        if claim.kind == "number" and field in recipes.PAPER.get(model, ()):
            assert getattr(recipes.make(model=model), field) == claim.value, claim.id
            compared.add(claim.quantity)
    assert len(compared) >= 7  # of 3 models x 3 fields; of the improved one it says "the same"
    improved, shallow = recipes.PAPER["improved"], recipes.PAPER["shallow"]
    assert improved == shallow


@pytest.mark.parametrize("model", MODELS)
def test_the_default_is_the_whole_of_fer2013(model):
    recipe = recipes.make(model=model)
    assert recipe.dataset == "fer2013"
    assert recipe.train_images is recipe.evaluation_images is None
    assert recipe.augmentation == "none"
    assert not recipe.reduced


def test_none_means_the_default():
    filled = [name for name, field in recipes.Recipe.model_fields.items() if field.default is None]
    assert "learning_rate" in filled
    for model, dataset in itertools.product(MODELS, DATASETS):
        absent = recipes.make(model=model, dataset=dataset)
        assert recipes.make(model=model, dataset=dataset, **dict.fromkeys(filled)) == absent


def test_drawn_faces_are_trained_small():
    for model in MODELS:
        recipe = recipes.make(model=model, dataset="drawn")
        assert recipe.epochs < recipes.make(model=model).epochs
        assert recipe.reduced


def test_a_given_value_wins_over_every_default():
    recipe = varied(**EVERYTHING)
    assert recipe.model_dump() == EVERYTHING


def test_the_generator_brings_its_usual_strengths():
    assert varied().flip is True
    assert min(varied().rotation, varied().shift, varied().zoom) > 0
    plain = recipes.make(model="improved")
    assert (plain.flip, plain.rotation, plain.shift, plain.zoom) == (False, 0, 0, 0)


def test_a_whole_number_is_taken_where_a_fraction_is_meant():
    recipe = varied(learning_rate=1, rotation=5, zoom=0)
    assert recipe == varied(learning_rate=1.0, rotation=5.0, zoom=0.0)
    assert type(recipe.rotation) is float


def test_a_recipe_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        varied().epochs = 3


# Refusals

IMPOSSIBLE = [
    ("model", "shalow"),
    ("model", None),
    ("model", ["shallow"]),
    ("dataset", "FER2013"),
    ("dataset", 3),
    ("seed", -1),
    ("seed", 2**32),
    ("seed", 0.5),
    ("epochs", 0),
    ("epochs", -3),
    ("epochs", 2.0),
    ("epochs", True),
    ("epochs", "ten"),
    ("batch_size", 0),
    ("learning_rate", -1),
    ("learning_rate", 0),
    ("learning_rate", 1.5),
    ("learning_rate", "fast"),
    ("learning_rate", float("nan")),
    ("learning_rate", float("inf")),
    ("learning_rate", 10**309),  # more than a float can hold, as a typist with a stuck key writes
    ("learning_rate", True),
    ("hidden_neurons", 0),
    ("dropout_convolution", 1),
    ("dropout_convolution", -0.1),
    ("dropout_dense", 1.0),
    ("augmentation", "flips"),
    ("augmentation", True),
    ("flip", 1),
    ("flip", "perhaps"),
    ("rotation", 181),
    ("rotation", -1),
    ("shift", 1),
    ("zoom", 1.0),
    ("order", "sorted"),
    ("weight_decay", 1),
    ("max_norm", -1),
    ("train_images", 6),
    ("train_images", "all"),
    ("evaluation_images", 0),
    ("validation_split", "Training"),
    ("kept_epoch", 3),
    ("kept_epoch", "first"),
    *[(name, "<script>alert(1)</script>; rm -rf ~") for name in OTHER],  # no free text anywhere
    ("precision", "float16"),
    ("precision", 16),
    ("xla", "auto"),
    ("xla", 1),
]


@pytest.mark.parametrize("name, value", IMPOSSIBLE, ids=lambda part: str(part)[:20])
def test_an_impossible_value_is_refused(name, value):
    with pytest.raises(ValueError, match=EXPLAINED) as refusal:
        varied(**{name: value})
    assert f"Expected for {name}: " in str(refusal.value)
    assert re.search(rf"Received: {re.escape(repr(value))}(\.0)?\. ", str(refusal.value))


def test_every_field_has_an_impossible_value():
    assert {name for name, _ in IMPOSSIBLE} == set(recipes.Recipe.model_fields)


def test_the_refusal_says_what_is_possible():
    with pytest.raises(ValueError, match=r"'shallow', 'improved', 'deep', .*-p model VALUE"):
        recipes.make(model="vgg")
    with pytest.raises(ValueError, match="greater than or equal to 1"):
        recipes.make(model="deep", epochs=0)


def test_every_mistake_is_named_at_once():
    with pytest.raises(ValueError, match=r"(?s)epochs.*batch_size"):
        recipes.make(model="deep", epochs=0, batch_size=0)


def test_a_model_must_be_named():
    with pytest.raises(ValueError, match=EXPLAINED):
        recipes.make()


@pytest.mark.parametrize(
    "misspelt, meant",
    [
        ("epoch", "epochs"),
        ("learning_rte", "learning_rate"),
        ("learningrate", "learning_rate"),
        ("batchsize", "batch_size"),
        ("Seed", "seed"),
    ],
)
def test_a_misspelt_parameter_is_refused_with_the_name_meant(misspelt, meant):
    with pytest.raises(ValueError, match=EXPLAINED) as refusal:
        recipes.make(model="deep", **{misspelt: 3})
    assert f"Received: {misspelt}. Did you mean {meant}?" in str(refusal.value)


def test_an_unknown_parameter_is_refused_with_the_way_to_the_known_ones():
    with pytest.raises(ValueError, match=EXPLAINED) as refusal:
        recipes.make(model="deep", quux=3)
    assert "papermill --help-notebook" in str(refusal.value)
    assert all(name in str(refusal.value) for name in recipes.Recipe.model_fields)


def test_dropout_is_refused_where_there_is_no_dropout_layer():
    with pytest.raises(ValueError, match=EXPLAINED):
        recipes.make(model="shallow", dropout_dense=0.5)


@pytest.mark.parametrize("given", [{"flip": True}, {"rotation": 10}, {"shift": 0.1}, {"zoom": 0.1}])
def test_a_strength_is_refused_where_there_is_no_augmentation(given):
    with pytest.raises(ValueError, match=EXPLAINED):
        recipes.make(model="deep", **given)


@pytest.mark.parametrize("strength", ["rotation", "shift", "zoom"])
def test_what_xla_cannot_compile_is_refused_beside_it(strength):
    assert varied(xla=True, **STILL).xla
    with pytest.raises(ValueError, match=EXPLAINED) as refusal:
        varied(xla=True, **(STILL | {strength: 0.1}))
    assert strength in str(refusal.value)


# From a notebook


def shell_namespace(tmp_path, monkeypatch, *cells):
    """The variables of a real IPython session after some cells."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    shell = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))
    for cell in cells:
        shell.run_cell(cell, store_history=True).raise_error()
    return shell.user_ns


def test_a_notebooks_own_variables_are_no_parameters(tmp_path, monkeypatch):
    cells = ["import os\nfrom pathlib import Path\nnotes = 'my own'", "1 + 1"]
    parameters = "model = 'deep'\nepochs = 3\nflip = None\ndata = '/somewhere/fer2013.csv'"
    later = "record, claims, seeds = 1, 2, [3]"  # and the first cells run again
    namespace = shell_namespace(tmp_path, monkeypatch, *cells, parameters, later, parameters)
    assert recipes.from_notebook(namespace, "deep") == recipes.make(model="deep", epochs=3)


def test_what_papermill_injects_is_a_parameter_or_misspelt(tmp_path, monkeypatch):
    """As papermill writes its cell, with its --inject-paths."""
    paths = {"PAPERMILL_INPUT_PATH": "in.ipynb", "data": "x.csv"}
    cells = [
        papermill.translators.PythonTranslator.codify(paths | one)
        for one in ({"learning_rat": 0.1}, {"learning_rate": 0.1})
    ]
    namespace = shell_namespace(tmp_path, monkeypatch, "model = 'deep'", cells[0])
    with pytest.raises(ValueError, match="Did you mean learning_rate"):
        recipes.from_notebook(namespace, "deep")
    broken = {**namespace, "In": ["", "# Parameters\nlearning_rate = (\n"]}  # edited, and run
    assert recipes.from_notebook(broken, "deep").model == "deep"
    namespace = shell_namespace(tmp_path, monkeypatch, "model = 'deep'", *cells)  # put right
    assert recipes.from_notebook(namespace, "deep") == recipes.make(model="deep", learning_rate=0.1)


def test_a_model_of_another_notebook_is_refused():
    text = notebook_namespace("shallow") | {"model": "shallow_text"}
    assert recipes.from_notebook(text, "shallow").model == "shallow_text"
    for model in ("deep", "improved_text"):
        namespace = notebook_namespace("shallow") | {"model": model}
        with pytest.raises(ValueError, match=rf"{EXPLAINED} notebooks/{model[:4]}"):
            recipes.from_notebook(namespace, "shallow")


def test_text_that_means_a_value_is_read_as_one():
    """As PyYAML and papermill hand on 1e-3, true, yes and null."""
    text = {"learning_rate": "1e-3", "epochs": "3", "xla": "true", "flip": "Yes", "zoom": "null"}
    meant = {"learning_rate": 0.001, "epochs": 3, "xla": True, "flip": True, "zoom": None}
    still = {"rotation": 0.0, "shift": 0.0, "zoom": 0.0}
    assert varied(**text | still) == varied(**meant | still)
    assert varied(zoom="null") == varied()
    with pytest.raises(ValueError, match=r"True or False.*'maybe'"):
        varied(xla="maybe")


# Run ids


def test_the_run_id_of_a_recipe_is_the_one_it_had():
    assert recipes.run_id(recipes.make(model="shallow"), FINGERPRINTS) == "shallow-36fea7e673ca"
    later = ("precision", "order", "weight_decay", "max_norm")
    before = {name: value for name, value in EVERYTHING.items() if name not in later}
    assert recipes.run_id(varied(**before), FINGERPRINTS) == "deep-e3a268017cab"


@pytest.mark.parametrize("name", OTHER)
def test_every_field_changes_the_run_id(name):
    if name == "augmentation":
        given, other = {"augmentation": "generator"}, {"augmentation": "none"}
    else:
        given = STILL if name == "xla" else {}
        other = given | {name: OTHER[name]}
    before = recipes.run_id(varied(**given), FINGERPRINTS)
    assert recipes.run_id(varied(**other), FINGERPRINTS) != before


def test_there_is_another_value_for_every_field():
    assert set(OTHER) == set(recipes.Recipe.model_fields)


@pytest.mark.parametrize("split", fer2013.SPLITS)
def test_the_dataset_changes_the_run_id(split):
    other = FINGERPRINTS | {split: "0" * 64}
    assert recipes.run_id(varied(), other) != recipes.run_id(varied(), FINGERPRINTS)


def test_the_order_of_the_splits_does_not_change_the_run_id():
    backwards = dict(reversed(FINGERPRINTS.items()))
    assert recipes.run_id(varied(), backwards) == recipes.run_id(varied(), FINGERPRINTS)


def test_a_default_that_is_spelt_out_does_not_change_the_run_id():
    spelt = recipes.make(**recipes.make(model="deep").model_dump())
    absent = recipes.make(model="deep")
    assert recipes.run_id(spelt, FINGERPRINTS) == recipes.run_id(absent, FINGERPRINTS)


def test_a_later_parameter_does_not_change_the_run_id():
    class Later(recipes.Recipe):
        label_smoothing: float = 0.0

    before = recipes.run_id(recipes.make(model="deep"), FINGERPRINTS)
    assert recipes.run_id(Later(model="deep"), FINGERPRINTS) == before
    assert recipes.run_id(Later(model="deep", label_smoothing=0.1), FINGERPRINTS) != before


def test_the_run_id_names_the_model():
    for model in MODELS:
        assert recipes.run_id(recipes.make(model=model), FINGERPRINTS).startswith(f"{model}-")


# Command and size


@pytest.mark.parametrize("name", [None, *OTHER])
def test_the_command_repeats_the_recipe(name):
    changed = {} if name is None else {name: OTHER[name]}
    base = {"augmentation": "none" if name in ("augmentation", "xla") else "generator"}
    recipe = recipes.make(**({"model": "improved"} | base | changed))
    assert through_papermill(recipe) == recipe


def test_the_command_repeats_each_models_defaults():
    for model, dataset in itertools.product(MODELS, DATASETS):
        recipe = recipes.make(model=model, dataset=dataset)
        assert through_papermill(recipe) == recipe
        assert ("FER2013=PATH" in recipe.command()) == (dataset == "fer2013")


def test_the_command_repeats_a_recipe_that_differs_in_everything():
    everything = varied(**EVERYTHING)
    assert through_papermill(everything) == everything


def test_the_command_names_no_default():
    assert recipes.make(model="deep").command() == (
        "FER2013=PATH papermill --log-output notebooks/deep.ipynb out.ipynb"
    )


@pytest.mark.parametrize(
    "changed, reduced",
    [
        ({}, False),
        ({"epochs": 9}, True),
        ({"epochs": 10}, False),
        ({"epochs": 60}, False),
        ({"train_images": 7000}, True),
        ({"evaluation_images": 70}, True),
        ({"dataset": "drawn"}, True),
        ({"seed": 3, "learning_rate": 0.1}, False),
    ],
)
def test_a_training_smaller_than_the_papers_is_reduced(changed, reduced):
    assert recipes.make(model="deep", **changed).reduced is reduced


# The notebooks' cells of parameters


@pytest.mark.parametrize("model", MODELS)
def test_a_notebook_lists_every_parameter_with_type_and_meaning(model):
    shown = notebook_parameters(model)
    assert list(shown) == [*recipes.Recipe.model_fields, "data"]
    for name, field in recipes.Recipe.model_fields.items():
        assert shown[name]["inferred_type_name"] == type(OTHER[name]).__name__
        assert shown[name]["help"] == field.description
    assert shown["data"]["inferred_type_name"] == "str"
    assert "FER2013" in shown["data"]["help"]


@pytest.mark.parametrize("model", MODELS)
def test_a_notebooks_defaults_make_the_papers_recipe(model):
    assert recipes.from_notebook(notebook_namespace(model), model) == recipes.make(model=model)


@pytest.mark.parametrize("model", ["shallow_text", "improved_text", "deep_text"])
def test_the_texts_networks_have_the_printed_ones_settings_and_notebook(model):
    recipe = recipes.make(model=model)
    printed = recipes.make(model=recipe.printed_model)
    assert (recipe.learning_rate, recipe.epochs) == (printed.learning_rate, printed.epochs)
    assert f"notebooks/{printed.model}.ipynb out.ipynb -p model {model}" in recipe.command()
    assert not recipe.reduced
    with pytest.raises(ValueError, match="no dropout_dense for the improved_text model"):
        recipes.make(model="improved_text", dropout_dense=0.5)


def test_the_command_of_every_run_of_the_study_gives_its_recipe():
    for recipe in (recipe for entry in study.load().runs for recipe in entry.recipes):
        assert through_papermill(recipe) == recipe


def test_the_command_of_a_row_of_the_study_gives_each_of_its_runs_by_the_seed():
    for entry in study.load().runs:
        first, *others = entry.recipes
        told = run_tables.command(first)
        assert told.count(f"-p seed {first.seed}") == 1
        for recipe in (first, *others):
            command = told.replace(f"-p seed {first.seed}", f"-p seed {recipe.seed}")
            assert through_papermill(recipe, command) == recipe
