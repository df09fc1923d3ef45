"""What a cross-validation says: the best choice, the one-standard-error choice, the paper's.

Reads recorded cross-validations; writes nothing. Holds the rule of their verdict.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy import stats

from ferutils.claims.metrics import SIGNIFICANCE, Interval
from ferutils.claims.paper import BORDER, Verdict, interval
from ferutils.dataset.fer2013 import EMOTIONS
from ferutils.records import crossvalidation
from ferutils.records.crossvalidation import Cell, CrossValidation, Settings

RULE = (
    "Each pair of a learning rate and a number of hidden neurons is a *cell*; its accuracy is that "
    "on the images outside, after the last epoch, as the mean over the folds. The *best* cell is "
    "the most accurate one. Cells are *within one standard error* of it where their accuracy is at "
    "least its accuracy less the standard error of this mean; the *one-standard-error choice* is "
    "the one with the fewest hidden neurons among them, and of several the most accurate "
    "{cite}`hastie2009`.\n\nThe paper's values for a network are reproduced where their cell is "
    "within one standard error of the best, and not reproduced where it is not. They are undecided "
    "where the cross-validation does not tell the cells apart: where Friedman's test over the "
    f"folds {{cite}}`friedman1937` has a p-value of {100 * SIGNIFICANCE:.0f} % or more, or the "
    "best cell is not more than one standard error above always giving the most frequent emotion. "
    "They are reduced where the cross-validation had fewer images or epochs than the paper's "
    "trainings, and not tested where it is not finished. A learning rate and a number of hidden "
    "neurons share the verdict of their cell."
)


@dataclass(frozen=True)
class Selection:
    """The cross-validation of a model, as far as it has come, with what follows from it."""

    model: str
    settings: Settings  # of what was found, else of what would be run
    found: CrossValidation | None

    @property
    def finished(self) -> bool:
        """Whether there is a choice; the properties below that make one need it."""
        return self.found is not None and self.found.finished

    @property
    def paper(self) -> Cell:
        """The paper's own choice."""
        return crossvalidation.paper_cell(self.model)

    @property
    def choices(self) -> dict[str, Cell]:
        """The chosen cells by the words for their choice: the paper's and, if finished, ours."""
        chosen = {"the paper": self.paper}
        if self.finished:
            chosen |= {"best": self.best, "one standard error": self.one_standard_error}
        return chosen

    @cached_property
    def accuracies(self) -> pd.DataFrame:
        """Accuracy outside after the last epoch: cells by fold, NaN where not trained yet."""
        return self._by_fold("validation_accuracy")

    @cached_property
    def cells(self) -> pd.DataFrame:
        """The cells in ascending order with accuracy and loss (nats) over the folds.

        Of each the mean, the standard deviation (`_deviation`) and the standard error of the mean
        (`_error`); NaN where a fold is missing, and where a loss was not a number.
        """
        columns = {}
        for name, by_fold in (
            ("accuracy", self.accuracies),
            ("loss", self._by_fold("validation_loss")),
        ):
            columns[name] = by_fold.mean(axis=1, skipna=False)
            columns[f"{name}_deviation"] = by_fold.std(axis=1, skipna=False)
            columns[f"{name}_error"] = by_fold.sem(axis=1, skipna=False)
        return pd.DataFrame(columns)

    def _by_fold(self, curve: str) -> pd.DataFrame:
        grid = pd.MultiIndex.from_tuples(
            sorted(self.settings.cells(self.model)), names=Cell._fields
        )
        frame = pd.DataFrame(index=grid, columns=range(self.settings.folds), dtype=float)
        for one in self.found.trainings if self.found else ():
            frame.loc[one.cell, one.fold] = getattr(one, curve)[-1]
        return frame

    @cached_property
    def best(self) -> Cell:
        """The most accurate cell; of equal ones that with the fewest hidden neurons."""
        rounded = self.cells.assign(accuracy=self.cells["accuracy"].round(9)).reset_index()
        order = rounded.sort_values(
            ["accuracy", "hidden_neurons", "learning_rate"], ascending=[False, True, True]
        )
        return _first(order)

    @cached_property
    def one_standard_error(self) -> Cell:
        """The cell with the fewest hidden neurons within one standard error of the best.

        Source: T. Hastie, R. Tibshirani, J. Friedman, The Elements of Statistical Learning, 2nd
        ed., Springer (2009), section 7.10.
        """
        near = self.cells[[self.within(Cell(*cell)) for cell in self.cells.index]].reset_index()
        return _first(
            near.sort_values(
                ["hidden_neurons", "accuracy", "learning_rate"], ascending=[True, False, True]
            )
        )

    def within(self, cell: Cell) -> bool:
        """Whether a cell is within one standard error of the best."""
        best = self.cells.loc[self.best]
        return (
            self.cells.loc[cell, "accuracy"] >= best["accuracy"] - best["accuracy_error"] - BORDER
        )

    @cached_property
    def difference(self) -> Interval:
        """The paper's accuracy less the best cell's, with its t interval over the same folds."""
        differences = self.accuracies.loc[self.paper] - self.accuracies.loc[self.best]
        return Interval(float(differences.mean()), *interval(differences.tolist()))

    @property
    def most_accurate_by_fold(self) -> list[bool]:
        """For each fold, whether no cell is more accurate in it than the paper's."""
        return (self.accuracies.loc[self.paper] >= self.accuracies.max() - BORDER).tolist()

    @cached_property
    def always(self) -> tuple[str, float]:
        """The most frequent emotion, and how accurate it is to give no other answer."""
        counts = np.array([fold.counts for fold in self.found.folds])
        emotion = int(counts.sum(axis=0).argmax())
        return EMOTIONS[emotion], float((counts[:, emotion] / counts.sum(axis=1)).mean())

    @property
    def of_one_answer(self) -> int:
        """How many networks gave all images outside the same answer."""
        return sum(max(one.answers) == sum(one.answers) for one in self.found.trainings)

    @cached_property
    def p_value(self) -> float:
        """Of no difference between the cells, by Friedman's test over the folds; 1 of all equal."""
        if np.ptp(self.accuracies.to_numpy(), axis=0).max() == 0:
            return 1.0
        return float(stats.friedmanchisquare(*self.accuracies.to_numpy()).pvalue)

    @property
    def above_chance(self) -> bool:
        """Whether the best cell is more than a standard error above always the same answer."""
        best = self.cells.loc[self.best]
        return bool(best["accuracy"] - best["accuracy_error"] > self.always[1] + BORDER)

    @property
    def tells_apart(self) -> bool:
        """Whether the cells differ by more than chance, and the best of them by merit."""
        return self.p_value < SIGNIFICANCE and self.above_chance


def _first(frame: pd.DataFrame) -> Cell:
    row = frame.iloc[0]
    return Cell(float(row["learning_rate"]), int(row["hidden_neurons"]))


def read(model: str) -> Selection:
    """What has been recorded of a model.

    Raises:
        ValueError: the settings or the result are damaged.
    """
    found = crossvalidation.read(model)
    return Selection(model, found.settings if found else crossvalidation.load(model), found)


def verdict(chosen: Selection, cell: Cell) -> Verdict:
    """Set two values of the paper against a cross-validation, by RULE."""
    if not chosen.finished or cell not in chosen.cells.index:
        return Verdict.NOT_TESTED
    if chosen.found.reduced:
        return Verdict.REDUCED
    if not chosen.tells_apart:
        return Verdict.UNDECIDED
    return Verdict.REPRODUCED if chosen.within(cell) else Verdict.NOT_REPRODUCED
