# `make demo` and `make test` need Python 3.11 or newer and nothing else of ours.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help demo test lint format soak bench interop clean

help: ## list these targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/installed-%: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "error: Python 3.11 or newer is needed, $$($(PYTHON) --version) found"; \
	       echo "hint:  make PYTHON=python3.11 ..."; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	@touch $@

$(VENV)/installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "error: Python 3.11 or newer is needed, $$($(PYTHON) --version) found"; \
	       echo "hint:  make PYTHON=python3.11 ..."; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

demo: $(VENV)/installed ## install, start the national tree, run the main job end to end
	$(BIN)/idis demo

test: $(VENV)/installed-test ## install what tests need and run them all
	-$(BIN)/python -m resolver.fastpath.preparing
	$(BIN)/python -m pytest -n auto --dist loadfile

lint: $(VENV)/installed-test $(VENV)/installed-lint $(VENV)/installed-bench ## ruff, mypy, import contracts, spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

format: $(VENV)/installed-lint ## let ruff put the code in shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

soak: $(VENV)/installed-test ## long runs: 200 kills in a write storm, and what else is marked soak
	$(BIN)/python -m pytest -m soak --timeout 3600

bench: $(VENV)/installed-test $(VENV)/installed-bench ## measure everything, quickly: about ten minutes; results in build/bench
	$(BIN)/python -m bench
	$(BIN)/python -m bench registrations --count 100000 --rounds 2
	$(BIN)/python -m bench chain --quick --out build/bench
	$(BIN)/python -m bench peers --quick --out build/bench
	$(BIN)/python -m bench limits --quick --out build/bench
	$(BIN)/python -m bench growth --quick --out build/bench
	$(BIN)/python -m bench simulate --growth build/bench/growth.json --out build/bench --unvalidated
	$(BIN)/python -m pytest bench/micro --benchmark-only -o python_files='bench_*.py'

interop: $(VENV)/installed-test ## programs of others: log verifiers and the official Java SDKs; says what is missing for them: Java, Maven, IDIS_SDK_CLASSPATH
	$(BIN)/python -m pytest tests/interop -rs

clean: ## remove what was built
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
