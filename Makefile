# Facet's verbs. `make help` lists them; every one sets up what it needs by itself.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
ARGS ?=
# The two halves of `make test`, about as long as each other. The compiler's tests come first: they
# collect garbage often, which takes long after five thousand others.
ALONE := tests/unit tests/contract
TOGETHER := tests/compiler tests/e2e tests/clients tests/bench

# .venv keeps the Python it was made with.
ifeq ($(origin PYTHON),command line)
ifneq ($(wildcard .venv/bin/python),)
$(info PYTHON=$(PYTHON) is ignored: .venv exists; `make clean` first to make it anew)
endif
endif

# What `make chaos` runs: its own folder, and long forms that others have of such days.
BAD_DAYS := tests/chaos $(wildcard $(addprefix tests/e2e/test_,$(addsuffix .py,\
	kill_mid_write rolling_restart slow_herd foreign_bytes)))

.DEFAULT_GOAL := help

.PHONY: help
help: ## This list
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  make %-10s %s\n", $$1, $$2}'

.PHONY: run
run: .venv/.run ## Services, gateways, and every platform's home screen (ARGS=--once to stop after it)
	@$(BIN)/python -m bff up $(ARGS)

.PHONY: test
test: .venv/.dev ## Every promise, in short form; starts everything it needs itself
ifeq ($(strip $(ARGS)),)
	@echo "beside what you see: every module alone, then what gateways promise by graphql-core alone …"
	@mkdir -p .data; \
	( trap 'kill $$running 2>/dev/null; wait $$running; exit 130' TERM; \
	$(BIN)/python -m pytest -q $(ALONE) -m "not verify and not chaos" >.data/alone.log 2>&1 & running=$$!; \
	wait $$running; alone=$$?; \
	BFF__PLANS__MODE=generic $(BIN)/python -m pytest -q tests/e2e -m "not verify and not chaos and not modeless" \
	>.data/generic.log 2>&1 & running=$$!; \
	wait $$running; exit $$((alone | $$?)) ) & beside=$$!; \
	trap 'kill $$beside 2>/dev/null; wait $$beside; exit 130' INT TERM HUP; \
	$(BIN)/python -m pytest $(TOGETHER) -m "not verify and not chaos"; first=$$?; \
	echo "waiting for what runs beside …"; wait $$beside; second=$$?; \
	for one in alone generic; do \
	  echo "$$one:"; \
	  if [ $$second = 0 ]; then grep '^SKIPPED' .data/$$one.log; tail -n 1 .data/$$one.log; \
	  else cat .data/$$one.log; fi; \
	done; \
	exit $$((first | second))
else
	@$(BIN)/python -m pytest -m "not verify and not chaos" $(ARGS)
endif

.PHONY: verify
verify: .venv/.dev ## The long forms of the proofs; a missing outside program is a failure
	@FACET_REQUIRE_ALL=1 $(BIN)/python -m pytest -m verify $(ARGS)
	@echo "every e2e promise again, over the second transport …"
	@FACET_REQUIRE_ALL=1 BFF__UPSTREAMS__TRANSPORT=httpx2 $(BIN)/python -m pytest tests/e2e -m "not verify and not chaos" $(ARGS)
	@echo "every e2e and client promise again, every operation executed by graphql-core …"
	@FACET_REQUIRE_ALL=1 BFF__PLANS__MODE=generic $(BIN)/python -m pytest tests/e2e tests/clients -m "not verify and not chaos" $(ARGS)

# Part of it only (ARGS) is shown, and leaves the record as it is.
.PHONY: chaos
chaos: .venv/.dev ## Faults, overload, slow networks, wrong clocks: one table (long)
	@FACET_COMMIT="$$(git rev-parse HEAD 2>/dev/null)" FACET_DATE="$$(git log -1 --format=%cI 2>/dev/null)" \
	FACET_CHAOS_OUT=$(if $(strip $(ARGS)),,tests/e2e/chaos.json) \
	$(BIN)/python -m pytest -p tests.chaos.reporting -m "chaos or verify" \
	$(if $(findstring tests/,$(ARGS)),,$(BAD_DAYS)) $(ARGS)

.PHONY: clients
clients: node .venv/.dev ## Only the proofs with real client libraries (needs Node.js)
	@FACET_REQUIRE_ALL=1 $(BIN)/python -m pytest tests/clients $(ARGS)

.PHONY: bench
bench: .venv/.dev ## Our gateway beside its peers: CPU a screen, growth, coalescing (minutes; Linux, Node.js)
	@$(BIN)/python -m tests.bench $(ARGS)

.PHONY: node
node:
	@command -v node npm >/dev/null || { echo "make clients needs Node.js 20 or newer, with npm on PATH; install it (https://nodejs.org)" >&2; exit 1; }

.PHONY: check
check: .venv/.dev ## Style, types, import rules, size limits
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python -m tests.contract.sizes
	@echo "all good"

.PHONY: format
format: .venv/.dev ## Rewrite the code in the project's style
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

.PHONY: schema
schema: .venv/.run ## Write the SDL snapshots schema/*/schema.graphql
	@$(BIN)/python -m bff schema --write

.PHONY: manifests
manifests: .venv/.run ## Write manifest and schema of each platform's next release (ARGS=--replace while unreleased)
	@$(BIN)/python -m bff pack --write $(ARGS)

.PHONY: lock
lock: .venv/.dev ## Pin every dependency by hash (needs uv on PATH)
	@sh deploy/requirements/lock.sh

.PHONY: clean
clean: ## Remove the environment and development data
	rm -rf .venv .venv-bench .data tests/clients/node_modules tests/bench/node/node_modules

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Facet needs Python 3.11 or newer; name one: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@echo "making the environment .venv (once) …"
	@$(PYTHON) -m venv .venv || { echo "python3 cannot make an environment; on Debian and Ubuntu: apt install python3-venv" >&2; rm -rf .venv; exit 1; }

.venv/.run: .venv/bin/python deploy/requirements/run.txt pyproject.toml
	@echo "installing what the product runs on: $$(grep -c == deploy/requirements/run.txt) packages, pinned by hash; about a minute …"
	@$(PIP) install --quiet --progress-bar on --require-hashes -r deploy/requirements/run.txt
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.dev: .venv/.run deploy/requirements/dev.txt
	@echo "installing what tests and checks run on: $$(grep -c == deploy/requirements/dev.txt) packages, pinned by hash; about a minute …"
	@$(PIP) install --quiet --progress-bar on --require-hashes -r deploy/requirements/dev.txt
	@touch $@
