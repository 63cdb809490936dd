"""Public models with their own prototxt: what caffeconv says of them, and what real Caffe said, is the same."""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING

import h5py
import pytest

import caffeconv
from caffeconv.errors import MismatchError
from tests.support.caffe_listing import of_caffe, of_dicts
from tests.support.shared_data import MODELS, caffe_says, needs_models, weights_of

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = needs_models

WITHOUT_WEIGHTS = {
    "ovtt_person_0022": {
        "data_bn", "data_scale", "conv0", "conv0_bn", "conv0_scale", "x32_out", "x32_out_bn", "x32_out_scale",
        "x08_out", "x08_loc_dss", "x08_conf_dss", "x16_out_128", "x16_loc_dss", "x16_conf_dss", "x32_loc_dss",
        "x32_conf_dss",
    },
}  # fmt: skip
"""Layers that the caffemodel has under other names; real Caffe leaves them at their random fillers."""

UNTRACED = "the order of its inputs cannot be known"
STICKS_OUT = "pools as no layer of Keras does: its last windows stick out"
ROUNDS = [
    "mnist: its activations_compress is set",
    *(f"{name}: its weights_compress is set" for name in ("conv1", "conv2", "ip1", "ip2")),
]
WARNINGS = {
    "lenet_compress_gongcheng": ROUNDS,
    "mtcnn_kpzhang_det2": ["weights of layers that the prototxt does not have are left out: conv5-3"],
    "mxnet2caffe_residual": [
        'fc: no layer makes its bottom "flatten", shapes are unknown from here on',
        f"fc: {UNTRACED}",
        "give --keras-names, or --rename, for Keras models: neither tf-keras nor Keras 3 on TensorFlow takes the names",
    ],
    "v1_everpeace_cifar10_quick": [f"pool2: {STICKS_OUT}", f"pool3: {STICKS_OUT}"],
    "waifu2x_upresnet10_se": [
        'slashes that no Keras layer can have are left out of names: "/conv_pre" -> "conv_pre" and 22 more'
    ],
    "xilinx_facedet_fixed": [
        "weights of layers that the prototxt does not have are left out: data_fixed, size-block_fixed, "
        "norm-block_fixed, bb-label-sn_fixed, bb-label-sn-nn_fixed and 13 more",
    ],
}
"""How every warning of a conversion with the default options begins; the other models have none."""

KERAS_LAYERS = {
    "deeplandmark_1F": "Conv2D 4, Dense 2",
    "facemask_aizoo": "Conv2D 28",
    "h5_cmsisnn_cifar10_m4": "Conv2D 3, Dense 1",
    "htshinichi_test": "BatchNormalization 1, Conv2D 1",
    "hyperlpr_charrec": "Conv2D 3, Dense 2",
    "hyperlpr_finemap": "Conv2D 3, Dense 1",
    "hyperlpr_finemap_fp16": "Conv2D 3, Dense 1",
    "hyperlpr_mininet_ssd": "Conv2D 34, DepthwiseConv2D 13",
    "lenet_compress_gongcheng": "Conv2D 2, Dense 2",
    "mtcnn_kpzhang_det1": "Conv2D 5, PReLU 3",
    "mtcnn_kpzhang_det2": "Conv2D 3, Dense 3, PReLU 4",
    "mtcnn_kpzhang_det3": "Conv2D 4, Dense 4, PReLU 5",
    "mtcnn_reasonsolo_pnet_bn": "BatchNormalization 3, Conv2D 5, PReLU 3",
    "mtcnn_reasonsolo_rnet_fp16": "Conv2D 3, Dense 3, PReLU 4",
    "mxnet2caffe_residual": "BatchNormalization 16, Conv2D 16, Dense 1",
    "omz_samplenet": "Conv2D 2, Dense 3",
    "opencv_3d_triplet": "Conv2D 2, Dense 2",
    "ovtt_person_0022": "BatchNormalization 112, Conv2D 76, DepthwiseConv2D 36",
    "resnet20_cifar": "BatchNormalization 21, Conv2D 21, Dense 1",
    "retinaface_minivision": "BatchNormalization 47, Conv2D 40, Conv2DTranspose 2, DepthwiseConv2D 13",
    "tusimple_mbyolo_lite": "BatchNormalization 19, Conv2D 11, Conv2DTranspose 2, DepthwiseConv2D 9",
    "ultralight_slim320": "Conv2D 23, DepthwiseConv2D 19",
    "v1_everpeace_cifar10_quick": "Conv2D 3, Dense 2",
    "v1_leinxx_lenet": "Conv2D 2, Dense 2",
    "v1_pl8787_lenet": "Conv2D 2, Dense 2",
    "waifu2x_upconv7_rgb": "Conv2D 6, Conv2DTranspose 1",
    "waifu2x_upresnet10_se": "Conv2D 12, Conv2DTranspose 1, Dense 10",
    "xilinx_facedet_fixed": "Conv2D 13",
}
"""What each model consists of, counted in its prototxt: a BatchNorm with a Scale behind it is one layer."""

JUDGED = [folder for folder in MODELS if (folder / "caffe.json").exists()]


