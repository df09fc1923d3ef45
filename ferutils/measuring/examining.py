"""Dataset -> what it holds besides different faces: copies, contradictions, pictures of no face."""

from itertools import combinations_with_replacement

import numpy as np
import pandas as pd
from scipy import fft, ndimage, sparse, stats

from ferutils.dataset.fer2013 import EMOTIONS, IMAGE_SIZE, SPLITS, Dataset
from ferutils.measuring import planting
from ferutils.records.examination import Alike, Examination, Planted

# Grey levels: below this standard deviation over its pixels a picture shows nothing.
BLANK_DEVIATION = 2
# Bits: photographs use many grey levels. Nearly all pictures below are notices in place of a
# photograph (text on white, a warning sign); above, drawn and very dark faces set in.
PLACEHOLDER_ENTROPY = 4.4

# First comparison, of all pairs of pictures, by coarse descriptions of square windows. The centre
# of each picture is compared with these windows of every other: at the same size also moved, by
# half of the eight directions since every pair is compared both ways, and smaller, so that other
# crops of a photograph are met: (top, left, side) in pixels.
CENTRE = (3, 3, 42)
MOVED = ((0, 0, 42), (0, 3, 42), (0, 6, 42), (3, 0, 42))
SMALLER = tuple((top, left, 36) for top in (2, 6, 10) for left in (2, 6, 10))
# Of the cosine transform, along both sides: as many as tell faces apart and outlast a small shift.
FREQUENCIES = 8
# A step of 0.02 further down doubles the work of the second comparison and adds few links.
CANDIDATE_COSINE = 0.72

# Second comparison, of the candidates, at full resolution. Detail between these two widths of a
# Gaussian blur, in pixels: noise of compression is finer, light and shade are coarser.
FINE, BROAD = 0.7, 6.0
REACH = 6  # pixels of shift, each way; the inner square of the second picture is searched for
ZOOMS = (0.9, 0.95, 1.0, 1.05, 1.1)  # times the ratio of the windows' sides
# Grey levels: detail that deviates less counts as if it deviated so much, so that flat regions do
# not correlate by their noise.
LEAST_DETAIL = 1.0
# Of pairs looked at, those above are of one photograph; below, look-alikes set in, and matches with
# a mirrored face, which are mostly chance, come to be as many as matches with the face as it is.
SAME_PHOTOGRAPH = 0.92

# Near copies of so many pictures of Training are planted among so many, to see how many are found.
PLANTED, AMONG = 200, 2000

BLOCK = 1024  # pictures, or pairs of them, at once: memory only
METHOD = {
    "blank_deviation": BLANK_DEVIATION,
    "placeholder_entropy": PLACEHOLDER_ENTROPY,
    "centre_window": CENTRE[2],
    "smaller_window": SMALLER[0][2],
    "windows": 1 + len(MOVED) + len(SMALLER),
    "frequencies": FREQUENCIES,
    "candidate_cosine": CANDIDATE_COSINE,
    "fine_blur": FINE,
    "broad_blur": BROAD,
    "reach": REACH,
    "least_zoom": min(ZOOMS),
    "greatest_zoom": max(ZOOMS),
    "least_detail": LEAST_DETAIL,
    "same_photograph": SAME_PHOTOGRAPH,
}


def examine(dataset: Dataset) -> Examination:
    """Look for copies, near copies, contradicting labels, blank pictures and pictures of no face.

    Two images are copies where all their pixels are equal, whatever their labels; `links` says
    what near copies are. The real dataset takes minutes and 2 GB of memory.
    """
    images, labels, splits = _joined(dataset)
    copies = _copies(images)
    compared = _compared(images, copies)
    linked = _linked(compared)
    near = _connected(copies, linked)
    exact = _alike(copies, splits, labels)
    training = splits == 0
    return Examination(
        fingerprints=dataset.fingerprints,
        images={name: int((splits == k).sum()) for k, name in enumerate(SPLITS)},
        copies_within={name: _repeated(copies[splits == k]) for k, name in enumerate(SPLITS)},
        copies_in_all=_repeated(copies),
        in_training=_positions(np.isin(copies, copies[training]), splits, SPLITS[1:]),
        contradicting_pictures=exact.contradicting_groups,
        contradicting_images=exact.contradicting_images,
        blank=_positions(blank(images), splits),
        exact=exact,
        near=_alike(near, splits, labels),
        near_in_training=_positions(np.isin(near, near[training]), splits, SPLITS[1:]),
        candidates=len(compared),
        linked=len(linked),
        linked_mirrored=int(linked["mirrored"].sum()),
        unlike_faces=_positions(np.isin(near, near[placeholders(images)]), splits),
        method=METHOD,
    )


