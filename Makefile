# The developer's verbs. `make help` lists them.
#
# Everything is installed into .venv (or VENV=…); what is costly to make and worth keeping between checkouts goes to
# CACHE. Needed on the machine: Python 3.10 or newer with venv, and make (3.81, as on macOS, will do).

ROOT := $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))
PYTHON ?= python3
VENV ?= $(ROOT)/.venv
CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/caffeconv
BIN := $(VENV)/bin
INSTALL := install --quiet --disable-pip-version-check
DEMO := fixtures/lenet_like

# An environment is installed into again when it was last used for another checkout, or with another setup.cfg; the
# dates of files, which are new in every clone, do not count.
ASKS := $(shell cksum <"$(ROOT)/setup.cfg")
MOVED := $(if $(filter $(ROOT),$(shell cat "$(VENV)/root" 2>/dev/null)),,FORCE)
CHANGED := $(if $(filter-out $(shell cat "$(VENV)/asks" 2>/dev/null),$(ASKS)),FORCE)

.DEFAULT_GOAL := help
.PHONY: help demo test static check lint ruff-check ruff-format mypy proto proto-check docs docs-check lowest compat \
    crosscheck backends opencv legacy-keras fixtures bench clean FORCE

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1	/p' "$(ROOT)/Makefile" | expand -t 21

$(VENV)/made:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	    echo "caffeconv needs Python 3.10 or newer; $(PYTHON) is older or missing. Try: make PYTHON=python3.11 ..." >&2; \
	    exit 1; }
	@"$(PYTHON)" -m venv "$(VENV)" && touch "$@"

$(VENV)/installed: $(VENV)/made $(MOVED) $(CHANGED)
	@echo "installing caffeconv into $(VENV)"
	@"$(BIN)/python" -m pip $(INSTALL) --editable "$(ROOT)"
	@echo "$(ROOT)" >"$(VENV)/root" && echo "$(ASKS)" >"$(VENV)/asks" && touch "$@"

$(VENV)/installed-test: $(VENV)/installed
	@echo "installing what the tests need, TensorFlow and two Keras among it: this takes a few minutes"
	@"$(BIN)/python" -m pip $(INSTALL) --editable "$(ROOT)[test,test-keras]" && touch "$@"

$(VENV)/installed-lint: $(VENV)/installed
	@"$(BIN)/python" -m pip $(INSTALL) --editable "$(ROOT)[lint]" && touch "$@"

demo: $(VENV)/installed  ## convert a small model to HDF5 and to pickle, and show what came out
	@mkdir -p "$(ROOT)/demo"
	cd "$(ROOT)" && "$(BIN)/caffeconv" --verbose demo/lenet $(DEMO)/net.prototxt $(DEMO)/net.caffemodel
	cd "$(ROOT)" && "$(BIN)/caffeconv" --format pickle demo/lenet $(DEMO)/net.prototxt $(DEMO)/net.caffemodel
	@cd "$(ROOT)" && "$(BIN)/python" docs/demo.py demo/lenet.h5 demo/lenet.pkl

test: $(VENV)/installed-test  ## run the whole test suite
	cd "$(ROOT)" && "$(BIN)/python" -m pytest $(PYTEST_ARGS)

check: static test  ## everything that must hold before a commit: static and test

static: lint proto-check docs-check  ## ruff, mypy, and whether all that is generated is up to date

lint: ruff-check ruff-format mypy

ruff-check: $(VENV)/installed-lint
	cd "$(ROOT)" && "$(BIN)/ruff" check .

ruff-format: $(VENV)/installed-lint
	cd "$(ROOT)" && "$(BIN)/ruff" format --check .

mypy: $(VENV)/installed-lint
	cd "$(ROOT)" && "$(BIN)/mypy"

# grpcio-tools 1.62.3 is the last whose bindings import on protobuf 3.20.3 and on 7; its wheels end at Python 3.12.
GENERATOR := grpcio-tools==1.62.3
PROTOC := "$(CACHE)/proto/bin/python" -m grpc_tools.protoc -I. caffe_proto/caffe.proto
GENERATOR_PYTHON := $(shell for python in "$(PYTHON)" python3.12 python3.11 python3.10; do \
    "$$python" -c 'import ensurepip, sys, venv; sys.exit(not (3, 10) <= sys.version_info < (3, 13))' 2>/dev/null && echo "$$python" && break; done)

