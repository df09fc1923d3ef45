"""The validated description of one training, its run id, and the command that repeats it.

Reads the parameters of a notebook; writes nothing. Needs no Keras.
"""

import ast
import contextlib
import difflib
import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

Count = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(ge=0, lt=1)]

# Tables 1 and 2 of the paper, and section 2.2 for the epochs.
TABLE_1 = {"learning_rate": 1e-3, "hidden_neurons": 1024, "epochs": 10}
TABLE_2 = {"learning_rate": 1e-4, "hidden_neurons": 512, "epochs": 10}


class Network(NamedTuple):
    """What recipes know of a network, whose layers are the function of its name in `models`."""

    printed: Mapping[str, float]  # its parameters in the paper; of another network, its own
    # After groups of convolutions, and after the hidden dense layer; 0: there is no such layer.
    # The paper leaves the rates open; these are those of public code that has this same network.
    dropout: tuple[float, float]
    # On drawn faces, which show the whole machine move within a minute on two cores.
    drawn: Mapping[str, int]
    reads: str = ""  # the network of the paper that this is another reading of; "": no reading
    in_paper: bool = True  # False: a network beside the paper's, of which no claim speaks


# A network that is added here needs a function of its name in `models`, and, if it reads no other,
# a notebook of its name.
NETWORKS = {
    "shallow": Network(TABLE_1, (0.0, 0.0), {"epochs": 6}),
    "improved": Network(TABLE_1, (0.25, 0.5), {"epochs": 6}),
    "deep": Network(
        TABLE_2, (0.25, 0.5), {"epochs": 1, "train_images": 70, "evaluation_images": 70}
    ),
}
NETWORKS |= {
    f"{name}_text": NETWORKS[name]._replace(dropout=dropout, reads=name)
    for name, dropout in {
        "shallow": (0.0, 0.0),
        "improved": (0.25, 0.0),
        "deep": (0.25, 0.5),
    }.items()
}
PAPER = {name: one.printed for name, one in NETWORKS.items() if one.in_paper and not one.reads}
DROPOUT = ("dropout_convolution", "dropout_dense")
# The strengths of the usual Keras generator, where augmentation is asked for.
GENERATOR = {"flip": True, "rotation": 10.0, "shift": 0.1, "zoom": 0.1}
NO_AUGMENTATION = {"flip": False, "rotation": 0.0, "shift": 0.0, "zoom": 0.0}

# How a setting that is not the usual one is told; any other by its name and its value.
TOLD = {
    "epochs": "{} epochs",
    "augmentation": "augmented",
    "order": "one order for all epochs",
    "train_images": "{} training images",
    "evaluation_images": "{} held-out images",
    "validation_split": "{} as validation",
    "kept_epoch": "best epoch kept",
    "precision": "mixed precision",
}

# Notebook parameters that say where things are, not what is trained.
PLACES = ("data",)
INJECTED_PATHS = ("PAPERMILL_INPUT_PATH", "PAPERMILL_OUTPUT_PATH")  # by its option --inject-paths

# What papermill and YAML hand on as text though a person meant a value.
MEANT = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
MEANT |= {"null": None, "none": None, "~": None}


