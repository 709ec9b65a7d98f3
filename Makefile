# make setup   the virtual environment, and the servers that the tests start
# make test    lint, types, tests
# make reference DATA=DIR   train on DIR/Train, validate on DIR/Val, with a report: about three minutes on two cores
# make demo    everything in one process for 15 s; IMAGES=DIR runs it on your own crops
# make soak MINUTES=10   every fault in random order under load, then the ledger
# make fault-points      200 workers that kill themselves at every step between receiving and acknowledging
# make overload          twice the crops that a worker can classify, and then none at work
# make fuzz COUNT=1000000   damaged pictures and messages through the worker's classification
# make outages           broker and Redis gone for 1 s, 30 s and 5 minutes
# make bench             how fast, beside what people would use instead: half an hour; make bench-quick: three minutes
# make bench-guard       what CI runs of it: is anything much slower than it was
# make lock, make audit   the images' dependencies with their hashes, made anew; what is known against them
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: setup test lint demo servers bench bench-quick bench-guard reference soak fault-points overload fuzz outages lock audit

setup: $(VENV)/.dev servers

# Each environment is made once, and again when what it needs changes.
$(VENV)/.demo: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[demo]'
	@touch $@

$(VENV)/.dev: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev,trainer,pretrained]'
	@touch $@ $(VENV)/.demo

servers:
	@bash tests/servers/install

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

test: setup lint
	$(BIN)/pytest

MINUTES ?= 10
soak: setup
	$(BIN)/python -m tests.faults.soak --minutes $(MINUTES) $(SOAK)

overload: setup
	$(BIN)/python -m tests.faults.overload

COUNT ?= 1000000
fuzz: $(VENV)/.dev
	$(BIN)/python -m tests.faults.fuzz --count $(COUNT)

outages: setup
	$(BIN)/python -m tests.faults.outages

# The worker is measured with nothing but its own packages, as its image has them.
$(VENV)/.bench: $(VENV)/.dev
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev,trainer,pretrained,bench]'
	$(PYTHON) -m venv $(VENV)/worker
	$(VENV)/worker/bin/pip install --quiet --disable-pip-version-check -e '.[worker]'
	@touch $@

BENCHMARKS := $(BIN)/python -m tests.benchmarks --worker-python $(VENV)/worker/bin/python

bench: setup $(VENV)/.bench
	$(BENCHMARKS) $(BENCH)

bench-quick: setup $(VENV)/.bench
	$(BENCHMARKS) --quick $(BENCH)

bench-guard: setup
	$(BIN)/python -m tests.benchmarks --guard --rounds 3 --out runs/guard

LOCKED := gate producer worker
LOCK := $(BIN)/uv pip compile --quiet --upgrade --python-version 3.13 --python-platform x86_64-manylinux_2_28 \
  --generate-hashes --no-annotate --no-header

lock: $(VENV)/.dev
	$(BIN)/pip install --quiet 'uv>=0.9'
	for role in $(LOCKED); do $(LOCK) --extra $$role pyproject.toml --output-file deploy/locks/$$role.txt || exit; done
	echo 'hatchling>=1.27' | $(LOCK) - --output-file deploy/locks/build.txt

audit: $(VENV)/.dev
	$(BIN)/pip install --quiet 'pip-audit>=2.9'
	for role in $(LOCKED); do $(BIN)/pip-audit --strict --require-hashes --disable-pip -r deploy/locks/$$role.txt || exit; done

fault-points: setup
	MASKGATE_DEATHS=200 $(BIN)/pytest -s --timeout 1200 tests/faults/test_fault_points.py

demo: $(VENV)/.demo
	$(BIN)/python -m demo $(if $(IMAGES),--images '$(IMAGES)')

# The reference set shows whole heads and half bodies in grey, and the same photograph with and without a mask: a network that sees small
# things, kept from learning who is in the picture by masks that others wear.
REFERENCE := --network deep --channels 1 --light 0.4 --damage 0.4 --occluders 0.4 --cut-masks 0.4 --mirror --samples 400000
OUT ?= runs/reference

reference: $(VENV)/.dev
	$(BIN)/python -m trainer train --data '$(DATA)/Train' --validation '$(DATA)/Val' --out '$(OUT)' $(REFERENCE)
