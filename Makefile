# Everything runs in .venv, which the first target that needs it makes.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed

.PHONY: demo test test-integration bench bench-pipeline bench-reader bench-training lint clean

demo: $(INSTALLED)
	$(BIN)/python examples/demo.py --output demo

test: lint
	$(BIN)/python -m pytest

test-integration: $(INSTALLED)
	$(BIN)/python -m pytest tests/integration --override-ini addopts="-ra --strict-markers --import-mode=importlib"

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(INSTALLED)
	$(BIN)/python -m benchmarks

bench-pipeline bench-reader bench-training: bench-%: $(INSTALLED)
	$(BIN)/python -m benchmarks $*

clean:
	rm -rf .venv build *.egg-info demo

$(INSTALLED): setup.py constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
	  { echo "error: Python 3.11, 3.12 or 3.13 is needed; say which: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[pipelines,training,gcp,s3,demo,dev]'
	touch $@
