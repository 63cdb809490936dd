"""Makes the goldens of `tests/reading/upgrade`: every net there as real Caffe's own tool upgrades it.

    python -m tests.judges.make_upgrade [--check]

The nets themselves are written by hand. `$CAFFECONV_PYCAFFE` runs pycaffe's Python (see `docker/bring_up_pycaffe.sh`).
With `--check` nothing is written and the exit code says whether something would change.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.judges.pycaffe_client import ask
from tests.support.places import UPGRADE, UPGRADED

__all__ = ["upgraded_by_caffe"]


def upgraded_by_caffe() -> dict[Path, bytes]:
    """The path of each golden, and what Caffe makes it now."""
    nets = {path.name: path for path in UPGRADE.glob("*.prototxt") if not path.name.endswith(UPGRADED)}
    jobs = [{"name": name, "prototxt": name, "upgrade": "alone"} for name in nets]
    answers = ask(jobs, {name: path.read_bytes() for name, path in nets.items()})
    return {path.with_suffix(UPGRADED): answers[name]["upgraded.prototxt"] for name, path in nets.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description="Makes the goldens of the upgrade with a real Caffe.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if something would change")
    check: bool = parser.parse_args().check
    made = upgraded_by_caffe()
    changed = [path for path, content in made.items() if not path.exists() or path.read_bytes() != content]
    for path in changed:
        print(f"{'differs' if check else 'written'}: {path.name}")
        if not check:
            path.write_bytes(made[path])
    print(f"{len(made)} nets, {len(changed)} changed")
    return 1 if check and changed else 0


if __name__ == "__main__":
    sys.exit(main())
