"""FER+, the votes of ten people on each image: read, joined, counted, shown. Invented votes."""

import json
import re
import zipfile

import numpy as np
import pytest
from click.testing import CliRunner
from helpers import EXPLAINED, fabricated, reseal, small_recipe
from synthetic import parsed, study

from audit import crowd as audit
from audit.__main__ import compare
from ferutils import cli, paths
from ferutils.dataset import crowd, fer2013, reading
from ferutils.measuring import crowd as measuring
from ferutils.records import crowd as records
from ferutils.records import runs
from ferutils.records.crowd import Labels, Mistakes
from ferutils.report import crowd_tables

HEAD = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
# By label: where its votes stand among those of a row of the file.
PLACE = (4, 5, 6, 1, 3, 2, 0)
SIZES = {"Training": 3, "PublicTest": 2, "PrivateTest": 1}  # images of each emotion


@pytest.fixture
def drawn(monkeypatch):
    """(split, label, image) row by row, in an order of their own, as the published dataset."""
    random, every = np.random.RandomState(0), []
    for split, size in SIZES.items():
        labels = random.permutation(np.repeat(np.arange(7), size))
        every += [(split, int(one), random.randint(0, 256, (48, 48), np.uint8)) for one in labels]
    split, label, image = every[0]
    other = next(n for n, one in enumerate(every[1:], 1) if one[:2] == (split, label))
    every[other] = (split, label, image)  # a copy, label and all
    dataset = reading.make_dataset("drawn", arrays(every))
    published = {
        split: {"counts": dataset.counts()[split], "fingerprint": dataset.fingerprints[split]}
        for split in fer2013.SPLITS
    }
    monkeypatch.setattr(fer2013, "FER2013", published)
    return every


def arrays(every):
    found = {}
    for split in fer2013.SPLITS:
        own = [one for one in every if one[0] == split]
        found[split] = np.stack([one[2] for one in own]), np.array([one[1] for one in own])
    return found


def fer2013_csv(folder, every):
    lines = [
        f"{label},{' '.join(map(str, image.ravel()))},{split}" for split, label, image in every
    ]
    (folder / "fer2013.csv").write_text("\n".join(["emotion,pixels,Usage", *lines, ""]))
    return str(folder / "fer2013.csv")


def voted(every):
    """A row of votes for each image: its label has as many as the row's number allows, from 6."""
    rows = []
    for number, (split, label, _) in enumerate(every):
        votes = [0] * 10
        votes[PLACE[label]] = 6 + number % 4
        votes[8] = 4 - number % 4  # unknown
        rows.append([split, f"fer{number:07}.png" if number % 5 else "", *votes])
    return rows


def ferplus_csv(folder, rows, head=HEAD):
    file = folder / "fer2013new.csv"
    file.write_text("\n".join([head, *(",".join(map(str, row)) for row in rows), ""]))
    return str(file)


# ---- read and joined ----------------------------------------------------------------------------


def test_votes_come_into_the_order_of_the_dataset(drawn, tmp_path):
    found = crowd.load(fer2013_csv(tmp_path, drawn), ferplus_csv(tmp_path, voted(drawn)))
    assert found.kappa == 1
    for split, images in found.dataset.splits.items():
        votes = found.votes[split]
        assert votes.shape == (7 * SIZES[split], 10)
        assert (votes.argmax(axis=1) == images.labels).all()
        for image, label, row in zip(images.images, images.labels, votes):
            known = [
                6 + n % 4 for n, one in enumerate(drawn) if one[2].tobytes() == image.tobytes()
            ]
            assert row[label] in known and row[8] == 10 - row[label]
    # Of the two copies, the one of the earlier row stands first.
    first, second = (n for n, one in enumerate(drawn) if (one[2] == drawn[0][2]).all())
    images = found.dataset.splits["Training"].images
    places = [n for n, image in enumerate(images) if (image == drawn[0][2]).all()]
    of_label = found.votes["Training"][places, drawn[0][1]]
    assert list(of_label) == [6 + first % 4, 6 + second % 4]


