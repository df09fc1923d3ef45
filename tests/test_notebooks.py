"""The notebooks: short, without outputs and numbers of their own; and executed by papermill.

Needs no dataset; the executions train on drawn faces.
"""

import ast
import re
from pathlib import Path

import nbformat
import papermill
import pytest
from helpers import EXPLAINED, each

from ferutils import paths
from ferutils.records import recipes, runs
from ferutils.report import tables
from ferutils.site import pages

NOTEBOOKS = sorted(paths.NOTEBOOKS.glob("*.ipynb"))
every_notebook = each("path", NOTEBOOKS, lambda path: path.stem)


def read(path):
    return nbformat.read(path, as_version=4)


def code_cells(path):
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def is_parameters(cell):
    return "parameters" in cell.metadata.get("tags", [])


def calls(cell):
    """The functions of a module that a cell calls, as (module, function, arguments)."""
    return [
        (node.func.value.id, node.func.attr, node.args)
        for node in ast.walk(ast.parse(cell.source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
    ]


def is_figure(cell):
    return any(
        str(module).endswith("figures") and name != "house_style" for module, name, _ in calls(cell)
    )


def captions(path):
    """The captions of a notebook's numbered figures and tables, by name, in pairs."""
    pairs = []
    for cell in code_cells(path):
        figure = cell.metadata.get("mystnb", {}).get("figure")
        pairs += [(figure.name, figure.caption)] if figure else []
        pairs += [
            (arguments[1].value, arguments[2].value)
            for _, name, arguments in calls(cell)
            if name == "numbered"
        ]
    return pairs


# ---- as they are kept ---------------------------------------------------------------------------


def test_each_notebook_is_a_page_in_the_contents_and_each_network_has_one():
    listed = re.findall(r"pages/(\w+)", (paths.BOOK / "_toc.yml").read_text())
    assert sorted(listed) == [path.stem for path in NOTEBOOKS], "list it in book/_toc.yml"
    networks = {name for name, one in recipes.NETWORKS.items() if not one.reads}
    assert networks <= set(listed), "give it a notebook, see README.md: To add something"


@every_notebook
def test_it_is_kept_without_outputs(path):
    nbformat.validate(read(path))
    for cell in code_cells(path):
        assert cell.outputs == []
        assert cell.execution_count is None
    text = path.read_text(encoding="utf-8")
    assert '"papermill"' not in text
    assert str(Path.home()) + "/" not in text


@every_notebook
def test_it_defines_nothing(path):
    for cell in code_cells(path):
        for node in ast.walk(ast.parse(cell.source)):
            assert not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)


@every_notebook
def test_it_is_short(path):
    cells = code_cells(path)
    assert len(cells) <= 14
    for cell in cells:
        lines = [line for line in cell.source.splitlines() if not line.startswith("from ")]
        assert is_parameters(cell) or len(lines) <= 8, cell.source


@every_notebook
def test_it_has_at_most_one_cell_of_parameters_and_it_comes_first(path):
    marked = [is_parameters(cell) for cell in code_cells(path)]
    assert not any(marked[1:])


@every_notebook
def test_no_number_stands_in_it(path):
    for cell in read(path).cells:
        words = [cell.source] if not is_parameters(cell) else []
        mystnb = cell.metadata.get("mystnb", {})
        words += [*mystnb.get("figure", {}).values(), *mystnb.get("image", {}).values()]
        for text in words:
            text = re.sub(r"[Ss]ections? \d+\.\d+", "", text)
            assert not re.search(r"\d+\.\d+|\d%", text), text


@every_notebook
def test_each_figure_has_name_caption_and_a_description(path):
    for cell in code_cells(path):
        if is_figure(cell):
            mystnb = cell.metadata.mystnb
            assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", mystnb.figure.name)
            assert mystnb.figure.caption.endswith(".")
            assert len(mystnb.image.alt) > 20
            assert cell.source.endswith(";")  # or the axes would be printed beside the figure
        else:
            assert "figure" not in cell.metadata.get("mystnb", {})


@every_notebook
def test_each_text_is_read_as_myst(path):
    for cell in code_cells(path):
        if any(name == "numbered" or module == "prose" for module, name, _ in calls(cell)):
            assert cell.metadata.mystnb.markdown_format == "myst", cell.source


@every_notebook
def test_its_links_lead_somewhere(path):
    text = "\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        if not target.startswith("http"):
            folder = paths.NOTEBOOKS if target.endswith(".ipynb") else paths.BOOK / "pages"
            assert (folder / "x").parent.joinpath(target).resolve().is_file(), target


def test_figures_and_tables_have_names_of_their_own():
    names = [name for path in NOTEBOOKS for name, _ in captions(path)]
    assert len(names) == len(set(names))


def test_each_figure_and_table_of_the_paper_is_matched_and_its_caption_says_so():
    named = dict(pair for path in NOTEBOOKS for pair in captions(path))
    for place, name in tables.PLACES.items():
        assert re.search(rf"\b{place}\b", named[name]), place


# ---- as papermill executes them -----------------------------------------------------------------

DRAWN = {"dataset": "drawn", "epochs": 2, "train_images": 70, "evaluation_images": 70}


class Workplace:
    """A folder for records, weights and executed notebooks."""

    def __init__(self, folder, patch):
        self.folder = folder
        patch.setenv("FERUTILS_RUNS", str(folder / "runs"))
        patch.setenv("FERUTILS_CACHE", str(folder / "cache"))
        patch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
        patch.delenv("FER2013", raising=False)

    def execute(self, name, output="executed", **parameters):
        """The notebook as papermill leaves it."""
        papermill.execute_notebook(
            paths.NOTEBOOKS / f"{name}.ipynb",
            self.folder / f"{output}.ipynb",
            parameters=parameters,
            kernel_name="python3",
            progress_bar=False,
        )
        return read(self.folder / f"{output}.ipynb")

    def written(self):
        """Every file of records and weights."""
        files = [*self.folder.glob("runs/**/*"), *self.folder.glob("cache/**/*")]
        return sorted(file for file in files if file.is_file())


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    return Workplace(tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def twice(tmp_path_factory):
    """The shallow notebook executed twice on drawn faces: workplace, first, files, second."""
    with pytest.MonkeyPatch.context() as patch:
        place = Workplace(tmp_path_factory.mktemp("twice"), patch)
        first = place.execute("shallow", "first", **DRAWN)
        files = {file: file.read_bytes() for file in place.written()}
        yield place, first, files, place.execute("shallow", "second", **DRAWN)


def outputs(notebook):
    return [one for cell in notebook.cells if cell.cell_type == "code" for one in cell.outputs]


def printed(notebook):
    streams = [one for one in outputs(notebook) if one.output_type == "stream"]
    return "".join(one.text for one in streams if one.name == "stdout").splitlines()


def shown(notebook, kind="text/markdown"):
    return [one.data[kind] for one in outputs(notebook) if kind in one.get("data", {})]


def check_whole(notebook, name):
    """Executed to its end, with every numbered thing that it promises."""
    assert not [one for one in outputs(notebook) if one.output_type == "error"]
    assert all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code")
    figures = [cell for cell in code_cells(paths.NOTEBOOKS / f"{name}.ipynb") if is_figure(cell)]
    assert len(shown(notebook, "image/svg+xml")) == len(figures)
    promised = len(captions(paths.NOTEBOOKS / f"{name}.ipynb")) - len(figures)
    assert sum("```{table}" in text for text in shown(notebook)) == promised
    assert "drawn faces" in shown(notebook)[0]


@pytest.mark.slow
def test_an_execution_trains_and_leaves_a_record(twice):
    place, first, files, _ = twice
    check_whole(first, "shallow")
    (record,) = runs.read_all(place.folder / "runs")
    assert (record.recipe.dataset, record.recipe.epochs) == ("drawn", 2)
    assert record.run.scores["Training"].images == 70
    weights = place.folder / "cache" / "weights" / f"{record.run.id}.weights.h5"
    assert {file.name for file in files} == {
        "history.csv",
        "predictions.npz",
        "run.json",
        weights.name,
        record.run.id,  # the lock, which is empty
    }


@pytest.mark.slow
def test_an_execution_prints_one_line_per_epoch(twice):
    _, first, _, _ = twice
    lines = [line for line in printed(first) if line.strip()]
    assert [line.split()[:2] for line in lines[1:]] == [["epoch", "1/2"], ["epoch", "2/2"]]
    assert "training on" in lines[0]
    assert not any("\r" in line or "\x08" in line for line in lines)


@pytest.mark.slow
def test_a_second_execution_reads_the_record(twice):
    place, first, files, second = twice
    check_whole(second, "shallow")
    (line,) = printed(second)
    assert "read from its record" in line
    assert shown(second) == shown(first)
    assert shown(second, "image/svg+xml") == shown(first, "image/svg+xml")
    assert {file: file.read_bytes() for file in place.written()} == files


@pytest.mark.slow
def test_an_executed_notebook_becomes_a_page_that_names_no_path(twice):
    place = twice[0]
    for name in ("first", "second"):
        pages.publish(place.folder / f"{name}.ipynb", place.folder / "page.ipynb")
        text = (place.folder / "page.ipynb").read_text(encoding="utf-8")
        assert str(place.folder) in (place.folder / f"{name}.ipynb").read_text(encoding="utf-8")
        for path in (place.folder, paths.ROOT, Path.home()):
            assert f"{path}/" not in text


@pytest.mark.slow
def test_the_deep_network_is_trained_on_a_few_drawn_faces(workplace):
    few = {"train_images": 14, "evaluation_images": 14, "epochs": 1}
    check_whole(workplace.execute("deep", dataset="drawn", **few), "deep")
    (record,) = runs.read_all(workplace.folder / "runs")
    assert record.recipe.model == "deep"
    assert sum(layer.parameters for layer in record.run.layers) == 20552775


@pytest.mark.slow
@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"dataset": "drawn", "epoch": 5}, ["Did you mean epochs?"]),
        ({"dataset": "drawn", "epochs": 0}, ["epochs", "0"]),
        ({"dataset": "drawn", "learning_rate": -1}, ["learning_rate", "-1"]),
        ({"dataset": "drawn", "learning_rate": "fast"}, ["learning_rate", "'fast'"]),
        ({"seed": 12345}, ["Kaggle", "dataset drawn", "FER2013"]),
    ],
    ids=["misspelt", "epochs 0", "learning rate -1", "learning rate fast", "no dataset"],
)
def test_an_execution_that_cannot_be_stops_at_once_and_leaves_nothing(workplace, parameters, words):
    with pytest.raises(papermill.PapermillExecutionError) as stopped:
        workplace.execute("shallow", **parameters)
    assert re.search(EXPLAINED, stopped.value.evalue)
    assert "Expected" in str(stopped.value)
    assert all(word in stopped.value.evalue for word in words)
    assert workplace.written() == []
    with pytest.raises(ValueError, match=EXPLAINED):
        pages.publish(workplace.folder / "executed.ipynb", workplace.folder / "page.ipynb")
