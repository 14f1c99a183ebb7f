# All programs run in .venv, which holds locked and hashed packages.
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
# Options for `make run`: make run ARGS="--port 9000 --speed 5"
ARGS ?=
# If it is set, every program compiles all its modules anew at each start. That costs tests ten seconds of CPU.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help
help: ## Show this help
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | awk -F'\t' '{printf "  make %-12s %s\n", $$1, $$2}'

.venv/.installed: requirements-uv.lock requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "calmo-pagerduty needs Python 3.11 or later, this is " + sys.version.split()[0] + ": make PYTHON=python3.12")'
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "calmo-pagerduty needs Python's venv module: install the package python3-venv"; exit 1; }
	@echo "setting up .venv (once, about a quarter of a minute) …"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python packages.py install
	@touch $@

.PHONY: run
run: .venv/.installed ## Run everything on this machine, with a simulated PagerDuty (Ctrl-C stops it)
	@exec $(BIN)/calmo-pagerduty up $(ARGS)

.PHONY: test
test: .venv/.installed ## Run all tests with real parts, four files at a time
	@$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder

.PHONY: test-fast
test-fast: .venv/.installed ## Run the tests that need no server: rules, stores on SQLite, the API
	@$(BIN)/python -m pytest --fast -q -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: check
check: .venv/.installed ## Check format, lint, types and import contracts
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

.PHONY: audit
audit: .venv/.installed ## Look for known vulnerabilities in locked packages, if somebody can be asked
	@$(BIN)/python packages.py audit

.PHONY: format
format: .venv/.installed ## Format the code and sort imports
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

.PHONY: torture
torture: .venv/.installed ## Run the long fault tests: crashes at random moments, and nothing is lost or doubled
	@$(BIN)/python -m pytest -m torture -o faulthandler_timeout=3600
	@$(BIN)/python -m pytest -m hypothesis --hypothesis-profile="by chance"

.PHONY: bench
bench: .venv/.installed ## Measure speed and cost, compared with a bare Temporal workflow; prints JSON
	@$(BIN)/python -m bench

.PHONY: docs
docs: .venv/.installed ## Generate docs/tools.md from the catalogue
	@$(BIN)/python -c "from calmo_pagerduty.tools import catalogue, documentation as d; print(d.tools_markdown(catalogue.TOOLS), end='')" > docs/tools.md

.PHONY: lock
lock: .venv/.installed ## Lock dependencies again, with hashes and without index addresses
	@$(BIN)/python packages.py lock

.PHONY: clean
clean: ## Remove the environment and the caches; data folders stay
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
