# Everything happens in .venv beside this file; each target installs what it needs, once.
PYTHON ?= python3.11
ARGS ?=

RUN := .venv/bin/python
PIP := $(RUN) -m pip install --quiet --constraint tests/constraints.txt
INPUTS := pyproject.toml tests/constraints.txt

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help train test test-fast lint format bench bench-tables clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' Makefile

train: .venv/train.done  ## train on the built-in breast-cancer table and write a report
	@.venv/bin/binxent train $(ARGS)

test: .venv/test.done  ## run every test
	@$(RUN) -m pytest --numprocesses=auto $(ARGS)

test-fast: .venv/test.done  ## run the tests that take no more than a few seconds each
	@$(RUN) -m pytest --numprocesses=auto -m "not slow" $(ARGS)

lint: .venv/test.done .venv/lint.done  ## check style, formatting and types
	@$(RUN) -m ruff check --quiet .
	@$(RUN) -m ruff format --quiet --check .
	@$(RUN) -m pyright --pythonpath $(RUN)

format: .venv/lint.done  ## put the code into the house style
	@$(RUN) -m ruff check --quiet --fix .
	@$(RUN) -m ruff format --quiet .

bench: .venv/bench.done  ## measure speed, memory and accuracy, and put the tables into README.md (ARGS=--quick: a trial run, nothing kept)
	@$(RUN) -m bench $(ARGS)

bench-tables: .venv/train.done  ## put the committed measurements into README.md
	@$(RUN) -m bench.tables

clean:  ## remove everything that was built or cached here; runs/ stays
	@rm -rf .venv .cache .pytest_cache .ruff_cache .hypothesis dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) was not found: install Python 3.11 or newer, or name one, as in 'make PYTHON=python3.12'" >&2; exit 2; }
	@$(PYTHON) -m venv .venv

.venv/train.done: $(INPUTS) | .venv/bin/python
	@echo "Installing binxent and what it needs into .venv (once)"
	@$(PIP) pip
	@$(PIP) --editable '.[train]'
	@touch $@

.venv/test.done: .venv/train.done
	@$(PIP) --group test
	@touch $@

.venv/lint.done: .venv/train.done
	@$(PIP) --group lint
	@touch $@

.venv/bench.done: .venv/train.done
	@$(PIP) --group bench
	@touch $@
