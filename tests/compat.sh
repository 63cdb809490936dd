#!/bin/sh
# Runs a small conversion under each protobuf runtime that people have beside their TensorFlow.
#   PYTHON: the interpreter, CACHE: where the virtual environments are kept
set -eu
for version in 3.20.3 4.25.9 5.29.5 6.33.1 newest; do
    venv="$CACHE/compat-$version"
    case $version in newest) want=protobuf ;; *) want="protobuf==$version" ;; esac
    test -e "$venv/made" || "$PYTHON" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --upgrade "$want" numpy h5py
    touch "$venv/made"
    "$venv/bin/python" tests/compat_smoke.py
done
