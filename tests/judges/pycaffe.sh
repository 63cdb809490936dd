#!/bin/sh
# Brings up a real Caffe, unless CAFFECONV_PYCAFFE names one, and runs the tests that compare with it.
#   PYTHON: the interpreter that has caffeconv and pytest; arguments go to pytest
set -eu
if [ -z "${CAFFECONV_PYCAFFE:-}" ]; then
    status=0
    CAFFECONV_PYCAFFE=$(sh docker/bring_up_pycaffe.sh) || status=$?
    if [ "$status" -eq 77 ]; then
        echo "SKIPPED: the comparison with a real Caffe, for the reason in the line above"
        exit 0
    fi
    [ "$status" -eq 0 ] || exit "$status"
fi
if [ -z "${CAFFECONV_CROSSCHECK:-}" ] && [ -d ../shared/models ]; then
    CAFFECONV_CROSSCHECK=../shared/models
fi
# The suite runs Keras without oneDNN, as the weakest machine does; here it runs with it, where the CPU has it.
export TF_ENABLE_ONEDNN_OPTS="${TF_ENABLE_ONEDNN_OPTS:-1}"
export CAFFECONV_PYCAFFE CAFFECONV_CROSSCHECK="${CAFFECONV_CROSSCHECK:-}"
exec "$PYTHON" -m pytest tests/judges/test_pycaffe.py tests/judges/test_pycaffe_in_keras.py \
    tests/judges/test_fp16_in_pycaffe.py "$@"
