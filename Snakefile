# The graph: notebook + parameters + package + records -> executed page -> book.
# Only what changed is done again: an edit of prose executes no notebook, a change in the package
# executes the pages but trains nothing, a new seed in book/study.yml trains one run.

import fcntl
import json
import os
import shlex
import sys
import time
from pathlib import Path

from ferutils import paths
from ferutils.dataset import faces, fer2013
from ferutils.measuring import devices, limits, sweep
from ferutils.records import recipes, study
from ferutils.site import exporting, pages, printing, sealing


def wait_for_turn():
    """A file that is locked while a build, or the study, is made here: a second one waits."""
    target = {"book", "study"} & set(sys.argv)
    if not target or {"-n", "--dry-run"} & set(sys.argv):
        return None
    sweep_of = Path(config.get("sweep", "")).stem
    Path(".snakemake").mkdir(exist_ok=True)
    turn = Path(".snakemake", f"turn-{target.pop()}{sweep_of}").open("w")
    try:
        fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("The same is being made here already: waiting until that has ended.", file=sys.stderr)
        fcntl.flock(turn, fcntl.LOCK_EX)
    return turn


limits.check()
TURN = wait_for_turn()  # before anything is looked at
NOTEBOOKS = sorted(path.stem for path in paths.NOTEBOOKS.glob("*.ipynb"))
PACKAGE = sorted(str(path.relative_to(paths.ROOT)) for path in (paths.ROOT / "ferutils").rglob("*.py"))
RECORDS = sorted(str(path.relative_to(paths.ROOT)) for path in paths.RECORDED_RUNS.glob("*/run.json"))
MEASURED = [
    f"book/{name}"
    for name in (
        "crop.json", "crossvalidation.yml", "examination.json", "inspection.json", "peers.json"
    )
] + sorted(
    str(path.relative_to(paths.ROOT))
    for folder in ("baselines", "crossvalidation", "pretrained", "probes", "small")
    for path in (paths.BOOK / folder).glob("[!.]*")
)
MEASURED += [f"book/{name}" for name in ("crowd.json", "face.json") if (paths.BOOK / name).exists()]
# The same recipe under several backends: no runs of the study, and read by one page.
BACKENDS = ["book/backends.yml", "book/first_steps.json"] + sorted(
    str(path.relative_to(paths.ROOT)) for path in (paths.BOOK / "backends").glob("*/*/run.json")
)
THEME = sorted(
    str(path.relative_to(paths.ROOT))
    for folder in ("_static", "_extensions")
    for path in (paths.BOOK / folder).rglob("*.*")
    if path.suffix in (".css", ".js", ".py", ".svg")
)
# What the book is made of besides its pages.
BOUND = ["_config.yml", "book/_toc.yml", "book/references.bib", *THEME]
BOUND += sorted(map(str, paths.BOOK.relative_to(paths.ROOT).glob("*.md")))
BOUND += [str(file) for file in exporting.files()]


def sources(page):
    """What a page is made of."""
    of_page = BACKENDS if page == "backends" else []
    claims = ["book/paper.yml", "book/study.yml"]
    return [f"notebooks/{page}.ipynb", *PACKAGE, *claims, *RECORDS, *MEASURED, *of_page]


def wanted_runs():
    """The folder of records and, by run id, what trains: of the study, or what config plans."""
    if "sweep" in config:  # written by `ferutils sweep`
        planned = json.loads(Path(config["sweep"]).read_text())
        return planned["folder"], planned["jobs"], sweep.recorded()
    wanted = study.trainings(study.load().runs)
    fingerprints = {"fer2013": fer2013.published_fingerprints()}
    if any(recipe.dataset == "drawn" for recipe in wanted):
        fingerprints["drawn"] = faces.draw().fingerprints
    jobs = {
        recipes.run_id(recipe, fingerprints[recipe.dataset]): sweep.job(recipe)
        for recipe in wanted
    }
    return "book/runs", jobs, sweep.recorded(paths.RECORDED_RUNS)


FOLDER, JOBS, RECORDED = wanted_runs()
# A record is a source like any other: it is never made again, whatever has changed since.
OPEN = [run for run in JOBS if run not in RECORDED]  # most wanted first
ORDER = {run: number for number, run in enumerate(reversed(OPEN), start=1)}
CARDS = devices.cards()
PYTHON = shlex.quote(sys.executable)
JUPYTER_BOOK = shlex.quote(str(Path(sys.executable).with_name("jupyter-book")))
# With KEEP_GOING=1 a failed page is shown with its error, in a report that calls itself incomplete.
KEEP_GOING = "--keep-going" if os.environ.get("KEEP_GOING") == "1" else ""
# Where a browser can print them.
PDF = ["_build/html/report.pdf", "_build/html/summary.pdf"] if printing.browser() else []
HTML, SEAL = "_build/html", "_build/html.sums"
PAPERMILL = f"{PYTHON} -m papermill --no-progress-bar -k python3"


