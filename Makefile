SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help setup unit test lint format docs demo servers run-servers bench bench-quick bench-guard \
  reference camera-loop promotion soak fault-points overload fuzz outages lock audit

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.dev servers ## make the environment, install the servers that the tests start

# Each environment is made once, and again when pyproject.toml changes.
$(VENV)/.demo: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[demo]'
	@touch $@

$(VENV)/.dev: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev,docs,trainer,pretrained]'
	@touch $@ $(VENV)/.demo

servers: ## install the servers that the tests start, from the distribution, if they are missing
	@bash tests/servers/install

run-servers: setup ## run RabbitMQ and Redis until Ctrl-C, to debug against
	$(BIN)/python -m tests.servers

lint: $(VENV)/.dev ## check format, lint, spelling and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/codespell
	$(BIN)/mypy

format: $(VENV)/.dev ## format the code and repair what ruff can repair
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# What is quick: no servers, no torch, no pictures one after another, no processes of their own.
SLOW := trainer picture drawn shipped native live_source video detect camera_watcher \
	deploy boundaries hostile metrics_server tracing
unit: $(VENV)/.dev ## run the quick unit tests, in under half a minute
	$(BIN)/pytest tests/unit $(SLOW:%=--ignore-glob='*/test_%*')

test: setup lint ## run lint, types and all tests
	$(BIN)/pytest

docs: $(VENV)/.dev ## build the documentation site into site/
	$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet -c docs -d site/.doctrees . site
	@echo 'Open site/index.html'

MINUTES ?= 10
soak: setup ## MINUTES=10: all faults in random order under load, then the ledger
	$(BIN)/python -m tests.faults.soak --minutes $(MINUTES) $(SOAK)

camera-loop: setup ## MINUTES=10: an RTSP camera that is lost and found again; memory stays flat
	$(BIN)/python -m tests.faults.camera_loop --minutes $(MINUTES)

promotion: setup ## promote a challenger and go back, under 1,000 crops/s
	$(BIN)/python -m tests.faults.promotion

siege: setup ## MINUTES=10: honest cameras beside attackers with a camera's and the auditor's key
	$(BIN)/python -m tests.faults.siege --minutes $(MINUTES)

overload: setup ## twice the crops that a worker can classify, and then none at work
	$(BIN)/python -m tests.faults.overload

COUNT ?= 1000000
TRIES ?= 20000
fuzz: $(VENV)/.dev ## COUNT=1000000 damaged messages; TRIES=20000: the crop that takes longest
	$(BIN)/python -m tests.faults.fuzz --count $(COUNT)
	$(BIN)/python -m tests.faults.slow_bodies --tries $(TRIES)

outages: setup ## broker and Redis gone for 1 s, 30 s and 5 minutes
	$(BIN)/python -m tests.faults.outages

# The worker is measured with nothing but its own packages, as its image has them, and the peers
# with the same ones and theirs.
$(VENV)/.bench: $(VENV)/.dev
	$(PYTHON) -m venv $(VENV)/worker
	$(VENV)/worker/bin/pip install --quiet --disable-pip-version-check -e '.[worker]'
	$(PYTHON) -m venv $(VENV)/peers
	$(VENV)/peers/bin/pip install --quiet --disable-pip-version-check -e '.[worker,bench]'
	@touch $@

BENCHMARKS := $(BIN)/python -m tests.benchmarks --worker-python $(VENV)/worker/bin/python \
  --peers-python $(VENV)/peers/bin/python

bench: setup $(VENV)/.bench ## all benchmarks beside other ways to do it: half an hour
	$(BENCHMARKS) $(BENCH)

bench-quick: setup $(VENV)/.bench ## the most important benchmarks: three minutes
	$(BENCHMARKS) --quick $(BENCH)

bench-guard: setup ## what CI runs: is anything much slower than it was?
	$(BIN)/python -m tests.benchmarks --guard --rounds 3 --out runs/guard

LOCKED := camera desk gate producer worker
LOCK := $(BIN)/uv pip compile --quiet --upgrade --python-version 3.13 --python-platform x86_64-manylinux_2_28 \
  --generate-hashes --no-annotate --no-header

lock: $(VENV)/.dev ## renew the images' dependencies with their hashes
	$(BIN)/pip install --quiet 'uv>=0.9'
	for role in $(LOCKED); do \
	  $(LOCK) --extra $$role pyproject.toml --output-file deploy/locks/$$role.txt || exit; done
	$(LOCK) --extra tracing $(LOCKED:%=--constraint deploy/locks/%.txt) pyproject.toml \
	  --output-file deploy/locks/tracing.txt
	echo 'hatchling>=1.27' | $(LOCK) - --output-file deploy/locks/build.txt

audit: $(VENV)/.dev ## known weaknesses of the images' dependencies; needs PyPI
	$(BIN)/pip install --quiet 'pip-audit>=2.9'
	for role in $(LOCKED) tracing; do \
	  $(BIN)/pip-audit --strict --require-hashes --disable-pip -r deploy/locks/$$role.txt || exit; done

fault-points: setup ## 200 workers that kill themselves between receiving and acknowledging
	MASKGATE_DEATHS=200 $(BIN)/pytest -s --timeout 1200 tests/faults/test_fault_points.py

demo: $(VENV)/.demo ## everything in one process: drawn people; VIDEO=FILE or IMAGES=DIR of your own
	@$(BIN)/python -m producer detector >/dev/null
	$(BIN)/python -m demo $(if $(VIDEO),--video '$(VIDEO)') $(if $(IMAGES),--images '$(IMAGES)')

# The reference set shows whole heads and half bodies in grey, and the same photograph with and
# without a mask. So the network sees small details, and masks pasted on other faces keep it from
# learning who is in the picture.
REFERENCE := --network deep --channels 1 --light 0.4 --damage 0.4 --occluders 0.4 --cut-masks 0.4 \
  --mirror --samples 400000
OUT ?= runs/reference

reference: $(VENV)/.dev ## DATA=DIR: train on DIR/Train, validate on DIR/Val, with a report
	$(BIN)/python -m trainer train --data '$(DATA)/Train' --validation '$(DATA)/Val' --out '$(OUT)' \
	  $(REFERENCE)