class Recipe(BaseModel):
    """Everything that decides one training.

    A field that is None when it enters takes the value that the paper prints for the model, or,
    on drawn faces, one small enough for a minute; the paper's gaps are filled as the report's
    "What the paper leaves open" says. Two recipes are equal exactly if they train the same.

    Source: section 2 and Tables 1 and 2 of the paper.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    model: Literal[*NETWORKS] = Field(
        description="network: shallow, improved or deep; with _text as the text has it"
    )
    dataset: Literal["fer2013", "drawn"] = Field(
        "fer2013", description="fer2013, or drawn: the embedded stand-in that needs no download"
    )
    seed: Annotated[int, Field(ge=0, lt=2**32)] = Field(
        0, description="seed of initial weights, order of images, dropout and augmentation"
    )
    epochs: Count | None = Field(
        None,
        description="passes over the training images; None: 10, fewer on drawn faces",
    )
    batch_size: Count = Field(64, description="images per step; the paper does not say")
    learning_rate: Annotated[float, Field(gt=0, le=1)] | None = Field(
        None, description="of Adam; paper: 0.001, deep 0.0001"
    )
    hidden_neurons: Count | None = Field(
        None, description="of the hidden dense layer; paper: 1024, deep 512"
    )
    dropout_convolution: Rate | None = Field(
        None, description="dropout rate after groups of convolutions; the paper does not say"
    )
    dropout_dense: Rate | None = Field(
        None, description="dropout rate after the hidden dense layer; the paper does not say"
    )
    augmentation: Literal["none", "generator"] = Field(
        "none", description="none, or generator: random flips, rotations, shifts and zooms"
    )
    flip: bool | None = Field(None, description="augmentation: mirror half of the images")
    rotation: Annotated[float, Field(ge=0, le=180)] | None = Field(
        None, description="augmentation: largest angle in degrees"
    )
    shift: Rate | None = Field(
        None, description="augmentation: largest shift, as a fraction of the width"
    )
    zoom: Rate | None = Field(None, description="augmentation: largest zoom, as a fraction")
    order: Literal["fresh", "repeated"] = Field(
        "fresh", description="order of the training images: drawn each epoch, or the first repeated"
    )
    weight_decay: Rate = Field(
        0.0, description="of Adam: share of each weight, times the learning rate, that a step takes"
    )
    max_norm: Annotated[float, Field(ge=0)] = Field(
        0.0, description="largest norm of the weights into a neuron or filter; 0: any"
    )
    train_images: Annotated[int, Field(ge=7)] | None = Field(
        None, description="train on so many images only, class shares kept; None: all"
    )
    evaluation_images: Annotated[int, Field(ge=7)] | None = Field(
        None, description="evaluate on so many images of each held-out split only; None: all"
    )
    validation_split: Literal["PublicTest", "PrivateTest", "both"] = Field(
        "PublicTest", description="held-out split whose scores are followed during training"
    )
    kept_epoch: Literal["last", "best"] = Field(
        "last", description="weights that are evaluated: last, or best by validation accuracy"
    )
    precision: Literal["float32", "mixed_bfloat16"] = Field(
        "float32", description="arithmetic of the layers: float32, or mixed_bfloat16 for speed"
    )
    xla: bool = Field(False, description="compile the training steps with XLA, as JAX always does")

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, given: dict[str, Any]) -> dict[str, Any]:
        given = {name: _meant(name, value) for name, value in given.items()}
        model = given.get("model")
        if not isinstance(model, str) or model not in NETWORKS:
            return given  # the field's own check names the models there are
        network = NETWORKS[model]
        defaults = {**network.printed, **dict(zip(DROPOUT, network.dropout))}
        if given.get("dataset") == "drawn":
            defaults |= network.drawn
        defaults |= GENERATOR if given.get("augmentation") == "generator" else NO_AUGMENTATION
        return defaults | {name: value for name, value in given.items() if value is not None}

    @model_validator(mode="after")
    def _fits_together(self) -> "Recipe":
        absent = [name for name, rate in zip(DROPOUT, NETWORKS[self.model].dropout) if rate == 0]
        if any(getattr(self, name) for name in absent):
            raise ValueError(
                f"no {' or '.join(absent)} for the {self.model} model, which has no such layer"
            )
        if self.augmentation == "none" and any(getattr(self, name) for name in NO_AUGMENTATION):
            raise ValueError(f"augmentation = generator where {', '.join(GENERATOR)} are given")
        if self.xla and (self.rotation or self.shift or self.zoom):
            raise ValueError("no rotation, shift and zoom where xla = true cannot compile them")
        return self

    def differing(self) -> dict[str, Any]:
        """The fields whose value is not the one that the notebook of the model would give."""
        default = Recipe(
            model=self.printed_model, dataset=self.dataset, augmentation=self.augmentation
        )
        mine, other = self.model_dump(), default.model_dump()
        ways = {
            "dataset": self.dataset != "fer2013",
            "augmentation": self.augmentation != "none",
        }
        return {name: mine[name] for name in mine if ways.get(name, mine[name] != other[name])}

    @property
    def printed_model(self) -> str:
        """The model of the paper that this is a reading of: shallow, improved or deep."""
        return NETWORKS[self.model].reads or self.model

    @property
    def reduced(self) -> bool:
        """Whether this training was smaller than the paper's: fewer epochs or fewer images."""
        fewer_images = self.train_images is not None or self.evaluation_images is not None
        return fewer_images or self.epochs < NETWORKS[self.model].printed["epochs"]

    @property
    def name(self) -> str:
        """The run in words that no other run of the study has: variant and seed."""
        return f"{self.variant}, seed {self.seed}"

    @property
    def variant(self) -> str:
        """The recipe in words but for its seed: the network and what is special."""
        usual = make(model=self.model, augmentation=self.augmentation).model_dump()
        usual |= {"augmentation": "none", "seed": self.seed}
        special = {name: value for name, value in self.model_dump().items() if value != usual[name]}
        return ", ".join([self.model + (" (reduced)" if self.reduced else ""), *told(special)])

    def in_words(self) -> dict[str, str]:
        """Every parameter in words, in the order of the recipe."""
        return {
            name.replace("_", " "): _in_words(value) for name, value in self.model_dump().items()
        }

    def options(self) -> str:
        """The papermill options by which this recipe differs from its notebook's defaults."""
        return " ".join(f"-p {name} {value}" for name, value in self.differing().items())

    def command(self) -> str:
        """The papermill command that repeats this training."""
        start = "papermill" if self.dataset == "drawn" else "FER2013=PATH papermill"
        notebook = f"notebooks/{self.printed_model}.ipynb"
        return f"{start} --log-output {notebook} out.ipynb {self.options()}".rstrip()


