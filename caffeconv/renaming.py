"""Other names for the layers of a result, checked for collisions."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from caffeconv.errors import MismatchError
from caffeconv.model import Note, Result

__all__ = ["drop_empty_parts", "rename_layers"]


def rename_layers(result: Result, names: Mapping[str, str] | None = None, slash: str = "/") -> Result:
    """`result` with layers renamed by `names` (old -> new) and every `/` left in a name replaced by `slash`.

    Keras 3 has no layer whose name holds a slash; Keras 2 has.

    Raises:
        MismatchError: two layers get the same name, or `names` speaks of a layer that the result does not have.
    """
    names = names or {}
    there = {layer.name for layer in result.layers}
    for old in names:
        if old not in there:
            raise MismatchError(f'there is no layer "{old}" to rename')
    taken: dict[str, str] = {}
    layers = []
    notes = list(result.notes)
    for layer in result.layers:
        new = names.get(layer.name, layer.name).replace("/", slash)
        if not new:
            raise MismatchError(f'layer "{layer.name}" would get an empty name')
        if new in taken:
            raise MismatchError(f'layers "{taken[new]}" and "{layer.name}" would both be called "{new}"')
        taken[new] = layer.name
        if new != layer.name:
            notes.append(Note("info", layer.name, f'called "{new}" in the output'))
        layers.append(dataclasses.replace(layer, name=new))
    return Result(tuple(layers), tuple(notes))


def drop_empty_parts(result: Result) -> Result:
    """`result` with slashes left out where they stand at an end of a layer's name, or two in a row.

    Neither HDF5 nor any Keras can hold such a name; some converters to Caffe write them.
    """
    names = {layer.name: "/".join(filter(None, layer.name.split("/"))) for layer in result.layers}
    changed = {old: new for old, new in names.items() if old != new}
    if not changed:
        return result
    renamed = rename_layers(result, changed)
    first, count = next(iter(changed)), len(changed)
    more = f" and {count - 1} more" if count > 1 else ""
    text = f'slashes that no Keras layer can have are left out of names: "{first}" -> "{changed[first]}"{more}'
    return dataclasses.replace(renamed, notes=(*renamed.notes, Note("warning", None, text)))
