# The one index of daily work: `make help` lists it.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export PYTHONDONTWRITEBYTECODE :=
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# Everything is installed from hashes; nothing is installed twice: the stamp knows the lock it came from.
$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "golive needs Python 3.11 or newer; $$($(PYTHON) --version) was found. Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	@echo "setting up $(VENV) (first time: one or two minutes)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install -q --no-deps --no-build-isolation -e .
	@touch $@

.PHONY: help
help: ## list these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

.PHONY: setup
setup: $(STAMP) ## install everything into .venv (the others do this first)

.PHONY: run
run: $(STAMP) ## the main job: prove the reference pipeline on all four gateways
	@$(BIN)/golive run $(ARGS)

.PHONY: test
test: $(STAMP) ## our own tests: unit, contract, integration, architecture
	@$(BIN)/python -m pytest -q -n auto $(ARGS)

.PHONY: check
check: $(STAMP) ## ruff, mypy --strict, import-linter
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check -q .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

.PHONY: docs
docs: $(STAMP) ## write docs/catalogue.md again from the registries of the fakes
	@$(BIN)/python -m simulators.catalogue docs/catalogue.md

.PHONY: fmt
fmt: $(STAMP) ## format and fix what ruff can
	@$(BIN)/ruff check -q --fix . ; $(BIN)/ruff format -q .

.PHONY: load
load: $(STAMP) ## the plan's average day as load, judged on raw samples
	@$(BIN)/golive load baseline $(ARGS)

.PHONY: lock
lock: $(STAMP) ## write requirements.lock again from pyproject.toml
	@$(BIN)/uv pip compile pyproject.toml --all-extras --group dev --universal --python-version 3.11 \
	    --generate-hashes --no-emit-index-url --no-annotate --no-header -q --upgrade -o requirements.lock

.PHONY: clean
clean: ## remove what was built or run here
	@rm -rf $(VENV) reports/out .pytest_cache .mypy_cache .ruff_cache .import_linter_cache

.PHONY: bench-fakes
bench-fakes: $(STAMP) ## the fake Meta beside WireMock (wants Java 17, npm, wrk; says what is missing)
	@$(BIN)/python benchmarks/fakes.py $(ARGS)

.PHONY: bench-webhooks
bench-webhooks: $(STAMP) ## the webhook endpoint beside a floor app (wants wrk; says what is missing)
	@$(BIN)/python benchmarks/webhooks.py $(ARGS)
