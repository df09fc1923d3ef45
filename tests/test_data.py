"""Tests of reading FER-2013 in all its forms, of what is refused, of the cache and of subsets."""

import bz2
import gzip
import hashlib
import io
import json
import lzma
import os
import pickle
import re
import shutil
import struct
import subprocess
import sys
import tarfile
import time
import zipfile
import zlib

import numpy as np
import pytest
from helpers import EXPLAINED, each, small_dataset
from PIL import Image

from ferutils.dataset import containers, fer2013, reading
from ferutils.dataset import published as index
from ferutils.dataset.images import grey_levels, is_doubtful

SIZES = {"Training": 3, "PublicTest": 2, "PrivateTest": 1}  # images per class
FORMS = {
    "csv": "fer2013.csv",
    "quoted csv": "fer2013.csv",
    "icml": "icml_face_data.csv",
    "csv.gz": "fer2013.csv.gz",
    "csv.xz": "fer2013.csv.xz",
    "icml csv.gz": "icml_face_data.csv.gz",
    "folder": "fer2013",
    "deeper folder": "archive",
    "synonyms": "fer2013",
    "csv in folder": "download",
    "csv in zip": "fer2013.csv.zip",
    "csv in zip of other files": "archive.zip",
    "folder in zip": "fer2013.zip",
    "deeper folder in zip": "archive.zip",
    "csv in tar.gz": "fer2013.tar.gz",
    "icml in tgz": "archive.tgz",
    "folder in tar.gz": "fer2013.tar.gz",
}
SYNONYMS = ("Anger", "disgusted", "fearful", "Happiness", "SADNESS", "surprised", "neutral")

pytestmark = pytest.mark.filterwarnings("ignore:This copy of FER-2013")


def tiny():
    """Arrays of a tiny dataset, split by split, in an order that is not the canonical one."""
    random = np.random.RandomState(0)
    arrays = {}
    for split, size in SIZES.items():
        labels = random.permutation(np.repeat(np.arange(7, dtype=np.uint8), size))
        arrays[split] = random.randint(0, 256, (len(labels), 48, 48), np.uint8), labels
    return arrays


def rows(arrays=None):
    for split, (images, labels) in (arrays or tiny()).items():
        for image, label in zip(images, labels):
            yield str(label), " ".join(map(str, image.ravel())), split


def csv_bytes(arrays=None):
    lines = [f"{label},{pixels},{split}\n" for label, pixels, split in rows(arrays)]
    return ("emotion,pixels,Usage\n" + "".join(lines)).encode()


def quoted_bytes():
    lines = [f'"{label}","{pixels}","{split}"\r\n' for label, pixels, split in rows()]
    return ("\ufeffemotion,pixels,Usage\r\n" + "".join(lines) + "\r\n").encode()


def icml_bytes():
    lines = [f"{label},{split},{pixels}\n" for label, pixels, split in rows()]
    return ("emotion, Usage, pixels\n" + "".join(lines)).rstrip("\n").encode()


def image_bytes(image, kind="png"):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, kind)
    return buffer.getvalue()


def tree(names=fer2013.EMOTIONS, prefix=""):
    """Names and contents of the image folder."""
    members = {f"{prefix}about.txt": b"text", f"{prefix}train/.hidden.png": b"no image"}
    for split, (images, labels) in tiny().items():
        part = "train" if split == "Training" else "test"
        for number, (image, label) in enumerate(zip(images, labels)):
            name = f"{prefix}{part}/{names[label]}/{split}_{number:05d}.png"
            members[name] = image_bytes(image)
    return members


def kaggle(members):
    """A CSV between the other files of the download."""
    others = {"fer2013/README": b"text", "fer2013/fer2013.bib": b"@text", "test.csv": b"pixels\n"}
    return {**others, "__MACOSX/fer2013/._fer2013.csv": b"resource", **members}


