#!/bin/sh
# Runs graphs and the models that are written of them on the other backends of Keras 3: PyTorch, then JAX.
#   PYTHON: an interpreter to make the virtual environment with, CACHE: where it is kept; arguments go to pytest
set -eu

if ! "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "SKIPPED: Keras on PyTorch and JAX: the newest of them need Python 3.11"
    exit 0
fi

made="$("$PYTHON" -c 'import sys; print(sys.version, sys.base_prefix)') $PWD $(cksum <setup.cfg)"
venv="$CACHE/backends"
if [ "$(cat "$venv/made" 2>/dev/null)" != "$made" ]; then
    echo "installing PyTorch, JAX and Keras into $venv: this takes a few minutes"
    "$PYTHON" -m venv --clear "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --editable ".[test,test-backends]"
    echo "$made" >"$venv/made"
fi

for backend in torch jax; do
    echo "== Keras on $backend =="
    KERAS_BACKEND=$backend "$venv/bin/python" -m pytest \
        tests/keras/test_graph.py tests/keras/test_assembling.py tests/keras/rules/test_pooling.py \
        tests/keras/rules/test_upsampling.py tests/keras/rules/test_elementwise.py \
        tests/keras/rules/test_normalization.py tests/keras/rules/test_inner_product.py \
        tests/keras/rules/test_activation.py tests/keras/rules/test_reduction.py tests/keras/rules/test_convolution.py \
        tests/writing/test_python_source.py tests/judges/test_models_in_keras.py \
        tests/judges/test_archives_in_keras.py tests/keras/rules/test_detection.py \
        tests/keras/rules/test_detection_output.py "$@"
done
