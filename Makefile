# Two commands: `make demo` shows the whole idea on generated faces, `make test` runs every check.
# Both make the environment first if it is not there. No accelerator is needed. Tests run side by side, as
# many as there are processors; `make test PROCESSES=0` runs one after the other.
PYTHON ?= python3
VENV ?= .venv
PROCESSES ?= auto
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test docs lowest format clean

demo: $(STAMP)
	$(BIN)/halfsmile demo

test: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest --numprocesses $(PROCESSES) --maxprocesses 4 --dist worksteal

# The site, in site/; a broken link, a docstring that names what is not there, or a missing page fails.
docs: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

# The tests that need no torch, with the lowest versions that pyproject.toml allows, in an environment of their own.
lowest:
	PYTHON=$(PYTHON) .ci/lowest

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -c constraints.txt torch torchvision
	$(BIN)/pip install -c constraints.txt -e ".[dev,ray,openvino,heif]"
	touch $@

clean:
	rm -rf $(VENV) .lowest site .mypy_cache .pytest_cache .ruff_cache .hypothesis dist
