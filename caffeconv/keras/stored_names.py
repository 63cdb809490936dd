"""Names of layers that Keras' files of weights can hold.

A layer has a group of its name, and its arrays lie at `<layer>/<layer>/<array>:0` (`writing/keras_h5`). HDF5 and Keras
split names at slashes: empty parts and `.` are no groups, and no group can lie where another layer has an array. HDF5
ends a name at a NUL and takes nothing but Unicode, and a name must fit into an attribute. Some places Keras keeps for
itself.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence

__all__ = ["ATTRIBUTE_LIMIT", "RESERVED", "RESERVED_WHERE_SPREAD", "attribute_count", "group_places", "numbered",
           "placed_apart", "storable_name", "stored_place"]  # fmt: skip

ATTRIBUTE_LIMIT = 64512
"""Bytes of an attribute; HDF5_OBJECT_HEADER_LIMIT of Keras."""
RESERVED: Mapping[str, str] = {"top_level_model_weights": "the weights that belong to no layer"}
"""First parts of a name under which Keras looks for something else, and for what."""
RESERVED_WHERE_SPREAD: Mapping[str, str] = {
    "model_weights": "the weights of a whole model, where layer_names is spread"
}
"""More of them, in a file whose list of names takes several attributes."""

_CUT = 200
"""Bytes that are kept of a name for which there is no room."""


def storable_name(name: str, weights: Sequence[str] = ()) -> str:
    """The name itself, if a file can hold a layer that is called so and has these arrays; or else one that is like it.

    It may be the name of another layer.
    """
    kept = name
    longest = max((len(f"/{weight}:0".encode()) for weight in weights), default=0)
    if len(name.encode("utf-8", "replace")) + longest > ATTRIBUTE_LIMIT:
        kept = kept.encode("utf-8", "replace")[:_CUT].decode("utf-8", "ignore")
    kept = "".join("_" if character == "\0" or "\ud800" <= character <= "\udfff" else character for character in kept)
    kept = "/".join(part for part in kept.split("/") if part not in ("", "."))
    if kept != name and not name.startswith("_"):
        kept = kept.lstrip("_/")  # with which no name of TensorFlow begins
    if kept.split("/", 1)[0] in RESERVED:
        return f"layer_{kept}"
    return kept or "layer"


def numbered(name: str, taken: Collection[str]) -> str:
    """The name with the first number behind it, from 2 on, that makes it none of those `taken`."""
    number = 2
    while f"{name}_{number}" in taken:
        number += 1
    return f"{name}_{number}"


def placed_apart(names: Sequence[str], weights: Sequence[Sequence[str]], given: Collection[str] = ()) -> list[str]:
    """The names, all of them different and storable, with new ones for layers that are in the place of something else.

    `weights` are the names of each layer's arrays; `given` are names that stay whatever they are. A layer whose group
    would have to stand where another has an array gets a name without slashes.
    """
    placed = list(names)
    while True:
        arrays = {stored_place(name, weight) for name, each in zip(placed, weights, strict=True) for weight in each}
        reserved = RESERVED_WHERE_SPREAD if _is_spread(placed) else {}
        taken = set(placed)
        moved = list(placed)
        for number, name in enumerate(placed):
            if name in given:
                continue
            if name.split("/", 1)[0] in reserved:
                new = f"layer_{name}"
            elif not arrays.isdisjoint(group_places(name)):
                new = name.replace("/", "_")
            else:
                continue
            moved[number] = numbered(new, taken) if new in taken else new
            taken.add(moved[number])
        if moved == placed:
            return placed
        placed = moved


def stored_place(name: str, weight: str) -> str:
    """Where a layer's array lies in the file."""
    return f"{name}/{name}/{weight}:0"


def group_places(name: str) -> Iterator[str]:
    """All groups that there must be for the arrays of a layer."""
    path = f"{name}/{name}"
    for position, character in enumerate(path):
        if character == "/":
            yield path[:position]


def attribute_count(count: int, longest: int) -> int:
    """The smallest number of attributes for a list of so many names, the longest of so many bytes, in nearly equal
    parts, of which none is over the limit."""
    return max(1, math.ceil(count / (ATTRIBUTE_LIMIT // max(1, longest))))


def _is_spread(names: Sequence[str]) -> bool:
    return attribute_count(len(names), max((len(name.encode("utf-8", "replace")) for name in names), default=0)) > 1
