"""`caffeconv convert`: read, convert, write, and say what came out."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from caffeconv.cli.report import print_layers, print_net, print_notes, print_written
from caffeconv.errors import MismatchError
from caffeconv.model import Net, Note, Result, Shape
from caffeconv.net import insert_splits, settle_shapes
from caffeconv.net.loading import load_net
from caffeconv.writing.outputs import output_path, refuse_inputs

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = ["Options", "run"]

_PATIENCE = 1.0
"""Seconds after which a progress bar appears."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The command's arguments and options, under their own names."""

    out: str
    prototxt: str
    caffemodel: str
    file_format: Literal["hdf5", "pickle"]
    include_non_weight: bool
    skip_unknown: bool
    backend: str
    verbose: bool
    report: str | None
    strict: bool
    allow_missing: Sequence[str]
    slash: str
    rename: str | None
    flatten_order: Literal["hwc", "chw"]
    flatten_shapes: Mapping[str, Shape]
    depthwise: Literal["depthwise", "conv2d"]
    bgr_to_rgb: bool
    fold_batchnorm: bool
    complete_batchnorm: bool
    phase: Literal["TRAIN", "TEST"]
    level: int
    stages: Sequence[str]
    input_shapes: Mapping[str, Shape]


def run(options: Options) -> None:
    """Convert as `options` say, and tell what was written.

    Raises:
        CaffeconvError: one of its kinds; nothing was written then.
    """
    path = output_path(options.out, options.file_format, [options.prototxt, options.caffemodel])
    net = load_net(
        options.prototxt,
        options.caffemodel,
        phase=options.phase,
        level=options.level,
        stages=options.stages,
        input_shapes=options.input_shapes,
        allow_missing=options.allow_missing,
    )
    if options.file_format == "pickle":
        _to_pickle(net, path, options)
    else:
        _to_keras(net, path, options)


def _to_pickle(net: Net, path: Path, options: Options) -> None:
    from caffeconv.writing.pickled import write_pickle

    net = settle_shapes(insert_splits(net))
    _refuse_warnings(net.notes, options.strict)
    sizes = [[blob.array.size for blob in layer.blobs] for layer in net.layers]
    with _progress(sizes) as progress:
        write_pickle(path, net.layers, progress=progress)
    if options.verbose:
        print_net(net)
    print_notes(net.notes, options.verbose)
    print_written(path, sizes)


def _to_keras(net: Net, path: Path, options: Options) -> None:
    from caffeconv.writing.keras_h5 import write_keras_h5

    result, backend = _converted(net, options)
    _refuse_warnings(result.notes, options.strict)
    sizes = [[weight.view.size for weight in layer.weights] for layer in result.layers]
    with _report(result, path, options), _progress(sizes) as progress:
        write_keras_h5(path, result.layers, backend=backend, progress=progress)
    if options.verbose:
        print_layers(result)
    print_notes(result.notes, options.verbose)
    print_written(path, sizes)


def _report(result: Result, path: Path, options: Options) -> contextlib.AbstractContextManager[None]:
    if options.report is None:
        return contextlib.nullcontext()
    from caffeconv.writing.report import reporting

    refuse_inputs(Path(options.report), [path, options.prototxt, options.caffemodel])
    return reporting(options.report, result)


def _converted(net: Net, options: Options) -> tuple[Result, str]:
    from caffeconv.cli.renames import read_renames
    from caffeconv.keras.adjust.backends import for_backend
    from caffeconv.keras.adjust.renaming import rename_layers
    from caffeconv.keras.conversion import convert

    result = convert(
        net,
        include_layers_without_weights=options.include_non_weight,
        include_unknown_layer_types=not options.skip_unknown,
        flatten_order=options.flatten_order,
        flatten_shapes=options.flatten_shapes,
        depthwise=options.depthwise,
        bgr_to_rgb=options.bgr_to_rgb,
        fold_batchnorm=options.fold_batchnorm,
        complete_batchnorm=options.complete_batchnorm,
    )
    names = read_renames(options.rename) if options.rename is not None else {}
    others = {layer.name for layer in net.layers}
    return for_backend(rename_layers(result, names, options.slash, others), options.backend)


def _refuse_warnings(notes: Sequence[Note], strict: bool) -> None:
    warnings = [note for note in notes if note.level == "warning"]
    if strict and warnings:
        more = f" (and {len(warnings) - 1} more)" if len(warnings) > 1 else ""
        raise MismatchError(f"a warning, and --strict was given: {warnings[0]}{more}")


@contextlib.contextmanager
def _progress(sizes: Sequence[Sequence[int]]) -> Iterator[Callable[[int], None]]:
    """A function to tell how many bytes are done; on a terminal a bar appears once it takes long."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    started = time.monotonic()
    shown: list[tuple[Progress, TaskID]] = []

    def advance(done: int) -> None:
        if not shown and time.monotonic() - started > _PATIENCE:
            from rich.console import Console
            from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

            columns = (BarColumn(), DownloadColumn(), TimeRemainingColumn())
            bar = Progress(*columns, console=Console(stderr=True), transient=True)
            bar.start()
            shown.append((bar, bar.add_task("", total=4 * sum(map(sum, sizes)))))
        for bar, task in shown:
            bar.update(task, completed=done)

    try:
        yield advance
    finally:
        for bar, _ in shown:
            bar.stop()