def told(settings: Mapping[str, Any]) -> list[str]:
    """Settings that are not the usual ones, by field, in words."""
    forms = {name: TOLD.get(name, f"{name.replace('_', ' ')} {{}}") for name in settings}
    return [forms[name].format(_in_words(value)) for name, value in settings.items()]


def _in_words(value: Any) -> str:
    if value is None:
        return "all"  # of the images; every other field has a value of its own
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _meant(name: str, value: Any) -> Any:
    """A parameter's value; where it was meant as a number, True, False or None, not its text."""
    words = name not in Recipe.model_fields or isinstance(Recipe.model_fields[name].default, str)
    if words or name == "model" or not isinstance(value, str):
        return value
    if value.lower() in MEANT:
        return MEANT[value.lower()]
    for number in (int, float):
        with contextlib.suppress(ValueError):
            return number(value)
    return value


def run_id(recipe: Recipe, fingerprints: Mapping[str, str]) -> str:
    """The name of the run of a recipe on a dataset: the model, then a hash of both.

    A field at its class default does not enter the hash, so a later parameter whose default is
    today's behaviour leaves the ids of older records as they are.

    Args:
        recipe: the recipe.
        fingerprints: SHA-256 (hex) of each split.
    """
    content = {
        "recipe": recipe.model_dump(exclude_defaults=True),
        "dataset": dict(sorted(fingerprints.items())),
    }
    text = json.dumps(content, sort_keys=True)
    return f"{recipe.model}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def make(**parameters: Any) -> Recipe:
    """A recipe from named parameters.

    Raises:
        ValueError: a parameter is unknown or its value impossible; says what was expected, what
            was received, and what to do.
    """
    try:
        return Recipe(**parameters)
    except ValidationError as error:
        raise ValueError("\n".join(_explain(item) for item in error.errors())) from None


def from_notebook(namespace: Mapping[str, Any], notebook: str) -> Recipe:
    """The recipe that a notebook's variables describe.

    Variables that are no parameters are the notebook's or the reader's own, unless papermill
    injected them: there they are misspelt.

    Args:
        namespace: the notebook's `globals()`.
        notebook: the printed model that the notebook shows: shallow, improved or deep.

    Raises:
        ValueError: as `make`; or the model belongs to another notebook.
    """
    names = [*Recipe.model_fields, *(_injected(namespace.get("In")) - {*PLACES, *INJECTED_PATHS})]
    recipe = make(**{name: namespace[name] for name in names if name in namespace})
    if recipe.printed_model != notebook:
        raise ValueError(
            f"Expected for model: {notebook} or {notebook}_text, which notebooks/{notebook}.ipynb "
            f"shows. Received: {recipe.model!r}. Run notebooks/{recipe.printed_model}.ipynb."
        )
    return recipe


def _injected(cells: Any) -> set[str]:
    """The names that papermill's cell gives values to, as it was last run.

    Args:
        cells: the sources that IPython has run, its `In`; anything else has no such cell.
    """
    sources = cells if isinstance(cells, list) else []
    marked = [one for one in sources if isinstance(one, str) and one.startswith("# Parameters\n")]
    if not marked:
        return set()
    try:
        body = ast.parse(marked[-1]).body
    except SyntaxError:  # an edited cell, which IPython has said already, and which sets nothing
        return set()
    found = (target for one in body for target in getattr(one, "targets", ()))
    return {target.id for target in found if isinstance(target, ast.Name)}


def _explain(error: Any) -> str:
    """One sentence each: expected, received, remedy, from an error of pydantic."""
    name = str(error["loc"][0]) if error["loc"] else ""
    if error["type"] == "extra_forbidden":
        known = [*Recipe.model_fields, *PLACES]
        near = difflib.get_close_matches(name, known, n=1)
        remedy = f"Did you mean {near[0]}?" if near else "See papermill --help-notebook."
        return f"Expected one of the parameters {', '.join(known)}. Received: {name}. {remedy}"
    if not name:
        return f"Expected {error['ctx']['error']}. Received: {error['input']}. Change one of them."
    expected = error["msg"].replace("Input should be", "").strip()
    expected = expected.replace("a valid boolean", "True or False")
    meaning = Recipe.model_fields[name].description
    return (
        f"Expected for {name}: {expected} ({meaning}). "
        f"Received: {error.get('input')!r}. Change it with -p {name} VALUE."
    )
