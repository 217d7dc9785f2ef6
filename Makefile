# The verbs. On a fresh machine with Python >= 3.11, venv and make: `make demo`, `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.PHONY: measure bench demo test check validate golden docs all clean format

demo: $(READY)  ## a published trial as a virtual trial: table and figure
	$(BIN)/ghaxis trial falutz2007 --people 200 --plot out/falutz2007.png

test: $(READY)  ## every test
	$(BIN)/python -m pytest -n 2 --dist loadfile

check: $(READY)  ## style, types, import direction, library text
	$(BIN)/ruff check src tests docs benchmarks
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/ghaxis check

validate: $(READY)  ## all studies: prediction beside finding
	$(BIN)/ghaxis validate

measure: $(READY)  ## settled states, healthy days, therapy by liver state, ablation: docs/scoreboard.md
	$(BIN)/python docs/measure.py
	$(BIN)/python docs/pulse_detection.py

bench: $(READY)  ## cost and precision beside other engines (half an hour; ARGS=--again times anew): docs/benchmarks.md
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[bench]"
	$(BIN)/python -m benchmarks $(ARGS)

golden: $(READY)  ## rewrite the golden trajectories
	$(BIN)/python tests/golden/record.py

docs: $(READY)  ## run the notebooks and write the model's reference pages
	$(BIN)/ghaxis pages docs/model
	$(BIN)/python docs/evidence.py
	$(BIN)/python docs/run_notebooks.py

format: $(READY)
	$(BIN)/ruff check --fix src tests docs benchmarks
	$(BIN)/ruff format src tests docs/*.py benchmarks

all: check test validate docs

clean:
	rm -rf $(VENV) out build docs/model .pytest_cache .mypy_cache .ruff_cache

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[test]"
	touch $(READY)
