# Everything runs in .venv. The first target that needs it makes it; it is made again when pyproject.toml changes.

PYTHON ?= python3
SCALE ?= 1
SOAK ?= 20
PEERS ?= yes
JOBS ?= logical

BIN := .venv/bin
READY := .venv/.ready

# Python keeps what it compiles, so that the next start is fast.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test check docs-test soak mutants bench clean

help: ## Say what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

demo: $(READY) ## Show what mlreg does, in a directory of its own
	@$(BIN)/python demo/demo.py

test: check ## Run the checks and all tests, on all cores or JOBS=1
	@$(BIN)/python -m pytest -q -n $(JOBS) --dist worksteal

check: $(READY) ## Run the linter and the type checker
	@$(BIN)/ruff check --quiet --output-format concise .
	@$(BIN)/mypy

docs-test: $(READY) ## Run what the documents say, and compare
	@$(BIN)/python -m pytest -q tests/docs

soak: $(READY) ## Run the tests with random work, faults and kills at SOAK=20 times the everyday scale
	@$(BIN)/python tests/laws/log_protocol_model.py --seeds $$((100 * $(SOAK)))
	@$(BIN)/python -m tests.reliability --only soak matrix cuts --operations $$((500 * $(SOAK))) --tries $$((1 + $(SOAK) / 4)) \
		--model-cuts $$((50 * $(SOAK))) --real-cuts $(SOAK)
	@$(BIN)/python -m pytest -q tests/laws tests/journeys tests/hostile/test_fuzz.py tests/conformance --scale $(SOAK)

mutants: $(READY) ## Take the rules of safety out, one by one, and see that tests notice
	@$(BIN)/python -m tests.reliability.mutants

bench: $(READY) ## Measure speed and size: SCALE=1 is a file of 2 GB; PEERS=no leaves other tools out
	@$(BIN)/python -m benchmarks --scale $(SCALE) --peers $(PEERS)

clean: ## Delete .venv, caches and build results
	@rm -rf .venv build dist src/mlreg.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find src tests demo benchmarks -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

$(READY): pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "Missing: $(PYTHON). Install Python 3.11 or newer, or say where it is: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Missing: Python 3.11 or newer ($(PYTHON) is `$(PYTHON) -V 2>&1`). Say where one is: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "Missing: the venv module of $(PYTHON). On Debian: apt-get install python3-venv" >&2; exit 1; }
	@echo "Making .venv: once, about a minute"
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,demo]' || { echo "Missing: the packages named in pyproject.toml. pip could not install them; its reason is above" >&2; exit 1; }
	@$(BIN)/python -m compileall -qq -j 0 `$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))'` src || true
	@touch $@
