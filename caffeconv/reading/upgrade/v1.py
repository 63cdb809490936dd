"""V1 (2014, `layers { type: CONVOLUTION ... }`) to today's form (`layer { type: "Convolution" ... }`)."""

from __future__ import annotations

from google.protobuf.message import Message

from caffe_proto import caffe_pb2
from caffeconv.reading.upgrade.unknown import last_unknown_number
from caffeconv.reading.upgrade.words import CAFFE_V1_WORDS, FORK_V1_WORDS, V1_SPELLINGS

__all__ = ["settle_type_words", "upgrade_v1_net", "v1_layer_type"]

_TODAY = caffe_pb2.LayerParameter.DESCRIPTOR.fields_by_name
_COPIED = tuple(
    field.name
    for field in caffe_pb2.V1LayerParameter.DESCRIPTOR.fields
    if field.name in _TODAY
    and field.message_type is not None
    and (message := _TODAY[field.name].message_type) is not None
    and field.message_type.full_name == message.full_name
)
"""The messages that both forms have: include, exclude, blobs and every parameter."""

_PARAM_SPECS = (
    # V1 field, field of ParamSpec
    ("param", "name"),
    ("blob_share_mode", "share_mode"),
    ("blobs_lr", "lr_mult"),
    ("weight_decay", "decay_mult"),
)


def settle_type_words(net: caffe_pb2.NetParameter) -> None:
    """Give a layer whose type the text had in another spelling (`"Convolution"`) the type it means, in place."""
    for layer in net.layers:
        word = V1_SPELLINGS.get(layer.type_word)
        if word is not None:
            layer.type = caffe_pb2.V1LayerParameter.LayerType.Value(word)  # type: ignore[assignment]
            layer.ClearField("type_word")


def upgrade_v1_net(net: caffe_pb2.NetParameter) -> caffe_pb2.NetParameter:
    """Today's net of a V1 net."""
    upgraded = caffe_pb2.NetParameter()
    upgraded.CopyFrom(net)
    upgraded.ClearField("layers")
    for layer in net.layers:
        _upgrade_layer(layer, upgraded.layer.add())
    return upgraded


def _upgrade_layer(old: caffe_pb2.V1LayerParameter, new: caffe_pb2.LayerParameter) -> None:
    new.bottom.extend(old.bottom)
    new.top.extend(old.top)
    if old.HasField("name"):
        new.name = old.name
    layer_type = v1_layer_type(old)
    if layer_type is not None:
        new.type = layer_type
    new.loss_weight.extend(old.loss_weight)
    for field in _COPIED:
        value = getattr(old, field)
        if not isinstance(value, Message):
            getattr(new, field).extend(value)
        elif old.HasField(field):
            getattr(new, field).CopyFrom(value)
    for field, target in _PARAM_SPECS:
        values = getattr(old, field)
        while len(new.param) < len(values):
            new.param.add()
        for spec, value in zip(new.param, values, strict=False):
            setattr(spec, target, value)


def v1_layer_type(layer: caffe_pb2.V1LayerParameter) -> str | None:
    """Today's name of a V1 layer's type, `None` if it has none.

    A word that Caffe never had is kept as written where no fork's name for it is known. In binary files such a type
    is a number only, and forks disagree about those numbers: 43 gives `V1:43`.
    """
    if layer.HasField("type"):
        word = caffe_pb2.V1LayerParameter.LayerType.Name(layer.type)
    elif layer.HasField("type_word"):
        word = layer.type_word
    else:
        number = last_unknown_number(layer, caffe_pb2.V1LayerParameter.TYPE_FIELD_NUMBER)
        return None if number is None else f"V1:{number}"
    if word.isdigit():
        return f"V1:{word}"
    return CAFFE_V1_WORDS.get(word, FORK_V1_WORDS.get(word, word))
