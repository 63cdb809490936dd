"""Weights to Keras' HDF5 the plain way: whole arrays, NumPy's transposed copies, h5py's high level.

What both ways to compare with have in common, so that they differ in how they get at the arrays only. Runs in
pycaffe's Python (3.6 or later) too, and knows just the layer types of the nets here.
"""

import h5py
import numpy as np

__all__ = ["write"]


def kernel(array):
    """(out, in, kh, kw) -> (kh, kw, in, out)"""
    return np.ascontiguousarray(array.transpose(2, 3, 1, 0))


def matrix(array, flattened):
    """(out, in) -> (in, out), and rows from (c, h, w) to (h, w, c) behind feature maps of that shape."""
    if flattened is None:
        return np.ascontiguousarray(array.T)
    rows = array.reshape((array.shape[0], *flattened))
    return np.ascontiguousarray(rows.transpose(2, 3, 1, 0)).reshape(-1, array.shape[0])


def weights(layer_type, arrays, flattened, scale):
    """Pairs of Keras' name and array. `scale` are the arrays of the Scale behind a BatchNorm."""
    if layer_type == "BatchNorm":
        mean, variance, factor = arrays
        names = ("gamma", "beta", "moving_mean", "moving_variance")
        return list(zip(names, (*scale, mean / factor, variance / factor)))  # noqa: B905  (Python 3.6)
    first = kernel(arrays[0]) if layer_type == "Convolution" else matrix(arrays[0], flattened)
    return list(zip(("kernel", "bias"), (first, *arrays[1:])))  # noqa: B905


def write(path, layers, flattened):
    """`layers`: triples of name, type and arrays; every Scale stands right behind its BatchNorm.

    `flattened`: {layer name: (channels, height, width)} of InnerProducts behind feature maps.
    """
    layers = [layer for layer in layers if layer[2]]
    with h5py.File(path, "w") as file:
        names = []
        for index, (name, layer_type, arrays) in enumerate(layers):
            if layer_type == "Scale":
                continue
            scale = layers[index + 1][2] if layer_type == "BatchNorm" else None
            group = file.create_group(name)
            stored = []
            for weight, array in weights(layer_type, arrays, flattened.get(name), scale):
                stored.append("{}/{}:0".format(name, weight).encode())  # noqa: UP032  (as everywhere here)
                group[stored[-1].decode()] = array
            group.attrs["weight_names"] = np.array(stored)
            names.append(name.encode())
        if len(names) * max(map(len, names)) < 64512:
            file.attrs["layer_names"] = np.array(names)
        file.attrs["backend"] = b"tensorflow"
        file.attrs["keras_version"] = b"2.0.8"
