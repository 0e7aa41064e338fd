# Every target sets up its own .venv when it is missing or stale.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
WORKERS ?= 2
PYTEST := $(BIN)/python -m pytest -p tests.areas -n $(WORKERS) --dist loadgroup --no-loadscope-reorder
WORKSPACE ?= demo

export OMP_NUM_THREADS ?= 2
export TOKENIZERS_PARALLELISM ?= false

.DEFAULT_GOAL := help
.PHONY: help demo test test-fast test-slow check fix docs bench clean chromium

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

.venv/.demo: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(PIP) --editable '.[eval]'
	@touch $@

.venv/.dev: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(PIP) --editable '.[eval,space,dev]'
	@touch $@ .venv/.demo

demo: .venv/.demo ## merge, check, evaluate and rank a real recipe; a few minutes, no network
	@$(BIN)/mergebot demo --workspace $(WORKSPACE)

test: .venv/.dev chromium check ## everything CI runs
	$(PYTEST)

test-fast: .venv/.dev ## for editing: no browser, no model evaluation
	$(PYTEST) -m 'not slow and not browser and not heavy'

test-slow: .venv/.dev chromium ## long kill loops, load tests, big files
	$(PYTEST) -m slow --timeout 3600

check: .venv/.dev ## style, types, architecture, generated documentation
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/python -m bot.cli.generate_docs --check

fix: .venv/.dev ## mend what tools can mend
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format --quiet .

docs: .venv/.dev ## write the generated documentation
	$(BIN)/python -m bot.cli.generate_docs

bench: .venv/.dev ## measure against mergekit and write benchmarks/README.md
	$(BIN)/python -m benchmarks

chromium: # browser tests use Debian's; elsewhere they say in one line that they were not run
	@command -v chromium >/dev/null || { command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] \
	  && apt-get update -qq && apt-get install -y -qq chromium >/dev/null; } || true

clean: ## remove what was built, downloaded or made by the demo
	rm -rf .venv build dist *.egg-info demo .mypy_cache .ruff_cache .pytest_cache .hypothesis