def named(folder: Path) -> str:
    return folder.name


def test_the_tables_speak_of_the_models_that_are_there() -> None:
    assert set(KERAS_LAYERS) == {folder.name for folder in MODELS}
    assert set(WARNINGS) | set(WITHOUT_WEIGHTS) <= set(KERAS_LAYERS)
    assert len(JUDGED) == 26


@pytest.mark.parametrize("folder", JUDGED, ids=named)
def test_layers_shapes_and_weights_are_those_of_caffe(folder: Path) -> None:
    missing = WITHOUT_WEIGHTS.get(folder.name, set())
    prototxt = folder / caffe_says(folder / "caffe.json")["prototxt"]
    ours = of_dicts(caffeconv.convert_caffemodel_to_dict(prototxt, weights_of(folder), allow_missing=missing))
    theirs = of_caffe((folder / "caffe.json").read_bytes())
    for line, expected in zip(ours, theirs, strict=True):
        if expected.partition(" ")[0] in missing:
            assert line == expected.partition(";")[0] + "; "
        else:
            assert line == expected


@pytest.mark.parametrize("folder", MODELS, ids=named)
def test_every_model_converts_with_its_own_prototxt(folder: Path, tmp_path: Path) -> None:
    missing = WITHOUT_WEIGHTS.get(folder.name, set())
    result = caffeconv.convert_caffemodel_to_keras(
        tmp_path / "out", folder / "deploy.prototxt", weights_of(folder), verbose=False, allow_missing=missing
    )
    kinds = collections.Counter(layer.keras.class_name if layer.keras else "as stored" for layer in result.layers)
    assert ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items())) == KERAS_LAYERS[folder.name]
    with h5py.File(tmp_path / "out.h5") as file:
        assert [name.decode() for name in file.attrs["layer_names"]] == [layer.name for layer in result.layers]
    warnings = [str(note) for note in result.notes if note.level == "warning"]
    if missing:
        assert {warning.partition(":")[0] for warning in warnings[:-1]} == missing
        assert warnings[-1] == (
            "weights of layers that the prototxt does not have are left out: data/norm/bn, data/norm/scale, "
            "mbox_loc1/out/conv, mbox_conf1/out/conv"
        )
    else:
        for warning, start in zip(warnings, WARNINGS.get(folder.name, []), strict=True):
            assert warning.startswith(start)


@pytest.mark.parametrize("folder", [folder for folder in MODELS if folder.name in WITHOUT_WEIGHTS], ids=named)
def test_layers_without_weights_are_refused_by_name(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(MismatchError) as refused:
        caffeconv.convert_caffemodel_to_keras(tmp_path / "out", folder / "deploy.prototxt", weights_of(folder))
    assert str(refused.value) == (
        "data_bn (BatchNorm) has no weights in the caffemodel; the nearest name in the "
        'caffemodel is "data/norm/bn"; without weights, too: data_scale, conv0, conv0_bn, conv0_scale, x32_out '
        'and 10 more; "--allow-missing all" goes on without'
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("folder", [f for f in MODELS if not f.name.startswith("h5_")], ids=named)
def test_the_net_inside_has_the_same_weights(folder: Path) -> None:
    """Each layer that both the net inside the caffemodel and the prototxt have gets the same arrays, bit for bit."""
    missing = WITHOUT_WEIGHTS.get(folder.name, set())
    inside = {layer.name: layer for layer in caffeconv.load_net("-", weights_of(folder)).layers}
    outside = caffeconv.load_net(folder / "deploy.prototxt", weights_of(folder), allow_missing=missing)
    with_weights = [layer for layer in outside.layers if layer.blobs]
    assert with_weights
    for layer in with_weights:
        for blob, other in zip(layer.blobs, inside[layer.name].blobs, strict=True):
            assert blob.array.tobytes() == other.array.tobytes()


@pytest.mark.parametrize(
    ("name", "input_shape", "warnings"),
    [
        pytest.param(
            "h5_cmsisnn_cifar10_m4", (1, 3, 32, 32), [f"pool2: {STICKS_OUT}", f"pool3: {STICKS_OUT}"], id="hdf5"
        ),
        pytest.param("lenet_compress_gongcheng", (64, 1, 28, 28), ROUNDS, id="train-prototxt"),
    ],
)
def test_an_input_shape_fills_in_what_a_train_prototxt_lacks(
    name: str, input_shape: tuple[int, ...], warnings: list[str]
) -> None:
    folder = next(folder for folder in MODELS if folder.name == name)
    net = caffeconv.load_net(folder / "deploy.prototxt", weights_of(folder), input_shapes={"data": input_shape})
    assert net.layers[0].top_shapes[0] == input_shape
    result = caffeconv.convert(net)
    said = [str(note) for note in result.notes if note.level == "warning"]
    for warning, start in zip(said, warnings, strict=True):
        assert warning.startswith(start)
    assert [note.text.split("(")[1].split(")")[0] for note in result.notes if "reordered from" in note.text] == [
        {"h5_cmsisnn_cifar10_m4": "32×4×4", "lenet_compress_gongcheng": "50×4×4"}[name]
    ]
