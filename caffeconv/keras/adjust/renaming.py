"""Other names for the layers of a result, checked for collisions."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping

from caffeconv.errors import MismatchError
from caffeconv.model import Note, Result

__all__ = ["rename_layers"]


def rename_layers(
    result: Result, names: Mapping[str, str] | None = None, slash: str = "/", others: Collection[str] = ()
) -> Result:
    """`result` with layers renamed: by `names` (old -> new), or else without slashes that no Keras layer can have.

    Those stand at an end of a name, or two in a row; neither HDF5 nor Keras can hold them. Every `/` that is left is
    replaced by `slash`: Keras 3 has no layer whose name holds one, Keras 2 has. `others` are names that `names` may
    speak of though the result has no such layer.

    Raises:
        MismatchError: two layers get the same name, one gets none, or `names` speaks of a layer that is not there.
    """
    names = names or {}
    there = {layer.name for layer in result.layers}
    for old in names:
        if old not in there and old not in others:
            raise MismatchError(f'there is no layer "{old}" to rename')
    taken: dict[str, str] = {}
    trimmed: dict[str, str] = {}
    layers = []
    notes = [Note("info", old, "has no weights of its own in the output, so its new name is not needed")
             for old in names if old not in there]  # fmt: skip
    for layer in result.layers:
        new = names.get(layer.name, _without_empty_parts(layer.name))
        if layer.name not in names and new != layer.name:
            trimmed[layer.name] = new
        new = new.replace("/", slash)
        if not new:
            raise MismatchError(f'layer "{layer.name}" would get an empty name')
        if new in taken:
            raise MismatchError(f'layers "{taken[new]}" and "{layer.name}" would both be called "{new}"')
        taken[new] = layer.name
        if new != layer.name:
            notes.append(Note("info", layer.name, f'called "{new}" in the output'))
        layers.append(dataclasses.replace(layer, name=new))
    return Result(tuple(layers), (*result.notes, *notes, *_say_trimmed(trimmed)))


def _without_empty_parts(name: str) -> str:
    return "/".join(filter(None, name.split("/")))


def _say_trimmed(trimmed: Mapping[str, str]) -> list[Note]:
    if not trimmed:
        return []
    first, more = next(iter(trimmed)), f" and {len(trimmed) - 1} more" if len(trimmed) > 1 else ""
    text = f'slashes that no Keras layer can have are left out of names: "{first}" -> "{trimmed[first]}"{more}'
    return [Note("warning", None, text)]
