# Every target makes .venv by itself; all it takes is make and Python 3.11 or newer with venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
WARM := $(VENV)/.warm
WORKERS ?= 2
ARGS ?=

.PHONY: help setup demo test test-postgres test-science-alone soak nightly sabotage attack check bench docs reference messages clean

help:
	@echo "make setup     install everything into .venv and compile the detection kernels"
	@echo "make demo      play the corridor of three countries and serve it    (ARGS=--no-serve: check it and end)"
	@echo "make test      every test: SQLite, then what touches the database again on PostgreSQL"
	@echo "make soak      kill nodes and let 10,000 wait, for a quarter of an hour; count what was lost or doubled   (ARGS=\"--kills 20 --seconds 60\")"
	@echo "make nightly   invent random histories, requests and series for hours: 25 times as many as a run of the tests"
	@echo "make sabotage  take each guard of the demonstration away in turn, and see its act fail"
	@echo "make attack    play a hostile partner of a joint study; print what is recovered without each guard, and with it"
	@echo "make check     format, lint, types, imports, templates, dependencies, dead code, catalogues"
	@echo "make bench     measure speed beside the tools a user would pick instead"
	@echo "make reference write the reference pages from the code"
	@echo "make messages  collect the texts of the pages into the catalogues, and compile them"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv $(VENV)

# uv is pinned by hash like all the rest; it takes seconds where pip takes minutes.
$(STAMP): requirements/uv.txt requirements/all.txt pyproject.toml hatch_build.py | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip sync --quiet --require-hashes requirements/all.txt
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip install --quiet --no-deps --editable .
	@touch $@

# numba keeps what it compiled; without this the first detection of a fresh clone would wait for the compiler.
$(WARM): $(STAMP) $(wildcard src/corridor/science/*.py)
	$(BIN)/python tools/warm.py
	@touch $@

setup: $(WARM)

demo: $(WARM)
	$(BIN)/corridor demo $(ARGS)

test: $(WARM)
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)
	$(MAKE) test-postgres

test-postgres: $(WARM)
	CORRIDOR_TEST_DATABASE=postgres $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m "not journey and not postgres" tests/node tests/exchange tests/surveillance

# Science stands without a server: the package alone, no extra, no Django.
test-science-alone: $(STAMP)
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python .venv-science
	VIRTUAL_ENV=$(CURDIR)/.venv-science $(BIN)/uv pip sync --quiet --require-hashes requirements/science.txt
	VIRTUAL_ENV=$(CURDIR)/.venv-science $(BIN)/uv pip install --quiet --no-deps --editable .
	.venv-science/bin/python -m pytest -c tests/science/alone.ini tests/science

# Real processes on loopback, killed at every named point and at random; nothing that was acknowledged may be gone.
soak: $(WARM)
	$(BIN)/python -m tests.soak $(ARGS)

# New seeds with each run; what fails is printed with the seed that repeats it.
nightly: $(WARM)
	HYPOTHESIS_PROFILE=nightly $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --timeout 7200 -o faulthandler_timeout=7500 $(ARGS) tests/exchange/test_machine.py tests/soak/test_histories_on_postgres.py tests/exchange/test_api_description.py tests/api tests/rules tests/reference

sabotage: $(WARM)
	CORRIDOR_SABOTAGE=1 $(BIN)/python -m pytest -n0 $(ARGS) tests/demo/test_guards.py

attack: $(WARM)
	$(BIN)/python -m tests.attack $(ARGS)

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/djlint --lint --quiet src/corridor
	$(BIN)/deptry src
	$(BIN)/vulture
	$(BIN)/python tools/catalogues.py check
	$(BIN)/python tools/reference.py check

bench: $(WARM)
	$(BIN)/python -m bench $(ARGS)

docs reference: $(STAMP)
	$(BIN)/python tools/reference.py write

messages: $(STAMP)
	$(BIN)/python tools/catalogues.py extract
	$(BIN)/python tools/catalogues.py compile

clean:
	rm -rf $(VENV) .venv-science .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