def test_packed_and_with_columns_in_another_order_it_is_the_same(drawn, tmp_path):
    plain = fer2013_csv(tmp_path, drawn)
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        archive.write(plain, "fer2013.csv")
    rows = voted(drawn)
    known = crowd.load(plain, ferplus_csv(tmp_path, rows))
    turned = ferplus_csv(tmp_path, [row[::-1] for row in rows], ",".join(HEAD.split(",")[::-1]))
    found = crowd.load(str(tmp_path / "archive.zip"), turned)
    for split in fer2013.SPLITS:
        assert (found.votes[split] == known.votes[split]).all()


def refused(fer2013_path, ferplus_path, *words, error=ValueError):
    with pytest.raises(error, match=EXPLAINED) as problem:
        crowd.load(fer2013_path, ferplus_path)
    for word in words:
        assert word in str(problem.value), problem.value


def test_a_file_that_is_no_table_of_votes_is_refused(drawn, tmp_path, monkeypatch):
    own, rows = fer2013_csv(tmp_path, drawn), voted(drawn)
    refused(own, None, "FERPLUS=PATH")
    refused(own, str(tmp_path / "absent.csv"), "no file", error=FileNotFoundError)
    refused(own, own, "first line with the columns Usage, anger", "without" if 0 else "none of")
    refused(own, ferplus_csv(tmp_path, []), "rows of votes")
    for bad in ("many", "-1", "1.5", "", "11", "²"):
        spoiled = [list(row) for row in rows]
        spoiled[3][4] = bad
        refused(own, ferplus_csv(tmp_path, spoiled), "numbers of votes", "line 5", "1 to 10")
    spoiled = [list(row) for row in rows]
    spoiled[0][2:] = [0] * 10
    refused(own, ferplus_csv(tmp_path, spoiled), "line 2", "1 to 10")
    spoiled[0] = spoiled[0][:6]  # cut off
    refused(own, ferplus_csv(tmp_path, spoiled), "line 2", "nothing")
    monkeypatch.setattr(crowd, "MOST_BYTES", 100)
    refused(own, ferplus_csv(tmp_path, rows), "at most 100 bytes")


def test_rows_that_do_not_belong_together_are_refused(drawn, tmp_path):
    own, rows = fer2013_csv(tmp_path, drawn), voted(drawn)
    refused(own, ferplus_csv(tmp_path, rows[:-1]), "42 rows of votes", "Received: 41 rows")
    spoiled = [list(row) for row in rows]
    spoiled[7][0] = "PublicTest"
    refused(own, ferplus_csv(tmp_path, spoiled), "Training in row 8", "'PublicTest'", "sorted")


def test_a_sorted_csv_is_refused_though_its_rows_and_usage_are_the_same(drawn, tmp_path):
    votes = ferplus_csv(tmp_path, voted(drawn))
    place = {split: n for n, split in enumerate(fer2013.SPLITS)}
    by_emotion = sorted(drawn, key=lambda one: (place[one[0]], one[1]))
    assert [one[0] for one in by_emotion] == [one[0] for one in drawn]
    refused(fer2013_csv(tmp_path, by_emotion), votes, "original order", "rows 1 to 42", "by chance")


def test_one_block_of_sorted_rows_is_enough(drawn, tmp_path, monkeypatch):
    monkeypatch.setattr(crowd, "BLOCK", 14)
    votes = ferplus_csv(tmp_path, voted(drawn))
    crowd.load(fer2013_csv(tmp_path, drawn), votes)
    moved = [*sorted(drawn[:14], key=lambda one: one[1]), *drawn[14:]]
    refused(fer2013_csv(tmp_path, moved), votes, "rows 1 to 14", "by chance")


