"""What a reader takes away: notebooks that run elsewhere, Colab and Binder, the citation.

Opens the built report; the notebooks run in an environment made from the lock alone.
"""

import functools
import http.server
import importlib.metadata
import io
import os
import re
import shutil
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import nbformat
import pytest
import yaml
from browsing import PAGES, Links, Reader
from helpers import EXPLAINED, each
from pybtex.database import parse_string

from ferutils import paths
from ferutils.site import elsewhere, exporting

NOTEBOOKS = sorted(path.stem for path in paths.NOTEBOOKS.glob("*.ipynb"))
ADDRESS = "https://github.com/owner/name"
CITED = yaml.safe_load((paths.ROOT / "CITATION.cff").read_text())


OWN = ("PYTHONPATH", "FER2013", "FERUTILS_CACHE", "FERUTILS_RUNS", "GITHUB_REPOSITORY")


def run(*command, folder, **environment):
    """Run a command as on another machine: with nothing that leads it to this repository."""
    clean = {name: value for name, value in os.environ.items() if name not in OWN}
    return subprocess.run(
        list(map(str, command)), cwd=folder, env=clean | environment, capture_output=True, text=True
    )


def succeed(*command, folder, **environment):
    done = run(*command, folder=folder, **environment)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="session")
def fresh_python(tmp_path_factory):
    """Python with what the lock names, and nothing else."""
    folder = tmp_path_factory.mktemp("fresh")
    uv = Path(sys.executable).with_name("uv")
    python = folder / "venv" / "bin" / "python"
    made = ("--quiet", "--seed", "--python", sys.executable, "venv")
    succeed(uv, "venv", *made, folder=folder)
    lock = ("--require-hashes", "-r", paths.ROOT / "requirements.txt")
    succeed(uv, "pip", "install", "--quiet", "--python", python, *lock, folder=folder)
    assert run(python, "-c", "import ferutils", folder=folder).returncode == 1
    yield python
    shutil.rmtree(folder)


@pytest.fixture
def folder(tmp_path):
    """An empty folder, as readers name them."""
    made = tmp_path / "Notes d'été"
    made.mkdir()
    return made


def take(report, page, folder):
    """Put a page's notebook and the reproduction into a folder, as they are downloaded."""
    for name in (f"{page}.ipynb", exporting.ARCHIVE):
        shutil.copy(report / "_downloads" / name, folder)


def execute(python, page, folder, *parameters):
    options = ("--no-progress-bar", "-k", "python3", *parameters)
    return run(python, "-m", "papermill", f"{page}.ipynb", "out.ipynb", *options, folder=folder)


def test_papermill_executes_a_notebook_that_was_taken_away(report, fresh_python, folder):
    take(report, "shallow", folder)
    done = execute(fresh_python, "shallow", folder)
    assert done.returncode == 0, done.stderr[-3000:]
    cells = [cell for cell in nbformat.read(folder / "out.ipynb", 4).cells if cell.source]
    assert all(cell.execution_count for cell in cells if cell.cell_type == "code")
    assert (folder / "reproduction" / "ferutils").is_dir()


# Without a kernel for each, which would take longer than what it executes.
EXECUTE = """
import sys
import nbformat
from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell.instance()
for page in sys.argv[1:]:
    print(page, flush=True)
    shell.reset()
    for cell in nbformat.read(f"{page}.ipynb", 4).cells:
        if cell.cell_type == "code":
            shell.run_cell(cell.source).raise_error()
"""


def test_the_notebooks_of_all_pages_run_in_a_fresh_environment(report, fresh_python, folder):
    for page in NOTEBOOKS:
        take(report, page, folder)
    done = run(fresh_python, "-c", EXECUTE, *NOTEBOOKS, folder=folder, MPLBACKEND="agg")
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-3000:]


def test_other_parameters_without_a_dataset_say_what_they_need(report, fresh_python, folder):
    take(report, "shallow", folder)
    done = execute(fresh_python, "shallow", folder, "-p", "learning_rate", "0.5")
    assert done.returncode == 1
    assert "FER2013" in done.stderr and "-p dataset drawn" in done.stderr


