#!/bin/sh
# Runs the suite, but for what needs TensorFlow, with the lowest Python and the lowest dependencies that setup.cfg
# allows. Which these are is read from setup.cfg itself, so the two cannot drift.
#   PYTHON: an interpreter that can read setup.cfg, CACHE: where the virtual environment is kept,
#   LOWEST_PYTHON: the lowest Python, if not to be looked for; arguments go to pytest
set -eu

skip() { echo "SKIPPED: the suite with the lowest dependencies: $*"; exit 0; }

# The first line is the Python's version, the others are what pip takes as constraints.
wanted=$("$PYTHON" - <<'EOF'
import configparser
import re

options = configparser.ConfigParser()
options.read("setup.cfg", encoding="utf-8")
python, requirements = options["options"]["python_requires"], options["options"]["install_requires"]
for line in ["python " + python, *requirements.split("\n")]:
    at_least = re.fullmatch(r"([\w-]+) *>= *([\w.]+)", line.strip())
    if at_least:
        print("==".join(at_least.groups()).removeprefix("python=="))
    elif line.strip():
        raise SystemExit(f"setup.cfg: {line.strip()!r} does not say its lowest version")
EOF
)
version=$(echo "$wanted" | head -n 1)
pins=$(echo "$wanted" | tail -n +2)

is_lowest() {
    "$1" -c 'import ensurepip, sys, venv; sys.exit("%d.%d" % sys.version_info[:2] != sys.argv[1])' "$version" 2>/dev/null
}

find_lowest() {
    set -- "$PYTHON" "python$version" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$version".*/bin/python
    [ -z "${LOWEST_PYTHON:-}" ] || set -- "$LOWEST_PYTHON"
    for candidate; do
        if is_lowest "$candidate"; then
            echo "$candidate"
            return
        fi
    done
}

# Linux on x86-64 has wheels of them all, so there it is a failure; and so it is where pip finds no version at all, as
# without a network.
lacks_wheels() {
    [ "$(uname -sm)" != "Linux x86_64" ] || return 1
    for pin in $(echo "$pins" | grep -E "^(numpy|h5py|protobuf)=="); do
        "$venv/bin/python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
            --dest "$venv/wheels" "$pin" 2>&1 | grep -q "(from versions: [0-9]" && return 0
    done
    return 1
}

python=$(find_lowest)
[ -n "$python" ] || skip "it needs Python $version with venv, and none was found (LOWEST_PYTHON can name one)"

# Whatever decides on the environment: the interpreter, the place of this checkout, what its setup.cfg asks for, and how
# that is installed here.
made="$("$python" -c 'import sys; print(sys.version, sys.base_prefix)') $PWD $(cat setup.cfg "$0" | cksum)"
venv="$CACHE/lowest"
if [ "$(cat "$venv/made" 2>/dev/null)" != "$made" ]; then
    # shellcheck disable=SC2086
    echo "installing the lowest dependencies into $venv:" $pins
    "$python" -m venv --clear "$venv"
    # The lowest rich wants a typing-extensions below 4, with which jsonschema's referencing from 0.36 on does not import.
    printf '%s\n' "$pins" "referencing<0.36" >"$venv/pins"
    status=0
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary numpy,h5py,protobuf \
        --constraint "$venv/pins" --editable ".[test]" || status=$?
    if [ "$status" -ne 0 ]; then
        lacks_wheels || exit "$status"
        skip "some of them have no wheels for $(uname -sm)"
    fi
    echo "$made" >"$venv/made"
fi

exec "$venv/bin/python" -m pytest "$@"
