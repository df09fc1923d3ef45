# A name for each thing a person does; each sets up what it needs in .venv.
#
#   make book                    build the report from the recorded runs -> _build/html/index.html
#   make book FER2013=PATH       the same with the dataset at hand: the dataset page shows real faces
#   make book KEEP_GOING=1       the same though notebooks fail; their pages show the error
#   make audit                   recompute the report's numbers from the records by other code
#   make test                    run all tests, on two processes
#   make test FAST=1             those that train nothing and need neither report nor browser
#   make test-slurm              run a sweep on a Slurm cluster that this machine becomes; as root
#   make study FER2013=PATH      train every run of book/study.yml that has no record yet
#   make study PROFILE=profiles/slurm   the same on a cluster
#   make bundle FER2013=PATH     pack what a machine without network needs to train the study's open
#     [PYTHON_TARGET=3.12] [HAS="numpy pandas"]   runs: its Python, the libraries that it has
#   make kernel                  install the Jupyter kernel fer-gpu: papermill -k fer-gpu
#   make examine FER2013=PATH    count copies, contradicting labels and blank pictures again
#   make baselines FER2013=PATH  fit the linear classifier that the networks are measured against
#   make backends FER2013=PATH   train one small recipe under TensorFlow, JAX and PyTorch; installs both
#   make crossvalidate FER2013=PATH [MODEL=shallow]   cross-validate learning rate and hidden neurons;
#                                after an interruption it goes on
#   make small FER2013=PATH [EPOCHS=100] [SEED=0]   train the networks for a phone and measure
#                                their files; after an interruption it goes on
#   make peers FER2013=PATH      download the networks that people install instead, and measure them;
#                                installs PyTorch and JAX, and needs npm
#   make inspect                 build the networks and try them on a handful of drawn faces again
#   make readme                  renew the verdicts of README.md from the records
#   make bench                   measure training beside plain Keras and PyTorch by hand, the report
#                                with 1,000 records, planning 1,000 runs, and what papermill adds
#   make lint                    check code, notebooks, and which room imports which
#   make lock                    renew requirements.txt from pyproject.toml
#   make clean                   remove what was generated, caches included; records stay

ifeq ($(wildcard Snakefile),)
$(error Expected make in the folder of its Makefile. Received: $(CURDIR). Run make -C FOLDER)
endif

PYTHON ?= python3
UV = 0.13.9
BIN = .venv/bin
READY = .venv/.ready
# On this machine a GPU is a resource, so that two runs never share one.
HERE = --cores $(or $(CORES),all) --resources gpu=$(or $(shell $(BIN)/python -m ferutils.measuring.devices 2>/dev/null),0) --quiet=rules
SNAKEMAKE = $(BIN)/python -m snakemake $(if $(PROFILE),--profile $(PROFILE),$(HERE)) --rerun-incomplete
export FER2013 KEEP_GOING
export TF_CPP_MIN_LOG_LEVEL ?= 3
# Containers often forbid it; then every process compiles what it imports, 9 s of work for Keras.
unexport PYTHONDONTWRITEBYTECODE
# Where nothing can be written to HOME, as in a container with a user of its own, the cache is home.
ifneq ($(shell test -w "$$HOME" && echo yes),yes)
export HOME := $(CURDIR)/.cache/home
$(shell mkdir -p .cache/home)
endif
# A .venv knows its folder and its Python: where the project was moved or copied, or that Python was
# removed, it is set up anew; so is one whose set-up was interrupted.
ifneq ($(wildcard .venv/pyvenv.cfg),)
ifneq ($(shell [ -x $(BIN)/python ] && grep -F " $$(pwd -P)/.venv" .venv/pyvenv.cfg >/dev/null 2>&1 && echo yes),yes)
$(info Since .venv was set up, this folder was moved or copied, or its Python was removed.)
$(READY): moved
endif
endif

.PHONY: moved book audit test test-slurm study bundle kernel examine baselines backends crossvalidate small peers inspect readme bench lint lock clean setup
.DEFAULT_GOAL := book

book: $(READY)
	@echo "Building the report: pages whose inputs changed, then the book ..."
	@$(SNAKEMAKE) book
	@echo "The report is at _build/html/index.html"

audit: book
	@echo "Recomputing the report's numbers from the records ..."
	@$(BIN)/python -m audit

# Processes that stay in order of phases: see tests/conftest.py.
WORKERS = -n 2 --dist loadgroup --no-loadscope-reorder --durations 10

test: $(READY)
	@echo "Running the tests ..."
	@$(BIN)/python -m pytest $(WORKERS) $(if $(FAST),-m "not slow and not slurm")
	@echo "All tests passed."

