"""What was measured, as the page RESULTS.md."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from measuring import Figure

__all__ = ["TARGETS", "Counts", "Results", "Section", "Size", "Target", "render"]

CP, HDF5, PICKLE, INSPECT, PLAIN, PYCAFFE = (
    "cp",
    "caffeconv → HDF5",
    "caffeconv → pickle",
    "inspect",
    "plain protobuf",
    "pycaffe",
)
ARRAYS, BARE, PASS, CLICK, HELP = (
    "import numpy, h5py",
    "what inspect imports",
    "pass",
    "import click",
    "caffeconv --help",
)


@dataclasses.dataclass(frozen=True)
class Target:
    """A bound on a case's time over that of another case (`base`), or on its peak memory in MB where there is none."""

    text: str
    section: str
    case: str
    base: str | None
    bound: float
    at_least: bool = False


TARGETS = (
    Target("VGG-16 to HDF5: time of `cp`", "vgg16", HDF5, CP, 3.0),
    Target("VGG-16 to HDF5: peak memory", "vgg16", HDF5, None, 130),
    Target("VGG-16 to pickle: time of `cp`", "vgg16", PICKLE, CP, 3.0),
    Target("VGG-16 to pickle: peak memory", "vgg16", PICKLE, None, 130),
    Target("ResNet-152 to HDF5: time of `cp`", "resnet152", HDF5, CP, 5.0),
    Target("ResNet-152 to HDF5: peak memory", "resnet152", HDF5, None, 100),
    Target("ResNet-152 to pickle: time of `cp`", "resnet152", PICKLE, CP, 5.0),
    Target("ResNet-152 to pickle: peak memory", "resnet152", PICKLE, None, 100),
    Target("SqueezeNet to HDF5: time of `import numpy, h5py`", "squeezenet", HDF5, ARRAYS, 1.4),
    Target("VGG-16 under pycaffe: time of ours to HDF5", "vgg16", PYCAFFE, HDF5, 8.0, at_least=True),
    Target("VGG-16, `inspect`: time of the bare imports", "vgg16", INSPECT, BARE, 1.3),
    Target("`caffeconv --help`: time of `import click`", "start", HELP, CLICK, 2.0),
)


@dataclasses.dataclass(frozen=True)
class Section:
    """What was measured of one net, or of the start: times, of which the first is the one to compare with."""

    name: str
    title: str
    figures: tuple[Figure, ...]
    remark: str = ""


@dataclasses.dataclass(frozen=True)
class Size:
    """The conversion to HDF5 of a net of a series, in which layers or bytes grow."""

    layers: int
    bytes: int
    figure: Figure


Marginal: TypeAlias = Callable[[Size, Size], float]
"""What one more of the unit costs between two sizes."""


@dataclasses.dataclass(frozen=True)
class Counts:
    """Instructions per value that the copy engine executes on one kind of array."""

    case: str
    per_value: float


@dataclasses.dataclass(frozen=True)
class Results:
    """All that a run of the benchmarks found; `remarks` say what was left out and why."""

    setting: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]
    layers: tuple[Size, ...]
    megabytes: tuple[Size, ...]
    counts: tuple[Counts, ...]
    remarks: tuple[str, ...]


def render(results: Results) -> str:
    """The page."""
    parts = [_HEAD, *_table(("", ""), results.setting), ""]
    parts += [f"- {remark}" for remark in results.remarks]
    parts += ["", "## Targets", "", *_targets(results.sections)]
    for section in results.sections:
        parts += ["", f"## {section.title}", "", *([section.remark, ""] if section.remark else [])]
        parts += _times(section)
    if results.layers:
        parts += [
            "",
            "## More layers",
            "",
            _LAYERS,
            "",
            *_sizes(results.layers, "layers", "µs per layer more", _per_layer),
        ]
    if results.megabytes:
        parts += [
            "",
            "## More bytes",
            "",
            _BYTES,
            "",
            *_sizes(results.megabytes, "MB", "ms per MB more", _per_megabyte),
        ]
    if results.counts:
        rows = ((count.case, f"{count.per_value:.2f}") for count in results.counts)
        parts += ["", "## Instructions of the copy engine", "", _COUNTS, "", *_table(("array", "per value"), rows)]
    return "\n".join(parts) + "\n"


_HEAD = """\
# Time and memory

Written by `make bench`; how it measures stands in [README.md](README.md).
"""
_LAYERS = "Over and over a 16-channel convolution, BatchNorm, Scale and ReLU, to HDF5."
_BYTES = "Convolutions of nine megabytes each, to HDF5."
_COUNTS = (
    "Counted by callgrind, on the instruction set that it emulates; the start of Python is subtracted. "
    "The numbers are the same in every run."
)


def _targets(sections: Sequence[Section]) -> Iterable[str]:
    figures = {(section.name, figure.name): figure for section in sections for figure in section.figures}
    rows = []
    for target in TARGETS:
        measured = _measured(target, figures.get((target.section, target.case)), _base(target, figures))
        sign, unit = "≥" if target.at_least else "≤", "×" if target.base else "MB"
        if measured is None:
            rows.append((target.text, f"{sign} {target.bound:g} {unit}", "not measured", ""))
            continue
        met = measured >= target.bound if target.at_least else measured <= target.bound
        shown = f"{measured:.2f} ×" if target.base else f"{measured:.0f} MB"
        rows.append((target.text, f"{sign} {target.bound:g} {unit}", shown, "yes" if met else "**no**"))
    return _table(("", "target", "measured", "met"), rows)


def _base(target: Target, figures: Mapping[tuple[str, str], Figure]) -> Figure | None:
    return None if target.base is None else figures.get((target.section, target.base))


def _measured(target: Target, figure: Figure | None, base: Figure | None) -> float | None:
    if figure is None or (target.base is not None and base is None):
        return None
    return figure.megabytes if base is None else figure.seconds / base.seconds


def _times(section: Section) -> Iterable[str]:
    base = section.figures[0]
    rows = (
        (
            figure.name,
            f"{1000 * figure.seconds:,.0f}",
            f"{1000 * figure.fastest:,.0f}",
            f"{figure.seconds / base.seconds:.2f}",
            f"{figure.megabytes:,.0f}",
        )
        for figure in section.figures
    )
    return _table(("", "median, ms", "fastest, ms", f"× {base.name}", "peak memory, MB"), rows)


def _sizes(sizes: Sequence[Size], unit: str, marginal: str, more: Marginal) -> Iterable[str]:
    rows = []
    for before, size in zip((None, *sizes), sizes, strict=False):
        amount = f"{size.layers:,}" if unit == "layers" else f"{size.bytes / 1e6:,.0f}"
        slope = "" if before is None else f"{more(before, size):.1f}"
        rows.append((amount, f"{1000 * size.figure.seconds:,.0f}", slope, f"{size.figure.megabytes:,.0f}"))
    return _table((unit, "median, ms", marginal, "peak memory, MB"), rows)


def _per_layer(before: Size, size: Size) -> float:
    return 1e6 * (size.figure.seconds - before.figure.seconds) / (size.layers - before.layers)


def _per_megabyte(before: Size, size: Size) -> float:
    return 1e3 * (size.figure.seconds - before.figure.seconds) / ((size.bytes - before.bytes) / 1e6)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    aligned = ["---", *("--:" for _ in head[1:])]
    return (f"| {' | '.join(cells)} |" for cells in itertools.chain((head, aligned), rows))
