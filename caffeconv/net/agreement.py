"""Where a file of weights contradicts the prototxt, or itself."""

from __future__ import annotations

from collections.abc import Sequence

from caffeconv.catalogue import LAYER_TYPES
from caffeconv.model import Array, Layer, Note

__all__ = ["same_values", "shared_note", "type_note"]

_COMPUTES_AS = {"ConvolutionDepthwise": "Convolution"}
"""Types of forks whose arrays, where they fit at all, are those of one of Caffe's that computes the same."""
_NUMBERED = "V1:"
"""How the type begins of which a binary file has nothing but a number, about which forks disagree."""
_BLOCK = 1 << 20


def type_note(stored: str, layer: Layer) -> Note | None:
    """A warning if a layer was learned as something else than it is now; Caffe looks at names and shapes alone.

    `stored` is the type in the file, empty where that has none.
    """
    if not stored or not layer.type or stored.startswith(_NUMBERED) or _meaning(stored) == _meaning(layer.type):
        return None
    if stored not in LAYER_TYPES and stored.startswith(layer.type):  # ConvolutionFixed, of Xilinx
        return Note("info", layer.name, f"stored as {_a(stored)}, which is taken for {_a(layer.type)} of a fork")
    text = f"stored as {_a(stored)} and not as {_a(layer.type)}, which it is in the prototxt: the arrays fit, but"
    return Note("warning", layer.name, f"{text} were learned for something else; see which of both is right")


def shared_note(parameter: str, names: Sequence[str]) -> Note:
    """A warning that a file holds other values of a shared parameter for each of some layers, the last of which won."""
    others = ", ".join(f'"{name}"' for name in dict.fromkeys(names[:-1]))
    text = f'its copy of the shared parameter "{parameter}" differs from that of {others} in the caffemodel'
    return Note("warning", names[-1], f"{text}; the last one, this layer's, counts, as in Caffe: is the file damaged?")


def same_values(one: Array, other: Array) -> bool:
    """Whether two arrays hold the same values in the same order, whatever their shapes; NaN is the same as NaN."""
    if one.size != other.size:
        return False
    a, b = one.reshape(-1), other.reshape(-1)
    for start in range(0, a.size, _BLOCK):
        x, y = a[start : start + _BLOCK], b[start : start + _BLOCK]
        if not ((x == y) | ((x != x) & (y != y))).all():
            return False
    return True


def _meaning(name: str) -> str:
    original = LAYER_TYPES[name].like or name if name in LAYER_TYPES else name
    return _COMPUTES_AS.get(original, original)


def _a(name: str) -> str:
    return f"{'an' if name[0] in 'AEIOU' else 'a'} {name}"