def alone_or_beside():
    """A file that is locked while this process lives, however it ends.

    Snakemake's own locks outlive a kill, and stop the next start until somebody removes them: that
    is done here, unless another Snakemake is at work in this folder, whose locks are meant.
    """
    folder = Path(".snakemake")
    folder.mkdir(exist_ok=True)
    alive = (folder / "alive").open("w")
    try:
        fcntl.flock(alive, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for lock in folder.glob("locks/*.lock"):
            lock.unlink(missing_ok=True)
    except BlockingIOError:
        pass
    fcntl.flock(alive, fcntl.LOCK_SH)
    return alive


ALIVE = alone_or_beside()


def discard_damaged():
    """Remove pages, and the report, that are no longer what was made: they are made again.

    The report goes with any page, because Snakemake makes no page for a report that is there.
    """
    every, index = (Path("book/pages", f"{name}.ipynb") for name in NOTEBOOKS), Path(HTML, "index.html")
    damaged = [page for page in every if not pages.is_whole(page)]
    if damaged or not sealing.is_whole(Path(HTML), Path(SEAL)):
        damaged.append(index)
    for path in filter(Path.exists, damaged):
        print(f"Made again, because something of it is missing or changed: {path}", file=sys.stderr)
        path.unlink()


if "study" not in sys.argv:
    discard_damaged()


def page_options(wildcards):
    """A model's page shows the run of the study that has been recorded."""
    return study.page_options(wildcards.page) if wildcards.page in recipes.PAPER else ""


wildcard_constraints:
    page="|".join(NOTEBOOKS),
    run=paths.RUN_ID,


rule book:
    input:
        "_build/html/index.html",
        PDF,


# The whole report on paper, and in short; its pages offer both.
rule pdf:
    input:
        "_build/html/index.html",
    output:
        "_build/html/report.pdf",
        "_build/html/summary.pdf",
    shell:
        "{PYTHON} -m ferutils.site.printing _build/html {output}"


rule html:
    input:
        pages=expand("book/pages/{page}.ipynb", page=NOTEBOOKS),
        bound=BOUND,
    output:
        "_build/html/index.html",
        seal=SEAL,
    log:
        "_build/book.log",
    params:
        # By content: an input that comes with an old date counts too. Pages have dates of their own.
        content=sealing.digest(BOUND),
        printed=bool(PDF),
        strict="" if KEEP_GOING else "-W",
    shell:
        # --all: Sphinx would miss changes of styles, scripts and extensions.
        # -W --keep-going -n: a broken reference or any other warning fails the build.
        "{JUPYTER_BOOK} build book --all --config _config.yml --path-output ."
        " {params.strict} --keep-going -n > {log} 2>&1 || {{ cat {log}; exit 1; }}; "
        "{PYTHON} -m ferutils.site.sealing {HTML} {output.seal}"


rule page:
    input:
        lambda wildcards: sources(wildcards.page),
    output:
        "book/pages/{page}.ipynb",
    log:
        notebook="_build/executed/{page}.ipynb",
        output="_build/executed/{page}.log",
    params:
        content=lambda wildcards: sealing.digest(sources(wildcards.page)),
        options=page_options,
        # Only the dataset page shows faces: real ones where the dataset is at hand.
        faces=lambda wildcards: wildcards.page == "dataset" and bool(os.environ.get("FER2013")),
        # Never the same for a page that failed, so that it is executed again.
        again=lambda wildcards: pages.failure(Path(f"book/pages/{wildcards.page}.ipynb"))
        and time.time(),
    shell:
        "rm -f {log.notebook}; "
        + PAPERMILL + " notebooks/{wildcards.page}.ipynb {log.notebook} {params.options} > {log.output} 2>&1"
        " || {{ cat {log.output}; [ -n '{KEEP_GOING}' ] || exit 1; }}; "
        "{PYTHON} -m ferutils.site.pages {KEEP_GOING} {log.notebook} {output}"


rule study:
    input:
        expand("{folder}/{run}/run.json", folder=[FOLDER], run=OPEN),


# Trains one open run. On one machine it takes all cores or, where there are GPUs, one of these and
# its share of the cores; a profile, or --set-threads and --set-resources, says otherwise.
rule record:
    output:
        # update: a record that has come by another way since the start is read, not made again.
        update(FOLDER + "/{run}/run.json"),
    log:
        "_build/executed/{run}.ipynb",
    params:
        folder=FOLDER,
        # Snakemake asks for every record, also for one that the study does not name.
        notebook=lambda wildcards: JOBS.get(wildcards.run, {}).get("notebook", ""),
        options=lambda wildcards: JOBS.get(wildcards.run, {}).get("options", ""),
        # A run that was given a GPU does not train on the processor instead.
        device=lambda wildcards, resources: "FERUTILS_DEVICE=gpu" if resources.gpu else "",
    priority: lambda wildcards: ORDER.get(wildcards.run, 0)
    threads: max(1, os.cpu_count() // max(1, len(CARDS)))
    resources:
        gpu=min(1, len(CARDS)),
    shell:
        "FERUTILS_RUNS={params.folder:q} {params.device}"
        " TF_NUM_INTRAOP_THREADS={threads} TF_NUM_INTEROP_THREADS={threads} "
        + PAPERMILL + " --log-output {params.notebook} {log} {params.options}"
