"""Other names for the layers of a result: those that are asked for, and such as a file of weights can hold."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping

from caffeconv.errors import MismatchError
from caffeconv.keras.stored_names import numbered, placed_apart, storable_name
from caffeconv.model import Note, Result

__all__ = ["rename_layers"]

_SHOWN = 200
"""Characters of a name in a note."""


def rename_layers(
    result: Result, names: Mapping[str, str] | None = None, slash: str = "/", others: Collection[str] = ()
) -> Result:
    """`result` with layers renamed: by `names` (old -> new), or else as far as no file of weights can hold a name.

    Slashes at an end of a name, or two in a row, neither HDF5 nor Keras can hold, and some other names neither
    (`stored_names`); where the name that such a layer gets is another's, it has a number behind it. Every `/` that is
    left is replaced by `slash`: Keras 3 has no layer whose name holds one, Keras 2 has. `others` are names that `names`
    may speak of though the result has no such layer.

    Raises:
        MismatchError: two layers get the same name by `names` or `slash`, one gets none, or `names` speaks of a layer
            that is not there.
    """
    names = names or {}
    there = {layer.name for layer in result.layers}
    for old in names:
        if old not in there and old not in others:
            raise MismatchError(f'there is no layer "{old}" to rename')
    wished, final = _new_names(result, names, slash)
    notes = [Note("info", old, "has no weights of its own in the output, so its new name is not needed")
             for old in names if old not in there]  # fmt: skip
    notes += [Note("info", old, f'called "{new}" in the output') for old, new in final.items() if new != old]
    layers = tuple(dataclasses.replace(layer, name=final[layer.name]) for layer in result.layers)
    notes += _say_unasked({old: new for old, new in final.items() if old not in names}, wished, slash)
    return Result(layers, (*result.notes, *notes))


def _new_names(result: Result, names: Mapping[str, str], slash: str) -> tuple[dict[str, str], dict[str, str]]:
    """Old names -> the ones that they would have if there were no other layers, and the ones that they get."""
    arrays = {layer.name: [weight.name for weight in layer.weights] for layer in result.layers}
    storable = {name: names.get(name, storable_name(name, weights)) for name, weights in arrays.items()}
    wished = {name: new.replace("/", slash) for name, new in storable.items()}
    gives_way = {name for name, new in storable.items() if name not in names and new != name}
    taken: dict[str, str] = {}
    for name in sorted(arrays, key=gives_way.__contains__):
        new = wished[name]
        if not new:
            raise MismatchError(f'layer "{name}" would get an empty name')
        if new in taken and name not in gives_way:
            raise MismatchError(f'layers "{taken[new]}" and "{name}" would both be called "{new}"')
        taken[numbered(new, taken) if new in taken else new] = name
    given = {wished[name] for name in names.keys() & arrays.keys()}
    placed = placed_apart(list(taken), [arrays[name] for name in taken.values()], given)
    final = dict(zip(taken.values(), placed, strict=True))
    return wished, {name: final[name] for name in arrays}


def _say_unasked(final: Mapping[str, str], wished: Mapping[str, str], slash: str) -> list[Note]:
    """What was changed though nobody asked for it."""
    without_slashes: dict[str, str] = {}
    others: dict[str, str] = {}
    for old, new in final.items():
        if new == wished[old] == _without_empty_parts(old).replace("/", slash):
            if _without_empty_parts(old) != old:
                without_slashes[old] = new
        else:
            others[old] = new
    return [
        *_say("slashes that no Keras layer can have are left out of names", without_slashes),
        *_say("names that no file of weights can hold beside the others are changed", others),
    ]


def _say(text: str, renamed: Mapping[str, str]) -> list[Note]:
    if not renamed:
        return []
    first, more = next(iter(renamed)), f" and {len(renamed) - 1} more" if len(renamed) > 1 else ""
    shown = first if len(first) <= _SHOWN else f"{first[:_SHOWN]}…"
    return [Note("warning", None, f'{text}: "{shown}" -> "{renamed[first]}"{more}')]


def _without_empty_parts(name: str) -> str:
    return "/".join(filter(None, name.split("/")))