def first_cell(folder, monkeypatch, repository=None):
    """Write the first cell as a program, made where the repository is known or not."""
    monkeypatch.setattr(paths, "ROOT", folder)  # no repository, hence no remote of it
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    if repository:
        monkeypatch.setenv("GITHUB_REPOSITORY", repository)
    (folder / "cell.py").write_text(exporting.first_cell())


def run_cell(folder, then="", **environment):
    """Run the first cell with Python alone, which knows of no package."""
    program = f"exec(open('cell.py').read()); {then}"
    return run(sys.executable, "-I", "-S", "-c", program, folder=folder, **environment)


def test_without_archive_and_address_the_first_cell_says_what_to_download(folder, monkeypatch):
    first_cell(folder, monkeypatch)
    failed = run_cell(folder)
    message = re.search(r"ValueError: (.+)", failed.stderr, re.DOTALL)[1]
    assert re.match(EXPLAINED, message)
    assert "reproduction.zip" in message and "Reproduce it yourself" in message


def test_where_the_address_leads_nowhere_the_first_cell_says_what_to_download(folder, monkeypatch):
    first_cell(folder, monkeypatch, "owner/name")
    failed = run_cell(folder, **instead_of_github(folder / "nothing"))
    assert re.match(EXPLAINED, re.search(r"ValueError: (.+)", failed.stderr, re.DOTALL)[1])


def instead_of_github(repository):
    """Lets git find a repository of this machine at the address."""
    return {
        "GIT_CONFIG_COUNT": "2",
        "GIT_CONFIG_KEY_0": f"url.{repository.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": ADDRESS,
        "GIT_CONFIG_KEY_1": f"url.{repository.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_1": "https://x-access-token:secret@github.com/owner/name.git",
    }


@pytest.fixture(scope="module")
def public_repository(report, tmp_path_factory):
    """The branch of notebooks, made by the step of the workflow that makes it."""
    made = tmp_path_factory.mktemp("public")
    repository = made / "name.git"
    succeed("git", "init", "--bare", "--initial-branch=notebooks", repository, folder=made)
    (made / "report").symlink_to(report)
    workflow = yaml.safe_load((paths.ROOT / ".github/workflows/report.yml").read_text())
    step = workflow["jobs"]["notebooks"]["steps"][-1]["run"]
    named = {"TOKEN": "secret", "GITHUB_REPOSITORY": "owner/name", "GITHUB_SHA": "0" * 40}
    succeed("bash", "-ec", step, folder=made, **named, **instead_of_github(repository))
    return repository


def test_without_archive_the_first_cell_clones_the_repository(
    public_repository, folder, monkeypatch
):
    first_cell(folder, monkeypatch, "owner/name")
    then = "from ferutils import paths; print(paths.ROOT)"
    done = run_cell(folder, then, **instead_of_github(public_repository))
    assert done.stdout.strip() == str(folder / "reproduction"), done.stderr
    again = run_cell(folder, then)  # no address needed any more
    assert again.stdout == done.stdout


def test_the_branch_of_notebooks_holds_every_notebook_and_what_binder_needs(public_repository):
    listed = succeed(
        "git", "ls-tree", "-r", "--name-only", "notebooks", folder=public_repository
    ).splitlines()
    assert {f"pages/{page}.ipynb" for page in NOTEBOOKS} <= set(listed)
    assert {str(file) for file in exporting.files()} <= set(listed)


def test_binder_installs_the_lock_and_the_package():
    binder = paths.ROOT / ".binder"
    required = re.fullmatch(r"-r (\S+)\n", (binder / "requirements.txt").read_text())[1]
    assert (binder / required).resolve() == paths.ROOT / "requirements.txt"
    assert "--no-deps -e ." in (binder / "postBuild").read_text()
    assert os.access(binder / "postBuild", os.X_OK)
    version = (binder / "runtime.txt").read_text().strip().removeprefix("python-")
    assert (
        f'python-version: "{version}"' in (paths.ROOT / ".github/workflows/report.yml").read_text()
    )


