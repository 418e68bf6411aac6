# `make` lists the targets.  Each makes the environment it needs, in .venv/.

PYTHON ?=
SEEDS ?= 10000
FIRST ?= 0
BIN := .venv/bin

KILLS := 300
SEED :=

.PHONY: help demo test fuzz chaos lint benchmarks setup run-env dev-env bench-env
.DEFAULT_GOAL := help

help:
	@echo "make demo    run the sample scheduler; Ctrl-C stops it"
	@echo "make test    run the tests, those of the documentation included"
	@echo "make chaos   kill a scheduler and what it runs KILLS=300 times, and prove that nothing is lost"
	@echo "make lint    check format, style, types and the layers of the imports"
	@echo "make fuzz    throw anything at the reader, the ids and the API, and tell how much that was"
	@echo "make simulate SEEDS=10000   live through so many simulated weeks, with crashes at any step"
	@echo "make simulate-faults        plant faults in the program, and see that the simulation finds them"
	@echo "make benchmarks             measure it, its peers and the machine; OPTIONS=--quick takes three minutes"
	@echo "make setup   make the environment and install the commit hooks"
	@echo
	@echo "Each needs Python 3.11 or newer; PYTHON=/path/to/python chooses one."

# Where there is a terminal the demo becomes its foreground job, so that Ctrl-C reaches the
# scheduler alone: make would end with an error of its own.
demo: run-env
	@echo "The sample scheduler starts, with its state and logs in a scratch folder.  Each full minute"
	@echo "testJob0 runs; each even one average waits for it, and report for both."
	@echo
	@echo "To try in another terminal, in this folder:"
	@echo "  $(BIN)/scheduler status"
	@echo "  $(BIN)/scheduler logs testJob0 --follow"
	@echo "  $(BIN)/scheduler plan"
	@echo "  $(BIN)/scheduler why corrected"
	@echo
	@if [ -t 0 ]; then set -m; fi; $(BIN)/python scheduler.py start --scheduler_name demo --mode test

# Most of the time the tests wait for processes: hence more workers than small machines have cores.
test: dev-env
	@$(BIN)/python -m pytest -n 4

# TIMES as many inputs as the tests try; in one process, which counts them.
TIMES ?= 20
fuzz: dev-env
	@FUZZ_TIMES=$(TIMES) $(BIN)/python -m pytest -q tests/fuzz

# For minutes; a failure is run again with its SEED, though not to the same microsecond.
chaos: dev-env
	@$(BIN)/python -m tests.system.chaos --kills $(KILLS) $(if $(SEED),--seed $(SEED))

lint: dev-env
	@$(BIN)/python -m ruff format --check .
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m mypy
	@$(BIN)/python -m pyright
	@$(BIN)/lint-imports

simulate: dev-env
	@$(BIN)/python -m tests.simulation --first $(FIRST) --seeds $(SEEDS)

simulate-faults: dev-env
	@$(BIN)/python -m tests.simulation --faults --seeds $(SEEDS)

# Forty minutes, on a machine that does nothing else: OPTIONS="--only handoff" is one of them.
OPTIONS ?=
benchmarks: bench-env
	@$(BIN)/python -m benchmarks $(OPTIONS)

setup: dev-env
	@if git rev-parse --git-dir >/dev/null 2>&1; then \
	  $(BIN)/python -m pre_commit install || echo "the commit hooks could not be installed"; \
	else \
	  echo "no git repository here: no commit hooks installed"; \
	fi

run-env:
	@PYTHON="$(PYTHON)" sh .ci/environment

dev-env:
	@PYTHON="$(PYTHON)" sh .ci/environment dev

bench-env:
	@PYTHON="$(PYTHON)" sh .ci/environment bench
