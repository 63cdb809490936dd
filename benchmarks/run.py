"""Times caffeconv against `cp`, the plain protobuf way and pycaffe, and writes RESULTS.md. See README.md here.

python run.py [--only PART]… [--runs N] [--quick] [--no-pycaffe] [--work FOLDER] [--keep] [--output FILE]
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from counting import count_instructions
from measuring import Case, process, take_turns
from pycaffe import find_pycaffe, serve
from results import ARRAYS, BARE, CLICK, CP, HDF5, HELP, INSPECT, PASS, PICKLE, PLAIN, Results, Section, Size, render
from setting import describe_setting, environment

__all__ = ["main"]

_HERE = Path(__file__).resolve().parent
_NETS = {
    "vgg16": "VGG-16, layers and shapes of 2014",
    "resnet152": "ResNet-152",
    "alexnet": "AlexNet, with groups",
    "squeezenet": "SqueezeNet v1.1",
    "deep": "10,000 layers",
}
_PARTS = (*_NETS, "start", "layers", "megabytes", "instructions")
_LAYERS = (1000, 2500, 5000, 10000)
_QUICK_LAYERS = (40, 80, 120, 160)
_MEGABYTES = (50, 100, 200, 400)
_CAFFECONV = (sys.executable, "-c", "from caffeconv.cli.process import start; start()")
"""What the installed command does."""
_IMPORTED = "click, numpy, caffe_proto.caffe_pb2"
_COUNTED_VALUES = 2**20


@dataclasses.dataclass(frozen=True)
class _Work:
    """How to measure: the folder for files, how many turns, whether tiny nets will do, whether they stay."""

    folder: Path
    runs: int
    quick: bool
    keep: bool

    @property
    def layers(self) -> tuple[int, ...]:
        """Of the nets that grow in layers."""
        return _QUICK_LAYERS if self.quick else _LAYERS

    @contextlib.contextmanager
    def nets(self, names: Sequence[str]) -> Iterator[None]:
        """Have these nets in the folder."""
        for name in names:
            program, divisor = str(_HERE / "net_files.py"), "16" if self.quick else "1"
            command = [sys.executable, program, name, str(self.folder), "--divisor", divisor]
            subprocess.run(command, env=environment(), check=True)
        os.sync()  # or the system would write them to the disk while others are timed
        yield
        for name in names:
            for suffix in () if self.keep else ("prototxt", "caffemodel", "json"):
                (self.folder / f"{name}.{suffix}").unlink()

    def convert(self, label: str, name: str, *options: str) -> Case:
        """To `out.h5` or `out.pkl`, by `options`."""
        out = self.folder / "out"
        files = (f"{self.folder / name}.prototxt", f"{self.folder / name}.caffemodel")
        output = out.with_suffix(".pkl" if "pickle" in options else ".h5")
        return process(label, [*_CAFFECONV, *options, str(out), *files], environment(), output)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    given = _parser().parse_args(arguments)
    parts = given.only or [part for part in _PARTS if part != "instructions" or not given.quick]
    command, remarks = None, ["tiny nets: the figures mean nothing"] if given.quick else []
    if not given.no_pycaffe:
        command, why = find_pycaffe()
        remarks += [f"pycaffe was not measured: {why}"] if why else []
    parent = given.work or _cache()
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent) as temporary:
        folder = parent if given.keep else Path(temporary)
        work = _Work(folder, given.runs if given.runs is not None else 0 if given.quick else 7, given.quick, given.keep)
        results = _measure(parts, work, command, remarks, " ".join(["python benchmarks/run.py", *_shown(given)]))
    given.output.write_text(render(results), encoding="utf-8")
    print(f"{given.output.name} is written")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Time caffeconv against other ways.")
    parser.add_argument("--only", action="append", choices=_PARTS, help="measure this part; may be given often")
    parser.add_argument("--runs", type=int, help="turns after the first, which warms the caches; 7")
    parser.add_argument(
        "--quick", action="store_true", help="tiny nets, each process once: to see whether everything works"
    )
    parser.add_argument("--no-pycaffe", action="store_true", help="leave pycaffe out, found or not")
    parser.add_argument("--work", type=Path, help="where nets and outputs go; needs two gigabytes")
    parser.add_argument("--keep", action="store_true", help="leave the nets there")
    parser.add_argument("--output", type=Path, default=_HERE / "RESULTS.md")
    return parser


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "caffeconv" / "benchmarks"


def _shown(given: argparse.Namespace) -> Iterator[str]:
    """The options that bear on the numbers."""
    yield from (f"--only {part}" for part in given.only or ())
    yield from [f"--runs {given.runs}"] if given.runs is not None else []
    yield from ["--quick"] if given.quick else []


def _measure(parts: Sequence[str], work: _Work, pycaffe: list[str] | None, remarks: list[str], command: str) -> Results:
    sections = [_net_section(name, title, work, pycaffe) for name, title in _NETS.items() if name in parts]
    sections += [_start_section(work)] if "start" in parts else []
    layers = _sizes([f"layers-{count}" for count in work.layers], work) if "layers" in parts else ()
    megabytes = _sizes([f"megabytes-{size}" for size in _MEGABYTES], work) if "megabytes" in parts else ()
    counts, why = count_instructions(environment(), _COUNTED_VALUES) if "instructions" in parts else ((), "")
    remarks = [*remarks, *([why] if why else [])]
    return Results(describe_setting(work.folder, command), tuple(sections), layers, megabytes, counts, tuple(remarks))


def _net_section(name: str, title: str, work: _Work, pycaffe: list[str] | None) -> Section:
    net = f"layers-{work.layers[-1]}" if name == "deep" else name
    model, description = (work.folder / f"{net}.{suffix}" for suffix in ("caffemodel", "json"))
    copy, plain = work.folder / "out.copy", work.folder / "out.plain.h5"
    with work.nets([net]), contextlib.ExitStack() as stack:
        known = json.loads(description.read_text())
        python = [sys.executable, "-c"]
        cases = [
            process(CP, ["cp", model, copy], environment(), copy),
            work.convert(HDF5, net),
            work.convert(PICKLE, net, "--format", "pickle"),
            process(INSPECT, [*_CAFFECONV, "inspect", model], environment()),
            process(BARE, [*python, f"import {_IMPORTED}"], environment()),
            process(ARRAYS, [*python, "import numpy, h5py"], environment()),
            process(
                PLAIN, [sys.executable, _HERE / "plain_protobuf.py", model, description, plain], environment(), plain
            ),
        ]
        if pycaffe is not None:
            cases.append(stack.enter_context(serve(pycaffe, work.folder, net)))
        figures = take_turns(cases, work.runs, _teller(name))
    size = f"{known['bytes'] / 1e6:,.1f} MB, {known['layers']:,} layers, {known['arrays']:,} arrays"
    return Section(name, title, figures, f"Caffemodel of {size}.")


def _start_section(work: _Work) -> Section:
    python = [sys.executable, "-c"]
    cases = [
        process(PASS, [*python, "pass"], environment()),
        process(CLICK, [*python, "import click"], environment()),
        process(HELP, [*_CAFFECONV, "--help"], environment()),
        process(ARRAYS, [*python, "import numpy, h5py"], environment()),
    ]
    return Section("start", "Start", take_turns(cases, 3 * work.runs, _teller("start")))


def _sizes(names: Sequence[str], work: _Work) -> tuple[Size, ...]:
    with work.nets(names):
        known = [json.loads((work.folder / f"{name}.json").read_text()) for name in names]
        figures = take_turns([work.convert(name, name) for name in names], work.runs, _teller(names[-1]))
    return tuple(Size(each["layers"], each["bytes"], figure) for each, figure in zip(known, figures, strict=True))


def _teller(part: str) -> Callable[[str], None]:
    return lambda text: print(f"{part}: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
