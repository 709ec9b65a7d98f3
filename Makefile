# make setup   the virtual environment, and the servers that the tests start
# make test    lint, types, tests
# make demo    everything in one process for 15 s; IMAGES=DIR runs it on your own crops
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: setup test lint demo servers

setup: $(VENV)/.dev servers

# Each environment is made once, and again when what it needs changes.
$(VENV)/.demo: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[demo]'
	@touch $@

$(VENV)/.dev: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev,trainer]'
	@touch $@ $(VENV)/.demo

servers:
	@bash tests/servers/install

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

test: setup lint
	$(BIN)/pytest

demo: $(VENV)/.demo
	$(BIN)/python -m deploy.local $(if $(IMAGES),--images '$(IMAGES)')