def planted(dataset: Dataset) -> Planted:
    """Plant near copies of pictures of Training, and count those that `links` joins to theirs."""
    images = np.unique(dataset.splits["Training"].images, axis=0)
    random = np.random.default_rng(0)
    pictures = random.permutation(images[~blank(images)])[:AMONG]
    copies = planting.near_copies(pictures[:PLANTED])
    found = links(np.concatenate([pictures, *copies]))
    kind, original = np.divmod(found["second"] - len(pictures), copies.shape[1])
    own = kind[(kind >= 0) & (original == found["first"])]
    return Planted(
        pictures=copies.shape[1],
        among=len(pictures),
        found={name: int((own == number).sum()) for number, name in enumerate(planting.CHANGES)},
    )


def components(images: np.ndarray) -> np.ndarray:
    """Which images are of one photograph: groups to keep on one side of a cross-validation.

    Images are in one group where they are copies, where `links` joins their pictures, or where a
    chain of both leads from one to the other: the connected components of a graph.

    Args:
        images: uint8 (n, 48, 48), 0..255.

    Returns:
        int (n,): the number of its group for each image.
    """
    copies = _copies(images)
    return _connected(copies, _linked(_compared(images, copies)))


def blank(images: np.ndarray) -> np.ndarray:
    """Which images show nothing: their grey levels deviate less than `BLANK_DEVIATION`.

    Args:
        images: uint8 (n, 48, 48), 0..255.

    Returns:
        bool (n,).
    """
    return images.reshape(len(images), -1).std(axis=1) < BLANK_DEVIATION


def placeholders(images: np.ndarray) -> np.ndarray:
    """Which images are notices, signs or flat graphics by their entropy, though not blank.

    The Shannon entropy of the distribution of an image's pixels over the 256 grey levels is below
    `PLACEHOLDER_ENTROPY`. A photograph of something else than a face has as much entropy as a
    face, and is not found.

    Args:
        images: uint8 (n, 48, 48), 0..255.

    Returns:
        bool (n,).

    Source: C. E. Shannon, "A Mathematical Theory of Communication", Bell System Technical Journal
    27 (1948).
    """
    flat = images.reshape(len(images), -1)
    levels = np.stack([np.bincount(image, minlength=256) for image in flat])
    return (stats.entropy(levels, base=2, axis=1) < PLACEHOLDER_ENTROPY) & ~blank(images)


def links(pictures: np.ndarray) -> pd.DataFrame:
    """Pairs of pictures that are of one photograph, in two comparisons.

    The first compares all pairs by low frequencies of the cosine transform of windows, each
    standardised over all pictures: what is common to all faces drops out. The second searches for
    the inner part of one image in the other, over shifts and zooms, by normalised correlation of
    their detail. Both also compare with the mirrored picture. Light, contrast, noise, compression,
    faint marks, and crops that differ by a few pixels or by up to a fourth in size are tolerated;
    rotation and crops that differ more are not, nor are all captions.

    Args:
        pictures: uint8 (n, 48, 48), 0..255, all different and none blank.

    Returns:
        One row for each pair: its numbers `first` and `second` below n, `mirrored`, and the best
        `correlation`, -1..1, above `SAME_PHOTOGRAPH`.

    Source: the coarse description follows C. Zauner, "Implementation and Benchmarking of
    Perceptual Image Hash Functions", Hagenberg (2010); the correlation is that of J. P. Lewis,
    "Fast Normalized Cross-Correlation", Industrial Light & Magic (1995).
    """
    return _linked(_correlated(pictures, _candidates(pictures)))


# Groups of images, and what they have in common


def _joined(dataset):
    """Images, labels and numbers of the splits, of all splits one after the other."""
    parts = [dataset.splits[name] for name in SPLITS]
    images = np.concatenate([part.images for part in parts])
    labels = np.concatenate([part.labels for part in parts])
    return images, labels, np.repeat(range(len(SPLITS)), [len(part.labels) for part in parts])


def _copies(images):
    """The number of its picture for each image; equal images have the same number."""
    return pd.factorize(np.array([image.tobytes() for image in images], dtype=object))[0]


