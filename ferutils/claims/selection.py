"""What a cross-validation says: the best choice, the one-standard-error choice, the paper's.

Reads recorded cross-validations; writes nothing.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy import stats

from ferutils.claims.metrics import Interval
from ferutils.claims.paper import ALPHA, BORDER, Verdict, interval
from ferutils.dataset.fer2013 import EMOTIONS
from ferutils.records import crossvalidation
from ferutils.records.crossvalidation import Cell, CrossValidation, Settings


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

    def within(self, cell: Cell, of: Cell | None = None) -> bool:
        """Whether a cell is within one standard error of another, by default of the best."""
        best = self.cells.loc[of or self.best]
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
        """How many networks gave all held-out images the same answer."""
        return sum(max(one.answers) == sum(one.answers) for one in self.found.trainings)

    def along(self, factor: str) -> list[Cell]:
        """The cells that have the paper's value of the other factor, the most accurate one first.

        Args:
            factor: "learning_rate" or "hidden_neurons".
        """
        fixed = self.paper._replace(**{factor: 0})
        cells = [Cell(*cell) for cell in self.cells.index]
        line = [cell for cell in cells if cell._replace(**{factor: 0}) == fixed]
        return sorted(line, key=lambda cell: -self.cells.loc[cell, "accuracy"])

    def p_value(self, factor: str) -> float:
        """Of no difference between the cells `along` a factor, by Friedman's test over the folds.

        1 of all equal, and of fewer than three values.
        """
        by_fold = self.accuracies.loc[self.along(factor)].to_numpy()
        if len(by_fold) < 3 or np.ptp(by_fold, axis=0).max() == 0:
            return 1.0
        return float(stats.friedmanchisquare(*by_fold).pvalue)

    @property
    def measures(self) -> bool:
        """Whether it is finished, and its best cell a standard error above always one answer."""
        if not self.finished:
            return False
        best = self.cells.loc[self.best]
        return bool(best["accuracy"] - best["accuracy_error"] > self.always[1] + BORDER)


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


def verdict(chosen: Selection, factor: str, value: float) -> Verdict:
    """Set a value of the paper against a cross-validation, by the rule of book/paper.yml.

    Args:
        chosen: the cross-validation.
        factor: "learning_rate" or "hidden_neurons".
        value: the paper's.
    """
    cell = chosen.paper._replace(**{factor: value})
    if not chosen.finished or chosen.found.reduced or cell not in chosen.cells.index:
        return Verdict.NOT_TESTED
    if not chosen.measures or chosen.p_value(factor) >= ALPHA:
        return Verdict.UNDECIDED
    within = chosen.within(cell, of=chosen.along(factor)[0])
    return Verdict.REPRODUCED if within else Verdict.NOT_REPRODUCED
