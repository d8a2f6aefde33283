# The one index of daily work: `make help` lists it.
.DEFAULT_GOAL := help
SHELL := /bin/bash
export PYTHON ?= python3
export VENV := .venv
BIN := $(VENV)/bin
RUN := $(VENV)/.installed-run
DEV := $(VENV)/.installed
export PYTHONDONTWRITEBYTECODE :=

# Everything is installed from hashes, by uv; nothing is installed twice: a stamp knows the lock that it came from.
$(RUN): requirements-run.lock pyproject.toml
	@.ci/install $<
	@touch $@

$(DEV): requirements.lock $(RUN)
	@.ci/install $<
	@touch $@

.PHONY: help
help: ## list these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

.PHONY: setup
setup: $(RUN) ## install what `golive run` needs into .venv (the others do what they need first)

.PHONY: setup-dev
setup-dev: $(DEV) ## install all: tests, checks, load, benchmarks too

.PHONY: run
run: $(RUN) ## the main job: prove the reference pipeline on every gateway (the everyday suites, about a minute)
	@$(BIN)/golive run $(ARGS)

.PHONY: run-all
run-all: $(RUN) ## all of it: recovery and monitoring too
	@$(BIN)/golive run --all $(ARGS)

.PHONY: test
test: $(DEV) ## our own tests, the everyday part: unit, contract, integration, architecture
	@$(BIN)/python -m pytest -q -n auto -m "not nightly" $(ARGS)

.PHONY: test-nightly
test-nightly: $(DEV) ## the tests that take long: statistical proofs, drills, whole runs
	@$(BIN)/python -m pytest -q -n 0 -m nightly $(ARGS)

.PHONY: test-all
test-all: test test-nightly ## all of them

.PHONY: check
check: $(DEV) ## ruff, mypy --strict, import-linter
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check -q .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

.PHONY: docs
docs: $(RUN) ## write docs/catalogue.md again from the registries of the fakes
	@$(BIN)/python -m simulators.catalogue docs/catalogue.md

.PHONY: docs-saboteurs
docs-saboteurs: $(RUN) ## write docs/saboteurs.md again from the saboteurs
	@$(BIN)/golive prove --write-docs

.PHONY: prove
prove: $(RUN) ## break the reference in every known way, and see that the scenarios notice
	@$(BIN)/golive prove $(ARGS)

.PHONY: fmt
fmt: $(DEV) ## format and fix what ruff can
	@$(BIN)/ruff check -q --fix . ; $(BIN)/ruff format -q .

.PHONY: load
load: $(DEV) ## the plan's average day as load, judged on raw samples
	@$(BIN)/golive load baseline $(ARGS)

COMPILE := pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header -q

.PHONY: lock
lock: $(DEV) ## write requirements.lock again from pyproject.toml, and requirements-run.lock, the part that a run needs
	@$(BIN)/uv $(COMPILE) pyproject.toml --all-extras --group dev --upgrade -o requirements.lock
	@printf '%s\n' hatchling editables uv | $(BIN)/uv $(COMPILE) pyproject.toml - --extra aws --extra reference \
	    --extra model --constraint requirements.lock -o requirements-run.lock

.PHONY: openapi
openapi: $(DEV) ## write docs/openapi.json again from the reference's routes
	@GOLIVE_WRITE_OPENAPI=1 $(BIN)/python -m pytest -q -n 0 tests/change/test_contract.py -k every_route
	@git diff --stat -- docs/openapi.json

.PHONY: openapi-diff
openapi-diff: $(DEV) ## does docs/openapi.json break a client of the last tag? (BASE=file compares with that file)
	@base=$$(mktemp); tag=$$(git describe --tags --abbrev=0 HEAD^ 2>/dev/null); \
	  { [ -n "$$tag" ] && git show "$$tag:docs/openapi.json" > $$base 2>/dev/null; } || cp tests/change/released_openapi.json $$base; \
	  $(BIN)/python -m reference_impl.contract $${BASE:-$$base} docs/openapi.json; code=$$?; rm -f $$base; exit $$code

.PHONY: prove-change
prove-change: $(DEV) ## deployments under load: canary, rollback, rolling restart, migrations, contract
	@$(BIN)/python -m pytest -q -n 0 --durations=5 tests/change
	@$(BIN)/golive run -k "R-20 or R-21" $(ARGS)

.PHONY: package
package: $(DEV) ## build wheel and sdist, and prove the wheel in a clean environment and a foreign folder
	@.ci/package

.PHONY: clean
clean: ## remove what was built or run here
	@rm -rf $(VENV) reports/out .pytest_cache .mypy_cache .ruff_cache .import_linter_cache

.PHONY: bench
bench: $(DEV) ## micro-benchmarks beside their floors; fails where something became slower (ARGS=--update: new baseline)
	@$(BIN)/python benchmarks/micro/gate.py $(ARGS)

.PHONY: bench-run
bench-run: $(DEV) ## what people wait for: set-up, runs, proof, tests (ARGS="--repeat 3 --only Node --write")
	@$(BIN)/python benchmarks/run_cost.py table $(ARGS)

.PHONY: bench-gate-proof
bench-gate-proof: $(DEV) ## whether that gate can be believed: twenty times the same code, ten times +30 %
	@$(BIN)/python benchmarks/micro/gate_proof.py $(ARGS)

.PHONY: bench-peers
bench-peers: $(DEV) ## fakes, pipeline, proxy and queue beside their peers, in one table (ARGS="--only queues proxy")
	@$(BIN)/python benchmarks/peers.py $(ARGS)

.PHONY: bench-queues
bench-queues: $(DEV) ## ministack's queue beside moto's and a plain list, by the reference's own client
	@$(BIN)/python benchmarks/queues.py $(ARGS)

.PHONY: bench-matching
bench-matching: $(DEV) ## precision and recall of the reference's matching, in a world of known truth
	@$(BIN)/python benchmarks/matching.py $(ARGS)

.PHONY: bench-fakes
bench-fakes: $(DEV) ## the fake Meta beside WireMock (wants Java 17, npm, wrk; says what is missing)
	@$(BIN)/python benchmarks/fakes.py $(ARGS)

.PHONY: bench-webhooks
bench-webhooks: $(DEV) ## the webhook endpoint beside a floor app (wants wrk; says what is missing)
	@$(BIN)/python benchmarks/webhooks.py $(ARGS)

.PHONY: bench-analytics
bench-analytics: $(DEV) ## the dashboard and its numbers over a million conversions in a day (ARGS="--rows 10000000": ten)
	@$(BIN)/python benchmarks/analytics.py $(ARGS)

.PHONY: bench-raw-body
bench-raw-body: $(DEV) ## what it costs to capture a webhook's raw body
	@$(BIN)/python benchmarks/raw_body.py

.PHONY: bench-proxy
bench-proxy: $(DEV) ## the network proxy without toxics beside the direct way: PostgreSQL and HTTP
	@$(BIN)/python benchmarks/proxy.py $(ARGS)

.PHONY: bench-model
bench-model: $(DEV) ## in how many examples the model alone finds a broken pipeline (ARGS="--examples 40 --only refund-ignored")
	@$(BIN)/python benchmarks/model.py $(ARGS)
