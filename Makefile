# Everything runs in a virtual environment of the project's own, made on first use from the locked requirements.
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready-$(shell cat requirements-dev.txt pyproject.toml | cksum | cut -d' ' -f1)
TARGET ?= .
PORT ?= 7071
SEEDS ?= 10000
EVENTS ?= 40
SUITABLE := import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c '$(SUITABLE)' 2>/dev/null && echo $$p && break; done)

.PHONY: help run up test simulate lint format bench chaos lock clean

help:  ## Show what can be made.
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

run: $(READY)  ## Start the system, have its agents review TARGET (default: this project), show the report, stop.
	@$(BIN)/aos demo $(TARGET) --port $(PORT)

up: $(READY)  ## Run the system for development until Ctrl-C.
	@$(BIN)/aos up --port $(PORT)

test: lint  ## Check style, types and import rules, then run all tests.
	$(BIN)/python -m pytest

simulate: $(READY)  ## Run SEEDS (10000) simulations with faults at every await, and show what was checked.
	$(BIN)/python -m aos.testing.simulation --seeds $(SEEDS)

lint: $(READY)  ## Check style, types and import rules.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)  ## Format the code.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY)  ## Measure, and print what was measured on what.
	@for file in benchmarks/[a-z]*.py; do echo; echo "== $$file"; $(BIN)/python $$file || exit 1; done

chaos: $(READY)  ## Kill, cut off and restart the running system many times; account for every message.
	$(BIN)/python -m tests.e2e.chaos --events $(EVENTS)

lock: $(READY)  ## Lock the dependencies anew, with hashes.
	$(BIN)/uv pip compile -q pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header \
		-o requirements.txt
	$(BIN)/uv pip compile -q pyproject.toml --extra local --extra streaming --group dev --universal \
		--python-version 3.11 --generate-hashes --no-header -o requirements-dev.txt

clean:  ## Remove the virtual environment and the data of local runs.
	rm -rf $(VENV) .aos

$(READY): requirements-dev.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed. Install one, or name it: make PYTHON=…"; exit 1; }
	@echo "Setting up $(VENV) with $$($(PYTHON) --version)"
	@rm -f $(VENV)/.ready-*
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@
