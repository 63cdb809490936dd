"""`caffeconv inspect`: what a caffemodel, a prototxt, or both together hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import click

from caffeconv.cli.options import net_options
from caffeconv.cli.outcome import guarded

if TYPE_CHECKING:
    from caffeconv.model import MaybeShape, PartialShape
    from caffeconv.net.loading import Listing

__all__ = ["inspect"]

_KINDS = {"PROTOTXT": "prototxt", "CAFFEMODEL": "caffemodel", "HDF5_SNAPSHOT": "HDF5 snapshot"}

_EXAMPLE = """
\b
Example:
  caffeconv inspect deploy.prototxt VGG_ILSVRC_16_layers.caffemodel
"""


@click.command(epilog=_EXAMPLE)
@click.argument("files", nargs=-1, required=True, metavar="FILE [FILE]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
@net_options
def inspect(files: Sequence[str], **options: Any) -> None:
    """List what a caffemodel, a prototxt, or both together hold."""
    if len(files) > 2:
        raise click.UsageError("give one file, or a prototxt and a caffemodel")
    guarded(lambda: _run(files=files, **options))


def _run(
    *,
    files: Sequence[str],
    as_json: bool,
    phase: Literal["TRAIN", "TEST"],
    level: int,
    stages: Sequence[str],
    input_shapes: Mapping[str, PartialShape],
) -> None:
    """Read the files and list what they hold."""
    from caffeconv.cli.printing import print_net, print_notes
    from caffeconv.cli.text import printable
    from caffeconv.net.loading import list_files

    listing = list_files(files, phase=phase, level=level, stages=stages, input_shapes=input_shapes)
    if as_json:
        import json

        print(json.dumps(_as_json(listing), indent=1))
        return
    for file in listing.files:
        print(f"{printable(file.path)}: {_KINDS[file.kind]}" + (f", {file.generation}" if file.generation else ""))
    print_net(listing.net)
    layers = listing.net.layers
    total = sum(blob.array.size for layer in layers for blob in layer.blobs)
    print(f"{len(layers)} layers, {sum(bool(layer.blobs) for layer in layers)} with weights, {total:,} parameters")
    print_notes(listing.net.notes, verbose=True)


def _as_json(listing: Listing) -> dict[str, Any]:
    from caffeconv.keras.description import describe_note

    net = listing.net
    layers = [
        {
            "name": layer.name,
            "type": layer.type,
            "bottoms": _edges(layer.bottoms, layer.bottom_shapes),
            "tops": _edges(layer.tops, layer.top_shapes),
            "blobs": [{"shape": list(blob.shape), "dtype": str(blob.array.dtype)} for blob in layer.blobs],
            "parameters": sum(blob.array.size for blob in layer.blobs),
        }
        for layer in net.layers
    ]
    return {
        "files": [
            {"path": file.path, "kind": _KINDS[file.kind], "generation": file.generation} for file in listing.files
        ],
        "name": net.name,
        "layers": layers,
        "parameters": sum(blob.array.size for layer in net.layers for blob in layer.blobs),
        "notes": [describe_note(note) for note in net.notes],
    }


def _edges(names: Sequence[str], shapes: Sequence[MaybeShape]) -> list[dict[str, Any]]:
    return [
        {"name": name, "shape": None if shape is None else list(shape)}
        for name, shape in zip(names, shapes, strict=True)
    ]
