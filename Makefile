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

# grpcio-tools 1.62.3 is the last whose bindings import on protobuf 3.20.3 and on 7; its wheels end at Python 3.12.
GENERATOR := grpcio-tools==1.62.3
PROTOC = "$(CACHE)/proto/bin/python" -m grpc_tools.protoc -I. caffe_proto/caffe.proto

$(CACHE)/proto/made:
	@for python in "$(PYTHON)" python3.12 python3.11 python3.10; do
	    if "$$python" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 13))' 2>/dev/null; then
	        "$$python" -m venv "$(CACHE)/proto"
	        "$(CACHE)/proto/bin/python" -m pip install --quiet --disable-pip-version-check "$(GENERATOR)" "setuptools<81"
	        touch "$@"
	        exit 0
	    fi
	done
	echo "$(GENERATOR) needs a Python from 3.10 to 3.12, and none was found" >&2
	exit 1

proto: $(CACHE)/proto/made  ## generate the bindings from caffe_proto/caffe.proto
	@cd "$(ROOT)"
	$(PROTOC) --python_out=. --pyi_out=.

proto-check:  ## check that the committed bindings are those of caffe.proto
	@cd "$(ROOT)"
	if ! $(MAKE) --no-print-directory "$(CACHE)/proto/made"; then
	    echo "SKIPPED: whether the bindings are up to date was not checked (see above)"
	    exit 0
	fi
	fresh=$$(mktemp -d)
	trap 'rm -rf "$$fresh"' EXIT
	$(PROTOC) --python_out="$$fresh" --pyi_out="$$fresh"
	for file in caffe_pb2.py caffe_pb2.pyi; do
	    cmp "caffe_proto/$$file" "$$fresh/caffe_proto/$$file" || { echo "run: make proto" >&2; exit 1; }
	done
	echo "bindings are up to date"

COMPAT := 3.20.3 4.25.9 5.29.5 6.33.1 newest

compat: $(VENV)/made  ## run a small conversion under each protobuf from 3.20.3 to the newest
	@cd "$(ROOT)"
	for version in $(COMPAT); do
	    venv="$(CACHE)/compat-$$version"
	    case $$version in newest) want=protobuf ;; *) want="protobuf==$$version" ;; esac
	    test -e "$$venv/made" || "$(PYTHON)" -m venv "$$venv"
	    "$$venv/bin/python" -m pip install --quiet --disable-pip-version-check --upgrade "$$want" numpy h5py
	    touch "$$venv/made"
	    "$$venv/bin/python" tests/compat_smoke.py
	done

crosscheck: $(VENV)/installed-test  ## bring up a real Caffe and compare with it
	@cd "$(ROOT)"
	status=0
	command=$$(sh docker/bring_up_pycaffe.sh) || status=$$?
	if [ $$status -eq 77 ]; then
	    echo "SKIPPED: the comparison with a real Caffe (the reason is in the line above)"
	    exit 0
	fi
	[ $$status -eq 0 ] || exit $$status
	CAFFECONV_PYCAFFE="$$command" "$(BIN)/python" -m pytest tests/test_pycaffe.py $(PYTEST_ARGS)

fixtures: $(VENV)/installed  ## let a real Caffe write fixtures/ anew
	@cd "$(ROOT)"
	CAFFECONV_PYCAFFE="$$(sh docker/bring_up_pycaffe.sh)" "$(BIN)/python" fixtures/make_fixtures.py

docs: $(VENV)/installed-lint  ## write the generated parts of the docs
	@"$(BIN)/python" "$(ROOT)/docs/generate.py"

docs-check: $(VENV)/installed-lint  ## check that the generated parts of the docs are up to date
	@"$(BIN)/python" "$(ROOT)/docs/generate.py" --check

clean:  ## remove what the verbs above made in this folder
	@cd "$(ROOT)"
	rm -rf .venv demo build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
