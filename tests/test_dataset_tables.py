"""What the dataset holds, as tables, on an examination made to order. Needs no dataset."""

from synthetic import PUBLISHED

from ferutils.dataset.fer2013 import EMOTIONS, SPLITS
from ferutils.measuring.examining import METHOD
from ferutils.records.examination import Alike, Examination, Planted
from ferutils.report import dataset_tables, prose

NONE = [0] * 7
ANGRY, SAD = EMOTIONS.index("angry"), EMOTIONS.index("sad")


def alike(images_in_training, contradicting):
    """Groups of which so many images of PrivateTest, all sad, stand in Training too."""
    sad = [images_in_training if label == SAD else 0 for label in range(7)]
    groups = [list(NONE) for _ in range(7)]
    groups[ANGRY][SAD] = contradicting
    images = {one: dict.fromkeys(SPLITS, NONE) for one in SPLITS}
    images["PrivateTest"] = images["PrivateTest"] | {"Training": sad}
    return Alike(
        sizes={2: 3, 4: 1},
        images=images,
        pairs={},
        groups=groups,
        contradicting_groups=contradicting,
        contradicting_images=2 * contradicting,
    )


FOUND = Examination(
    fingerprints=PUBLISHED.fingerprints,
    images={split: sum(PUBLISHED.counts[split]) for split in SPLITS},
    copies_within={"Training": 12, "PublicTest": 1, "PrivateTest": 2},
    copies_in_all=15,
    in_training={"PublicTest": [4], "PrivateTest": [0, 7]},
    contradicting_pictures=3,
    contradicting_images=6,
    blank={"Training": [5], "PublicTest": [], "PrivateTest": []},
    exact=alike(2, 3),
    near=alike(6, 5),
    near_in_training={"PublicTest": [4, 5], "PrivateTest": [0, 1, 2, 7, 8, 9]},
    candidates=1234,
    linked=56,
    linked_mirrored=7,
    unlike_faces={"Training": [1, 2], "PublicTest": [], "PrivateTest": [3]},
    method=METHOD,
    planted=Planted(pictures=8, among=50, found={"mirrored": 8, "rotated": 3}),
)


def test_copies_and_photographs_in_training_are_counted_by_split():
    rows = dataset_tables.copies(FOUND).set_index("Split")
    assert rows.loc["PrivateTest"].tolist() == ["3,589", "2", "2", "6", "0", "1"]
    assert rows.loc["Training", "Copies of one in Training"] == "–"
    assert rows.loc["Training", "Blank"] == "1"


def test_images_in_another_split_are_told_exact_and_near():
    rows = dataset_tables.across(FOUND).set_index("Images of")
    assert rows.loc["PrivateTest", "that stand in Training too"] == "2 / 6"
    assert rows.loc["PublicTest", "that stand in Training too"] == "0 / 0"


def test_the_leak_is_told_by_emotion_as_a_share_of_its_images():
    rows = dataset_tables.leaked_by_emotion(FOUND, PUBLISHED.counts).set_index("Emotion")
    sad = PUBLISHED.counts["PrivateTest"][SAD]
    shares = [f"{100 * images / sad:.1f}\u00a0%" for images in (2, 6)]
    assert rows.loc["sad", "PrivateTest"] == " / ".join(shares)
    assert rows.loc["happy", "PrivateTest"] == "0.0\u00a0% / 0.0\u00a0%"


def test_planted_copies_are_told_by_kind_as_the_share_that_is_found():
    rows = dataset_tables.planted(FOUND).set_index("Near copy")["Found"]
    assert rows.to_dict() == {"mirrored": "100\u00a0%", "rotated": "38\u00a0%"}


def test_contradicting_labels_are_counted_for_each_two_emotions():
    pairs = dataset_tables.contradictions(FOUND).set_index(["label", "other_label"])
    assert len(pairs) == 21 and pairs.sum().tolist() == [5, 3]
    assert pairs.loc[("sad", "angry")].tolist() == [5, 3]


def test_the_sentences_on_copies_name_counts_and_method_of_the_record():
    text = prose.copies(FOUND).data
    for words in ("15 equal", "4 photographs", "(10 files)", "1,234 pairs", "7 of them mirrored"):
        assert words in text
    assert f"above {METHOD['same_photograph']:g}" in text
    other = FOUND.model_copy(update={"method": METHOD | {"same_photograph": 0.5}})
    assert "above 0.5 they are" in prose.copies(other).data
