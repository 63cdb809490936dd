"""Transformation fields of the V1 data layers, which moved into `transform_param` in 2014."""

from __future__ import annotations

from caffe_proto import caffe_pb2

__all__ = ["needs_data_upgrade", "upgrade_net_data_transformation"]

_PARAMETERS = {
    caffe_pb2.V1LayerParameter.DATA: "data_param",
    caffe_pb2.V1LayerParameter.IMAGE_DATA: "image_data_param",
    caffe_pb2.V1LayerParameter.WINDOW_DATA: "window_data_param",
}
_FIELDS = ("scale", "mean_file", "crop_size", "mirror")


def needs_data_upgrade(net: caffe_pb2.NetParameter) -> bool:
    """Whether a data layer still has the fields that belong to `transform_param` today."""
    return any(
        getattr(layer, _PARAMETERS[layer.type]).HasField(field)
        for layer in net.layers
        if layer.type in _PARAMETERS
        for field in _FIELDS
    )


def upgrade_net_data_transformation(net: caffe_pb2.NetParameter) -> None:
    """Move the fields, in place. As in Caffe, every data layer of the net has both parameters afterwards."""
    for layer in net.layers:
        if layer.type not in _PARAMETERS:
            continue
        parameter = getattr(layer, _PARAMETERS[layer.type])
        parameter.SetInParent()
        layer.transform_param.SetInParent()
        for field in _FIELDS:
            if parameter.HasField(field):
                setattr(layer.transform_param, field, getattr(parameter, field))
                parameter.ClearField(field)
