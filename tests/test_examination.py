"""The examination finds what was planted, and what is known of FER-2013."""

import numpy as np
import pytest

from ferutils import data, examination, faces


@pytest.fixture
def planted():
    """Drawn faces with copies across splits, a contradiction and a blank picture planted."""
    drawn = faces.draw({split: [3] * 7 for split in data.SPLITS})
    arrays = {name: [one.images.copy(), one.labels.copy()] for name, one in drawn.splits.items()}
    training, labels = arrays["Training"]
    arrays["PublicTest"][0][4] = training[0]  # a copy across splits ...
    arrays["PublicTest"][1][4] = (labels[0] + 1) % 7  # ... with another label
    arrays["PrivateTest"][0][:2] = training[5]  # twice in one split, and once in Training
    arrays["PrivateTest"][1][:2] = labels[5]
    training[20] = 7  # blank
    return data.make_dataset("fer2013", {name: tuple(both) for name, both in arrays.items()})


def test_planted_copies_contradictions_and_blanks_are_found(planted):
    found = examination.examine(planted)
    assert found.images == dict.fromkeys(data.SPLITS, 21)
    assert found.copies_within == {"Training": 0, "PublicTest": 0, "PrivateTest": 1}
    assert found.copies_in_all == 3
    assert {name: len(places) for name, places in found.in_training.items()} == {
        "PublicTest": 1,
        "PrivateTest": 2,
    }
    assert (found.contradicting_pictures, found.contradicting_images) == (1, 2)
    assert [len(found.blank[name]) for name in data.SPLITS] == [1, 0, 0]


def test_positions_point_at_the_images(planted):
    found = examination.examine(planted)
    training = {image.tobytes() for image in planted.splits["Training"].images}
    for name, places in found.in_training.items():
        images = planted.splits[name].images
        assert all((images[place].tobytes() in training) for place in places)
    (blank,) = found.blank["Training"]
    assert np.ptp(planted.splits["Training"].images[blank]) == 0


def test_an_examination_is_read_as_it_was_written(planted, tmp_path):
    found = examination.examine(planted)
    examination.write(found, tmp_path / "examination.json")
    assert examination.read(tmp_path / "examination.json") == found
    assert [file.name for file in tmp_path.iterdir()] == ["examination.json"]


@pytest.mark.parametrize("content", [None, "", "{}", '{"images": 3}'])
def test_a_damaged_examination_is_refused(tmp_path, content):
    file = tmp_path / "examination.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ValueError, match=r"(?s)Expected the examination.*Received: .*make examine"):
        examination.read(file)


def test_the_recorded_examination_is_of_the_published_dataset():
    found = examination.read()
    assert found.fingerprints == {s: data.FER2013[s]["fingerprint"] for s in data.SPLITS}
    # Published: 1,853 of the images are copies of an earlier one.
    assert found.copies_in_all == 1853


@pytest.mark.dataset
def test_the_real_dataset_gives_the_recorded_examination(fer2013_path):
    assert examination.examine(data.load(fer2013_path)) == examination.read()
