"""A face in the browser: the answers of Keras, from a picture chosen, dropped or taken; no request.

The network is the smaller one, of random weights; that of the report is tried where it is exported.
"""

import io
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before Keras is imported

import keras
import matplotlib
import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from browsing import NEEDS, Reader
from helpers import EXPLAINED, small_dataset
from phones import recipe, trained, work_in
from PIL import Image

from ferutils import paths
from ferutils.dataset.fer2013 import EMOTIONS
from ferutils.measuring import quantising, recording, small, small_recording, training
from ferutils.records import face
from ferutils.records import small as records
from ferutils.report import interactive

STATIC = paths.BOOK / "_static"
PHOTOGRAPH = Path(matplotlib.get_data_path(), "sample_data", "grace_hopper.jpg")
DRAWN = small_dataset()
FACES = DRAWN.splits["Training"].images[:50]
WRONG = [f"{number} %" for number in range(7)]


@pytest.fixture(scope="module")
def model():
    """A network whose answers differ from face to face, and whose normalisation does something."""
    keras.utils.set_random_seed(0)
    made, random = small.network(recipe()), np.random.default_rng(0)
    for layer in made.layers:
        if layer.name.endswith("_norm"):
            some = random.uniform(0.5, 1.5, (4, layer.gamma.shape[0]))
            layer.set_weights([some[0], some[1] - 1, some[2] - 1, some[3]])
    last = made.get_layer("logits")
    maps = keras.Model(made.inputs, last.input).predict(FACES[..., None], verbose=0)
    spread = random.normal(0, 0.2, (maps.shape[1], 7)) / maps.std(axis=0)[:, None]
    last.set_weights([spread, -maps.mean(axis=0) @ spread])
    return made


@pytest.fixture(scope="module")
def network(model):
    return quantising.quantised(model)


@pytest.fixture(scope="module")
def restored(network):
    return quantising.restored(network, recipe())


def answered(restored, images):
    return small.probabilities(restored, np.asarray(images, np.uint8))


# ---- weights as bytes ---------------------------------------------------------------------------


def test_bytes_answer_as_the_network_that_they_were_made_of(model, restored):
    whole, rounded = (answered(one, FACES) for one in (model, restored))
    assert len(set(whole.argmax(axis=1))) >= 4
    assert np.corrcoef(np.log(whole).ravel(), np.log(rounded).ravel())[0, 1] > 0.8  # of like faces
    again = quantising.restored(quantising.quantised(restored), recipe())
    assert answered(again, FACES) == pytest.approx(rounded, abs=1e-4)


def test_batch_normalisation_and_scale_of_grey_are_in_the_first_kernel(model, restored):
    after = [
        keras.Model(one.inputs, one.get_layer("stem_norm").output) for one in (model, restored)
    ]
    exact, rounded = (one.predict(FACES[..., None], verbose=0) for one in after)
    assert np.abs(exact - rounded).max() < 0.05 * exact.std()


def test_a_weight_is_within_half_a_level_of_what_it_was(model, network):
    kernel, bias = network.logits.weights
    exact, exact_bias = model.get_layer("logits").get_weights()
    steps = np.abs(exact).max(axis=0) / quantising.LEVELS
    assert (np.abs(kernel[0, 0] - exact) <= 0.501 * steps).all()
    assert bias == pytest.approx(exact_bias)


def test_a_recorded_network_is_exported_with_what_it_answers(tmp_path, monkeypatch, model):
    work_in(tmp_path, monkeypatch)
    monkeypatch.setattr(face, "FILE", tmp_path / "face.json")
    with pytest.raises(ValueError, match=EXPLAINED):
        quantising.measure("tiny-seed-0", DRAWN)
    model.compile("sgd")
    training.save_weights(model, small_recording._weights("tiny-seed-0"))
    one = trained().model_copy(update={"weights_sha256": recording.weights_sum(model)})
    records.write(one)
    face.write(quantising.measure("tiny-seed-0", DRAWN))
    found, of = face.read()
    assert of == one
    held_out = DRAWN.splits["PublicTest"].images
    plain = answered(quantising.restored(found.network, recipe()), held_out)
    assert list(map(int, found.answers["PublicTest"])) == plain.argmax(axis=1).tolist()


# ---- the page -----------------------------------------------------------------------------------


