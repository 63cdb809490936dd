#!/bin/sh
# Compares with OpenCV's dnn, which reads Caffe's nets: SSD's layers, those of regions, and whole detectors.
#   PYTHON: the interpreter that has caffeconv, pytest and Keras, CACHE: where OpenCV's virtual environment is kept;
#   CAFFECONV_OPENCV: a Python that has cv2 already; arguments go to pytest
set -eu

PINS="opencv-python-headless==4.14.0.94"

venv="$CACHE/opencv"
if [ -z "${CAFFECONV_OPENCV:-}" ]; then
    about=$("$PYTHON" -c 'import platform; print(platform.python_version(), platform.machine())')
    if [ "$(cat "$venv/made" 2>/dev/null)" != "$PINS $about" ]; then
        echo "installing OpenCV into $venv"
        "$PYTHON" -m venv --clear "$venv"
        # shellcheck disable=SC2086
        if ! "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: $PINS; then
            echo "SKIPPED: the comparison with OpenCV: $PINS cannot be had for Python $about"
            exit 0
        fi
        echo "$PINS $about" >"$venv/made"
    fi
    CAFFECONV_OPENCV="$venv/bin/python"
fi
export CAFFECONV_OPENCV
exec "$PYTHON" -m pytest tests/judges/test_opencv.py "$@"