def test_a_block_of_one_emotion_tells_no_order(monkeypatch):
    labels = np.repeat([0, 1], 20)
    monkeypatch.setattr(crowd, "BLOCK", 20)
    with pytest.raises(ValueError, match=r"rows 1 to 20.*kappa 0\.00"):
        crowd._least_kappa(labels, labels)


def test_a_folder_arrays_and_another_dataset_have_no_rows_to_join(drawn, tmp_path):
    votes = ferplus_csv(tmp_path, voted(drawn))
    folder = tmp_path / "fer2013"
    for split in fer2013.SPLITS:
        images, labels = arrays(drawn)[split]
        for number, (image, label) in enumerate(zip(images, labels)):
            file = folder / split / str(label) / f"{number}.pgm"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"P5 48 48 255\n" + image.tobytes())
    refused(str(folder), votes, "no rows of one table", "original order cannot be had")
    np.savez(tmp_path / "fer2013.npz", x=np.stack([one[2] for one in drawn]))
    refused(str(tmp_path / "fer2013.npz"), votes, "no rows of one table")
    refused(None, votes, "FER2013=PATH")
    refused(str(tmp_path / "absent"), votes, "does not exist", error=FileNotFoundError)
    changed = [(split, label, image ^ (n == 4)) for n, (split, label, image) in enumerate(drawn)]
    refused(fer2013_csv(tmp_path, changed), votes, "the published FER-2013", "Nothing was written")


def test_votes_that_are_given_as_the_dataset_are_told_so(drawn, tmp_path):
    votes = ferplus_csv(tmp_path, voted(drawn))
    with pytest.raises(ValueError, match=EXPLAINED) as problem:
        reading.load(votes)
    assert "FER+" in str(problem.value) and records.COMMAND in str(problem.value)


# ---- counted ------------------------------------------------------------------------------------

#         angry disgust fear happy sad surprise neutral contempt unknown no face
SEVEN = [
    [6, 4, 0, 0, 0, 0, 0, 0, 0, 0],  # 0: clearly angry
    [5, 3, 2, 0, 0, 0, 0, 0, 0, 0],  # 1: divided, angry first
    [4, 4, 2, 0, 0, 0, 0, 0, 0, 0],  # 2: divided, angry and disgust first alike
    [0, 0, 0, 0, 0, 0, 3, 0, 7, 0],  # 3: unknown first
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 10],  # 4: no face
    [0, 0, 0, 0, 5, 0, 0, 5, 0, 0],  # 5: divided, sad and contempt first alike
    [0, 0, 1, 2, 0, 0, 4, 0, 3, 0],  # 6: divided, neutral first, unknown second
]


def test_labels_are_counted_as_by_hand():
    votes, true = np.array(SEVEN, np.uint8), np.array([0, 1, 1, 6, 6, 4, 3])
    # First choices: 0 in image 0, 1 in 2, 4 in 5; shared in 2 and 5; divided: 1, 2, 5 and 6.
    assert measuring.labels(votes, true) == Labels(
        images=7, agreed=3, shared=2, divided=4, no_emotion=2
    )


@pytest.mark.parametrize(
    ("image", "answer", "place"),
    [
        (0, 1, "second"),
        (0, 2, "unchosen"),
        (1, 0, "first"),
        (1, 1, "second"),
        (1, 2, "other"),
        (2, 0, "first"),
        (2, 1, "first"),
        (2, 2, "second"),  # only first choices are before it
        (3, 6, "no_emotion"),
        (4, 0, "no_emotion"),
        (5, 4, "first"),
        (6, 6, "first"),
        (6, 3, "other"),  # unknown is the second choice
        (6, 0, "unchosen"),
    ],
)
def test_a_mistake_is_counted_once_where_the_crowd_puts_it(image, answer, place):
    votes, true = np.array(SEVEN, np.uint8)[[image]], np.array([5])
    counted = dict.fromkeys(Mistakes.model_fields, 0) | {place: 1}
    found = measuring.mistakes(votes, true, np.array([answer]))
    assert found == Mistakes(**counted) and found.wrong == 1
    right = measuring.mistakes(votes, np.array([answer]), np.array([answer]))
    assert right.wrong == 0