def test_on_colab_the_first_cell_installs_what_is_missing_and_nothing_else(
    report, fresh_python, folder, monkeypatch
):
    take(report, "claims", folder)
    before = installed(fresh_python, folder)
    succeed(fresh_python, "-m", "pip", "uninstall", "--yes", "seaborn", folder=folder)
    first_cell(folder, monkeypatch)
    on_colab = (
        "import sys; sys.modules['google.colab'] = sys; exec(open('cell.py').read()); "
        "from ferutils.report import figures"
    )
    succeed(fresh_python, "-c", on_colab, folder=folder)
    after = installed(fresh_python, folder)
    assert "seaborn" in after
    assert {name: after[name] for name in after if name != "seaborn"} == {
        name: before[name] for name in before if name != "seaborn"
    }


def installed(python, folder):
    listed = succeed(python, "-m", "pip", "list", "--format=freeze", folder=folder)
    return dict(line.split("==") for line in listed.splitlines())


def test_what_colab_is_asked_to_install_is_what_the_package_imports():
    """Each module comes from a requirement, from Jupyter itself, or is optional."""
    of_jupyter = {"IPython", "matplotlib_inline", "nbformat"}
    without = (
        {"jax", "torch", "pyarrow", "ai_edge_litert", "ferutils"}
        | of_jupyter
        | sys.stdlib_module_names
    )
    modules = elsewhere.imported() - without
    found = importlib.metadata.packages_distributions()
    imported = {found[module][0].lower() for module in modules} - {"tensorflow"}
    assert {re.match(r"[\w-]+", one)[0] for one in elsewhere.requirements()} == imported


def test_an_exported_notebook_starts_from_the_parameters_of_its_page(tmp_path):
    page = nbformat.v4.new_notebook()
    page.cells = [
        nbformat.v4.new_code_cell(
            'model = "deep"  # type: str network\nepochs = None  # type: int passes\n'
            "rate = 0.1  # type: float",
            metadata={"tags": ["parameters"]},
        ),
        nbformat.v4.new_code_cell(
            '# Parameters\nepochs = 3\nmodel = "a#b"\n', metadata={"tags": ["injected-parameters"]}
        ),
        nbformat.v4.new_code_cell(
            "1", execution_count=2, outputs=[nbformat.v4.new_output("stream", text="1")]
        ),
    ]
    nbformat.write(page, tmp_path / "deep.ipynb")
    first, parameters, code = exporting.notebook(tmp_path / "deep.ipynb").cells
    assert first.source == exporting.first_cell()
    assert parameters.source.splitlines() == [
        'model = "a#b"  # type: str network',
        "epochs = 3  # type: int passes",
        "rate = 0.1  # type: float",
    ]
    assert code.outputs == [] and code.execution_count is None


def test_the_notebook_downloaded_by_a_click_is_one(report, browser):
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=report)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    page = browser.new_page()
    page.goto(f"http://127.0.0.1:{server.server_port}/pages/deep.html")
    page.click(".dropdown-download-buttons > button")
    with page.expect_download() as download:
        page.click(".btn-download-source-button")
    assert download.value.suggested_filename == "deep.ipynb"
    notebook = nbformat.read(download.value.path(), as_version=4)
    nbformat.validate(notebook)
    assert notebook.cells[0].source == exporting.first_cell()
    server.shutdown()
    page.close()


def test_the_reproduction_is_the_same_bytes_whenever_its_files_were_written(tmp_path, monkeypatch):
    first = exporting.reproduction()
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        archive.extractall(tmp_path)  # written now
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    assert exporting.reproduction() == first


def test_the_reproduction_holds_files_of_the_repository_only():
    with zipfile.ZipFile(io.BytesIO(exporting.reproduction())) as archive:
        names = set(archive.namelist())
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=paths.ROOT, check=True, capture_output=True, text=True)
    kept = {name for name in listed.stdout.split("\0") if (paths.ROOT / name).is_file()}
    left = ("tests/", ".git")
    assert names == {name for name in kept if name and not name.startswith(left)}


