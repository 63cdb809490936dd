"""What a file of weights lacks for a net, and what it has beyond it."""

from __future__ import annotations

import collections
from collections.abc import Collection, Sequence

from caffeconv.errors import MismatchError
from caffeconv.model import Layer, Net, Note

__all__ = ["ALL", "check_missing", "list_leftovers"]

ALL = "all"
"""Among the names of layers that may lack weights: every layer may."""

_SHOWN = 5


def check_missing(net: Net, stored: Sequence[str], missing: Sequence[Layer], allowed: Collection[str]) -> list[Note]:
    """A note for each layer that lacks its weights and may; `stored` are the layers that the file has weights for.

    Raises:
        MismatchError: a layer lacks its weights and is not `allowed` to, or a name in `allowed` is of no layer.
    """
    known = {layer.name for layer in net.layers}
    for name in allowed:
        if name != ALL and name not in known:
            raise MismatchError(
                f'the net has no layer "{name}" that could be allowed to lack weights{_near(name, known)}'
            )
    refused = [layer for layer in missing if ALL not in allowed and layer.name not in allowed]
    if refused:
        raise MismatchError(_missing_message(net, refused, stored))
    return [
        Note("warning", layer.name, f"{layer.type} without weights in the caffemodel; left out") for layer in missing
    ]


def _missing_message(net: Net, refused: Sequence[Layer], stored: Sequence[str]) -> str:
    names = [layer.name for layer in net.layers]
    first, others = refused[0], [layer.name for layer in refused[1:]]
    message = f"{first.name} ({first.type}) has no weights in the caffemodel"
    if names.count(first.name) > 1:
        message += "; several layers bear this name, and Caffe gives the weights to the first"
    else:
        message += _near(first.name, [name for name in stored if name not in names] or stored, " in the caffemodel")
    if others:
        message += f"; without weights, too: {_shown(others)}"
    if not stored:
        message = f"the caffemodel has no weights at all: {message}"
    elif not set(stored) & set(names):
        message = f"the caffemodel seems to be of another net: {message}"
    return f'{message}; "--allow-missing {ALL if others else first.name}" goes on without'


def _near(name: str, candidates: Collection[str], where: str = "") -> str:
    import difflib  # costs time, and only mistakes need it

    near = difflib.get_close_matches(name, candidates, n=1)
    return f'; the nearest name{where} is "{near[0]}"' if near else ""


def _shown(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def list_leftovers(net: Net, stored: Sequence[str], left_out: Collection[str]) -> list[Note]:
    """Notes on weights that go nowhere; `left_out` are layers that the prototxt has for another phase or stage."""
    known = {layer.name for layer in net.layers}
    unused = [name for name in dict.fromkeys(stored) if name not in known]
    notes = []
    for names, what in (
        ([name for name in unused if name not in left_out], "layers that the prototxt does not have"),
        (
            [name for name in unused if name in left_out],
            "layers of another phase, level or stage (--phase, --level, --stage)",
        ),
    ):
        if names:
            notes.append(Note("warning", None, f"weights of {what} are left out: {_shown(names)}"))
        if len(names) > _SHOWN:
            notes.append(Note("info", None, f"weights of {what}, all of them: {', '.join(names)}"))
    repeated = [name for name, times in collections.Counter(stored).items() if name in known and times > 1]
    text = "stored several times in the caffemodel; the last one counts, as in Caffe"
    return [*notes, *(Note("warning", name, text) for name in repeated)]
