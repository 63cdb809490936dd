"""What the command line shows: tables and one-line summaries on stdout, notes on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from caffeconv.cli.columns import print_table
from caffeconv.cli.text import one_line, printable
from caffeconv.model import KerasCall, LayerWeights, MaybeShape, Net, Note, Result

__all__ = [
    "keras_text", "print_layers", "print_net", "print_notes", "print_result", "print_written",
    "readable_shape",
]  # fmt: skip


def print_notes(notes: Iterable[Note], verbose: bool) -> None:
    """On stderr every note, or without `verbose` the warnings, in one line those that say the same of many layers."""
    if verbose:
        for note in notes:
            print(f"{'warning' if note.level == 'warning' else 'note'}: {one_line(str(note))}", file=sys.stderr)
        return
    alike: dict[tuple[bool, str], list[Note]] = {}
    for note in notes:
        if note.level == "warning":
            alike.setdefault((note.layer is None, note.text), []).append(note)
    for same in alike.values():
        more = f" (and of {len(same) - 1} more layers, see --verbose)" if len(same) > 1 else ""
        print(f"warning: {one_line(str(same[0]))}{more}", file=sys.stderr)


def print_written(path: Path, sizes: Sequence[Sequence[int]]) -> None:
    """One line for an output file: how many layers with weights, arrays and values it holds."""
    layers = sum(1 for arrays in sizes if arrays)
    arrays = sum(map(len, sizes))
    values = sum(sum(arrays) for arrays in sizes)
    print(
        f"{printable(str(path))}: {_counted(layers, 'layer')} with weights, {_counted(arrays, 'array')}, "
        f"{_counted(values, 'value')}, {_counted(path.stat().st_size, 'byte')}"
    )


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def print_result(result: Result, path: Path) -> None:
    """Everything about a conversion to Keras."""
    print_layers(result)
    print_notes(result.notes, verbose=True)
    print_written(path, [[weight.view.size for weight in layer.weights] for layer in result.layers])


def print_layers(result: Result) -> None:
    """A row per layer of the output: Caffe layer, type, Keras layer, arrays with their shapes."""
    rows = []
    for layer in result.layers:
        arrays = ", ".join(f"{weight.name} {readable_shape(weight.shape)}" for weight in layer.weights)
        name = layer.name if layer.name in layer.origins else f"{layer.name} (of {layer.origins[0]})"
        origins = " + ".join((name, *(origin for origin in layer.origins[1:])))
        rows.append((origins, layer.type, keras_text(layer), arrays))
    print_table(("Caffe layer", "type", "Keras layer", "arrays"), rows)


def keras_text(layer: LayerWeights) -> str:
    """The Keras layers that compute what the Caffe layer does, in order."""
    if layer.keras is None and not layer.weights:
        return ""
    own = str(layer.keras) if layer.keras is not None else "(as stored)"
    calls: tuple[KerasCall | str, ...] = (*layer.before, own, *layer.after)
    return " > ".join(map(str, calls))


def print_net(net: Net) -> None:
    """A row per layer of a net in Caffe's words."""
    rows = [
        (
            str(index),
            layer.name,
            layer.type or "?",
            _blobs(layer.bottoms, layer.bottom_shapes),
            _blobs(layer.tops, layer.top_shapes),
            ", ".join(readable_shape(blob.shape) + _unusual_type(str(blob.array.dtype)) for blob in layer.blobs),
            f"{sum(blob.array.size for blob in layer.blobs):,}" if layer.blobs else "",
        )
        for index, layer in enumerate(net.layers)
    ]
    print_table(("#", "layer", "type", "bottoms", "tops", "blobs", "parameters"), rows, right=("#", "parameters"))


def readable_shape(shape: MaybeShape) -> str:
    """`64×3×7×7`; `scalar` for no axes, `?` for what is not known."""
    if shape is None:
        return "?"
    return "×".join("?" if size is None else str(size) for size in shape) or "scalar"


def _unusual_type(dtype: str) -> str:
    return "" if dtype == "float32" else f" {dtype}"


def _blobs(names: Sequence[str], shapes: Sequence[MaybeShape]) -> str:
    return ", ".join(f"{name} {readable_shape(shape)}" for name, shape in zip(names, shapes, strict=True))