def test_what_is_generated_stays_out_of_the_reproduction(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    for name in (
        "book/pages/deep.ipynb",
        "book/runs/.1-replaced/run.json",
        "ferutils/__pycache__/a.pyc",
        "notebooks/.ipynb_checkpoints/deep.ipynb",
        ".cache/weights/1.weights.h5",
        "fer2013.csv",
        ".binder/postBuild",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert exporting.files() == [Path(".binder/postBuild")]


@pytest.mark.parametrize("git", [True, False])
def test_what_lies_beside_our_files_is_not_given_away(tmp_path, monkeypatch, git):
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    record = "book/runs/shallow-0123456789ab/run.json"  # new, and not committed yet
    for name in ("book/study.yml", record, "book/runs/notes.txt", "book/runs/private/run.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    if git:
        for step in (["init", "-q"], ["add", "book/study.yml"]):
            subprocess.run(["git", "-C", str(tmp_path), *step], check=True)
        (tmp_path / "book" / "private.yml").touch()
    assert exporting.files() == [Path(record), Path("book/study.yml")]


def test_the_report_ships_the_reproduction_as_it_is(report):
    shipped = (report / "_downloads" / exporting.ARCHIVE).read_bytes()
    assert shipped == exporting.reproduction()
    assert not (report / "_sources" / "pages").exists()


@pytest.fixture(params=["owner/name", None], ids=["known", "unknown"], scope="module")
def small_report(request, report, tmp_path_factory):
    """One page of the report, built from the reproduction, where its address is known or not."""
    root = tmp_path_factory.mktemp("reproduction")
    shutil.unpack_archive(report / "_downloads" / exporting.ARCHIVE, root)
    (root / "book" / "pages").mkdir()
    shutil.copy(paths.BOOK / "pages" / "disagreements.ipynb", root / "book" / "pages")
    chapters = [{"file": "reproduce"}]
    contents = {"format": "jb-book", "root": "pages/disagreements", "chapters": chapters}
    (root / "book" / "_toc.yml").write_text(yaml.safe_dump(contents))
    book = Path(sys.executable).with_name("jupyter-book")
    environment = {"PYTHONPATH": str(root)}
    if request.param:
        environment["GITHUB_REPOSITORY"] = request.param
    options = ("--config", "_config.yml", "--path-output", ".")
    succeed(book, "build", "book", *options, folder=root, **environment)
    return request.param, root / "_build" / "html" / "pages" / "disagreements.html"


def test_a_page_leads_to_colab_and_binder_where_its_address_is_known(small_report, browser):
    known, file = small_report
    links = Links(file.read_text()).targets
    launched = {link for link in links if link and re.search("colab|mybinder", link)}
    launched -= {link for link in launched if "/_static/" in link}
    to = "pages/disagreements.ipynb"
    assert launched == (
        {
            f"https://colab.research.google.com/github/owner/name/blob/notebooks/{to}",
            f"https://mybinder.org/v2/gh/owner/name/notebooks?urlpath=lab/tree/{to}",
        }
        if known
        else set()
    )
    reader = Reader(browser)
    page = reader.open(file)
    for menu in page.locator(".dropdown-launch-buttons > button").all():
        menu.click()
        logos = page.locator(".dropdown-launch-buttons img")
        assert logos.evaluate_all("all => all.every(one => one.naturalWidth > 0)")
    reader.check()
    reader.context.close()


def test_the_printed_citation_is_that_of_the_citation_file_and_of_the_bibliography():
    text = (paths.BOOK / "reproduce.md").read_text()
    printed = parse_string(re.search(r"```bibtex\n(.*?)```", text, re.DOTALL)[1], "bibtex").entries
    own, paper = CITED, CITED["references"][0]
    entry = printed["facialexpressions2026"]
    assert (entry.fields["title"], entry.fields["version"]) == (own["title"], own["version"])
    listed = parse_string((paths.BOOK / "references.bib").read_text(), "bibtex").entries
    for field in ("title", "year", "institution"):
        assert printed["mondal2022"].fields[field] == listed["mondal2022"].fields[field]
    assert printed["mondal2022"].fields["title"] == paper["title"]
    assert printed["mondal2022"].persons == listed["mondal2022"].persons


@each("page", PAGES)
def test_every_page_leads_to_the_citation(report, page):
    file = report / f"{page}.html"
    found = re.search(r'<a href="([^"#]*)#cite">Cite', file.read_text())[1]
    assert (file.parent / (found or file.name)).resolve() == report / "reproduce.html"
