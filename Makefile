# make demo   sets all up and runs apps/faces
# make test   sets all up and runs every check and test
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
EXTRAS ?= all

.PHONY: demo test lint venv clean
.DEFAULT_GOAL := demo

venv: $(VENV)/.ready
$(VENV)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[$(EXTRAS),dev]'
	touch $@
