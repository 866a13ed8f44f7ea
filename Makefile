# Two commands: `make demo` and `make test`. Each sets up .venv by itself, and is quick the second time.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
FRAMEWORKS := $(VENV)/.frameworks
# What is installed; CI asks for all at once.
EXTRAS ?= dev
PIP := $(BIN)/python -m pip install --constraint constraints.txt
# Each worker of pytest imports torch: four are enough, however many cores there are.
PYTEST := $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal

.PHONY: help demo test test-slow lint install clean

help:
	@echo "make demo   train on generated images with wrong labels in four ways, and compare (a few minutes)"
	@echo "make test   run the tests (a few minutes)"
	@echo "make test-slow, make lint: what CI runs on top"

install: $(STAMP)

# The stamp depends on what decides the environment; sources are installed in place.
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=23.1"
	$(PIP) --editable ".[$(EXTRAS)]"
	touch $@ $(if $(findstring frameworks,$(EXTRAS)),$(FRAMEWORKS))

# The loops of other libraries, which the slow tests run the examples in.
$(FRAMEWORKS): $(STAMP)
	$(PIP) --quiet --editable ".[dev,frameworks]"
	touch $@

demo: $(STAMP)
	$(BIN)/segnoise demo

test: $(STAMP)
	$(PYTEST)

test-slow: $(FRAMEWORKS)
	$(PYTEST) -m slow

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/codespell

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
