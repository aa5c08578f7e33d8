# Two commands for a fresh clone: `make run` and `make test`. Both make .venv and install what they need.

# what a test starts would compile all sources anew: a second of four for each of some hundred processes
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
BIN := .venv/bin
# processes that run tests: one more than a small machine has cores, for many tests wait for processes that they start
JOBS ?= 3

.PHONY: help install run test test-slow test-pythons lint kernels docs format clean

help:  ## say what there is
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1	\2/p' $(MAKEFILE_LIST) | expand -t 12

run: .venv/installed  ## train a defender, check it against CybORG, evaluate it, report: a minute and a half
	@sh examples/first.sh

test: .venv/installed-dev  ## lint, types, tests
	$(MAKE) --no-print-directory --jobs=2 --output-sync lint kernels
	@# a process that is lost ends the run, with the test that it was at: another one would begin that test again
	$(BIN)/python -m pytest --numprocesses=$(JOBS) --max-worker-restart=0 --dist=loadfile --no-loadscope-reorder

test-slow: .venv/installed-dev  ## the proofs that take minutes
	$(BIN)/python -m pytest -m slow --timeout 1800

test-pythons: .venv/installed-dev  ## the base installation on the other Pythons that the machine has
	tests/pythons.sh

lint: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

kernels: .venv/installed-dev  ## compile what is kept as machine code, once for all processes that run tests
	$(BIN)/python -c "from pipeline.play import rollout; rollout.warm_up()"
	$(BIN)/python -c "from pipeline.cage2.engine import game_batch; game_batch.warm_up()"
	$(BIN)/python -c "from pipeline.ppo import update; update.warm_up()"

docs: .venv/installed-dev  ## the documentation as a site, build/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

format: .venv/installed-dev  ## put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

install: .venv/installed

.venv/installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is older than 3.11: make $(MAKECMDGOALS) PYTHON=python3.11, say" >&2; exit 1; }
	test -x $(BIN)/pip || $(PYTHON) -m venv --clear .venv
	@# modules are compiled when they are first imported: all of torch's and the others' at once take a minute
	$(BIN)/python -m pip install --quiet --no-compile --editable '.[train,cyborg]'
	touch $@

.venv/installed-dev: pyproject.toml .venv/installed
	$(BIN)/pip install --quiet --no-compile --editable '.[dev]'
	touch $@

clean:  ## remove the environment and caches, never the logs
	rm -rf .venv .venv-* build .mypy_cache .ruff_cache .pytest_cache .hypothesis