test-slurm: $(READY)
	@echo "Running a sweep on a Slurm cluster of this machine ..."
	@$(BIN)/python -m pytest -m slurm tests/test_slurm.py
	@echo "Every run of the sweep has its record."

# --keep-incomplete: a record stays though its page fails, or is interrupted, after the training.
study: $(READY)
	@echo "Training what has no record yet ..."
	@$(SNAKEMAKE) --keep-going --keep-incomplete study
	@echo "The records are in book/runs."

bundle: $(READY)
	@$(BIN)/ferutils bundle --python $(or $(PYTHON_TARGET),3.12) --has "$(HAS)"

kernel: $(READY)
	@$(BIN)/ferutils kernel

readme: $(READY)
	@$(BIN)/python -m ferutils.site.readme
	@echo "The verdicts of README.md are those of the records."

examine: $(READY)
	@$(BIN)/ferutils measure dataset
	@echo "What the dataset holds is in book/examination.json."

baselines: $(READY)
	@$(BIN)/ferutils measure linear
	@echo "The linear classifier is in book/baselines."

INSTALL = $(BIN)/uv pip install --quiet --python $(BIN)/python --constraints requirements.txt
# PyTorch for processors has an index of its own, which is not everywhere reachable.
TORCH = $(INSTALL) --torch-backend=cpu -e '.[backends]' || $(INSTALL) -e '.[backends]'
# A run's id does not tell its backend: each has records, checkpoints and weights of its own.
backends: $(READY)
	@echo "Installing JAX and PyTorch beside TensorFlow ..."
	@$(TORCH)
	@set -e; for backend in tensorflow jax torch; do \
	  echo "Training under $$backend what has no record yet ..."; \
	  KERAS_BACKEND=$$backend FERUTILS_RUNS=book/backends/$$backend \
	    FERUTILS_CACHE=$(or $(FERUTILS_CACHE),.cache)/backends/$$backend \
	    $(BIN)/ferutils sweep --yes book/backends.yml; \
	done
	@echo "Taking the same first steps under each ..."
	@$(BIN)/ferutils measure first-steps
	@echo "The records are in book/backends and book/first_steps.json."

crossvalidate: $(READY)
	@$(BIN)/ferutils measure crossvalidation $(MODEL)
	@echo "The cross-validation is in book/crossvalidation."

# The second network is taught by the first.
SMALL = --epochs $(or $(EPOCHS),100) --seed $(or $(SEED),0)
small: $(READY)
	@$(INSTALL) -e '.[phone]'
	@$(BIN)/ferutils measure small small $(SMALL)
	@$(BIN)/ferutils measure small tiny $(SMALL) --teacher small-seed-$(or $(SEED),0)
	@echo "The networks for a phone are in book/small."

# PyTorch reads the files that it alone writes; what runs is LiteRT.
peers: $(READY)
	@$(INSTALL) -e '.[phone]'
	@$(TORCH)
	@$(BIN)/ferutils measure peers
	@echo "What others' networks answer is in book/peers.json."

inspect: $(READY)
	@$(BIN)/ferutils measure networks
	@echo "What was seen of the networks is in book/inspection.json."

bench: $(READY)
	@$(BIN)/python tests/bench_training.py
	@$(BIN)/python tests/bench_report.py
	@$(BIN)/python tests/bench_planning.py
	@$(BIN)/python tests/bench_papermill.py

lint: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-cache

setup: $(READY)

$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
	  { echo "Expected Python 3.11, 3.12 or 3.13, which TensorFlow runs on." \
	    "Received: $$($(PYTHON) --version 2>&1). Name another: make PYTHON=python3.12"; exit 1; }
	@echo "Setting up .venv (a few minutes at most) ..."
	@[ ! -L .venv ] || rm .venv # the environment that a link leads to is another project's
	@$(PYTHON) -m venv $(if $(filter moved,$^)$(if $(wildcard $@),,new),--clear) .venv
	@# The user's settings of pip may lead elsewhere; --target goes before theirs.
	@env -u PIP_PREFIX -u PIP_ROOT PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0 $(BIN)/python -m pip install \
	  --quiet --disable-pip-version-check --upgrade --target .venv/uv uv==$(UV)
	@ln -sf ../uv/bin/uv $(BIN)/uv
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.txt
	@UV_REQUIRE_HASHES=0 $(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -e .
	@touch $@

lock: $(READY)
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --upgrade --python-version 3.11 \
	  --extra slurm --extra test pyproject.toml -o requirements.txt
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --upgrade --python-version 3.11 \
	  --extra slurm --extra test --extra gpu pyproject.toml -o requirements-gpu.txt

clean:
	rm -rf .venv .cache .snakemake .pytest_cache .ruff_cache _build book/pages ferutils.egg-info
