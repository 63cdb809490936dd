"""V0 (2013, `layers { layer { type: "conv" ... } }`) to V1 (2014, `layers { type: CONVOLUTION ... }`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf.message import Message

from caffe_proto import caffe_pb2
from caffeconv.errors import ParseError
from caffeconv.model import Note
from caffeconv.reading.upgrade.words import V0_WORDS

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["needs_v0_upgrade", "upgrade_v0_net", "upgrade_v0_padding_layers"]

_CONV_IP = {"conv": "convolution_param", "innerproduct": "inner_product_param"}
_CONV_POOL = {"conv": "convolution_param", "pool": "pooling_param"}
_CONV = {"conv": "convolution_param"}
_POOL = {"pool": "pooling_param"}
_DROPOUT = {"dropout": "dropout_param"}
_LRN = {"lrn": "lrn_param"}
_CONCAT = {"concat": "concat_param"}
_IMAGES = {"images": "image_data_param"}
_WINDOW = {"window_data": "window_data_param"}
_SKIPPING = {"data": "data_param", **_IMAGES}
_BATCHED = {"hdf5_data": "hdf5_data_param", **_SKIPPING, **_WINDOW}
_EVERY = "transform_param"
_SOURCED = {"infogain_loss": "infogain_loss_param", **_BATCHED}

_V1_PADDED = {
    caffe_pb2.V1LayerParameter.CONVOLUTION: "convolution_param",
    caffe_pb2.V1LayerParameter.POOLING: "pooling_param",
}

_MOVES = (
    # V0 field, V1 parameter (by V0 type, where it depends on that), field of that parameter
    ("num_output",       _CONV_IP,   "num_output"),
    ("biasterm",         _CONV_IP,   "bias_term"),
    ("weight_filler",    _CONV_IP,   "weight_filler"),
    ("bias_filler",      _CONV_IP,   "bias_filler"),
    ("pad",              _CONV_POOL, "pad"),
    ("kernelsize",       _CONV_POOL, "kernel_size"),
    ("group",            _CONV,      "group"),
    ("stride",           _CONV_POOL, "stride"),
    ("pool",             _POOL,      "pool"),
    ("dropout_ratio",    _DROPOUT,   "dropout_ratio"),
    ("local_size",       _LRN,       "local_size"),
    ("alpha",            _LRN,       "alpha"),
    ("beta",             _LRN,       "beta"),
    ("k",                _LRN,       "k"),
    ("source",           _SOURCED,   "source"),
    ("scale",            _EVERY,     "scale"),
    ("meanfile",         _EVERY,     "mean_file"),
    ("batchsize",        _BATCHED,   "batch_size"),
    ("cropsize",         _EVERY,     "crop_size"),
    ("mirror",           _EVERY,     "mirror"),
    ("rand_skip",        _SKIPPING,  "rand_skip"),
    ("shuffle_images",   _IMAGES,    "shuffle"),
    ("new_height",       _IMAGES,    "new_height"),
    ("new_width",        _IMAGES,    "new_width"),
    ("concat_dim",       _CONCAT,    "concat_dim"),
    ("det_fg_threshold", _WINDOW,    "fg_threshold"),
    ("det_bg_threshold", _WINDOW,    "bg_threshold"),
    ("det_fg_fraction",  _WINDOW,    "fg_fraction"),
    ("det_context_pad",  _WINDOW,    "context_pad"),
    ("det_crop_mode",    _WINDOW,    "crop_mode"),
)  # fmt: skip


def needs_v0_upgrade(net: caffe_pb2.NetParameter) -> bool:
    """Whether a layer has its settings in a layer of its own, as V0 nests them."""
    return any(layer.HasField("layer") for layer in net.layers)


def upgrade_v0_net(net: caffe_pb2.NetParameter) -> tuple[caffe_pb2.NetParameter, tuple[Note, ...]]:
    """The V1 net of a V0 net, and the fields that have no place in it.

    Raises:
        ParseError: a padding layer stands where Caffe allows none.
    """
    padded = upgrade_v0_padding_layers(net)
    upgraded = caffe_pb2.NetParameter(input=padded.input, input_dim=padded.input_dim)
    if padded.HasField("name"):
        upgraded.name = padded.name
    if padded.HasField("force_backward"):
        upgraded.force_backward = padded.force_backward
    notes: list[Note] = []
    for layer in padded.layers:
        notes.extend(_upgrade_layer(layer, upgraded.layers.add()))
    return upgraded, tuple(notes)


def upgrade_v0_padding_layers(net: caffe_pb2.NetParameter) -> caffe_pb2.NetParameter:
    """The net without its padding layers; their `pad` goes to the convolution or pooling that reads them.

    Raises:
        ParseError: a padding layer feeds another kind of layer, or has not one bottom and one top.
    """
    upgraded = caffe_pb2.NetParameter()
    upgraded.CopyFrom(net)
    upgraded.ClearField("layers")
    padding_by_top: dict[str, caffe_pb2.V1LayerParameter] = {}
    for layer in net.layers:
        padding = [padding_by_top[bottom] for bottom in layer.bottom if bottom in padding_by_top]
        for top in layer.top:
            padding_by_top.pop(top, None)
        if layer.layer.type == "padding":
            padding_by_top.update(dict.fromkeys(layer.top, layer))
        if padding:
            _check_padding(padding[0], layer)
        if layer.layer.type != "padding":
            kept = upgraded.layers.add()
            kept.CopyFrom(layer)
            if padding:
                _pad(kept, padding[0].layer.pad)
                kept.bottom[0] = padding[0].bottom[0]
    return upgraded


def _pad(layer: caffe_pb2.V1LayerParameter, pad: int) -> None:
    """Give a layer of either form its padding, in place of its own."""
    parameter = _V1_PADDED.get(layer.type) if not layer.HasField("layer") else None
    if parameter is None:
        layer.layer.pad = pad
        return
    getattr(layer, parameter).ClearField("pad")
    _put(pad, getattr(layer, parameter), "pad")


def _check_padding(padding: caffe_pb2.V1LayerParameter, reader: caffe_pb2.V1LayerParameter) -> None:
    where, name, kind = f"{padding.layer.name} (padding)", reader.layer.name, reader.layer.type
    padded = kind in _CONV_POOL
    if not reader.HasField("layer"):
        name, kind = reader.name, caffe_pb2.V1LayerParameter.LayerType.Name(reader.type)
        padded = reader.type in _V1_PADDED
    if not padded:
        raise ParseError(f"{where}: feeds {name} ({kind}), expected a conv or pool layer")
    if len(reader.bottom) != 1:
        raise ParseError(f"{name} ({kind}): has {len(reader.bottom)} bottoms, expected 1")
    if len(padding.bottom) != 1 or len(padding.top) != 1:
        counts = f"{len(padding.bottom)} bottoms and {len(padding.top)} tops"
        raise ParseError(f"{where}: has {counts}, expected one of each")


def _upgrade_layer(old: caffe_pb2.V1LayerParameter, new: caffe_pb2.V1LayerParameter) -> Iterator[Note]:
    """Fill a V1 layer from a V0 one, as UpgradeV0LayerParameter does; what it drops is told.

    One that is of V1 already stays as it is, though Caffe keeps no more of it than its bottoms and tops.
    """
    if not old.HasField("layer"):
        new.CopyFrom(old)
        yield Note(
            "info", old.name or None, "a layer of 2014 (V1) among layers of 2013 (V0), where Caffe would lose it"
        )
        return
    new.bottom.extend(old.bottom)
    new.top.extend(old.top)
    layer = old.layer
    if layer.HasField("name"):
        new.name = layer.name
    if layer.type in V0_WORDS:
        new.type = caffe_pb2.V1LayerParameter.LayerType.Value(V0_WORDS[layer.type])  # type: ignore[assignment]
    elif layer.HasField("type"):
        new.type_word = layer.type
    new.blobs.extend(layer.blobs)
    new.blobs_lr.extend(layer.blobs_lr)
    new.weight_decay.extend(layer.weight_decay)
    if layer.HasField("hdf5_output_param") and layer.type == "hdf5_output":
        new.hdf5_output_param.CopyFrom(layer.hdf5_output_param)
    for field, parameters, target in _MOVES:
        if not layer.HasField(field):
            continue
        parameter = parameters if isinstance(parameters, str) else parameters.get(layer.type)
        if parameter is None:
            yield Note("warning", layer.name or None, f"a {layer.type} layer has no {field}, it is skipped")
        else:
            _put(getattr(layer, field), getattr(new, parameter), target)


def _put(value: Any, parameter: Message, field: str) -> None:
    """Set a field of any kind; a V0 field that is one number may be a list by now."""
    now = getattr(parameter, field)
    if isinstance(now, Message):
        now.CopyFrom(value)
    elif hasattr(now, "append"):
        now.append(value)
    else:
        setattr(parameter, field, value)
