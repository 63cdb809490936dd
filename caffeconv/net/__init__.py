"""A net as Caffe would build it: filtered, connected, with the shape of every blob and the weights of every layer."""

from caffeconv.net.filtering import State, keep_layers
from caffeconv.net.gaps import ALL
from caffeconv.net.graph import AUTOMATIC_TOP, build_net, insert_splits, settle_shapes
from caffeconv.net.join import StoredLayer, join_weights

__all__ = [
    "ALL", "AUTOMATIC_TOP", "State", "StoredLayer", "build_net", "insert_splits", "join_weights", "keep_layers",
    "settle_shapes",
]  # fmt: skip