def write_folder(path, members):
    for name, content in members.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def write_zip(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def tar_bytes(members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def zip_bytes(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


def write_tar(path, members):
    path.write_bytes(gzip.compress(tar_bytes(members)))
    return path


def write_form(form, folder):
    path = folder / FORMS[form]
    if "folder" in form or form == "synonyms":
        prefix = "fer2013/" if "deeper" in form else ""
        members = tree(SYNONYMS if form == "synonyms" else fer2013.EMOTIONS, prefix)
    else:
        content = icml_bytes() if "icml" in form else csv_bytes()
        name = "icml_face_data.csv" if "icml" in form else "fer2013/fer2013.csv"
        members = {name: content}
    if form == "csv in folder":
        return write_folder(path, {"fer2013.csv": csv_bytes()})
    if form in ("csv in zip of other files", "csv in tar.gz"):
        members = kaggle(members)
    if path.suffix == ".zip":
        return write_zip(path, members)
    if path.name.endswith((".tar.gz", ".tgz")):
        return write_tar(path, members)
    if not path.suffix:
        return write_folder(path, members)
    packed = {".gz": gzip.compress, ".xz": lzma.compress}.get(path.suffix, bytes)
    path.write_bytes(quoted_bytes() if form == "quoted csv" else packed(content))
    return path


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def tiny_csv(tmp_path):
    path = tmp_path / "fer2013.csv"
    path.write_bytes(csv_bytes())
    return path


def assert_same(one, other):
    assert one.fingerprints == other.fingerprints
    for split in fer2013.SPLITS:
        np.testing.assert_array_equal(one.splits[split].images, other.splits[split].images)
        np.testing.assert_array_equal(one.splits[split].labels, other.splits[split].labels)


def refused(path, cache, *words):
    """The message with which a source is refused; nothing may be left in the cache."""
    with pytest.raises(ValueError, match=r"Expected .*\. Received: .*\. \w+") as caught:
        reading.load(path, cache)
    message = str(caught.value)
    for word in words:
        assert word in message
    assert not cache.exists() or not list(cache.iterdir())
    return message


# Forms


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_dataset(form, tmp_path):
    before = fer2013.make_dataset("fer2013", tiny())
    path = write_form(form, tmp_path)
    files = sorted(tmp_path.rglob("*"))
    after = reading.load(path)
    assert_same(before, after)
    assert after.counts() == {split: [size] * 7 for split, size in SIZES.items()}
    for split in after.splits.values():
        assert split.images.dtype == split.labels.dtype == np.uint8
        assert split.images.flags.c_contiguous
    assert sorted(tmp_path.rglob("*")) == files  # nothing is unpacked


def test_reads_jpeg_images(tmp_path):
    members = {}
    for name, content in tree().items():
        if name.endswith("0.png"):
            image = np.asarray(Image.open(io.BytesIO(content)))
            content, name = image_bytes(image, "jpeg"), name.replace(".png", ".JPG")
        members[name] = content
    dataset = reading.load(write_folder(tmp_path / "fer2013", members))
    assert dataset.counts() == fer2013.make_dataset("fer2013", tiny()).counts()


def test_fingerprint_is_the_hash_of_sorted_records():
    dataset = fer2013.make_dataset("fer2013", tiny())
    images, labels = tiny()["Training"]
    records = sorted(bytes([label]) + image.tobytes() for image, label in zip(images, labels))
    assert dataset.fingerprints["Training"] == hashlib.sha256(b"".join(records)).hexdigest()
    split = dataset.splits["Training"]
    joined = [bytes([label]) + image.tobytes() for image, label in zip(split.images, split.labels)]
    assert joined == records


def test_only_fer2013_is_compared_with_the_published_dataset():
    assert fer2013.make_dataset("drawn", tiny()).differences == ()
    sentences = fer2013.make_dataset("fer2013", tiny()).differences
    assert [sentence.split(":")[0] for sentence in sentences] == list(fer2013.SPLITS)
    assert "21 images instead of 28,709 (angry 3 instead of 3,995, " in sentences[0]


def test_a_copy_that_differs_is_warned_of_once(tiny_csv, cache):
    for _ in range(2):  # read, then cached
        with pytest.warns(UserWarning, match="not the published one") as caught:
            reading.load(tiny_csv, cache)
        assert len(caught) == 1
        assert caught[0].filename == __file__


def test_another_copy_is_not_taken_for_the_published_dataset(tiny_csv, cache, recwarn):
    with pytest.raises(ValueError, match=r"(?s)^Expected the published.*21 images instead of"):
        reading.load_published(str(tiny_csv), cache)
    assert not recwarn.list
    with pytest.raises(FileNotFoundError, match=EXPLAINED):
        reading.load_published(str(cache / "nowhere"), cache)
    for nothing in (None, ""):
        with pytest.raises(ValueError, match=EXPLAINED):
            reading.load_published(nothing, cache)


@pytest.mark.parametrize(
    "change",
    [
        lambda images, labels: (images.astype(float), labels),
        lambda images, labels: (images[:, :47], labels),
        lambda images, labels: (images[..., None], labels),
        lambda images, labels: (images[:0], labels[:0]),
        lambda images, labels: (images, labels[:-1]),
        lambda images, labels: (images, labels.astype(float)),
        lambda images, labels: (images, labels.astype(int) - 1),
        lambda images, labels: (images, labels + 1),
    ],
)
def test_make_dataset_refuses_wrong_arrays(change):
    arrays = tiny()
    arrays["PublicTest"] = change(*arrays["PublicTest"])
    with pytest.raises(ValueError, match=r"Expected .*PublicTest.*\. Received: .*\. \w+"):
        fer2013.make_dataset("drawn", arrays)


def test_make_dataset_refuses_missing_splits_and_unknown_names():
    arrays = tiny()
    with pytest.raises(ValueError, match="Received: 'cifar'"):
        fer2013.make_dataset("cifar", arrays)
    del arrays["PublicTest"]
    with pytest.raises(ValueError, match="Received: Training, PrivateTest"):
        fer2013.make_dataset("drawn", arrays)


# Copies as people have them


def save(image, kind, mode):
    buffer = io.BytesIO()
    Image.open(io.BytesIO(image)).convert(mode).save(buffer, kind, lossless=True)
    return buffer.getvalue()


def renamed(**names):
    """The image folder with other names of folders, by whole parts."""
    parts = {old.replace("_", "/"): new for old, new in names.items()}
    return {
        "/".join(parts.get(part, part) for part in name.split("/")): content
        for name, content in tree().items()
    }


def by_validation():
    return {
        name.replace("test/", "valid/" if "Public" in name else "test/").replace(
            "/P", "/x_P"
        ): content
        for name, content in tree().items()
    }


def by_splits(*folders):
    """The image folder with a folder of this name for each split, and numbered files."""
    parts = dict(zip(SIZES, folders, strict=True))
    found = {}
    for name, content in tree().items():
        if content.startswith(b"\x89PNG"):
            _, emotion, base = name.split("/")
            split, number = base.split("_")
            found[f"{parts[split].format(emotion)}/im{number}"] = content
    return found


def copies():
    """Name of the source -> its files; one unnamed file is the source itself."""
    text = csv_bytes()
    head, *lines = text.splitlines(keepends=True)
    numbers = {emotion: str(label) for label, emotion in enumerate(fer2013.EMOTIONS)}
    both = {emotion: f"{label}_{emotion}" for emotion, label in numbers.items()}
    yield "zip named csv", zip_bytes({"fer2013.csv": text})
    yield "plain tar", tar_bytes({"fer2013/fer2013.csv": text})
    yield "tar.gz that is a tar", tar_bytes({"fer2013/fer2013.csv": text})
    yield "tar.bz2", bz2.compress(tar_bytes(tree()))
    yield "tar.xz", lzma.compress(tar_bytes(tree()))
    yield "zip in a folder", {"a/b.zip": zip_bytes(tree()), "example_submission.csv": b"emotion\n0"}
    yield "tar.gz in a zip", zip_bytes({"f.tar.gz": gzip.compress(tar_bytes({"f.csv": text}))})
    yield "Windows zip", zip_bytes({n.replace("/", "\\"): c for n, c in tree().items()})
    yield "validation folder", by_validation()
    yield "numbers", renamed(**numbers)
    yield "numbers and words", renamed(**both)
    for what in ("class_{}", "0{}", "({}) {}", "{}: {} faces"):
        own = {e: what.format(label, e) for e, label in numbers.items()}
        yield f"classes as {what}", renamed(**own)
    yield "misspelt class", renamed(surprise="Suprise")
    yield "splits and classes in one folder", by_splits("train_{}", "val_{}", "test_{}")
    for parts in (
        "train public private",
        "trainset evalset testset",
        "train test_public test_private",
    ):
        yield f"splits as {parts}", by_splits(*(f"{part}/{{}}" for part in parts.split()))
    yield "far deeper", {f"{'d/' * 12}{name}": content for name, content in tree().items()}
    yield "deeper", {f"a/b/c/d/{name}": content for name, content in tree().items()}
    for form in ("PNG RGB", "PNG LA", "PNG P", "BMP L", "WEBP RGB", "TIFF L", "PPM RGB"):
        kind, mode = form.split()
        yield (
            form,
            {
                name.replace(".png", f".{kind.lower()}"): save(content, kind, mode)
                for name, content in tree().items()
                if "hidden" not in name and name.endswith("png")
            },
        )
    yield "semicolons", text.replace(b",", b";")
    yield "tabs", text.replace(b",", b"\t")
    yield "UTF-16", text.decode().encode("utf-16")
    for encoding in ("utf-16-le", "utf-16-be", "utf-32", "utf-32-le"):
        yield encoding, text.decode().encode(encoding)
    yield "a spreadsheet's line", b"sep=,\n" + text
    yield "pixels as floats", text.replace(b" ", b".0 ")
    yield (
        "decimal commas",
        re.sub(rb"(?m)^(\d),", rb"\1,0;", text)
        .replace(b",T", b";T")
        .replace(b",P", b";P")
        .replace(b"emotion,pixels,Usage", b"emotion;pixels;Usage"),
    )
    yield "floats", re.sub(rb"(?m)^(\d),", rb"\1.0,", text)
    yield "quoted comma", b"".join(line[:-1] + b',"a, b"\n' for line in [head, *lines])
    yield "index column", b"".join(b"%d," % n + line for n, line in enumerate([head, *lines]))
    yield (
        "one file per split",
        {
            f"{name}.csv": head + b"".join(line for line in lines if split in line)
            for name, split in (("train", b"Train"), ("val", b"Public"), ("test", b"Private"))
        },
    )
    yield "pickle beside", {"fer2013.csv": text, "model.pkl": pickle.dumps(1)}
    yield (
        "no Usage",
        {
            f"{name}.csv": b"emotion,pixels\n"
            + b"".join(line.rpartition(b",")[0] + b"\n" for line in lines if split in line)
            for name, split in (("train", b"Train"), ("val", b"Public"), ("test", b"Private"))
        },
    )


def write_copy(path, files):
    if isinstance(files, dict):
        return write_folder(path, files)
    path.write_bytes(files)
    return path


def test_copies_as_people_have_them_give_the_same_dataset(tmp_path):
    right = fer2013.make_dataset("fer2013", tiny())
    for name, files in copies():
        found = reading.load(write_copy(tmp_path / name, files))
        assert found.fingerprints == right.fingerprints, name


def test_a_webdataset_names_its_classes_by_number_or_word(tmp_path):
    right = fer2013.make_dataset("fer2013", tiny())
    for words in ("0123456", fer2013.EMOTIONS):
        shards = {}
        for split, (images, labels) in tiny().items():
            members = {f"s{n}.cls": f"{words[label]}\n".encode() for n, label in enumerate(labels)}
            members |= {f"s{n}.png": image_bytes(image) for n, image in enumerate(images)}
            shards[f"fer2013-{split}-000000.tar"] = tar_bytes(members)
        assert reading.load(write_folder(tmp_path / words[0], shards)).fingerprints == (
            right.fingerprints
        )


def parquet_bytes(images, labels, words, as_dict=True, names=("image", "label")):
    """A Parquet file as Hugging Face has it; the words are what its numbers mean, if any."""
    pyarrow = pytest.importorskip("pyarrow", reason="no pyarrow: pip install -e .[parquet]")
    from pyarrow import parquet

    encoded = [image_bytes(image) for image in images]
    column = [{"bytes": one, "path": None} for one in encoded] if as_dict else encoded
    told = [fer2013.EMOTIONS[label] for label in labels]
    table = pyarrow.table(
        dict(zip(names, (column, [words.index(word) for word in told] if words else told)))
    )
    features = {"image": {"_type": "Image"}, "label": {"names": words, "_type": "ClassLabel"}}
    if words:
        told = json.dumps({"info": {"features": features}}).encode()
        table = table.replace_schema_metadata({b"huggingface": told})
    buffer = io.BytesIO()
    parquet.write_table(table, buffer)
    return buffer.getvalue()


def test_parquet_numbers_mean_what_its_own_list_of_classes_says(tmp_path):
    right = fer2013.make_dataset("fer2013", tiny())
    kinds = {
        "official": (list(fer2013.EMOTIONS),),
        "alphabetical": (sorted(fer2013.EMOTIONS),),
        "words": (None, False, ("img_bytes", "labels")),
    }
    for kind, form in kinds.items():
        parts = {f"{split}-0.parquet": parquet_bytes(*one, *form) for split, one in tiny().items()}
        found = reading.load(write_folder(tmp_path / kind, parts))
        assert found.fingerprints == right.fingerprints, kind


def test_parquet_without_pyarrow_says_what_installs_it(tmp_path, cache, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    path = tmp_path / "train.parquet"
    path.write_bytes(b"PAR1" + bytes(100))
    refused(path, cache, "pyarrow is not installed", "pip install pyarrow")


@pytest.fixture
def published(tmp_path, monkeypatch):
    """The tiny dataset, one image of which stands in two splits, as the published one."""
    arrays = tiny()
    arrays["PublicTest"][0][0] = arrays["Training"][0][0]
    dataset = fer2013.make_dataset("fer2013", arrays)
    (tmp_path / "index").write_bytes(index.pack(dataset))
    monkeypatch.setattr(index, "INDEX", tmp_path / "index")
    index._published.cache_clear()
    yield dataset
    index._published.cache_clear()


def test_published_images_are_put_into_their_official_splits(published, tmp_path):
    images = np.concatenate([split.images for split in published.splits.values()])
    files = {f"im{n}.png": image_bytes(image) for n, image in enumerate(images)}
    arrays = io.BytesIO()
    np.savez(arrays, x=images[..., None], y=np.zeros(len(images), int))
    cut = {f"{'train' if '1' in name else 'test'}/sad/{name}": c for name, c in files.items()}
    twice = {**cut, "whole.zip": zip_bytes(cut)}
    copies = {"pile": files, "cut anew": cut, "npz": arrays.getvalue(), "packed beside": twice}
    for name, copy in copies.items():
        found, notes = reading.load_with_notes(write_copy(tmp_path / name, copy))
        assert found.fingerprints == published.fingerprints, name
        assert notes[0].startswith(f"42 of {84 if copy is twice else 42} images are pub"), name
    assert "42 are copies too many of these" in notes[1]
    del files["im0.png"]
    files["foreign.png"] = image_bytes(np.eye(48, dtype=np.uint8))
    found, notes = reading.load_with_notes(write_copy(tmp_path / "nearly", files))
    assert sum(map(sum, found.counts().values())) == 41
    assert "1 published images are missing." in notes
    assert "1 images are foreign" in " ".join(notes)
    assert not [note for note in notes if "another split" in note]


def test_a_copy_divided_anew_is_known_by_its_label(tmp_path, monkeypatch):
    arrays = tiny()
    images, labels = arrays["Training"]
    one, other = int(labels[0]), int((labels[0] + 1) % 7)
    place = np.flatnonzero(arrays["PublicTest"][1] == other)[0]
    arrays["PublicTest"][0][place] = images[0]
    dataset = fer2013.make_dataset("fer2013", arrays)
    (tmp_path / "index").write_bytes(index.pack(dataset))
    monkeypatch.setattr(index, "INDEX", tmp_path / "index")
    index._published.cache_clear()
    found, again, _ = index.places([images[0].tobytes()] * 3, [("PublicTest", one)] * 3)
    index._published.cache_clear()
    assert found == [("Training", one), ("PublicTest", other), None]
    assert again == [False, False, True]


def test_what_is_left_out_or_contradicts_itself_is_told(tmp_path):
    members = tree()
    first = next(name for name in members if "PublicTest" in name)
    members[first.replace("test/", "train/")] = members.pop(first)
    path = write_folder(tmp_path / "f", members)
    (path / "circle").symlink_to("circle")
    (path / "again").symlink_to(path)
    found, notes = reading.load_with_notes(path)
    assert found.fingerprints == fer2013.make_dataset("fer2013", tiny()).fingerprints
    told = " ".join(notes)
    assert "1 .txt files" in told and "1 unreadable or no file" in told
    assert "1 with a file name that contradicts its folder" in told


# Bad CSV files


def change_field(line, column, change):
    fields = line.split(b",")
    fields[column] = change(fields[column])
    return b",".join(fields)


BAD_ROWS = {
    "2303 pixels": (1, lambda pixels: pixels.rsplit(b" ", 1)[0], "2,303 pixels"),
    "2305 pixels": (1, lambda pixels: pixels + b" 7", "2,305 pixels"),
    "no pixels": (1, lambda pixels: b"", "0 pixels"),
    "pixel 256": (1, lambda pixels: b"256" + pixels[pixels.index(b" ") :], "'256' as pixel 1"),
    "pixel -1": (1, lambda pixels: pixels[: pixels.rindex(b" ")] + b" -1", "'-1' as pixel 2,304"),
    "pixel x": (1, lambda pixels: b"x" + pixels[pixels.index(b" ") :], "'x' as pixel 1"),
    "pixel 1.5": (1, lambda pixels: b"1.5" + pixels[pixels.index(b" ") :], "'1.5' as pixel 1"),
    "pixel 2**64": (1, lambda pixels: b"%d" % 2**64 + pixels[pixels.index(b" ") :], "as pixel 1"),
    "12+3": (1, lambda pixels: b"1+" + pixels, "'1+"),
    "label 7": (0, lambda label: b"7", "'7'"),
    "label -1": (0, lambda label: b"-1", "'-1'"),
    "label empty": (0, lambda label: b"", "''"),
    "unknown Usage": (2, lambda usage: b"Nonsense", "'Nonsense'"),
    "surplus field": (2, lambda usage: usage + b",7", "4 fields"),
    "long": (1, lambda pixels: pixels + b" " * 100_000, "a longer one"),
}


@each("packed", [False, True])
@pytest.mark.parametrize("case", BAD_ROWS)
def test_bad_row_is_named_with_its_line(case, packed, tmp_path, cache):
    column, change, received = BAD_ROWS[case]
    lines = csv_bytes().split(b"\n")
    lines[29] = change_field(lines[29], column, change)  # line 30, counted from 1
    content = b"\n".join(lines)
    path = tmp_path / ("fer2013.csv.gz" if packed else "fer2013.csv")
    path.write_bytes(gzip.compress(content) if packed else content)
    refused(path, cache, "in line 30 of", received)


@pytest.mark.parametrize("missing", [5, 30, 3000, 9000])  # bytes of the last row
def test_csv_cut_off_in_mid_row(missing, tmp_path, cache):
    path = tmp_path / "fer2013.csv"
    content = csv_bytes()[:-missing]
    path.write_bytes(content)
    number = content.count(b"\n") + 1
    refused(path, cache, "cut off", f"line {number} of", "Download")


def test_missing_column(tiny_csv, cache):
    content = tiny_csv.read_bytes()
    for column, words in {
        "emotion": "a label for each image",
        "pixels": "without pixels",
        "Usage": "whose split nothing tells",
    }.items():
        tiny_csv.write_bytes(content.replace(column.encode(), b"other", 1))
        refused(tiny_csv, cache, words)


@pytest.mark.parametrize("name", ["fer2013.csv", "fer2013.zip", "fer2013.tar.gz", "fer2013.csv.xz"])
def test_empty_file(name, tmp_path, cache):
    (tmp_path / name).write_bytes(b"")
    refused(tmp_path / name, cache, "an empty file")


def test_empty_csv_inside_gzip(tmp_path, cache):
    (tmp_path / "fer2013.csv.gz").write_bytes(gzip.compress(b""))
    refused(tmp_path / "fer2013.csv.gz", cache, "an empty file")


@pytest.mark.parametrize("split", fer2013.SPLITS)
def test_csv_without_one_split(split, tiny_csv, cache):
    lines = tiny_csv.read_bytes().splitlines(keepends=True)
    tiny_csv.write_bytes(b"".join(line for line in lines if split.encode() not in line))
    refused(tiny_csv, cache, f"in {split} of", "no image")


# Bad folders and images


def lost_rows(image):
    """A PNG whose check sums are right and whose last rows are not there."""
    rows = b"".join(b"\0" + row.tobytes() for row in image[:40])
    chunks = {b"IHDR": struct.pack(">IIBBBBB", 48, 48, 8, 0, 0, 0, 0), b"IDAT": zlib.compress(rows)}
    packed = [
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in (*chunks.items(), (b"IEND", b""))
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def bad_image(kind):
    grey = np.zeros((48, 48), np.uint8)
    noise = np.random.RandomState(1).randint(0, 256, (48, 48), np.uint8)
    png = image_bytes(noise)
    return {
        "text": b"no image",
        "empty": b"",
        "cut off": png[:-500],
        "cut jpeg": image_bytes(noise, "jpeg")[:-600],
        "flipped byte": png[:900] + bytes([png[900] ^ 1]) + png[901:],
        "47 x 48": image_bytes(grey[:, 1:]),
        "96 x 96": image_bytes(np.zeros((96, 96), np.uint8)),
        "no rows": lost_rows(noise),
        "colour": image_bytes(np.full((48, 48, 3), (0, 0, 9), np.uint8)),
        "see-through": image_bytes(np.zeros((48, 48, 2), np.uint8)),
        "huge": image_bytes(np.zeros((1, 1), np.uint8)).replace(
            b"\0\0\0\x01\0\0\0\x01", b"\0\x01\0\0\0\x01\0\0", 1
        ),
        "fat": png + bytes(1024**2),
    }[kind]


BAD_IMAGES = {
    "text": "cannot be read",
    "empty": "cannot be read",
    "cut off": "cannot be read",
    "cut jpeg": "cannot be read",
    "flipped byte": "cannot be read",
    "47 x 48": "47 x 48 pixels",
    "96 x 96": "96 x 96 pixels",
    "no rows": "cannot be read",
    "colour": "mode RGB",
    "see-through": "mode LA",
    "huge": "cannot be read",
    "fat": "more than 1,048,576 bytes",
}


@each("form", ["folder", "zip", "tar"])
@pytest.mark.parametrize("kind", BAD_IMAGES)
def test_bad_image_is_named(kind, form, tmp_path, cache):
    members = tree()
    name = next(name for name in members if name.startswith("test/fear/"))
    members[name] = bad_image(kind)
    write = {"folder": write_folder, "zip": write_zip, "tar": write_tar}[form]
    path = tmp_path / {"folder": "fer2013", "zip": "fer2013.zip", "tar": "fer2013.tgz"}[form]
    refused(write(path, members), cache, f"{path.name}/{name}", BAD_IMAGES[kind])


def jpeg(**options):
    buffer = io.BytesIO()
    Image.fromarray(small_dataset().splits["Training"].images[0]).save(buffer, "jpeg", **options)
    return buffer.getvalue()


WAYS = [{"quality": 95}, {"optimize": True}, {"progressive": True}, {"restart_marker_rows": 1}]


@each("options", WAYS)
def test_a_jpeg_whose_data_do_not_end_with_its_pixels_is_doubtful(options):
    whole = jpeg(**options)
    assert not is_doubtful(whole)
    for damaged in (whole[:-40] + whole[-2:], whole[:-2] + whole[-40:]):
        grey_levels(damaged, "a name")  # is read all the same
        assert is_doubtful(damaged)


def test_one_flipped_bit_of_six_in_jpeg_data_is_found():
    random, whole, found = np.random.RandomState(2), jpeg(), 0
    for position in random.randint(whole.index(b"\xff\xda") + 10, len(whole) - 2, 300):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << random.randint(8)
        try:
            grey_levels(damaged, "a name")
            found += is_doubtful(damaged)
        except ValueError:
            found += 1
    assert found > 50


@pytest.mark.filterwarnings("error::UserWarning:PIL")
def test_images_that_look_damaged_are_read_and_named(tmp_path):
    whole = jpeg()
    odd = jpeg(exif=b"Exif\0\0II*\0\x08\0\0\0\x05\0")  # whose five entries are missing
    members = {
        "train/sad/Training_90.jpg": whole[:-40] + whole[-2:],
        "train/sad/Training_91.jpg": odd,
    }
    _, notes = reading.load_with_notes(write_folder(tmp_path / "f", {**tree(), **members}))
    assert notes[-1] == "2 with data that look damaged, as 'train/sad/Training_90.jpg'."


@pytest.mark.parametrize("part", ["train/", "test/"])
def test_folder_without_one_split(part, tmp_path, cache):
    members = {name: content for name, content in tree().items() if part not in name}
    split = "Training" if part == "train/" else "PublicTest"
    refused(write_folder(tmp_path / "f", members), cache, f"in {split} of", "no image")


@pytest.mark.parametrize("emotion", ["train/disgust", "test/disgust", "train/neutral"])
def test_folder_without_one_class(emotion, tmp_path, cache):
    members = {name: content for name, content in tree().items() if emotion not in name}
    missing = emotion.split("/")[1]
    refused(write_folder(tmp_path / "f", members), cache, f"none of {missing}", "all 7 emotions")


def test_folder_with_an_unknown_class(tmp_path, cache):
    members = {**tree(), "train/contempt/Training_1.png": image_bytes(np.eye(48, dtype=np.uint8))}
    refused(write_folder(tmp_path / "f", members), cache, "a label for each image", "contempt/")


def test_test_images_without_their_prefix(tmp_path, cache):
    members = {name.replace("PublicTest_", ""): content for name, content in tree().items()}
    refused(write_folder(tmp_path / "f", members), cache, "PublicTest_<n>")


def test_two_datasets_in_one_folder(tmp_path, cache):
    members = {**tree(prefix="one/"), **tree(prefix="two/")}
    refused(write_folder(tmp_path / "f", members), cache, "'one', 'two'")


def test_folder_without_a_dataset(tmp_path, cache):
    members = {"one.csv": b"1", "two.csv": b"2", "three.pkl": b"3"}
    refused(write_folder(tmp_path / "f", members), cache, "2 .csv files, 1 .pkl files")


# Bad archives and other files


@pytest.mark.parametrize("path", ["", "nowhere/fer2013.csv"])
def test_missing_file(path, cache):
    with pytest.raises(FileNotFoundError, match=r"Expected .*\. Received: .* not exist\. Correct"):
        reading.load(path, cache)
    assert not cache.exists()


PACKED = ["fer2013.zip", "fer2013.tar.gz", "fer2013.tgz", "fer2013.csv.gz", "fer2013.csv.xz"]


def write_packed(path, members=None):
    if path.suffix == ".zip":
        return write_zip(path, members or {"fer2013.csv": csv_bytes()})
    if path.name.endswith((".tgz", ".tar.gz")):
        return write_tar(path, members or {"fer2013.csv": csv_bytes()})
    pack = gzip.compress if path.suffix == ".gz" else lzma.compress
    path.write_bytes(pack(csv_bytes()))
    return path


@each("damage", ["garbage", "cut off", "zeros within"])
@pytest.mark.parametrize("name", PACKED)
def test_corrupt_archive(name, damage, tmp_path, cache):
    path = write_packed(tmp_path / name)
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(
        {
            "garbage": b"<html>no archive</html>" * 50,
            "cut off": content[:middle],
            "zeros within": content[:middle] + bytes(64) + content[middle + 64 :],
        }[damage]
    )
    refused(path, cache, "without emotion" if damage == "garbage" else "ownload", name)


def test_tar_cut_off_inside_whole_gzip(tmp_path, cache):
    path = tmp_path / "fer2013.tar.gz"
    path.write_bytes(gzip.compress(tar_bytes({"fer2013.csv": csv_bytes()})[:100_000]))
    refused(path, cache, "corrupt")


@pytest.mark.parametrize("name", PACKED)
def test_damaged_archives_never_raise_anything_else(name, tmp_path, cache):
    content = write_packed(tmp_path / name).read_bytes()
    random = np.random.RandomState(3)
    edges = np.r_[0:40, len(content) - 90 : len(content)]
    for position in random.choice(edges, 40, replace=False):
        damaged = bytearray(content)
        damaged[position] ^= 1 << random.randint(8)
        (tmp_path / name).write_bytes(damaged)
        try:
            reading.load(tmp_path / name)
        except ValueError as error:
            assert "Received: " in str(error)


@each("name", ["fer2013.zip", "fer2013.tar.gz"])
@pytest.mark.parametrize("member", ["../evil.csv", "/etc/evil.csv", "a/../../evil", "C:\\evil.csv"])
def test_archive_with_a_member_outside(member, name, tmp_path, cache):
    members = {"fer2013.csv": csv_bytes(), member: b""}
    refused(write_packed(tmp_path / name, members), cache, "a member that leaves it", repr(member))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_tar_with_a_link(kind, tmp_path, cache):
    path = tmp_path / "fer2013.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        info = tarfile.TarInfo("fer2013.csv")
        info.type, info.linkname = kind, "/etc/passwd"
        archive.addfile(info)
    refused(path, cache, "a link or special file, 'fer2013.csv'")


def test_zip_with_a_link(tmp_path, cache):
    path = tmp_path / "fer2013.zip"
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo("fer2013.csv")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    refused(path, cache, "a link or special file, 'fer2013.csv'")


@pytest.mark.parametrize(
    "form", ["csv", "csv.gz", "csv.xz", "csv in zip", "folder in zip", "csv in tar.gz", "folder"]
)
def test_what_unpacks_beyond_the_bound(form, tmp_path, cache, monkeypatch):
    monkeypatch.setattr(containers, "MAX_BYTES", 50_000)
    refused(write_form(form, tmp_path), cache, "at most 50,000 bytes", "unpacks to more")


def test_zip_whose_header_lies_about_the_size(tmp_path, cache):
    path = write_zip(tmp_path / "fer2013.zip", {"fer2013.csv": csv_bytes()})
    size = len(csv_bytes()).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(size, (100).to_bytes(4, "little")))
    refused(path, cache)


def test_encrypted_zip(tmp_path, cache):
    path = write_zip(tmp_path / "fer2013.zip", {"fer2013.csv": csv_bytes()})
    content = bytearray(path.read_bytes())
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    refused(path, cache, "encrypted")


def test_bombs_are_refused_in_time_and_memory(tmp_path, cache):
    def header(kind, size):
        info = tarfile.TarInfo("x.txt")
        info.type, info.size = kind, size
        return info.tobuf(tarfile.GNU_FORMAT)

    blank = b"emotion,pixels,Usage\n" + b"\n" * 50_000_000
    bombs = {
        "blank lines": (gzip.compress(blank, 1), "blank lines"),
        "pax header": (header(tarfile.XHDTYPE, 9 * 10**8) + bytes(2**20), "headers of at most"),
        "long name": (header(tarfile.GNUTYPE_LONGNAME, 9 * 10**8), "headers of at most"),
        "empty members": (header(tarfile.REGTYPE, 0) * 20_000, "files that are no data"),
        "archives in archives": (nested(csv_bytes(), 5), "archives in one another"),
    }
    entry = struct.pack("<4s6H3L5H2L", b"PK\1\2", *[0] * 9, 1, *[0] * 6) + b"x"
    size = len(entry) * 200_000
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 65535, 65535, size, 30, 0)
    bombs["names"] = b"PK\3\4" + bytes(26) + entry * 200_000 + end, "bytes of names"
    for name, (content, words) in bombs.items():
        (tmp_path / name).write_bytes(content)
        start = time.process_time()
        refused(tmp_path / name, cache, words)
        assert time.process_time() - start < 2, name


def nested(content, depth):
    for _ in range(depth):
        content = gzip.compress(content)
    return content


class Evil:
    def __reduce__(self):
        return os.mkdir, ("evil",)


def tar_header(kind, size=0):
    member = tarfile.TarInfo("x")
    member.type, member.size = kind, size
    return member.tobuf(tarfile.GNU_FORMAT)


def extended(content, kind=tarfile.XHDTYPE):
    """An extended header of a tar archive, padded to whole blocks."""
    return tar_header(kind, len(content)) + content.ljust(-(-len(content) // 512) * 512, b"\0")


SPARSE = b"22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n"
HOSTILE = {  # what takes minutes, gigabytes or Python's whole stack where it is followed -> words
    "many folders": (tar_header(tarfile.DIRTYPE) * 100_000, "at most 5,000 folders"),
    "headers in a row": (extended(b"12 a=bbbbbb\n") * 5_000, "number 9 in a row"),
    "global headers": (extended(b"12 a=bbbbbb\n", tarfile.XGLTYPE) * 5_000, "number 9 in a row"),
    "long names in a row": (extended(b"name", tarfile.GNUTYPE_LONGNAME) * 5_000, "number 9"),
    "a header of digits": (extended(b"1" * 2**16), "cannot be read"),
    "a sparse map": (extended(SPARSE) + tar_header(b"0", 10**9) + b"99999999\n" * 10**5, "sparse"),
    "empty pieces, gzip": (gzip.compress(b"") * 200_000, "more than they hold"),
    "empty pieces, xz": (lzma.compress(b"") * 100_000, "more than they hold"),
    "empty pieces, bzip2": (bz2.compress(b"") * 300_000, "more than they hold"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_would_be_followed_without_end_is_refused_at_once(kind, tmp_path, cache):
    content, words = HOSTILE[kind]
    path = tmp_path / "fer2013.gz"
    path.write_bytes(gzip.compress(content, 1))
    start = time.process_time()
    refused(path, cache, words)
    assert time.process_time() - start < 2


def test_a_tar_with_a_damaged_header_does_not_end_there(tmp_path, cache):
    content = bytearray(tar_bytes(tree()))
    content[content.index(b"ustar", len(content) // 2) - 200] ^= 1
    path = tmp_path / "fer2013.tar"
    path.write_bytes(content)
    refused(path, cache, "'fer2013.tar' is corrupt", "bad checksum")


def test_extended_headers_give_long_names_and_sizes(tmp_path):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in tree().items():
            member = tarfile.TarInfo(f"{'é' * 120}/{name}")
            member.size, member.pax_headers = len(content), {"size": str(len(content))}
            archive.addfile(member, io.BytesIO(content))
    path = tmp_path / "fer2013.tar"
    path.write_bytes(buffer.getvalue())
    right = fer2013.make_dataset("fer2013", tiny())
    assert reading.load(path).fingerprints == right.fingerprints


@pytest.mark.parametrize("name", ["fer.pkl", "fer.pickle", "fer2013.csv", "fer.npy", "fer.npz"])
def test_pickles_are_never_loaded(name, tmp_path, cache, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if name.endswith(".npy"):
        np.save(name, np.array([Evil()], dtype=object))
    elif name.endswith(".npz"):
        np.savez(name, images=np.array([Evil()], dtype=object))
    else:
        (tmp_path / name).write_bytes(pickle.dumps(Evil()))
    refused(tmp_path / name, cache, "Pickles are never loaded")
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("kind", [np.float32, np.int64])
def test_arrays_of_other_numbers_are_told(kind, tmp_path, cache):
    path = tmp_path / "fer.npy"
    np.save(path, tiny()["Training"][0].astype(kind))
    refused(path, cache, "1 array files without images of 48 x 48 grey levels")


def test_unknown_kind_of_file(tmp_path, cache):
    (tmp_path / "fer2013.docx").write_bytes(b"text\0")
    refused(tmp_path / "fer2013.docx", cache, "an unknown kind of file")


# Cache


def forbid_reading(monkeypatch):
    def fail(source):
        raise AssertionError(f"{source} was read again")

    monkeypatch.setattr(reading, "_read", fail)


@pytest.mark.parametrize("form", ["csv", "folder"])
def test_second_read_comes_from_the_cache(form, tmp_path, cache, monkeypatch):
    path = write_form(form, tmp_path)
    first = reading.load(path, cache)
    assert len(list(cache.iterdir())) == 1
    forbid_reading(monkeypatch)
    second = reading.load(path, cache)
    assert_same(first, second)
    assert second == fer2013.Dataset(
        "fer2013", second.splits, first.fingerprints, first.differences
    )


def test_changed_source_is_read_again(tiny_csv, cache):
    reading.load(tiny_csv, cache)
    arrays = {split: (255 - images, labels) for split, (images, labels) in tiny().items()}
    tiny_csv.write_bytes(csv_bytes(arrays))
    os.utime(tiny_csv, ns=(1, time.time_ns() + 10**9))
    assert_same(reading.load(tiny_csv, cache), fer2013.make_dataset("fer2013", arrays))
    assert len(list(cache.iterdir())) == 1


def test_folder_with_one_changed_image_is_read_again(tmp_path, cache):
    path = write_form("folder", tmp_path)
    before = reading.load(path, cache)
    image = next(path.glob("train/happy/*.png"))
    image.write_bytes(image_bytes(np.zeros((48, 48), np.uint8)))
    assert reading.load(path, cache).fingerprints["Training"] != before.fingerprints["Training"]


@pytest.mark.parametrize("damage", ["cut off", "empty", "text", "pickle", "flipped bit"])
def test_damaged_cache_is_replaced(damage, tiny_csv, cache, monkeypatch):
    first = reading.load(tiny_csv, cache)
    [file] = cache.iterdir()
    content = file.read_bytes()
    if damage == "pickle":
        np.savez(file, identity=np.array([Evil()], dtype=object))
    else:
        file.write_bytes(
            {
                "cut off": content[: len(content) // 2],
                "empty": b"",
                "text": b"no cache",
                "flipped bit": content[:20_000] + bytes([content[20_000] ^ 1]) + content[20_001:],
            }[damage]
        )
    assert_same(reading.load(tiny_csv, cache), first)
    forbid_reading(monkeypatch)
    assert_same(reading.load(tiny_csv, cache), first)
    assert list(cache.iterdir()) == [file]


def test_cached_pixels_are_checked_against_the_fingerprint(tiny_csv, cache):
    """Also where the file itself is whole: its arrays were written with other pixels."""
    first = reading.load(tiny_csv, cache)
    [file] = cache.iterdir()
    with np.load(file) as stored:
        arrays = dict(stored)
    arrays["Training"][0, 7] ^= 1
    np.savez(file, **arrays)
    assert_same(reading.load(tiny_csv, cache), first)


def test_interrupted_writing_leaves_nothing(tiny_csv, cache, monkeypatch):
    def interrupt(stream, **arrays):
        stream.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez", interrupt)
    with pytest.raises(KeyboardInterrupt):
        reading.load(tiny_csv, cache)
    assert not list(cache.iterdir())


def test_cache_folder_that_cannot_be_written(tiny_csv, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.warns(UserWarning, match="could not be cached"):
        assert reading.load(tiny_csv, tmp_path / "file").name == "fer2013"


# Subsets


@pytest.fixture(scope="module")
def uneven():
    """A split with the published class shares."""
    counts = [139, 15, 143, 251, 168, 111, 173]
    labels = np.repeat(np.arange(7, dtype=np.uint8), counts)
    images = np.random.RandomState(5).randint(0, 256, (1000, 48, 48), np.uint8)
    arrays = dict.fromkeys(fer2013.SPLITS, (images, labels))
    return fer2013.make_dataset("drawn", arrays).splits["Training"]


def records(split):
    return [bytes([label]) + image.tobytes() for image, label in zip(split.images, split.labels)]


def test_subsets_keep_shares_order_and_nesting(uneven):
    shares = np.bincount(uneven.labels, minlength=7) / len(uneven.labels)
    smaller = set()
    for n in range(7, 1001):
        part = fer2013.subset(uneven, n)
        assert len(part.labels) == n
        assert np.abs(np.bincount(part.labels, minlength=7) - n * shares).max() < 1
        if n % 50 == 0:
            chosen = records(part)
            assert chosen == sorted(chosen)
            assert smaller < set(chosen)
            smaller = set(chosen)


def test_subset_is_fixed_and_not_the_first_of_each_class(uneven):
    one, two = fer2013.subset(uneven, 70), fer2013.subset(uneven, 70)
    np.testing.assert_array_equal(one.images, two.images)
    classes = [uneven.images[uneven.labels == label] for label in range(7)]
    parts = [one.images[one.labels == label] for label in range(7)]
    assert not any(np.array_equal(part, all_[: len(part)]) for part, all_ in zip(parts, classes))


def test_whole_subset_is_the_split(uneven):
    whole = fer2013.subset(uneven, 1000)
    np.testing.assert_array_equal(whole.images, uneven.images)
    np.testing.assert_array_equal(whole.labels, uneven.labels)


def test_subset_of_a_split_without_one_class(uneven):
    rest = uneven.labels != 1
    part = fer2013.subset(fer2013.Split(uneven.images[rest], uneven.labels[rest]), 100)
    assert len(part.labels) == 100


@pytest.mark.parametrize("n", [-1, 0, 6, 1001])
def test_subset_of_impossible_size(n, uneven):
    with pytest.raises(ValueError, match=rf"Expected .* 7 to 1,000\. Received: {n}\. Choose"):
        fer2013.subset(uneven, n)


# The real dataset


@pytest.fixture(scope="module")
def real(fer2013_path, tmp_path_factory):
    """The dataset, read without a warning, and the seconds of each reading."""
    cache, seconds = tmp_path_factory.mktemp("cache"), []
    for _ in range(4):
        start = time.perf_counter()
        dataset = reading.load(fer2013_path, cache)
        seconds.append(time.perf_counter() - start)
    shutil.rmtree(cache)
    return dataset, seconds


def test_real_dataset_is_the_published_one(real):
    dataset, _ = real
    for split, published in fer2013.FER2013.items():
        assert dataset.counts()[split] == published["counts"]
        assert dataset.fingerprints[split] == published["fingerprint"]
    assert dataset.differences == ()


def test_real_dataset_is_taken_for_the_published_one(fer2013_path, tmp_path):
    dataset = reading.load_published(str(fer2013_path), tmp_path)
    assert dataset.fingerprints == fer2013.published_fingerprints()


def test_index_is_that_of_the_real_dataset(real):
    assert index.INDEX.read_bytes() == index.pack(real[0])
    assert index.INDEX.stat().st_size <= 300_000


def test_real_dataset_is_read_in_time(real):
    _, (first, *cached) = real
    assert first <= 10
    assert min(cached) <= 0.5  # the least: other work may share the machine


def test_blurred_copy_is_named(real):
    dataset, _ = real
    arrays = {name: (split.images, split.labels) for name, split in dataset.splits.items()}
    images = arrays["Training"][0].astype(np.uint16)
    blurred = (images + np.roll(images, 1, axis=1) + np.roll(images, 1, axis=2)) // 3
    arrays["Training"] = blurred.astype(np.uint8), arrays["Training"][1]
    [sentence] = fer2013.make_dataset("fer2013", arrays).differences
    assert sentence.startswith("Training: 28,709 images as published, but their pixels are not")
    assert "blurred" in sentence
    assert "instead of f76e9f0f..." in sentence


def test_real_subset_is_stratified(real):
    split = real[0].splits["Training"]
    counts = np.bincount(fer2013.subset(split, 2000).labels, minlength=7)
    assert counts.sum() == 2000
    assert np.abs(counts - 2000 * np.array(fer2013.FER2013["Training"]["counts"]) / 28709).max() < 1


def test_importing_is_quick_and_needs_no_keras():
    code = "import sys, ferutils.dataset.reading; print({'tensorflow', 'keras'} & set(sys.modules))"
    command = [sys.executable, "-c", code]
    assert subprocess.run(command, capture_output=True, check=True).stdout.strip() == b"set()"
