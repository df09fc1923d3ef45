"""Finished records that nobody trained, with the curves, layers and answers that a test wants."""

import numpy as np
from docutils import nodes
from docutils.core import publish_doctree
from helpers import fabricated
from myst_parser.docutils_ import Parser

from ferutils.claims import paper, selection
from ferutils.dataset import fer2013
from ferutils.dataset.fer2013 import EMOTIONS
from ferutils.records import crossvalidation, recipes, runs
from ferutils.records.keeping import HELD_OUT
from ferutils.records.probes import CHANGES, Answers, Attention, Changed, Probe, Probed, Weights
from ferutils.records.study import Entry, Group, Study

PAPER = paper.load()
PUBLISHED = runs.DatasetNote(
    name="fer2013",
    fingerprints={split: fer2013.FER2013[split]["fingerprint"] for split in fer2013.SPLITS},
    counts={split: fer2013.FER2013[split]["counts"] for split in fer2013.SPLITS},
    differences=[],
)
DRAWN = PUBLISHED.model_copy(
    update={"name": "drawn", "fingerprints": dict.fromkeys(fer2013.SPLITS, "d" * 64)}
)
OTHER_COPY = PUBLISHED.model_copy(
    update={
        "fingerprints": PUBLISHED.fingerprints | {"Training": "0" * 64},
        "differences": ["Training has other pixels than the published dataset."],
    }
)


def layers(model):
    """The layer table that the paper prints for a model."""
    return [
        runs.Layer(
            name=row.name,
            type=row.type,
            output_shape=list(row.shape),
            parameters=row.parameters,
            # Of batch normalisation, the moving mean and variance are not trained.
            trainable_parameters=row.parameters // (1 + (row.type == "BatchNormalization")),
        )
        for row in PAPER.layer_tables[model.removesuffix("_text")].rows
    ]


def answers(labels, predicted, probability=0.9):
    """Predictions that give one probability to a label and share the rest equally."""
    probabilities = np.full((len(labels), 7), (1 - probability) / 6)
    probabilities[np.arange(len(labels)), list(predicted)] = probability
    return runs.Predictions(
        labels=np.array(labels, np.uint8),
        log_probabilities=np.log(probabilities).astype(np.float32),
    )


def made(model="shallow", curves=None, note=PUBLISHED, run=None, **parameters):
    """The arguments of `runs.write` but the folder.

    Args:
        model: its name; the layers are those that the paper prints.
        curves: columns of the history, each a list over the epochs or one number for all.
        note: the dataset.
        run: fields of the run to change.
        parameters: of the recipe.
    """
    dataset = {"dataset": "drawn"} if note.name == "drawn" else {}
    recipe = recipes.make(model=model, **dataset | parameters)
    description, history, predictions = fabricated(recipe, note)
    changed = {"layers": layers(model)} | (run or {})
    return (
        description.model_copy(update=changed),
        history.assign(**(curves or {})),
        predictions,
    )


def record(*arguments, answered=None, **parameters):
    """A record, made as `made` makes it; `answered` replaces predictions by split."""
    run, history, predictions = made(*arguments, **parameters)
    return runs.Record(run, history, predictions | (answered or {}))


def study(*every, others=()):
    """The study of these records of the printed networks, and groups of other parts."""
    printed = [
        group("printed", *[one for one in every if one.recipe.model == model], model=model)
        for model in recipes.PAPER
    ]
    return Study((*printed, *others))


def group(part, *every, **parameters):
    """A group of a part of the study with these records; the parameters are the entry's."""
    seeds = [one.recipe.seed for one in every] or [0]
    return Group(Entry(part=part, seeds=seeds, **parameters), list(every))


def parsed(markdown):
    """The document that MyST makes of a text, as Sphinx would read it."""
    quiet = {"report_level": 5, "halt_level": 5, "myst_enable_extensions": {"deflist"}}
    return publish_doctree(markdown.data, parser=Parser(), settings_overrides=quiet)


def cells(table):
    """The texts of a parsed table, row by row, head first."""
    rows = table.findall(nodes.row)
    return [[entry.astext() for entry in row.findall(nodes.entry)] for row in rows]


# Of each fold of a cross-validation: always “happy” is right in four of ten.
OUTSIDE = crossvalidation.Fold(counts=[10, 10, 10, 40, 10, 10, 10], photographs=99)


def selected(accuracies, model="shallow", trainings=None, **changed):
    """A cross-validation that nobody trained, with what follows from it.

    Args:
        accuracies: of each cell, (learning rate, hidden neurons), one per fold.
        model: its name.
        trainings: how many of them have been done; all without it.
        changed: of its settings; as the paper trained without it.
    """
    rates, neurons = (sorted(set(values)) for values in zip(*accuracies, strict=True))
    folds = len(next(iter(accuracies.values())))
    size = {"folds": folds, "epochs": recipes.PAPER[model]["epochs"], "seed": 0} | changed
    settings = crossvalidation.Settings(learning_rates=rates, hidden_neurons=neurons, **size)
    done = [
        crossvalidation.Training(
            **cell._asdict(),
            fold=fold,
            **dict.fromkeys(crossvalidation.CURVES, [0.5] * settings.epochs)
            | {"validation_accuracy": [0.5] * (settings.epochs - 1) + [accuracies[cell][fold]]},
            answers=[99, 1, 0, 0, 0, 0, 0],
            seconds=30,
        )
        for cell, fold in settings.plan(model)[:trainings]
    ]
    run = fabricated(recipes.make(model=model), PUBLISHED)[0]
    found = crossvalidation.CrossValidation(
        model=model,
        settings=settings,
        fingerprint=PUBLISHED.fingerprints["Training"],
        environment=run.environment,
        code=run.code,
        started=run.started,
        folds=[OUTSIDE] * folds,
        trainings=done,
    )
    return selection.Selection(model, settings, found)


# Networks that nobody probed.
SUM = "a" * 64
PLACES = 11  # of the square, in a row


def answered(right=60, changed=0, new_right=20):
    """Answers to the images of both held-out splits, the same for both."""
    one = Answers(images=100, right=right, new=40, new_right=new_right, changed=changed)
    return dict.fromkeys(HELD_OUT, one)


def looking_at(rows, columns):
    """Maps where only these places of the square lower the probability."""
    drops = np.full((PLACES, PLACES), -0.1)
    drops[rows, columns] = 0.2
    return Attention(images=5, occlusion=drops.tolist(), grad_cam=[[0.5, 0.5], [0, 0]])


def probed(model="shallow", seed=0, changes=None, attention=None, end=3.0, **parameters):
    """A run with what was measured of it; changes give, by kind and strength, the answers."""
    run = record(model, seed=seed, run={"weights_sha256": SUM}, **parameters)
    found = Probe(
        run=run.run.id,
        weights_sha256=SUM,
        seed=0,
        unchanged=answered(),
        changed=[
            Changed(
                kind=kind,
                strength=one,
                splits=(changes or {}).get((kind, one), answered(changed=10, new_right=16)),
            )
            for kind, (_, strengths) in CHANGES.items()
            for one in strengths
        ],
        weights=[
            Weights(layer=name, values=50, start=1.0, end=end, spectral=2.0, largest=0.5)
            for name in ("conv2d", "dense")
        ],
        square=8,
        step=4,
        attention=attention or dict.fromkeys(EMOTIONS, looking_at(slice(None), slice(None))),
        filters=[np.eye(3).tolist()] * 32,
        environment=run.run.environment,
    )
    return Probed(run, found)