@pytest.fixture
def asked(drawn, tmp_path):
    return crowd.load(fer2013_csv(tmp_path, drawn), ferplus_csv(tmp_path, voted(drawn)))


def run_of(seen, **changed):
    """A whole run of a printed network that nobody trained, on these images."""
    run, history, predictions = fabricated(
        small_recipe(train_images=None, epochs=10, hidden_neurons=1024), runs.note(seen)
    )
    return runs.Record(run.model_copy(update=changed), history, predictions)


def test_runs_on_these_images_are_counted_by_split(asked):
    own = run_of(asked.dataset)
    found = measuring.measure(asked, [own])
    assert list(found.mistakes) == [own.run.id]
    for split, one in own.predictions.items():
        wrong = int((one.predicted != asked.dataset.splits[split].labels).sum())
        assert found.mistakes[own.run.id][split].wrong == wrong > 0
        # The label has 6 or more of ten votes, unknown the others: no other answer has one.
        assert found.mistakes[own.run.id][split].unchosen == wrong
        images = 7 * SIZES[split]
        assert found.labels[split] == Labels(
            images=images, agreed=images, shared=0, divided=0, no_emotion=0
        )
    other = own.run.dataset.model_copy(
        update={"fingerprints": own.run.dataset.fingerprints | {"PublicTest": "0" * 64}}
    )
    assert measuring.measure(asked, [run_of(asked.dataset, dataset=other)]).mistakes == {}


# ---- recorded and shown -------------------------------------------------------------------------


@pytest.fixture
def written(asked, tmp_path, monkeypatch):
    monkeypatch.setattr(records, "FILE", tmp_path / "crowd.json")
    assert records.read() is None
    own = run_of(asked.dataset)
    found = measuring.measure(asked, [own])
    records.write(found)
    return own, found


def test_it_is_read_as_it_was_written_and_holds_counts_alone(written):
    assert records.read() == written[1]
    content = json.loads(records.FILE.read_text())
    assert records.FILE.stat().st_size < 5000
    assert not re.search(r'"(images|votes)": \[', json.dumps(content["labels"]))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda one: one["labels"].pop("PublicTest"), "each held-out image"),
        (lambda one: one["labels"]["PublicTest"].update(images=1), "each held-out image"),
        (lambda one: one["labels"]["PublicTest"].update(divided=99), "than there are"),
        (lambda one: next(iter(one["mistakes"].values())).pop("PublicTest"), "both held-out"),
        (
            lambda one: next(iter(one["mistakes"].values()))["PublicTest"].update(first=99),
            "more mistakes",
        ),
        (lambda one: one.update(votes=[]), "votes"),
    ],
)
def test_a_record_that_cannot_be_is_refused(written, change, words):
    reseal(records.FILE, change)
    with pytest.raises(ValueError, match=EXPLAINED) as problem:
        records.read()
    assert words in str(problem.value) and records.COMMAND in str(problem.value)


class AuditedBook:
    """What the audit reads of a book: one run under its own name, and where the records are."""

    def __init__(self, own):
        answers = {s: (p.labels, p.log_probabilities) for s, p in own.predictions.items()}
        run = type("Run", (), {"id": own.run.id, "answers": answers})()
        run.folder = records.FILE.parent / "runs" / own.run.id
        self.runs, self.printed = [run], {"shallow": [run]}


