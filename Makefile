# Everything runs in .venv, which the first target that needs it makes.
PYTHON ?= python3
BIN := .venv/bin
# Without an NVIDIA GPU, tensorflow-cpu does the same in 0.6 GB less.
TRAINING := $(if $(wildcard /proc/driver/nvidia/version),training,training-cpu)
INSTALL := $(BIN)/python -m pip install --no-compile --constraint constraints.txt --editable
# Modules are compiled when they are first imported, and not all of them at installation: 0.25 GB less.
unexport PYTHONDONTWRITEBYTECODE
# Marks of finished installations: without the first, .venv is made anew.
DEMO := .venv/installed-demo
DEVELOPMENT := .venv/installed-development

.PHONY: demo test test-integration bench bench-pipeline bench-reader bench-training lint clean

demo: $(DEMO)
	$(BIN)/python examples/demo.py --output demo

# Two processes at a time, each with whole files: most of them wait for imports.
test: lint
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

# The files come in the order of their names: by the number of tests, the longest would be last.
test-integration: $(DEVELOPMENT)
	$(BIN)/python -m pytest tests/integration --numprocesses 2 --dist loadfile --no-loadscope-reorder \
	  --override-ini addopts="-ra --strict-markers --import-mode=importlib"

lint: $(DEVELOPMENT)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(DEVELOPMENT)
	$(BIN)/python -m benchmarks

bench-pipeline bench-reader bench-training: bench-%: $(DEVELOPMENT)
	$(BIN)/python -m benchmarks $*

clean:
	rm -rf .venv .venv-peers build *.egg-info demo

$(DEMO): setup.py constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
	  { echo "error: Python 3.11, 3.12 or 3.13 is needed; say which: make PYTHON=python3.12"; exit 1; }
	@echo "Installing what the demo needs into .venv, which is made anew: 0.6 GB to download, 2.4 GB on disk, one to three minutes"
	$(PYTHON) -m venv --clear --upgrade-deps .venv
	$(INSTALL) '.[pipelines,$(TRAINING),demo]'
	@touch $@
	@echo "Installed what the demo needs"

# Its first mark goes before anything is installed, so that a killed installation is made anew.
$(DEVELOPMENT): $(DEMO)
	@echo "Installing what development needs into .venv: 0.2 GB to download, 0.7 GB on disk, about a minute"
	@rm -f $(DEMO)
	$(INSTALL) '.[pipelines,$(TRAINING),demo,gcp,s3,dev]'
	@touch $(DEMO) $@
	@echo "Installed what development needs"
