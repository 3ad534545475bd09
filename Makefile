# Everything happens inside .venv/: delete the folder, and all of it is gone.
VENV  := .venv
BIN   := $(VENV)/bin
STAMP := $(VENV)/.installed

# The first Python on the path that fits; `make setup PYTHON=/path/to/python` chooses another.
FITS   := import ensurepip, venv, sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	"$$python" -c '$(FITS)' 2>/dev/null && echo "$$python" && break; done)

.DEFAULT_GOAL := help
.PHONY: help setup app demo test test-fast lint docs texts wheel browser

help:  ## list these commands
	@awk -F ':.*  ## ' '/^[a-z-]+:.*  ## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

setup: $(STAMP)  ## make the environment in .venv/, with the cinn command: .venv/bin/cinn

app: $(STAMP)  ## open the studio on http://127.0.0.1:7860
	@$(BIN)/python app.py

demo: $(STAMP)  ## colour the sample photographs into demo/
	@$(BIN)/python examples/demo.py demo

# One test after the other to whoever is free, the slow ones first: see tests/conftest.py.
PARALLEL := --numprocesses auto --dist loadgroup --no-loadscope-reorder

test: $(STAMP) $(if $(CI),browser)  ## run all tests; ARGS="-k pyramid" chooses among them
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(or $(ARGS),$(PARALLEL))

test-fast: $(STAMP)  ## run the tests that need no browser and train nothing
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(PARALLEL) -m "not browser and not slow"

lint: $(STAMP)  ## check style, types and floors
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

texts: $(STAMP)  ## bring the catalogues of translated texts up to date with the code
	@$(BIN)/python -m cinn_app.studio.catalogues

docs: $(STAMP)  ## build the documentation site: build/site/index.html
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

wheel: $(STAMP)  ## build dist/*.whl, with recipes and weights inside
	@$(BIN)/python -m hatchling build --target wheel

browser: $(STAMP)  ## find or install a Chromium for the studio's tests; without one they are skipped
	@command -v chromium-headless-shell \
		|| { test "$$(id -u)" = 0 && apt-get update -q \
			&& apt-get install -q -y --no-install-recommends chromium-headless-shell; } \
		|| command -v chromium || command -v google-chrome \
		|| $(BIN)/playwright install chromium \
		|| echo "No Chromium can be installed here: the studio's tests will be skipped."

# The stamp is as old as the last installation that went through; a later change of versions installs anew.
$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "No Python 3.11 to 3.14 with its venv module was found: install one" \
		"(Debian and Ubuntu: apt install python3-venv), or name it: make setup PYTHON=/path/to/python"; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || "$(PYTHON)" -m venv $(VENV)
	@echo "Installing into $(VENV)/: a few minutes, most of them for torch."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --editable '.[test]' --constraint constraints.txt
	@touch $@
