# Everything happens in .venv beside this file (test-core: .venv-core); each target installs what it needs, once.
PYTHON ?= python3.11
ARGS ?=

RUN := .venv/bin/python
PIP := $(RUN) -m pip install -qq --constraint tests/constraints.txt
INPUTS := pyproject.toml tests/constraints.txt

# A process has one backend of Keras: jax, or the one that KERAS_BACKEND names. Each worker begins with files of its
# own, so that most kernels and networks are compiled by one of them.
PYTEST := $(RUN) -m pytest --numprocesses=auto --dist=worksteal
ABOUT_KERAS := tests/keras tests/documents
define test
failed=0; $(PYTEST) $(ARGS) || failed=1; \
$(if $(ARGS),,for backend in tensorflow torch; do \
	echo "Keras on $$backend"; KERAS_BACKEND=$$backend $(PYTEST) $(ABOUT_KERAS) || failed=1; \
done;) exit $$failed
endef

PAGES := NO_MKDOCS_2_WARNING=1 $(RUN) -m mkdocs build --strict

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help train test test-core test-fast lint format docs bench bench-tables bench-documents clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' Makefile

train: .venv/train.installed  ## train on the built-in breast-cancer table and write a report
	@.venv/bin/binxent train $(ARGS)

# Half the time of the tests of JAX is XLA's: what it has compiled stays for the next run, under a hash of the program.
test test-fast: export JAX_COMPILATION_CACHE_DIR := $(CURDIR)/.cache/jax
test test-fast: export JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS := 0
test test-fast: export JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES := -1

test: .venv/test.installed  ## run every test, those of Keras on each of its backends (ARGS=...: only what they say)
	@$(test)

test-core: .venv-core/installed  ## run the tests of the NumPy door, without any framework, in an environment of its own
	@.venv-core/bin/python -m pytest --numprocesses=auto --dist=worksteal -m "not slow and not compiles" \
		$(or $(ARGS),tests/core tests/kernels tests/numpy tests/test_losses.py tests/test_compare.py)

test-fast: .venv/test.installed  ## run the tests that take no more than a few seconds each, with Keras on jax
	@$(PYTEST) -m "not slow" $(ARGS)

lint: .venv/test.installed .venv/lint.installed .venv/docs.installed  ## check style, formatting, types and the pages
	@$(RUN) -m ruff check --quiet .
	@$(RUN) -m ruff format --quiet --check .
	@$(RUN) -m pyright --pythonpath $(RUN)
	@$(RUN) tests/typing/verify_types.py
	@$(PAGES)

format: .venv/lint.installed  ## put the code into the house style
	@$(RUN) -m ruff check --quiet --fix .
	@$(RUN) -m ruff format --quiet .

docs: .venv/docs.installed  ## build the documentation into site/
	@$(PAGES)

bench: .venv/bench.installed  ## measure speed, memory and accuracy, for the tables (ARGS=--quick: a trial run, nothing kept)
	@$(RUN) -m bench $(ARGS)

bench-tables: .venv/bench-tables.installed  ## compare training with other models on real tables (ARGS=--save: for the page)
	@$(RUN) -m bench.tables $(ARGS)

bench-documents: .venv/train.installed  ## put the committed measurements into the documents
	@$(RUN) -m bench.documents

clean:  ## remove everything that was built or cached here; runs/ stays
	@rm -rf .venv .venv-core .cache .pytest_cache .ruff_cache .hypothesis dist site
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/made:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) was not found: install Python 3.11 or newer, or name one, as in 'make PYTHON=python3.12'" >&2; exit 2; }
	@$(PYTHON) -m venv .venv
	@touch $@

.venv-core/installed: $(INPUTS)
	@echo "Installing binxent and what its NumPy door is tested with into .venv-core (once)"
	@$(PYTHON) -m venv .venv-core
	@.venv-core/bin/python -m pip install -qq --constraint tests/constraints.txt --editable . \
		hypothesis mpmath pytest pytest-xdist
	@touch $@

.venv/train.installed: $(INPUTS) | .venv/made
	@echo "Installing binxent and what it needs into .venv (once)"
	@$(PIP) pip
	@$(PIP) --editable '.[train]'
	@touch $@

.venv/test.installed: .venv/train.installed
	@$(PIP) --group test
	@touch $@

.venv/lint.installed: .venv/train.installed
	@$(PIP) --group lint
	@touch $@

.venv/docs.installed: $(INPUTS) | .venv/made
	@$(PIP) pip
	@$(PIP) --group docs
	@touch $@

.venv/bench.installed: .venv/train.installed
	@$(PIP) --group bench
	@touch $@

.venv/bench-tables.installed: .venv/train.installed
	@$(PIP) --group bench-tables
	@touch $@