def _repeated(groups):
    return len(groups) - len(np.unique(groups))


def _positions(chosen, splits, names=SPLITS):
    return {name: np.flatnonzero(chosen[splits == SPLITS.index(name)]).tolist() for name in names}


def _compared(images, copies):
    """The candidates among the pictures, numbered as `_copies` numbers them."""
    _, first = np.unique(copies, return_index=True)
    seen = first[~blank(images[first])]
    found = _correlated(images[seen], _candidates(images[seen]))
    return found.assign(first=copies[seen[found["first"]]], second=copies[seen[found["second"]]])


def _connected(copies, linked):
    """The number of its group for each image, given the links between pictures."""
    count = copies.max() + 1
    edges = sparse.coo_array(
        (np.ones(len(linked)), (linked["first"], linked["second"])), shape=(count, count)
    )
    return sparse.csgraph.connected_components(edges, directed=False)[1][copies]


def _alike(groups, splits, labels):
    counts = np.zeros((groups.max() + 1, len(SPLITS), len(EMOTIONS)), int)
    np.add.at(counts, (groups, splits, labels), 1)
    counts = counts[counts.sum(axis=(1, 2)) > 1]
    images, by_split = counts.sum(axis=(1, 2)), counts.sum(axis=2)
    present = (counts.sum(axis=1) > 0).astype(int)
    several = present.sum(axis=1) > 1
    both = np.triu(present.T @ present, 1) + np.diag(present[~several].sum(axis=0))
    pairs = {name: {} for name in SPLITS}
    for a, b in combinations_with_replacement(range(len(SPLITS)), 2):
        pairs[SPLITS[a]][SPLITS[b]] = _pairs(counts[:, a], counts[:, b], a == b).tolist()
    return Alike(
        sizes=dict(zip(*(part.tolist() for part in np.unique(images, return_counts=True)))),
        images={
            name: {
                other: counts[by_split[:, b] > (a == b), a].sum(axis=0).tolist()
                for b, other in enumerate(SPLITS)
            }
            for a, name in enumerate(SPLITS)
        },
        pairs=pairs,
        groups=both.tolist(),
        contradicting_groups=int(several.sum()),
        contradicting_images=int(images[several].sum()),
    )


