# Needs Python 3.11 or newer, git and make; `make` alone shows the targets.
# Each target that needs the environment sets it up first: .venv/.ready is the stamp of that.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PYTHON_IN_VENV := .venv/bin/python
READY := .venv/.ready
SOURCES := $(wildcard src tests tools demo bench)
ONLY ?=

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | \
	    while IFS="$$(printf '\t')" read -r target text; do printf '  make %-15s %s\n' "$$target" "$$text"; done

.PHONY: setup
setup: $(READY) ## Create .venv with everything that the other targets need

$(READY): pyproject.toml requirements/dev.txt tools/setup.sh
	@sh tools/setup.sh
	@touch $@

.PHONY: demo
demo: $(READY) ## Four scripted agents build a feature together, and every message is accounted for
	@$(PYTHON_IN_VENV) -m demo

.PHONY: test
test: $(READY) ## Run the tests that need no coding client; TESTS=path for some
	@$(PYTHON_IN_VENV) -m pytest -n auto -m "not clients" $(TESTS)

.PHONY: test-clients
test-clients: $(READY) ## Run the tests with the pinned real clients, which it installs into .clients/
	@sh tools/install_clients.sh
	@sh tools/install_inspector.sh
	@$(PYTHON_IN_VENV) -m pytest -m clients tests/clients

.PHONY: test-http-fuzz
test-http-fuzz: $(READY) ## Let schemathesis, which it installs into .fuzz/, call every HTTP route; ARGS=... for it
	@sh tools/fuzz_http.sh $(ARGS)

.PHONY: bench
bench: $(READY) ## Measure the promised speeds; ONLY=S2 for one
	@$(PYTHON_IN_VENV) -m bench $(ONLY)

.PHONY: check check-lint check-format check-types check-imports check-files
check: check-lint check-format check-types check-imports check-files ## Lint, formatting, types, import contracts, words
check-lint: $(READY)
	@$(PYTHON_IN_VENV) -m ruff check --quiet --output-format concise $(SOURCES)
check-format: $(READY)
	@$(PYTHON_IN_VENV) -m ruff format --check --quiet --output-format concise $(SOURCES) || { echo "not formatted: run make format"; exit 1; }
check-types: $(READY)
	@$(PYTHON_IN_VENV) -m mypy $(SOURCES)
check-imports: $(READY)
	@.venv/bin/lint-imports --no-cache --no-logo
check-files: $(READY)
	@$(PYTHON_IN_VENV) tools/check_files.py

.PHONY: format
format: $(READY) ## Format the code and sort its imports
	@$(PYTHON_IN_VENV) -m ruff check --fix --quiet $(SOURCES) || true
	@$(PYTHON_IN_VENV) -m ruff format $(SOURCES)

.PHONY: pin
pin: $(READY) ## Regenerate requirements/*.txt; see tools/pin.sh for upgrades
	@bash tools/pin.sh

.PHONY: clean
clean: ## Remove what the targets made, .venv and the installed clients included
	rm -rf .venv .clients .fuzz dist build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
