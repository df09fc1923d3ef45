"""Files are written whole or not at all, and where they cannot be, it is said what helps."""

import errno
import os
import re

import pytest
import yaml
from helpers import EXPLAINED

from ferutils import storage


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EFBIG])
def test_a_folder_that_cannot_be_written_to_is_named_with_a_remedy(tmp_path, monkeypatch, number):
    def fail(handle):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match=os.strerror(number)) as refusal:
        storage.write_whole(tmp_path / "page", b"content")
    assert refusal.value.errno == number
    assert re.search(EXPLAINED, refusal.value.strerror)
    assert str(tmp_path) in refusal.value.strerror and ".part" not in refusal.value.strerror
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_named_with_a_remedy(tmp_path):
    with pytest.raises(OSError, match=r"No such file or directory\. Make it") as refusal:
        storage.write_whole(tmp_path / "nowhere" / "page", b"content")
    assert str(tmp_path / "nowhere") in refusal.value.strerror
    assert ".part" not in str(refusal.value)


@pytest.mark.parametrize(
    "text, why",
    [
        ("runs: &all [1]\nmore: *all", r"an alias \(\*name\)"),
        ("[" * 21 + "]" * 21, "more than 20 levels"),
        ("#" * 2**20 + "\n", "more than 1,048,576 bytes"),
        ("runs:\n- seeds: [0]\n  seeds: [1]", "a key that stands twice in line 3"),
    ],
)
def test_yaml_that_grows_or_says_a_thing_twice_is_refused(tmp_path, text, why):
    (tmp_path / "file.yml").write_text(text)
    with pytest.raises(yaml.YAMLError) as refusal:
        storage.read_yaml(tmp_path / "file.yml")
    assert re.search(why, storage.described(refusal.value))
