#!/bin/sh
# Runs small conversions with what people have beside their TensorFlow: each protobuf runtime from 3.20.3 to the
# newest, and, for pickles, a NumPy from before its modules were renamed.
#   PYTHON: the interpreter, CACHE: where the virtual environments are kept
set -eu

make_environment() { # NAME PYTHON REQUIREMENT...
    venv="$CACHE/compat-$1"
    python=$2
    shift 2
    test -e "$venv/made" || "$python" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --upgrade "$@"
    touch "$venv/made"
}

for version in 3.20.3 4.25.9 5.29.5 6.33.1 newest; do
    case $version in newest) want=protobuf ;; *) want="protobuf==$version" ;; esac
    make_environment "$version" "$PYTHON" "$want" numpy h5py
    "$venv/bin/python" tests/judges/protobufs_smoke.py
done

old=
for python in python3.8 "$HOME"/.pyenv/versions/3.8.*/bin/python; do
    if "$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 8))' 2>/dev/null; then
        old=$python
        break
    fi
done
if [ -z "$old" ]; then
    echo "SKIPPED: pickles under Python 3.8 with NumPy 1.17; no such Python was found"
    exit 0
fi
pickle="$CACHE/old-numpy.pkl"
PYTHONPATH=. "$venv/bin/python" tests/judges/old_numpy.py write "$pickle"
make_environment numpy-1.17 "$old" numpy==1.17.5
"$venv/bin/python" tests/judges/old_numpy.py read "$pickle"
rm -f "$pickle"