def test_the_table_is_worked_out_by_hand_and_by_the_audit(written):
    own, found = written
    by_split = {
        "PublicTest": Mistakes(no_emotion=1, first=2, second=3, other=0, unchosen=4),
        "PrivateTest": Mistakes(no_emotion=0, first=1, second=0, other=1, unchosen=2),
    }
    # As many of each split as the run has wrong: what is left has no vote.
    for split, one in own.predictions.items():
        rest = int((one.predicted != one.labels).sum()) - by_split[split].wrong
        unchosen = by_split[split].unchosen + rest
        by_split[split] = by_split[split].model_copy(update={"unchosen": unchosen})
        assert unchosen >= 0
    found = found.model_copy(update={"mistakes": {own.run.id: by_split}})
    records.write(found)
    table = crowd_tables.mistakes(records.read(), study(own))
    wrong = sum(one.wrong for one in by_split.values())
    shares = {"Wrong": wrong / 21, "First choice": 3 / wrong, "Second choice": 3 / wrong}
    shares |= {"Another with votes": 1 / wrong, "No emotion first": 1 / wrong}
    shares |= {"Without a vote": 1 - 8 / wrong}
    assert table.loc[0, "Network"].startswith("shallow") and table.loc[0, "Runs"] == "1"
    for head, share in shares.items():
        assert table.loc[0, head] == f"{100 * share:.1f}\u00a0%", head

    def printed():
        return [
            {key.lower(): text for key, text in row.items()} for row in table.to_dict("records")
        ]

    expected = audit.mistakes(AuditedBook(own))
    assert compare(printed(), expected, ("Network",)) == (7, [])
    table.loc[0, "Second choice"] = "99.9\u00a0%"
    assert len(compare(printed(), expected, ("Network",))[1]) == 1
    records.FILE.unlink()
    assert audit.mistakes(AuditedBook(own)) == {}


def test_runs_that_were_not_asked_about_are_not_in_the_table(written):
    own, found = written
    empty = crowd_tables.mistakes(found.model_copy(update={"mistakes": {}}), study(own))
    assert empty.empty
    told = " ".join(crowd_tables.mistakes.__doc__.split())
    assert all(column in told for column in empty.columns)


def test_what_is_said_of_the_labels_is_of_both_splits(written):
    one = Labels(images=14, agreed=7, shared=2, divided=4, no_emotion=0)
    other = Labels(images=7, agreed=7, shared=1, divided=3, no_emotion=0)
    found = written[1].model_copy(update={"labels": {"PublicTest": one, "PrivateTest": other}})
    said = parsed(crowd_tables.labels(found)).astext()
    assert "first choice for 66.7\u00a0%" in said  # 14 of 21
    assert "divided on 33.3\u00a0%" in said and "On 14.3\u00a0%" in said  # 7 and 3 of 21
    assert crowd_tables.labels(None) is None
    assert records.COMMAND in parsed(crowd_tables.still_open()).astext()


def test_the_command_writes_the_record(drawn, asked, tmp_path, monkeypatch):
    monkeypatch.setattr(records, "FILE", tmp_path / "crowd.json")
    own = run_of(asked.dataset)
    monkeypatch.setattr("ferutils.records.study.read", lambda: study(own))
    monkeypatch.setenv("FER2013", str(tmp_path / "fer2013.csv"))
    monkeypatch.delenv("FERPLUS", raising=False)
    failed = CliRunner().invoke(cli.main, ["measure", "crowd"])
    assert failed.exit_code == 1 and "FERPLUS=PATH" in failed.stderr
    assert not records.FILE.exists()
    monkeypatch.setenv("FERPLUS", str(tmp_path / "fer2013new.csv"))
    made = CliRunner().invoke(cli.main, ["measure", "crowd"])
    assert made.exit_code == 0, made.output
    assert list(records.read().mistakes) == [own.run.id]


def test_the_record_in_git_is_of_the_published_dataset():
    found = records.read()
    if found is not None:
        assert found.dataset.fingerprints == fer2013.published_fingerprints()
        assert found.kappa >= crowd.LEAST_KAPPA
        assert records.FILE == paths.BOOK / "crowd.json"
