"""From image files to faces, and what a recorded network answers to them."""

import dataclasses
import zlib
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from helpers import EXPLAINED, small_recipe
from PIL import Image
from synthetic import DRAWN, record

from ferutils import cli
from ferutils.measuring import predicting
from ferutils.measuring.detecting import Box
from ferutils.records.crop import Rule

BLACK, WHITE = 0, 255


def saved(picture, path, **options):
    picture.save(path, **options)
    return path


def face(path):
    return predicting.whole(predicting.picture(path)[0])


# Pictures that a face fills


def test_a_grey_image_of_the_right_size_stays_as_it_is(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (48, 48), np.uint8)
    found = face(saved(Image.fromarray(pixels), tmp_path / "face.png"))
    assert found.dtype == np.uint8
    assert np.array_equal(found, pixels)


@pytest.mark.parametrize("size", [(300, 100), (100, 300), (96, 32), (20, 60)])
def test_the_square_around_the_centre_is_cut_out(tmp_path, size):
    picture = Image.new("L", size, BLACK)
    side = min(size)
    left, top = ((length - side) // 2 for length in size)
    picture.paste(WHITE, (left, top, left + side, top + side))
    found = face(saved(picture, tmp_path / "face.png"))
    assert found.shape == (48, 48)
    assert (found[2:-2, 2:-2] == WHITE).all()  # resizing mixes neighbours at the very edge


def test_a_large_image_is_made_smaller_as_a_whole(tmp_path):
    picture = Image.new("L", (480, 480), BLACK)
    picture.paste(WHITE, (240, 0, 480, 480))
    found = face(saved(picture, tmp_path / "face.png"))
    assert (found[:, :22] == BLACK).all()
    assert (found[:, 26:] == WHITE).all()


def test_a_picture_is_turned_as_its_camera_says(tmp_path):
    picture = Image.new("L", (96, 96), BLACK)
    picture.paste(WHITE, (0, 0, 96, 48))  # the upper half
    exif = Image.Exif()
    exif[0x0112] = 3  # orientation: upside down
    found = face(saved(picture, tmp_path / "face.jpg", exif=exif, quality=100))
    assert found[:20].max() < 10
    assert found[28:].min() > 245


def test_colour_becomes_luma(tmp_path):
    picture = Image.new("RGB", (48, 48), (255, 0, 0))
    found = face(saved(picture, tmp_path / "face.png"))
    assert (found == round(255 * 0.299)).all()


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_what_is_transparent_is_white(tmp_path, mode):
    picture = Image.new(mode, (48, 48), 0)
    found = face(saved(picture, tmp_path / "face.png"))
    assert (found == WHITE).all()


def test_sixteen_bits_keep_their_range(tmp_path):
    levels = np.linspace(0, 65535, 48 * 48).astype(np.uint16).reshape(48, 48)
    found = face(saved(Image.fromarray(levels), tmp_path / "face.png"))
    assert np.array_equal(found, levels // 256)


def test_four_colours_of_print_are_read(tmp_path):
    picture = Image.new("CMYK", (48, 48), (0, 255, 255, 0))  # red
    found = face(saved(picture, tmp_path / "face.jpg", quality=100))
    assert abs(found.astype(int) - round(255 * 0.299)).max() <= 2


@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_a_huge_picture_is_read_at_a_fraction_of_its_size(tmp_path, ending):
    picture = Image.new("RGB", (8160, 6144), "grey")  # 50 megapixels
    shown, scale = predicting.picture(saved(picture, tmp_path / f"face.{ending}"))
    assert max(shown.size) == predicting.LONGEST
    assert scale == pytest.approx(8160 / predicting.LONGEST)


def make_bomb(path):
    """A small file that says it has a thousand million pixels."""
    content = bytearray(saved(Image.new("L", (1, 1)), path).read_bytes())
    content[16:24] = (40_000).to_bytes(4) * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4)
    path.write_bytes(content)


def cut_off(path):
    pixels = np.random.default_rng(0).integers(0, 256, (48, 48), np.uint8)
    path.write_bytes(saved(Image.fromarray(pixels), path).read_bytes()[:900])


@pytest.mark.parametrize(
    "write",
    [
        lambda path: None,
        lambda path: path.mkdir(),
        lambda path: path.touch(),
        lambda path: path.write_bytes(b"\x80\x04pickle"),
        lambda path: Image.new("L", (48, 48)).save(path, "GIF"),
        cut_off,
        make_bomb,
    ],
    ids=["nothing", "folder", "empty", "pickle", "GIF", "cut off", "too many pixels"],
)
def test_what_is_no_whole_png_or_jpeg_is_refused(tmp_path, write):
    write(tmp_path / "face.png")
    with pytest.raises(ValueError, match=EXPLAINED):
        face(tmp_path / "face.png")


def test_a_huge_file_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(predicting, "MAX_FILE_BYTES", 50)
    with pytest.raises(ValueError, match=EXPLAINED) as refusal:
        face(saved(Image.new("L", (48, 48)), tmp_path / "face.png"))
    assert "larger" in str(refusal.value)


def test_too_many_pixels_are_called_so(tmp_path):
    make_bomb(tmp_path / "face.png")
    with pytest.raises(ValueError, match=r"at most [\d,]+ pixels"):
        face(tmp_path / "face.png")


# Faces found in pictures


@pytest.fixture
def boxes(monkeypatch):
    """What a detector finds in any picture, to be filled; and how FER-2013 cuts faces out."""
    found = []
    detector = SimpleNamespace(find=lambda _: found)
    monkeypatch.setattr(predicting.detecting, "Detector", lambda: detector)
    rule = SimpleNamespace(rule=Rule(margin=2, right=0, down=0.25))
    monkeypatch.setattr(predicting.crop, "read", lambda: rule)
    return found


def test_each_face_is_cut_out_around_its_box(tmp_path, boxes):
    picture = Image.new("RGB", (400, 200), BLACK)
    picture.paste("white", (60, 30, 160, 130))
    boxes += [Box(85, 30, 135, 80, 0.9), Box(200, 100, 250, 150, 0.8)]
    first, second = predicting.faces([saved(picture, tmp_path / "photo.png")])[0]
    assert first.square == (60, 17.5, 100)
    assert (first.pixels[10:, :-1] == WHITE).all() and (first.pixels[:5] == BLACK).all()
    assert second.pixels.shape == (48, 48) and (second.pixels == BLACK).all()


def test_beyond_the_rim_of_a_picture_its_rim_goes_on(tmp_path, boxes):
    picture = Image.new("L", (100, 100), 200)
    picture.paste(50, (0, 0, 50, 100))
    boxes += [Box(-20, -20, 20, 20, 0.9), Box(80, 80, 130, 130, 0.9)]
    left, right = predicting.faces([saved(picture, tmp_path / "photo.png")])[0]
    assert left.square == (-40, -30, 80)
    assert (left.pixels == 50).all()
    assert (right.pixels == 200).all()


def test_squares_are_told_in_pixels_of_the_file(tmp_path, boxes):
    picture = Image.new("RGB", (2 * predicting.LONGEST, 1000))
    boxes.append(Box(100, 100, 200, 200, 0.9))
    ((found,),) = predicting.faces([saved(picture, tmp_path / "photo.png")])
    assert found.square == (100, 150, 400)


def test_a_picture_of_a_faces_size_is_a_face_and_so_is_any_on_demand(tmp_path, boxes):
    small = saved(Image.new("L", (48, 48), 7), tmp_path / "small.png")
    large = saved(Image.new("L", (96, 96), 7), tmp_path / "large.png")
    assert [len(some) for some in predicting.faces([small, large])] == [1, 0]
    for (found,) in predicting.faces([small, large], all_whole=True):
        assert found.square is None and (found.pixels == 7).all()


def test_a_drawn_square_is_around_the_face(tmp_path, boxes):
    path = saved(Image.new("RGB", (200, 200)), tmp_path / "photo.png")
    boxes.append(Box(90, 75, 130, 115, 0.9))
    drawn = predicting.drawn(path, *predicting.faces([path]), ["happy 90%"])
    bright = np.argwhere(np.asarray(drawn)[..., 0] > 0)
    assert bright[:, 1].min() == 70 and bright[:, 0].max() == 145
    assert bright[:, 0].min() < 65  # the text above it


@pytest.fixture
def answering(monkeypatch):
    """A run whose network answers the same to all faces."""
    one = record(note=DRAWN)
    monkeypatch.setattr(cli, "_find_run", lambda _: ("recorded", one))
    answers = np.log([[0.1, 0.1, 0.1, 0.4, 0.1, 0.1, 0.1]])
    monkeypatch.setattr(
        predicting, "log_probabilities", lambda _, faces: answers.repeat(len(faces), axis=0)
    )


def predict(*arguments):
    return CliRunner().invoke(cli.main, ["predict", "run", *map(str, arguments)])


def test_the_command_prints_and_draws_every_face(tmp_path, boxes, answering):
    photo = saved(Image.new("RGB", (200, 200)), tmp_path / "photo.jpg")
    boxes += [Box(10 * n, 75, 10 * n + 40, 115, 0.9) for n in range(20)]
    result = predict(photo, "--out", tmp_path / "drawn.png")
    assert result.exit_code == 0, result.output
    rows = [line.split() for line in result.stdout.splitlines() if line.startswith(str(photo))]
    assert len(rows) == 20
    assert rows[1][1:4] == ["-10,65,70,145", "happy", "10.0%"]
    with Image.open(tmp_path / "drawn.png") as drawn:
        assert drawn.size == (200, 200)


def test_a_picture_without_a_face_fails_after_the_others_are_answered(tmp_path, boxes, answering):
    empty = saved(Image.new("RGB", (200, 200)), tmp_path / "empty.png")
    face = saved(Image.new("L", (48, 48)), tmp_path / "face.png")
    result = predict(empty, face)
    assert result.exit_code == 1
    assert f"{face}  happy" in result.stdout and f"{empty}  " not in result.stdout
    assert "none found in" in result.stderr and "--whole" in result.stderr
    assert predict(empty, "--whole").exit_code == 0


@pytest.mark.parametrize("arguments", [["a.png", "b.png", "--out", "c.png"],
                                       ["a.png", "--out", "c.gif"]])  # fmt: skip
def test_what_cannot_be_drawn_is_refused_before_anything_is_read(answering, arguments):
    result = predict(*arguments)
    assert result.exit_code == 1 and "--out" in result.stderr


# Answers


@pytest.mark.slow
def test_a_recorded_network_answers_as_its_record_says(trained):
    images = trained.dataset.splits["PrivateTest"].images
    found = predicting.log_probabilities(trained.record, images)
    recorded = trained.record.predictions["PrivateTest"]
    assert np.allclose(found, recorded.log_probabilities, rtol=2e-3, atol=2e-3)  # float16
    assert np.allclose(np.exp(found).sum(axis=1), 1)
    assert np.array_equal(found.argmax(axis=1), recorded.predicted)


@pytest.mark.slow
def test_the_command_answers_as_the_record_says(trained, tmp_path):
    image = Image.fromarray(trained.dataset.splits["PrivateTest"].images[0])
    file = saved(image, tmp_path / "face.png")
    name = trained.record.run.id
    result = CliRunner().invoke(cli.main, ["predict", name[:12], str(file)])
    assert result.exit_code == 0
    printed = [float(cell.strip("%")) for cell in result.stdout.split()[-7:]]
    recorded = np.exp(trained.record.predictions["PrivateTest"].log_probabilities[0])
    assert np.allclose(printed, 100 * recorded, atol=0.2)


@pytest.mark.slow
def test_weights_are_read_without_remark(trained, recwarn):
    predicting.log_probabilities(trained.record, np.zeros((1, 48, 48), np.uint8))
    assert [one for one in recwarn if "optimizer" in str(one.message)] == []


def of_another_network(trained):
    from ferutils.measuring import models, training

    training.save_weights(models.build(small_recipe(hidden_neurons=8)), trained.weights)


def without_an_answer(trained):
    from ferutils.measuring import models, training

    model = models.build(small_recipe())
    model.set_weights([np.full_like(one, np.nan) for one in model.get_weights()])
    training.save_weights(model, trained.weights)


def with_noise(trained):
    with h5py.File(trained.weights, "r+") as file:
        kernels = []
        file["layers"].visititems(lambda _, one: kernels.append(one))
        kernel = next(one for one in kernels if getattr(one, "ndim", 0) == 2)
        kernel[...] = np.random.default_rng(0).normal(0, 0.1, kernel.shape)


@pytest.mark.slow
@pytest.mark.parametrize(
    "spoil",
    [
        with_noise,
        lambda trained: trained.weights.write_bytes(trained.weights.read_bytes()[:5000]),
        lambda trained: trained.weights.write_bytes(b"\x80\x04pickle"),
        of_another_network,
        without_an_answer,
    ],
    ids=["noise", "cut off", "no weights", "another network", "diverged"],
)
def test_weights_that_cannot_be_used_are_refused(trained, spoil):
    kept = trained.weights.read_bytes()
    spoil(trained)
    try:
        with pytest.raises(ValueError, match=EXPLAINED):
            predicting.log_probabilities(trained.record, np.zeros((1, 48, 48), np.uint8))
    finally:
        trained.weights.write_bytes(kept)


def recorded_before(trained):
    """The same record as one of the time before records had a sum of their weights."""
    older = trained.record.run.model_copy(update={"weights_sha256": None})
    return dataclasses.replace(trained.record, run=older)


@pytest.mark.slow
def test_a_run_of_the_report_that_was_trained_again_is_checked_by_its_new_record(trained):
    older, kept = recorded_before(trained), trained.weights.read_bytes()
    assert predicting.weights_sums(older) == {trained.record.run.weights_sha256}
    with_noise(trained)
    try:
        with pytest.raises(ValueError, match="sum"):
            predicting.log_probabilities(older, np.zeros((1, 48, 48), np.uint8))
    finally:
        trained.weights.write_bytes(kept)


@pytest.mark.slow
def test_weights_of_a_record_without_a_sum_are_used_unchecked(trained, tmp_path, monkeypatch):
    monkeypatch.setenv("FERUTILS_RUNS", str(tmp_path))
    older, images = recorded_before(trained), np.zeros((1, 48, 48), np.uint8)
    assert predicting.weights_sums(older) == set()
    answers = (predicting.log_probabilities(one, images) for one in (older, trained.record))
    assert np.array_equal(*answers)


def test_without_weights_the_command_that_trains_again_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("FERUTILS_CACHE", str(tmp_path))
    one = record(note=DRAWN)
    with pytest.raises(ValueError, match=EXPLAINED) as refusal:
        predicting.log_probabilities(one, np.zeros((1, 48, 48), np.uint8))
    assert "no such file" in str(refusal.value)
    assert predicting.training_command(one) in str(refusal.value)
    assert one.recipe.command() in predicting.training_command(one)
