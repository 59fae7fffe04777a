# make demo   everything from nothing: set up, trace the bundled samples, open the dashboard (Ctrl-C ends it)
# make test   everything from nothing: set up, lint, check the floors, run every test with coverage
# make soak   long trials of faults; writes what came of them into docs/reliability.md (SOAK_KILLS, SOAK_MINUTES; with
#             SOAK_TESTS=tests/faults/test_fuzz.py a part of them, beside what came of the others before)
# make lint | format | clean
#
# PYTHON chooses the interpreter that .venv is made from, WORKERS the number of test processes.

PYTHON ?= python3
WORKERS ?= 2
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test soak lint format clean chromium

demo: .venv/.ready
	$(BIN)/routeviz demo

test: lint chromium
	$(BIN)/pytest -n $(WORKERS) --cov --cov-report=term

SOAK_KILLS ?= 50
SOAK_MINUTES ?= 10
SOAK_TESTS ?= tests/faults

soak: .venv/.ready-test chromium
	ROUTEVIZ_SOAK=$(CURDIR)/.soak.jsonl SOAK_KILLS=$(SOAK_KILLS) SOAK_MINUTES=$(SOAK_MINUTES) \
	  $(BIN)/pytest $(SOAK_TESTS) -n $(WORKERS) --dist=worksteal
	$(BIN)/python analysis/reliability.py .soak.jsonl docs/reliability.md

lint: .venv/.ready-test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports --no-logo

format: .venv/.ready-test
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:
	rm -rf .venv .demo .pytest_cache .ruff_cache .import_linter_cache .coverage .coverage.* .soak.jsonl build dist

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo 'routeviz needs Python 3.11, 3.12 or 3.13: name one, as in "make PYTHON=python3.12"' >&2; exit 1; }
	$(PYTHON) -m venv .venv

.venv/.ready: pyproject.toml constraints.txt | .venv/bin/python
	@echo 'Installing routeviz and what it needs into .venv (once; some minutes)'
	@$(INSTALL) -e .
	@touch $@

.venv/.ready-test: .venv/.ready
	@echo 'Installing what the tests need into .venv (once)'
	@$(INSTALL) -e '.[test,transformers]'
	@touch $@

# The browser tests drive Debian's Chromium, and say so and skip where there is none.
chromium:
	@command -v chromium >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
	  echo 'Installing chromium for the browser tests (once)' && \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; } || \
	  echo 'No chromium here: the browser tests will be skipped'
