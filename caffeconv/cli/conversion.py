"""`caffeconv convert`: read, convert, write, and say what came out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from caffeconv.cli.report import print_layers, print_net, print_notes, print_written
from caffeconv.errors import MismatchError
from caffeconv.loading import load_net
from caffeconv.model import Note, Shape
from caffeconv.net import insert_splits, settle_shapes
from caffeconv.outputs import output_path

__all__ = ["run"]

_PATIENCE = 1.0
"""Seconds after which a progress bar appears."""


def run(
    *,
    out: str,
    prototxt: str,
    caffemodel: str,
    file_format: str,
    include_non_weight: bool,
    skip_unknown: bool,
    backend: str,
    verbose: bool,
    strict: bool,
    allow_missing: Sequence[str],
    slash: str | None,
    flatten_order: Literal["hwc", "chw"],
    flatten_shapes: Sequence[tuple[str, Shape]],
    depthwise: Literal["depthwise", "conv2d"],
    phase: Literal["TRAIN", "TEST"],
    level: int,
    stages: Sequence[str],
    input_shapes: Mapping[str, Shape],
) -> None:
    path = output_path(out, file_format, [prototxt, caffemodel])
    net = load_net(
        prototxt,
        caffemodel,
        phase=phase,
        level=level,
        stages=stages,
        input_shapes=input_shapes,
        allow_missing=allow_missing,
    )
    if file_format == "pickle":
        from caffeconv.writers.pickled import write_pickle

        net = settle_shapes(insert_splits(net))
        _refuse_warnings(net.notes, strict)
        with _progress(sum(blob.array.size for layer in net.layers for blob in layer.blobs)) as progress:
            write_pickle(path, net.layers, progress=progress)
        if verbose:
            print_net(net)
        print_notes(net.notes, verbose)
        print_written(path, [[blob.array.size for blob in layer.blobs] for layer in net.layers])
        return

    from caffeconv.backends import for_backend
    from caffeconv.conversion import convert
    from caffeconv.renaming import rename_layers
    from caffeconv.writers.keras_h5 import write_keras_h5

    result = convert(
        net,
        include_layers_without_weights=include_non_weight,
        include_unknown_layer_types=not skip_unknown,
        flatten_order=flatten_order,
        flatten_shapes=dict(flatten_shapes),
        depthwise=depthwise,
    )
    if slash is not None:
        result = rename_layers(result, slash=slash)
    result, backend_name = for_backend(result, backend)
    _refuse_warnings(result.notes, strict)
    with _progress(sum(weight.view.size for layer in result.layers for weight in layer.weights)) as progress:
        write_keras_h5(path, result.layers, backend=backend_name, progress=progress)
    if verbose:
        print_layers(result)
    print_notes(result.notes, verbose)
    print_written(path, [[weight.view.size for weight in layer.weights] for layer in result.layers])


def _refuse_warnings(notes: Sequence[Note], strict: bool) -> None:
    warnings = [note for note in notes if note.level == "warning"]
    if strict and warnings:
        more = f" (and {len(warnings) - 1} more)" if len(warnings) > 1 else ""
        raise MismatchError(f"a warning, and --strict was given: {warnings[0]}{more}")


@contextmanager
def _progress(values: int) -> Iterator[Callable[[int], None]]:
    """A function to tell how many bytes are done; on a terminal a bar appears once it takes long."""
    import sys

    if not sys.stderr.isatty():
        yield lambda _: None
        return
    started = time.monotonic()
    shown = []

    def advance(done: int) -> None:
        if not shown and time.monotonic() - started > _PATIENCE:
            from rich.console import Console
            from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

            columns = (BarColumn(), DownloadColumn(), TimeRemainingColumn())
            bar = Progress(*columns, console=Console(stderr=True), transient=True)
            bar.start()
            shown.append((bar, bar.add_task("", total=4 * values)))
        for bar, task in shown:
            bar.update(task, completed=done)

    try:
        yield advance
    finally:
        for bar, _ in shown:
            bar.stop()