def _pairs(some, others, same):
    """Unordered pairs of images in one group by labels, from counts (groups, 7) of two splits.

    Where both are the same split, an image makes no pair with itself, and pairs count once.
    """
    ordered = some.T @ others
    if same:
        alone = np.diag(some.sum(axis=0))
        return np.triu(ordered, 1) + np.diag(np.diag(ordered - alone) // 2)
    return np.triu(ordered + ordered.T, 1) + np.diag(np.diag(ordered))


# The first comparison: all pairs, coarsely


def _candidates(pictures):
    """Pairs worth a closer look: first, second, mirrored, and how far to enlarge the first."""
    centre = _coarse(pictures, CENTRE)
    mirror = (-1.0) ** np.arange(FREQUENCIES)  # mirrors a picture, frequency by frequency
    targets = [_directions(centre), _directions(centre * mirror)]
    found = []
    for window in (CENTRE, *MOVED, *SMALLER):
        described = _directions(_coarse(pictures, window))
        for mirrored, target in enumerate(targets):
            first, second = _similar(described, target)
            enlarged = CENTRE[2] / window[2]
            if enlarged == 1:  # the order is then of no account
                first, second = np.minimum(first, second), np.maximum(first, second)
            columns = {"first": first, "second": second, "mirrored": bool(mirrored)}
            found.append(pd.DataFrame(columns | {"enlarged": enlarged}))
    pairs = pd.concat(found, ignore_index=True)
    return pairs[pairs["first"] != pairs["second"]].drop_duplicates(ignore_index=True)


def _coarse(pictures, window):
    """Low frequencies of a window of each picture: float (n, 8, 8)."""
    top, left, side = window
    inner = pictures[:, top : top + side, left : left + side].astype(np.float32)
    coefficients = fft.dctn(inner, axes=(1, 2), norm="ortho")
    coefficients[:, 0, 0] = 0  # the brightness; what remains is divided by the contrast
    contrast = np.maximum(np.linalg.norm(coefficients, axis=(1, 2)), LEAST_DETAIL * side)
    return coefficients[:, :FREQUENCIES, :FREQUENCIES] / contrast[:, None, None]


def _directions(coefficients):
    """Each coefficient standardised over all pictures, each picture to length 1: float (n, 64)."""
    flat = coefficients.reshape(len(coefficients), -1)
    spread = flat.std(axis=0)
    standard = (flat - flat.mean(axis=0)) / np.where(spread > 0, spread, 1)
    length = np.linalg.norm(standard, axis=1, keepdims=True)
    return (standard / np.where(length > 0, length, 1)).astype(np.float32)


def _similar(some, others):
    """Numbers of the pairs whose directions have at least the cosine of a candidate."""
    found = []
    for start in range(0, len(some), BLOCK):
        cosines = some[start : start + BLOCK] @ others.T
        found.append(np.flatnonzero(cosines > CANDIDATE_COSINE) + start * len(others))
    return np.divmod(np.concatenate(found), len(others))


# The second comparison: candidates, at full resolution


def _linked(candidates):
    """Candidates of one photograph, each pair once, as it is or mirrored, whichever fits better."""
    found = candidates[candidates["correlation"] > SAME_PHOTOGRAPH]
    low, high = found[["first", "second"]].min(axis=1), found[["first", "second"]].max(axis=1)
    found = found.assign(first=low, second=high).sort_values("correlation", ascending=False)
    found = found.drop_duplicates(["first", "second"]).sort_values(["first", "second"])
    return found[["first", "second", "mirrored", "correlation"]].reset_index(drop=True)


def _correlated(pictures, candidates):
    """The candidates with their best correlation over shifts and zooms."""
    grey = pictures.astype(np.float32)
    detail = _blurred(grey, FINE) - _blurred(grey, BROAD)
    correlation = np.zeros(len(candidates), np.float32)
    for enlarged, pairs in candidates.groupby("enlarged"):
        for start in range(0, len(pairs), BLOCK):
            block = pairs.iloc[start : start + BLOCK]
            first, second = detail[block["first"]], detail[block["second"]]
            mirrored = block["mirrored"].to_numpy()[:, None, None]
            second = np.where(mirrored, second[:, :, ::-1], second)
            correlation[block.index] = _best(first, second, enlarged)
    return candidates.assign(correlation=correlation)


def _best(first, second, enlarged):
    """The best correlation near a ratio of sizes, by which the first is to be enlarged."""
    ratios = [enlarged * zoom for zoom in ZOOMS]
    found = [_over_shifts(_zoomed(first, r), _zoomed(second, 1 / r)) for r in ratios]
    return np.max(found, axis=0)


def _blurred(images, width):
    return ndimage.gaussian_filter(images, (0, width, width))


def _zoomed(images, zoom):
    """The centre of each image enlarged to its full size, linearly; as it is for a zoom below 1."""
    if zoom <= 1:
        return images
    middle = (IMAGE_SIZE - 1) / 2
    places = np.arange(IMAGE_SIZE)
    at = (places - middle) / zoom + middle
    weights = np.clip(1 - np.abs(at[:, None] - places), 0, None).astype(np.float32)
    return weights @ images @ weights.T


def _over_shifts(first, second):
    """The best normalised correlation of the inner part of the second in the first: float (n,)."""
    side = IMAGE_SIZE - 2 * REACH
    inner = second[:, REACH:-REACH, REACH:-REACH]
    inner = inner - inner.mean(axis=(1, 2), keepdims=True)
    length = np.linalg.norm(inner, axis=(1, 2))
    shape = (IMAGE_SIZE, IMAGE_SIZE)
    spectrum = fft.rfft2(first) * fft.rfft2(inner, shape).conj()
    products = fft.irfft2(spectrum, shape)[:, : 2 * REACH + 1, : 2 * REACH + 1]
    variation = _sums(first**2, side) - _sums(first, side) ** 2 / side**2
    least = LEAST_DETAIL * side
    lengths = np.sqrt(np.maximum(variation, least**2)) * np.maximum(length, least)[:, None, None]
    return (products / lengths).max(axis=(1, 2))


def _sums(images, side):
    """Sums over every square of a given side: float (n, 49 - side, 49 - side)."""
    total = np.pad(images.cumsum(axis=1, dtype=float).cumsum(axis=2), ((0, 0), (1, 0), (1, 0)))
    upper, lower = total[:, :-side], total[:, side:]
    return lower[:, :, side:] - lower[:, :, :-side] - upper[:, :, side:] + upper[:, :, :-side]
