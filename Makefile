# The developer's verbs. `make help` lists them.
#
# Everything is installed into .venv (or VENV=…); what is costly to make and worth keeping between checkouts goes to
# CACHE. Needed on the machine: Python 3.10 or newer with venv, and make.

ROOT := $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))
PYTHON ?= python3
VENV ?= $(ROOT)/.venv
CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/caffeconv
BIN := $(VENV)/bin
DEMO := fixtures/lenet_like
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.ONESHELL:
.SHELLFLAGS := -eu -c
.PHONY: help demo test check lint proto proto-check docs docs-check compat crosscheck fixtures bench clean

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' "$(ROOT)/Makefile"

$(VENV)/made:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || {
	    echo "caffeconv needs Python 3.10 or newer; '$(PYTHON)' is older or missing. Try: make PYTHON=python3.11 ..." >&2
	    exit 1
	}
	"$(PYTHON)" -m venv "$(VENV)"
	touch "$@"

$(VENV)/installed: $(VENV)/made $(ROOT)/setup.cfg $(ROOT)/pyproject.toml
	@echo "installing caffeconv into $(VENV)"
	$(PIP) install --editable "$(ROOT)"
	touch "$@"

$(VENV)/installed-test: $(VENV)/installed
	@echo "installing the test suite's needs, TensorFlow and two Keras among them: this takes a few minutes"
	$(PIP) install --editable "$(ROOT)[test]"
	touch "$@"

$(VENV)/installed-lint: $(VENV)/installed
	@$(PIP) install --editable "$(ROOT)[lint]"
	touch "$@"

demo: $(VENV)/installed  ## convert a small model to HDF5 and to pickle, and show what came out
	@cd "$(ROOT)"
	mkdir -p demo
	set -x
	"$(BIN)/caffeconv" --verbose demo/lenet $(DEMO)/net.prototxt $(DEMO)/net.caffemodel
	"$(BIN)/caffeconv" --format pickle demo/lenet $(DEMO)/net.prototxt $(DEMO)/net.caffemodel
	{ set +x; } 2>/dev/null
	"$(BIN)/python" docs/demo.py demo/lenet.h5 demo/lenet.pkl

test: $(VENV)/installed-test  ## run the whole test suite
	@cd "$(ROOT)"
	"$(BIN)/python" -m pytest $(PYTEST_ARGS)

check: lint proto-check docs-check test  ## everything that must hold before a commit

lint: $(VENV)/installed-lint
	@cd "$(ROOT)"
	"$(BIN)/ruff" check .
	"$(BIN)/ruff" format --check .
	"$(BIN)/mypy"

clean:  ## remove what the verbs above made in this folder
	@cd "$(ROOT)"
	rm -rf .venv demo build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
