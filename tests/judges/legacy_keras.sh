#!/bin/sh
# Loads converted files in the Keras of old, 2.3.1, under Theano 1.0.5 and under TensorFlow 1.15, and compares what it
# computes with what Caffe computed. Both need Python 3.7 or 3.6, which is looked for on PATH and among pyenv's.
#   PYTHON: the interpreter that has caffeconv and pytest, CACHE: where the virtual environments are kept,
#   LEGACY_PYTHON: the Python of old, if not to be looked for; THEANO_FLAGS: Theano's settings, if not those below
set -eu

PINS="keras==2.3.1 theano==1.0.5 tensorflow==1.15.5 numpy==1.16.6 scipy==1.4.1 h5py==2.10.0 protobuf==3.19.6"

skip() { echo "SKIPPED: converted files in Keras 2.3.1: $*"; exit 0; }

is_legacy() {
    "$1" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info[:2] not in ((3, 6), (3, 7)))' 2>/dev/null
}

find_legacy() {
    pyenv=${PYENV_ROOT:-$HOME/.pyenv}/versions
    set -- python3.7 python3.6 "$pyenv"/3.7.*/bin/python "$pyenv"/3.6.*/bin/python
    [ -z "${LEGACY_PYTHON:-}" ] || set -- "$LEGACY_PYTHON"
    for candidate; do
        if is_legacy "$candidate"; then
            echo "$candidate"
            return
        fi
    done
}

legacy=$(find_legacy)
[ -n "$legacy" ] || skip "it needs Python 3.7 or 3.6 with venv, and none was found (LEGACY_PYTHON can name one)"
about=$("$legacy" -c 'import platform; print(platform.python_version(), platform.machine())')
case $about in *x86_64 | *AMD64) ;; *) skip "TensorFlow 1.15 was made for x86-64 alone, this is Python $about" ;; esac

venv="$CACHE/legacy-keras-${about% *}"
if [ "$(cat "$venv/made" 2>/dev/null)" != "$PINS" ]; then
    echo "installing Keras 2.3.1, Theano 1.0.5 and TensorFlow 1.15 into $venv"
    "$legacy" -m venv --clear "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --upgrade "pip<22"
    # shellcheck disable=SC2086
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check $PINS
    echo "$PINS" >"$venv/made"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
"$PYTHON" -m tests.judges.legacy_keras_write "$work"
# Neither compiled nor optimized, Theano needs no compiler and no BLAS, and is faster on nets as small as these.
export THEANO_FLAGS="${THEANO_FLAGS:-device=cpu,floatX=float32,cxx=,optimizer=None,base_compiledir=$work/theano}"
export KERAS_HOME="$work" TF_CPP_MIN_LOG_LEVEL=2
status=0
for backend in theano tensorflow; do
    KERAS_BACKEND=$backend "$venv/bin/python" -W ignore tests/judges/legacy_keras_probe.py "$work" || status=1
done
exit $status
