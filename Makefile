# Two commands for a fresh clone: `make run` and `make test`. Both make .venv and install what they need.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: help install run test test-slow lint format clean

help:  ## say what there is
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1	\2/p' $(MAKEFILE_LIST) | expand -t 12

run: .venv/installed  ## train for two minutes on real CybORG, to the end
	$(BIN)/python run.py --engine cyborg --red-agent B_lineAgent --total-episodes 6000 --max-episodes-per-workflow 3000 --compliance-threshold 0.9

test: .venv/installed-dev lint  ## lint, types, tests
	$(BIN)/python -m pytest

test-slow: .venv/installed-dev  ## the proofs that take minutes
	$(BIN)/python -m pytest -m slow --timeout 1800

lint: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

format: .venv/installed-dev  ## put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

install: .venv/installed

.venv/installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --editable .
	touch $@

.venv/installed-dev: pyproject.toml .venv/installed
	$(BIN)/pip install --quiet --editable '.[dev,plot,tensorboard]'
	touch $@

clean:  ## remove the environment and caches, never the logs
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