def written(folder, network):
    """A page with nothing but the part, and what it says without scripts."""
    data = {
        "emotions": EMOTIONS,
        "network": network.model_dump(),
        "covering": {"square": face.SQUARE, "step": face.STEP},
        "wrong": WRONG,
        "sentences": [f"Caution about {name}." for name in EMOTIONS],
    }
    head = '<meta charset="utf-8"><title>A page</title>'
    head += f'<link rel="stylesheet" href="{(STATIC / "interactive/interactive.css").as_uri()}">'
    for script in NEEDS["face"]:
        head += f'<script defer src="{(STATIC / script).as_uri()}"></script>'
    body = interactive.embedded("face", data, interactive.NEEDS_SCRIPTS)
    file = folder / "page.html"
    file.write_text(
        f'<!doctype html><html lang="en"><head>{head}</head><body><main>'
        f"<h1>A page</h1>{body}</main></body></html>"
    )
    return file


@pytest.fixture(scope="module")
def file(tmp_path_factory, network):
    return written(tmp_path_factory.mktemp("face"), network)


@pytest.fixture
def page(file, wide_reader):
    return wide_reader.open(file)


def png(image):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    return {"name": "a.png", "mimeType": "image/png", "buffer": stream.getvalue()}


def choose(page, picture):
    page.locator("input[type=file]").set_input_files(picture)
    page.wait_for_selector(".answer:visible")


def seen(page):
    """The grey levels that the network was given, uint8 (48, 48)."""
    script = "canvas => [...canvas.getContext('2d').getImageData(0, 0, 48, 48).data]"
    data = page.locator(".pair canvas").first.evaluate(script)
    return np.array(data, np.uint8).reshape(48, 48, 4)[..., 0]


def shown(page):
    """The seven probabilities in percent, as the bars print them."""
    texts = page.locator(".bars .share").all_inner_texts()
    return [float(text.split("\u00a0")[0]) for text in texts]


def whole(page):
    page.locator("input[type=range]").fill("100")


def label(page):
    return page.locator(".frame").get_attribute("aria-label")


def test_fifty_drawn_faces_have_the_answers_of_keras(page, network, restored):
    script = """([network, faces]) => {
        const run = report.network(network);
        return faces.map((face) => run(Float32Array.from(face)));
    }"""
    given = [network.model_dump(), FACES.reshape(50, -1).tolist()]
    found, expected = np.array(page.evaluate(script, given)), answered(restored, FACES)
    assert found.argmax(axis=1).tolist() == expected.argmax(axis=1).tolist()
    assert found == pytest.approx(expected, abs=1e-4)


def test_a_chosen_picture_is_answered_as_keras_answers_it_and_sent_nowhere(
    page, wide_reader, restored
):
    before = list(wide_reader.requests)
    for number in (0, 20, 49):
        choose(page, png(FACES[number]))
        whole(page)
        assert np.array_equal(seen(page), FACES[number])
        expected = answered(restored, FACES[number : number + 1])[0]
        assert shown(page) == pytest.approx(100 * expected, abs=0.051)
        name = EMOTIONS[expected.argmax()]
        page.get_by_text(f"It says “{name}”").wait_for()
        assert f"Caution about {name}." in page.locator(".said").inner_text()
        assert name in page.locator("tr.is-best").inner_text()
    assert page.locator(".bars tbody td:last-child").all_inner_texts() == WRONG
    assert wide_reader.requests == before


