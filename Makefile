# make demo   sets everything up and runs apps/faces on a real clip
# make test   sets everything up and runs every check and every test
# make unit   sets everything up and runs the unit tests: no root, no network, no browser
# make docs   sets everything up and builds the documentation site into build/site
#
# Nothing is needed beforehand but Python 3.10 to 3.13 and a package index. Give another Python
# with PYTHON=python3.12; VENV= puts the environment elsewhere.
PYTHON ?= $(shell for p in python3.12 python3.11 python3.13 python3.10 python3; do \
	$$p -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& echo $$p && break; done)
VENV   ?= .venv
BIN    := $(VENV)/bin

.DEFAULT_GOAL := demo
.PHONY: demo test unit lint docs venv bench clean

demo: $(VENV)/.installed
	$(BIN)/holoflow run faces --output runs/demo

test: $(VENV)/.installed-dev
	sh tests/system/install.sh $(BIN)/python
	$(MAKE) lint
	$(BIN)/python -m pytest -n auto --dist loadfile tests/unit tests/integration apps; one=$$?; \
	$(BIN)/python -m pytest tests/system && exit $$one

unit: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -q -n auto --dist loadfile -m "not slow" --hypothesis-profile quick tests/unit

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy holoflow
	$(BIN)/lint-imports --no-cache
	$(BIN)/vulture

docs: $(VENV)/.installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "open build/site/index.html, or: $(BIN)/python -m http.server --directory build/site"

bench: $(VENV)/.installed-dev
	$(BIN)/python benchmarks/chain.py
	$(BIN)/python benchmarks/tracking.py
	$(BIN)/python benchmarks/links.py --quick
	$(BIN)/python benchmarks/start.py
	$(BIN)/python benchmarks/pipelines.py

venv: $(VENV)/.installed-dev

$(VENV)/.installed: pyproject.toml
	@test -n "$(PYTHON)" || { echo "holoflow needs Python 3.10 to 3.13; none was found" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[all]'
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[all,dev]'
	@touch $@

clean:
	rm -rf $(VENV) build dist runs .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
