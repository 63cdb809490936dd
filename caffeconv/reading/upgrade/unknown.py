"""What a binary message keeps that the schema does not have: numbers of enums, and fields of forks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from caffeconv.catalogue import LAYER_TYPES
from caffeconv.model import Note

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.message import Message

    from caffe_proto.caffe_pb2 import NetParameter

__all__ = ["last_unknown_number", "note_unknown"]

_VARINT, _LENGTH = 0, 2
_INTELS = {
    ("convolution_param", 19): "in Intel's fork relu: a rectifier is part of the layer",
    ("convolution_param", 20): "in Intel's fork negative_slope, of the rectifier in the layer",
    ("batch_norm_param", 10): "in Intel's fork relu: a rectifier is part of the layer",
}
_TOLD_BY_BLOBS = {("batch_norm_param", number) for number in range(4, 10)} | {("convolution_param", 21)}
"""Engines, fillers, and whether there are scale and shift, in the forks of Intel and NVIDIA."""


_NOT_COMPUTED = ("data", "losses")
"""Families whose settings change nothing that a model computes."""
_WITHOUT_EFFECT = ("loss_param", "transform_param")


def last_unknown_number(message: Message, field_number: int) -> int | None:
    """The last varint that `message` keeps under `field_number` without knowing what it means."""
    numbers = [
        field.data
        for field in _unknown_fields(message)
        if field.field_number == field_number and field.wire_type == _VARINT
    ]
    return int(numbers[-1]) if numbers else None


def note_unknown(net: NetParameter) -> Iterator[Note]:
    """Notes on what the parameters of layers hold that Caffe does not have, in a net that a caffemodel holds.

    Forks give one number to different fields, so nothing is made of them; a zero, as a rule, is a default.
    """
    for layer in net.layer:
        known_type = LAYER_TYPES.get(layer.type)
        if known_type is not None and known_type.family in _NOT_COMPUTED:
            continue
        for field, param in layer.ListFields():
            if field.message_type is None or field.name in _WITHOUT_EFFECT or not hasattr(param, "ListFields"):
                continue
            for each in _unknown_fields(param):
                if each.wire_type == _LENGTH or each.data == 0 or (field.name, each.field_number) in _TOLD_BY_BLOBS:
                    continue
                known = param.DESCRIPTOR.fields_by_number.get(each.field_number)
                if known is None:
                    yield Note("warning", layer.name, _of_fork(field.name, each.field_number))
                elif known.name != "engine":
                    text = f"the {known.name} of its {field.name} in the file is {each.data}, a fork's, and not read"
                    yield Note("warning", layer.name, text)


def _of_fork(param: str, number: int) -> str:
    meaning = _INTELS.get((param, number))
    hint = f" ({meaning})" if meaning else ""
    return (
        f"its {param} in the file has field {number} of a fork{hint}, which Caffe does not have and which is not read: "
        "give the fork's prototxt in the place of -"
    )


def _unknown_fields(message: Any) -> Any:
    """A class answers this; in protobuf 3, which has no such class, the message itself."""
    try:
        from google.protobuf.unknown_fields import UnknownFieldSet
    except ImportError:
        return message.UnknownFields()
    return UnknownFieldSet(message)