$(CACHE)/proto/made:
	@test -n "$(GENERATOR_PYTHON)" || { echo "$(GENERATOR) needs a Python from 3.10 to 3.12; none was found" >&2; exit 1; }
	@"$(GENERATOR_PYTHON)" -m venv "$(CACHE)/proto"
	@"$(CACHE)/proto/bin/python" -m pip $(INSTALL) "$(GENERATOR)" "setuptools<81" && touch "$@"

proto: $(CACHE)/proto/made  ## generate the bindings from caffe_proto/caffe.proto
	cd "$(ROOT)" && $(PROTOC) --python_out=. --pyi_out=.

ifeq ($(GENERATOR_PYTHON),)
proto-check:
	@echo "SKIPPED: whether the bindings are up to date; $(GENERATOR) needs a Python from 3.10 to 3.12, none was found"
else
proto-check: $(CACHE)/proto/made  ## check that the committed bindings are those of caffe.proto
	@cd "$(ROOT)" && fresh=$$(mktemp -d) && trap 'rm -rf "$$fresh"' EXIT && \
	    $(PROTOC) --python_out="$$fresh" --pyi_out="$$fresh" && \
	    for file in caffe_pb2.py caffe_pb2.pyi; do \
	        cmp "caffe_proto/$$file" "$$fresh/caffe_proto/$$file" || { echo "run: make proto" >&2; exit 1; }; \
	    done
	@echo "bindings are up to date"
endif

docs: $(VENV)/installed-lint  ## write the generated parts of the docs
	@"$(BIN)/python" "$(ROOT)/docs/generate.py"

docs-check: $(VENV)/installed-lint  ## check that the generated parts of the docs are up to date
	@"$(BIN)/python" "$(ROOT)/docs/generate.py" --check

lowest: $(VENV)/made  ## run the suite with the lowest Python and dependencies that setup.cfg allows
	@cd "$(ROOT)" && PYTHON="$(BIN)/python" CACHE="$(CACHE)" sh tests/judges/lowest.sh $(PYTEST_ARGS)

compat: $(VENV)/made  ## run a small conversion under each protobuf from 3.20.3 to the newest
	@cd "$(ROOT)" && PYTHON="$(PYTHON)" CACHE="$(CACHE)" sh tests/judges/protobufs.sh

crosscheck: $(VENV)/installed-test  ## bring up a real Caffe and compare with it
	@cd "$(ROOT)" && PYTHON="$(BIN)/python" sh tests/judges/pycaffe.sh $(PYTEST_ARGS)

backends: $(VENV)/made  ## run graphs and written models on PyTorch and on JAX
	@cd "$(ROOT)" && PYTHON="$(BIN)/python" CACHE="$(CACHE)" sh tests/judges/backends.sh $(PYTEST_ARGS)

opencv: $(VENV)/installed-test  ## compare detectors with OpenCV's dnn
	@cd "$(ROOT)" && PYTHON="$(BIN)/python" CACHE="$(CACHE)" sh tests/judges/opencv.sh $(PYTEST_ARGS)

legacy-keras: $(VENV)/installed-test  ## load the files in Keras 2.3.1 with Theano and with TensorFlow 1.15
	@cd "$(ROOT)" && PYTHON="$(BIN)/python" CACHE="$(CACHE)" sh tests/judges/legacy_keras.sh

bench: $(VENV)/installed  ## measure times and memory, write benchmarks/RESULTS.md
	cd "$(ROOT)" && "$(BIN)/python" benchmarks/run.py $(BENCH_ARGS)

fixtures: $(VENV)/installed  ## let a real Caffe write fixtures/ anew
	cd "$(ROOT)" && CAFFECONV_PYCAFFE="$$(sh docker/bring_up_pycaffe.sh)" "$(BIN)/python" fixtures/make_fixtures.py

clean:  ## remove what the verbs above made in this folder
	cd "$(ROOT)" && rm -rf .venv demo build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	cd "$(ROOT)" && find . -name __pycache__ -prune -exec rm -rf {} +
