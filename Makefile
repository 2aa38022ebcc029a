# Two commands do all the set-up on a fresh machine with CPython 3.11+, git and a package registry:
#   make run    everything embedded, with the dashboard, working without internet
#   make test   every test
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
STATIC := src/candlewick/static/index.html
DATA_DIR ?= .candlewick

.PHONY: run test check bench build web lock clean help

help:
	@grep -E '^#  ' Makefile; echo "  also: check bench build web lock clean"

run: build
	$(BIN)/candlewick up --data-dir $(DATA_DIR)

build: .venv/run.stamp $(STATIC)
	@$(BIN)/python -m candlewick.runs.warm

web: $(STATIC)

test: .venv/dev.stamp $(STATIC)
	cd web && PATH="$(CURDIR)/$(BIN):$$PATH" npm test --silent
	$(BIN)/python -m pytest

check: .venv/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_tidy.py

bench: .venv/dev.stamp
	$(BIN)/candlewick bench --out bench/results.json

.venv/run.stamp: requirements/run.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "CPython 3.11 or newer is needed, this is " + sys.version)'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip >/dev/null
	$(PIP) install --require-hashes -r requirements/run.lock
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

.venv/dev.stamp: requirements/dev.lock .venv/run.stamp
	$(PIP) install --require-hashes -r requirements/dev.lock
	@touch $@

.venv/web.stamp: requirements/web.lock .venv/run.stamp
	$(PIP) install --require-hashes -r requirements/web.lock
	@touch $@

# Node comes from a wheel, for the build only; nothing of it is needed to run.
$(STATIC): .venv/web.stamp web/package-lock.json $(shell find web -type f -not -path '*/node_modules/*' 2>/dev/null)
	cd web && PATH="$(CURDIR)/$(BIN):$$PATH" npm ci --silent && PATH="$(CURDIR)/$(BIN):$$PATH" npm run --silent build
	@touch $@

# Needs uv.  The lock files name versions and hashes, and no package index.
lock:
	uv pip compile --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --extra build pyproject.toml -o requirements/run.lock
	uv pip compile --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --extra dev --extra bench --extra build pyproject.toml -o requirements/dev.lock
	uv pip compile --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --extra web pyproject.toml -o requirements/web.lock

clean:
	rm -rf .venv src/candlewick/static web/node_modules