def area_means(image, left, top, side):
    """A square of an image as 48 x 48 means of areas, by sums over whole and part pixels."""
    sums = np.pad(image.astype(float).cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    lines = np.arange(sums.shape[0]), np.arange(sums.shape[1])
    edges = [start + np.arange(49) * side / 48 for start in (top, left)]
    rows = np.array([np.interp(edges[0], lines[0], column) for column in sums.T]).T
    both = np.array([np.interp(edges[1], lines[1], row) for row in rows])
    return np.diff(np.diff(both, axis=0), axis=1) / (side / 48) ** 2


def test_a_photograph_is_seen_in_grey_as_means_of_areas(page, restored):
    choose(page, PHOTOGRAPH)
    grey = np.array(Image.open(PHOTOGRAPH).convert("L"))
    side = 0.6 * min(grey.shape)
    left, top = (grey.shape[1] - side) / 2, (grey.shape[0] - side) / 2
    found = seen(page)
    assert np.abs(found - area_means(grey, left, top, side)).max() < 2  # of two decoders of JPEG
    assert shown(page) == pytest.approx(100 * answered(restored, found[None])[0], abs=0.051)


def test_a_large_coloured_and_transparent_picture_is_taken(page):
    tall = np.zeros((3000, 2000, 4), np.uint8)  # transparent, hence white
    choose(page, png(tall))
    assert (seen(page) == 255).all()
    red = np.tile(np.array([255, 0, 0], np.uint8), (60, 90, 1))
    choose(page, png(red))
    assert (seen(page) == 76).all()


def test_what_is_no_picture_is_refused_in_words_and_a_picture_taken_after_it(page):
    text = {"name": "a.png", "mimeType": "image/png", "buffer": b"no picture"}
    page.locator("input[type=file]").set_input_files(text)
    page.get_by_role("alert").get_by_text("no picture").wait_for()
    assert not page.locator(".answer").is_visible()
    choose(page, png(FACES[0]))
    assert page.locator(".message").text_content() == ""


def test_a_picture_is_dropped(page):
    script = """async (bytes) => {
        const data = new DataTransfer();
        data.items.add(new File([new Uint8Array(bytes)], "a.png", { type: "image/png" }));
        const how = { dataTransfer: data, bubbles: true, cancelable: true };
        const event = new DragEvent("drop", how);
        document.querySelector(".stage").dispatchEvent(event);
        return event.defaultPrevented;
    }"""
    assert page.evaluate(script, list(png(FACES[3])["buffer"]))
    page.wait_for_selector(".answer:visible")
    whole(page)
    assert np.array_equal(seen(page), FACES[3])


CAMERA = """() => {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 64;
  const context = canvas.getContext("2d");
  setInterval(() => {
    context.fillStyle = "#000"; context.fillRect(0, 0, 32, 64);
    context.fillStyle = "#fff"; context.fillRect(32, 0, 32, 64);
  }, 20);
  globalThis.streams = [];
  const media = { getUserMedia: async () => {
    if (globalThis.denied) throw new DOMException("", "NotAllowedError");
    streams.push(canvas.captureStream(25));
    return streams.at(-1);
  } };
  Object.defineProperty(navigator, "mediaDevices", { get: () => media });
}"""


def test_a_picture_is_taken_as_in_a_mirror_and_the_camera_switched_off(file, wide_reader):
    wide_reader.context.add_init_script(f"({CAMERA})()")
    page = wide_reader.open(file)
    page.evaluate("globalThis.denied = true")
    page.get_by_role("button", name="Use the camera").click()
    page.get_by_role("alert").get_by_text("no camera").wait_for()
    page.evaluate("globalThis.denied = false")
    ended = "streams.every((one) => one.getTracks().every((track) => track.readyState == 'ended'))"
    page.get_by_role("button", name="Use the camera").click()
    page.get_by_role("button", name="Cancel").click()
    assert page.evaluate(ended)
    page.get_by_role("button", name="Use the camera").click()
    page.get_by_role("button", name="Take the picture").click()
    page.wait_for_selector(".answer:visible")
    whole(page)
    assert seen(page)[:, 0].min() > 200 and seen(page)[:, -1].max() < 50
    page.wait_for_function(ended)
    assert page.get_by_role("button", name="Use the camera").is_visible()


def test_the_browsers_own_detector_places_the_box(file, wide_reader):
    box = "{ x: 30, y: 10, width: 20, height: 24 }"
    detector = f"class {{ async detect() {{ return [{{ boundingBox: {box} }}]; }} }}"
    wide_reader.context.add_init_script(f"globalThis.FaceDetector = {detector}")
    page = wide_reader.open(file)
    choose(page, png(np.zeros((100, 100), np.uint8)))
    assert "28 % from the left, 10 % from the top, 24 % large" in label(page)


def test_the_box_is_moved_and_resized_with_the_pointer(page):
    choose(page, png(np.zeros((400, 400), np.uint8)))
    assert "20 % from the left, 20 % from the top, 60 % large" in label(page)
    shown = page.locator(".stage canvas").bounding_box()

    def drag(start, end):
        for number, (x, y) in enumerate((start, end)):
            page.mouse.move(shown["x"] + x * shown["width"], shown["y"] + y * shown["height"])
            [page.mouse.down, page.mouse.up][number]()

    drag((0.5, 0.5), (0.4, 0.6))
    assert "10 % from the left, 30 % from the top, 60 % large" in label(page)
    drag((0.68, 0.88), (0.48, 0.68))
    assert "10 % from the left, 30 % from the top, 40 % large" in label(page)
    drag((0.3, 0.5), (2, 2))
    assert "60 % from the left, 60 % from the top, 40 % large" in label(page)
    page.mouse.move(0, 0)  # the button is up: nothing follows
    assert "60 % from the left" in label(page)
    page.locator(".stage canvas").click(position={"x": 0.3 * shown["width"], "y": 120})
    assert "10 % from the left" in label(page)


def test_everything_is_done_with_the_keyboard_alone(page, wide_reader, restored):
    with page.expect_file_chooser() as chooser:  # which takes a moment to be listened for
        wide_reader.tab_to(page.get_by_role("button", name="Choose a picture"))
        page.keyboard.press("Enter")
    chooser.value.set_files(png(FACES[7]))
    page.wait_for_selector(".answer:visible")
    wide_reader.tab_to(page.locator(".frame"))
    first = label(page)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert label(page) != first
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowUp")
    assert label(page) == first
    for _ in range(10):
        page.keyboard.press("+")
    assert "100 % large" in label(page)
    page.keyboard.press("-")
    assert "93 % large" in label(page)
    page.keyboard.press("+")
    wide_reader.tab_to(page.get_by_role("button", name="What decided?"))
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('.decided').textContent")
    assert EMOTIONS[answered(restored, FACES[7:8])[0].argmax()] in (
        page.locator(".decided").inner_text()
    )


def test_what_decided_is_what_keras_says_with_parts_covered(page, restored):
    choose(page, png(FACES[0]))
    whole(page)
    page.get_by_role("button", name="What decided?").click()
    page.wait_for_function("document.querySelector('.decided').textContent")
    usual = answered(restored, FACES[:1])[0]
    best, mean = usual.argmax(), np.floor(FACES[0].mean() + 0.5)
    covered = np.tile(FACES[0], (7, 7, 1, 1))
    for row, column in np.ndindex(7, 7):
        top, left = row * face.STEP, column * face.STEP
        covered[row, column, top : top + face.SQUARE, left : left + face.SQUARE] = mean
    left_over = answered(restored, covered.reshape(49, 48, 48))[:, best]
    least = f"{100 * left_over.min():.1f}"
    assert f"its probability is {least}" in page.locator(".decided").inner_text()
    place = divmod(int(left_over.argmin()), 7)
    names = [("upper", "middle", "lower"), ("left", "centre", "right")]
    words = [some[int(3 * (at + 0.5) / 7)] for some, at in zip(names, place)]
    expected = "the centre" if words == ["middle", "centre"] else " ".join(words)
    assert expected in page.locator(".decided").inner_text()
    alpha = """canvas => [...canvas.getContext("2d").getImageData(0, 0, 48, 48).data]
        .filter((_, at) => at % 4 === 3)"""
    reddest = np.argmax(page.locator(".map").evaluate(alpha))
    assert abs(reddest // 48 - (6 * place[0] + 6)) <= 12
    assert abs(reddest % 48 - (6 * place[1] + 6)) <= 12
    page.locator(".frame").press("-")  # another box: no longer what decided
    assert page.locator(".decided").inner_text() == ""
    assert max(page.locator(".map").evaluate(alpha)) == 0


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark"), (320, "light")])
def test_it_keeps_no_reader_out_and_fits(file, browser, width, scheme):
    reader = Reader(browser, width, scheme)
    page = reader.open(file)
    for picture in (None, png(FACES[0])):
        if picture:
            choose(page, picture)
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    reader.context.close()


def test_without_scripts_it_says_what_it_needs(file, browser):
    reader = Reader(browser, java_script_enabled=False)
    page = reader.open(file)
    assert "with JavaScript switched on" in page.locator(".interactive").inner_text()
    reader.check()
    reader.context.close()


def test_the_page_of_the_report_answers_or_says_that_it_is_open(report, browser):
    reader = Reader(browser)
    page = reader.open(report / "pages" / "face.html")
    found = face.read()
    if found is None:
        assert "Open: the network has not been exported" in page.locator("article").inner_text()
        assert page.locator(".interactive, #face-errors td:has-text('%')").count() == 0
        return
    before = len(reader.requests)
    choose(page, PHOTOGRAPH)
    plain = quantising.restored(found[0].network, found[1].recipe)
    assert shown(page) == pytest.approx(100 * answered(plain, seen(page)[None])[0], abs=0.051)
    # Chromium asks for the icon when it likes.
    assert not [one for one in reader.requests[before:] if not one.endswith("favicon.svg")]
    reader.check()  # before axe asks for more
    barriers = Axe().run(
        page, options={"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa"]}}
    )
    assert barriers.violations_count == 0, barriers.generate_report()
    reader.context.close()
