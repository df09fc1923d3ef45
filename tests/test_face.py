"""The network that readers try on their own face: its file, and what the page says. Fast."""

import base64

import numpy as np
import pytest
from helpers import EXPLAINED, reseal
from phones import trained, work_in
from synthetic import PUBLISHED

from ferutils.dataset.fer2013 import EMOTIONS
from ferutils.records import answers, examination, face
from ferutils.records import small as records
from ferutils.records.face import Block, Face, Layer, Network
from ferutils.report import face_tables, interactive

EXAMINED = examination.read()
WRONG = 500  # of the first faces of each split, all of them angry; the other answers are right
TRAINED = trained("small", PUBLISHED, WRONG)


def layer(inputs, outputs, size=3, stride=1):
    random = np.random.default_rng(0)
    kernel = random.integers(-127, 128, (size, size, inputs, outputs)).astype(np.int8)
    floats = np.full(outputs, 0.01, "<f4")
    texts = [base64.b64encode(one.tobytes()).decode() for one in (kernel, floats, floats)]
    names = ("kernel", "scale", "bias")
    return Layer(shape=kernel.shape, stride=stride, **dict(zip(names, texts)))


FACE = Face(
    record=TRAINED.name,
    weights_sha256=TRAINED.weights_sha256,
    answers=TRAINED.files.forms["float32"].answers,
    network=Network(
        stem=layer(1, 4, stride=2),
        blocks=[
            Block(first=layer(4, 4), second=layer(4, 4)),
            Block(first=layer(4, 6, 3, 2), second=layer(6, 6), beside=layer(4, 6, 1, 2)),
        ],
        logits=layer(6, 7, 1),
    ),
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(face, "FILE", tmp_path / "face.json")
    return work_in(tmp_path, monkeypatch)


# ---- the file -----------------------------------------------------------------------------------


def written():
    folder = records.FOLDER
    folder.mkdir(exist_ok=True)
    records.write(TRAINED)
    face.write(FACE)


def test_it_is_read_as_it_was_written(folder):
    assert face.read() is None
    written()
    assert face.read() == (FACE, TRAINED)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda content: content.update(record="tiny-seed-0"), "not those of the record tiny"),
        (lambda content: content.update(weights_sha256="1" * 64), "not those of the record small"),
        (lambda content: content["answers"].pop("PublicTest"), "each held-out image"),
        (lambda content: content["network"]["stem"].update(bias="AAAA"), "another size"),
        (lambda content: content["network"]["stem"].update(kernel="<b>"), "pattern"),
        (lambda content: content.update(unknown=1), "unknown"),
    ],
)
def test_a_file_that_cannot_be_is_refused(folder, change, words):
    written()
    reseal(face.FILE, change)
    with pytest.raises(ValueError, match=EXPLAINED) as refused:
        face.read()
    assert words in str(refused.value) and face.COMMAND in str(refused.value)


def test_an_edited_file_and_one_whose_record_is_gone_are_refused(folder):
    written()
    records.file(TRAINED.name).unlink()
    with pytest.raises(ValueError, match="not those of the record"):
        face.read()
    face.FILE.write_text(face.FILE.read_text().replace('"stride": 2', '"stride": 1', 1))
    with pytest.raises(ValueError, match="its sum"):
        face.read()


def test_the_weights_in_git_are_those_of_a_recorded_training_and_few():
    found = face.read()  # which refuses others
    if found is not None:
        assert face.FILE.stat().st_size <= 1_350_000
        assert found[1].recipe.network == "small"


# ---- the page -----------------------------------------------------------------------------------


def test_errors_are_those_of_new_faces():
    labels = np.repeat(np.arange(7), TRAINED.files.dataset.counts["PrivateTest"])
    said = answers.labels(FACE.answers, "PrivateTest")
    new = np.setdiff1d(np.arange(len(labels)), EXAMINED.near_in_training["PrivateTest"])
    angry = new[labels[new] == 0]
    table = face_tables.errors((FACE, TRAINED), EXAMINED)
    assert list(table["Emotion"]) == list(EMOTIONS)
    assert table.loc[0, "Images"] == str(len(angry))
    assert table.loc[0, "Missed"].startswith("100.0")
    assert table.loc[0, "Mostly taken for"].startswith("disgust (")
    assert table.loc[0, "Wrong when it says so"] == "–"  # it never says so
    false = (said[new] == 1) & (labels[new] != 1)
    share = false.sum() / (said[new] == 1).sum()
    assert table.loc[1, "Wrong when it says so"].startswith(f"{100 * share:.1f}")


def test_what_a_reader_is_told_of_an_answer_is_what_the_table_says():
    data = interactive.face_data(FACE, TRAINED, EXAMINED)
    assert data["wrong"][0] == "–" and "never said “angry”" in data["sentences"][0]
    table = face_tables.errors((FACE, TRAINED), EXAMINED)
    for share, cell in list(zip(data["wrong"], table["Wrong when it says so"]))[1:]:
        assert float(share.split("\u00a0")[0]) == pytest.approx(
            float(cell.split("\u00a0")[0]), abs=1
        )
        assert share in data["sentences"][list(data["wrong"]).index(share)]


def test_it_says_how_far_it_agrees_with_the_network_it_was_made_of():
    assert (
        "100.0\u00a0% of all held-out images"
        in face_tables.accuracy((FACE, TRAINED), EXAMINED).data
    )
    digits = FACE.answers["PublicTest"]
    other = FACE.model_copy(update={"answers": FACE.answers | {"PublicTest": digits[::-1]}})
    assert "100.0" not in face_tables.accuracy((other, TRAINED), EXAMINED).data.split("answers")[1]


def test_where_it_was_not_exported_the_page_says_so():
    table = face_tables.errors(None, EXAMINED)
    assert (table.drop(columns="Emotion") == "open").all(axis=None)
    assert face.COMMAND in face_tables.still_open().data
    assert face_tables.accuracy(None, EXAMINED) is None


def test_without_scripts_it_says_what_it_needs(monkeypatch):
    shown = []
    monkeypatch.setattr(interactive, "display", lambda bundle, raw: shown.append(bundle))
    interactive.face(FACE, TRAINED, EXAMINED)
    visible = shown[0]["text/html"].split("</script>")[1]
    assert "JavaScript" in visible
