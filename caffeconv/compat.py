"""The two functions of caffe_weight_converter, with its arguments and its results, and without its Caffe."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from caffeconv.keras.adjust.backends import for_backend
from caffeconv.keras.adjust.renaming import rename_layers
from caffeconv.keras.conversion import convert
from caffeconv.keras.refused_names import with_name_notes
from caffeconv.model import Net, Result, StrPath, whole
from caffeconv.net import insert_splits, settle_shapes
from caffeconv.net.loading import load_net
from caffeconv.writing.outputs import output_path

__all__ = ["convert_caffemodel_to_dict", "convert_caffemodel_to_keras"]


def convert_caffemodel_to_keras(
    output_filename: StrPath,
    prototxt_filename: StrPath,
    caffemodel_filename: StrPath,
    include_layers_without_weights: bool = False,
    include_unknown_layer_types: bool = True,
    keras_backend: str = "tf",
    verbose: bool = True,
    *,
    allow_missing: Collection[str] | str = (),
) -> Result:
    """Convert a Caffe model's weights to an HDF5 file that Keras loads with `load_weights(…, by_name=True)`.

    Args:
        output_filename: the file to write; `.h5` is added.
        prototxt_filename: the net; `"-"` for the one inside the caffemodel.
        caffemodel_filename: the weights.
        include_layers_without_weights: list layers without weights, too.
        include_unknown_layer_types: write layer types that have no Keras form as they are stored.
        keras_backend: `"tf"`, `"theano"` (kernels flipped) or `"cntk"`.
        verbose: print what was written, and all notes.
        allow_missing: a name or names of layers that may lack weights; `"all"` allows every one.

    Returns:
        What was written, with its notes.

    Raises:
        CaffeconvError: one of its kinds; no file is written then, and an existing one is left as it was.
    """
    from caffeconv.writing.keras_h5 import write_keras_h5

    path = output_path(output_filename, "hdf5", [prototxt_filename, caffemodel_filename])
    result = convert(
        load_net(prototxt_filename, caffemodel_filename, allow_missing=allow_missing),
        include_layers_without_weights=include_layers_without_weights,
        include_unknown_layer_types=include_unknown_layer_types,
    )
    result, backend = for_backend(with_name_notes(rename_layers(result)), keras_backend)
    write_keras_h5(path, result.layers, backend=backend)
    if verbose:
        from caffeconv.cli.printing import print_result

        print_result(result, path)
    return result


def convert_caffemodel_to_dict(
    prototxt_filename: StrPath,
    caffemodel_filename: StrPath,
    out_path: StrPath | None = None,
    verbose: bool = False,
    *,
    split_layers: bool = True,
    allow_missing: Collection[str] | str = (),
) -> list[dict[str, Any]]:
    """Take the weights out of a Caffe model as NumPy arrays, in Caffe's own order and layout.

    Args:
        prototxt_filename: the net; `"-"` for the one inside the caffemodel.
        caffemodel_filename: the weights.
        out_path: where to pickle the list; `.pkl` is added. `None` writes nothing.
        verbose: print a line for every layer.
        split_layers: list the Split layers, too, that Caffe inserts.
        allow_missing: a name or names of layers that may lack weights; `"all"` allows every one.

    Returns:
        For each layer, as a running Caffe would list them, a dict with `name`, `type`, `weights` (list of float32
        arrays), `bottoms` and `tops` (lists of `(blob name, shape)`; the shape is `None` where it is not wholly known).

    Raises:
        CaffeconvError: one of its kinds; no file is written then, and an existing one is left as it was.
    """
    net = load_net(prototxt_filename, caffemodel_filename, allow_missing=allow_missing)
    net = settle_shapes(insert_splits(net) if split_layers else net)
    if out_path is not None:
        from caffeconv.writing.pickled import write_pickle

        write_pickle(output_path(out_path, "pickle", [prototxt_filename, caffemodel_filename]), net.layers)
    if verbose:
        from caffeconv.cli.printing import print_net

        print_net(net)
    return _as_dicts(net)


def _as_dicts(net: Net) -> list[dict[str, Any]]:
    import numpy as np

    return [
        {
            "name": layer.name,
            "type": layer.type,
            "weights": [np.array(blob.array, dtype=np.float32, order="C") for blob in layer.blobs],
            "bottoms": list(zip(layer.bottoms, map(whole, layer.bottom_shapes), strict=True)),
            "tops": list(zip(layer.tops, map(whole, layer.top_shapes), strict=True)),
        }
        for layer in net.layers
    ]
