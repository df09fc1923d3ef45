"""Probed networks -> pandas frames: how steady they are, how large their weights, where they look.

Reads what it is given; writes nothing.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from ferutils.claims import metrics
from ferutils.dataset.fer2013 import EMOTIONS
from ferutils.records import probes
from ferutils.records.keeping import HELD_OUT
from ferutils.records.probes import CHANGES, Change, Changed, Probe, Probed, Steadiness
from ferutils.records.runs import Predictions
from ferutils.records.study import Study
from ferutils.report.tables import listed, network, percent, spread

# Parts of a face, as rows and columns of pixels from, to (excluded): where FER-2013, whose faces
# were centred by machine, has them on the mean of its images.
REGIONS = {
    "brows": ((9, 15), (8, 40)),
    "eyes": ((15, 22), (8, 40)),
    "nose": ((22, 34), (17, 31)),
    "mouth": ((34, 44), (12, 36)),
}
ELSEWHERE = "elsewhere"
# Where the muscles move that define an emotion.
# Source: W. Friesen and P. Ekman, "EMFACS-7: Emotional Facial Action Coding System" (1983).
MOVES = {
    "angry": ("brows", "eyes", "mouth"),
    "disgust": ("nose", "mouth"),
    "fear": ("brows", "eyes", "mouth"),
    "happy": ("eyes", "mouth"),
    "sad": ("brows", "mouth"),
    "surprise": ("brows", "eyes", "mouth"),
    "neutral": (),
}
# Of the frame of each change, and of each kernel.
STEPS = ["network", "seed", "kind", "unit", "step", "strength", "split", "faces"]
STEPS += ["accuracy_share", "changed_share"]
KERNELS = ["network", "seed", "layer", "number", "depth", "norm_start", "norm_end"]
KERNELS += ["spectral_norm", "largest", "changed_share", "size"]


def by_network(probed: Sequence[Probed]) -> dict[str, list[Probe]]:
    """The probes of each network, in the order of seeds."""
    found: dict[str, list[Probe]] = {}
    for one in probed:
        found.setdefault(one.record.recipe.variant, []).append(one.probe)
    return found


def steps(probed: Sequence[Probed]) -> pd.DataFrame:
    """The accuracy after each change, as numbers, for `probe_figures.steadiness`.

    Columns: network, seed, kind, unit, step (0: unchanged, then 1 the weakest), strength, split,
    faces ("new" or "all"), accuracy_share, changed_share (of the answers to all faces).
    """
    rows = [
        {"network": record.recipe.variant, "seed": record.recipe.seed} | one
        for record, probe in probed
        for one in steps_of(probe, CHANGES)
    ]
    return pd.DataFrame(rows, columns=STEPS)


def steps_of(steady: Steadiness, changes: Mapping[str, Change]) -> Iterator[dict]:
    """The rows of one network in `steps`, without its name and seed."""
    for kind, (unit, strengths) in changes.items():
        found = [None, *(one for one in steady.changed if one.kind == kind)]
        for step, change in enumerate(found):
            of_step = {"kind": kind, "unit": unit, "step": step}
            of_step["strength"] = strengths[step - 1] if step else float("nan")
            yield from (of_step | one for one in _of_each_split(steady, change))


def _of_each_split(steady: Steadiness, change: Changed | None) -> list[dict]:
    return [
        {
            "split": split,
            "faces": faces,
            "accuracy_share": steady.accuracy(split, change, faces == "new"),
            "changed_share": _turned(change, split),
        }
        for split in HELD_OUT
        for faces in ("new", "all")
    ]


def _turned(change: Changed | None, split: str) -> float:
    return change.splits[split].changed / change.splits[split].images if change else 0.0


def steadiness(probed: Sequence[Probed]) -> pd.DataFrame:
    """What each change costs each network, as `costs` tells it.

    Columns: Change, Strength, then one per network.
    """
    return costs(by_network(probed), CHANGES)


def costs(
    networks: Mapping[str, Sequence[Steadiness]], changes: Mapping[str, Change]
) -> pd.DataFrame:
    """What each change costs each network.

    Accuracy that is lost on new faces, in points, on PublicTest and PrivateTest, then the share of
    all answers that turned into others; means over runs, "open" where there is none.

    Columns: Change, Strength, then one per network.
    """
    rows = []
    for kind, strength in probes.each(changes):
        row = {"Change": f"{kind} ({changes[kind].unit})", "Strength": f"{strength:g}"}
        for shown, some in networks.items():
            row[shown] = _cost(some, kind, strength) if some else "open"
        rows.append(row)
    return pd.DataFrame(rows)


def _cost(some: Sequence[Steadiness], kind: str, strength: float) -> str:
    lost, turned = cost(some, kind, strength)
    told = " / ".join(f"{100 * one:z.1f}" for one in lost).replace("-", "−")
    return f"{told}; {percent(turned)}"


def cost(some: Sequence[Steadiness], kind: str, strength: float) -> tuple[list[float], float]:
    """What a change costs, as means over networks: shares in [0, 1].

    Returns:
        The accuracy that is lost on new faces of each held-out split; the answers that changed.
    """
    at = [
        (one, next(c for c in one.changed if (c.kind, c.strength) == (kind, strength)))
        for one in some
    ]
    lost = [
        float(np.mean([one.accuracy(split) - one.accuracy(split, change) for one, change in at]))
        for split in HELD_OUT
    ]
    return lost, float(np.mean([one.flips(change) for one, change in at]))


def weights(probed: Sequence[Probed]) -> pd.DataFrame:
    """How large the kernels of each network are, and how unsteady it is; means over runs.

    Columns: Network; Runs; Weights in kernels; Norm before training; Norm after; Largest weight;
    Answers changed by the weakest changes.
    """
    return pd.DataFrame(
        [
            {
                "Network": shown,
                "Runs": str(len(some)),
                "Weights in kernels": f"{sum(one.values for one in some[0].weights):,}",
                "Norm before training": spread([_norm(one, "start") for one in some], _short),
                "Norm after": spread([_norm(one, "end") for one in some], _short),
                "Largest weight": spread([_largest(one) for one in some], "{:.2f}".format),
                "Answers changed by the weakest changes": spread(
                    [one.unsteadiness for one in some], percent
                ),
            }
            for shown, some in by_network(probed).items()
        ]
    )


_short = "{:.1f}".format


def _norm(probe: Probe, at: str) -> float:
    return float(np.linalg.norm([getattr(one, at) for one in probe.weights]))


def _largest(probe: Probe) -> float:
    return max(one.largest for one in probe.weights)


def layers(probed: Sequence[Probed]) -> pd.DataFrame:
    """The kernel of each layer as numbers, for `probe_figures.weights`.

    Columns: network, seed, layer, number (from 1), depth (0 the first, 1 the last), norm_start,
    norm_end, spectral_norm, largest; of the run changed_share (by the weakest changes) and size
    (root mean square of all kernels).
    """
    rows = []
    for record, probe in probed:
        last = len(probe.weights) - 1
        for place, one in enumerate(probe.weights):
            rows.append(
                {
                    "network": record.recipe.variant,
                    "seed": record.recipe.seed,
                    "layer": one.layer,
                    "number": place + 1,
                    "depth": place / last,
                    "norm_start": one.start,
                    "norm_end": one.end,
                    "spectral_norm": one.spectral,
                    "largest": one.largest,
                    "changed_share": probe.unsteadiness,
                    "size": probe.weight_size,
                }
            )
    return pd.DataFrame(rows, columns=KERNELS)


def looked_at(probe: Probe, emotion: str) -> dict[str, float]:
    """How much more a part of the face decides than its area would; 1: no more.

    The part's share of the drops of probability in the occlusion map over its share of the
    places of the square; a place belongs to the part that holds the square's centre. Places whose
    cover raises the probability count nothing.

    Returns:
        By REGIONS and ELSEWHERE; NaN where no place lowers the probability.
    """
    drops = np.clip(probe.attention[emotion].occlusion, 0, None)
    parts = _parts(probe)
    with np.errstate(invalid="ignore"):
        return {
            name: float(drops[parts == name].sum() / drops.sum() / (parts == name).mean())
            for name in (*REGIONS, ELSEWHERE)
        }


def _parts(probe: Probe) -> np.ndarray:
    """The part of the face that each place of the square belongs to."""
    places = np.array(probes.places(probe.square, probe.step)) + probe.square // 2
    rows, columns = np.meshgrid(places, places, indexing="ij")
    found = np.full(rows.shape, ELSEWHERE, dtype=object)
    for name, ((top, bottom), (left, right)) in REGIONS.items():
        inside = (rows >= top) & (rows < bottom) & (columns >= left) & (columns < right)
        found[inside] = name
    return found


def parts(probed: Sequence[Probed]) -> pd.DataFrame:
    """Which part of the face decides each emotion: times its share by area, mean over runs.

    Columns: Network; Emotion; brows; eyes; nose; mouth; elsewhere; Its muscles move.
    """
    rows = []
    for shown, some in by_network(probed).items():
        for emotion in EMOTIONS:
            found = pd.DataFrame([looked_at(one, emotion) for one in some]).mean()
            told = {part: _times(part, value, found) for part, value in found.items()}
            moves = listed(MOVES[emotion]) if MOVES[emotion] else "–"
            rows.append({"Network": shown, "Emotion": emotion} | told | {"Its muscles move": moves})
    return pd.DataFrame(rows)


def _times(part: str, value: float, every: pd.Series) -> str:
    text = f"{value:.1f} ×"
    return f"**{text}**" if part == every.idxmax() else text


SURE = 0.9  # confidence of a mistake that counts as confident
WORST = 3  # pairs of emotions that are shown


def mistakes(found: Study) -> pd.DataFrame:
    """What the networks take for what, and how sure they are of it; all runs, both splits.

    Columns: Network; Runs; Mistakes with 90 % confidence or more; Most confused, share of the
    emotion; Most confused with confidence, share of such mistakes.
    """
    rows = []
    for records in filter(None, found.by_model.values()):
        answers = [one for record in records for one in record.predictions.values()]
        every = Predictions(
            np.concatenate([one.labels for one in answers]),
            np.concatenate([one.log_probabilities for one in answers]),
        )
        wrong = every.predicted != every.labels
        sure = every.log_probabilities.max(axis=1) >= np.log(SURE)
        confused, surely = (_confused(every, which) for which in (wrong, wrong & sure))
        of_emotion = confused / np.bincount(every.labels, minlength=len(EMOTIONS))[:, None]
        of_sure = surely / max(surely.sum(), 1)
        rows.append(
            {
                "Network": network(records[0]),
                "Runs": str(len(records)),
                f"Mistakes with {percent(SURE, 0)} confidence or more": percent(sure[wrong].mean()),
                "Most confused, share of the emotion": _worst(of_emotion),
                "Most confused with confidence, share of such mistakes": _worst(of_sure),
            }
        )
    return pd.DataFrame(rows)


def _confused(every: Predictions, which: np.ndarray) -> np.ndarray:
    """Some of the images by true emotion (rows) and answer (columns)."""
    return metrics.confusion(metrics.apart(every, np.flatnonzero(which))[0]).to_numpy()


def _worst(shares: np.ndarray) -> str:
    places = zip(*np.unravel_index(np.argsort(-shares, axis=None)[:WORST], shares.shape))
    return "; ".join(f"{EMOTIONS[t]} → {EMOTIONS[a]} {percent(shares[t, a], 0)}" for t, a in places)
