from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import struct
import tarfile
import zipfile
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest

from caffeconv.errors import ParseError
from caffeconv.reading.kinds import Kind
from caffeconv.reading.sniff import detect_kind, open_input
from tests.support import wire_writer as write
from tests.support.shared_data import MODELS, PROTOTXTS, needs_models, needs_prototxts, weights_of

if TYPE_CHECKING:
    from pathlib import Path

NET = write.chunk(1, "LeNet") + write.layer("conv1", "Convolution", write.blob(2, 3))
V1_NET = write.v1_layer("conv1", 4, write.blob(2, 3))


CAFFE2_FILL = write.chunk(
    2,
    write.chunk(2, "conv_w") + write.chunk(4, "GivenTensorFill") + write.chunk(5, write.chunk(1, "shape") + bytes(3)),
)
"""op { output type arg { name … } }"""


def _zip(name: str = "deploy.prototxt") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, "name: 'x'")
    return buffer.getvalue()


def _tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        info = tarfile.TarInfo("x.caffemodel")
        info.size = len(NET)
        archive.addfile(info, io.BytesIO(NET))
    return buffer.getvalue()


def _npy() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        pytest.param(NET, Kind.CAFFEMODEL, id="v2"),
        pytest.param(V1_NET, Kind.CAFFEMODEL, id="v1-no-name"),
        pytest.param(write.v0_layer("a", "conv", bottom="x", top="y"), Kind.CAFFEMODEL, id="v0"),
        pytest.param(write.chunk(9, "deephi-tech") + NET, Kind.CAFFEMODEL, id="field-of-a-fork-first"),
        pytest.param(write.chunk(1, ""), Kind.CAFFEMODEL, id="net-without-layers"),
        pytest.param(NET[:30], Kind.CAFFEMODEL, id="cut-short"),
        pytest.param(
            write.layer("fc", "InnerProduct", write.blob(9999)), Kind.CAFFEMODEL, id="first-layer-beyond-head"
        ),
        pytest.param(b'name: "x"\nlayer {\n}\n', Kind.PROTOTXT, id="prototxt"),
        pytest.param(b"\xef\xbb\xbfname: 'x'", Kind.PROTOTXT, id="bom"),
        pytest.param(b"\r\n\r\n# net\r\n\r\nlayer\r\n{\r\n}\r\n", Kind.PROTOTXT, id="crlf-comment-first"),
        pytest.param(b"#" + b" licence" * 3000 + b"\nname: 'x'", Kind.PROTOTXT, id="comment-longer-than-head"),
        pytest.param(b"# nur ein Kommentar \xe4\xf6\xfc", Kind.PROTOTXT, id="comment-only-latin-1"),
        pytest.param(b'name: "\xd1\xf8\xe9"\nlayer {}', Kind.PROTOTXT, id="latin-1"),
        pytest.param(b"layer < name: 'a' >", Kind.PROTOTXT, id="angle-brackets"),
        pytest.param(b'name: "x"\x1a', Kind.PROTOTXT, id="dos-end-of-file"),
        pytest.param(b"", Kind.EMPTY, id="empty"),
        pytest.param(
            b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 9\n", Kind.LFS_POINTER, id="lfs"
        ),
        pytest.param(b"\n<!DOCTYPE HTML>\n<html>", Kind.HTML, id="html-doctype"),
        pytest.param(b"\xef\xbb\xbf<!doctype html>", Kind.HTML, id="html-bom"),
        pytest.param(b"<HTML><body>404</body>", Kind.HTML, id="html"),
        pytest.param(b"<?xml version='1.0'?><Error/>", Kind.XML, id="xml"),
        pytest.param(json.dumps({"class_name": "Model"}).encode(), Kind.JSON, id="json"),
        pytest.param(b"Not found\n", Kind.TEXT, id="text"),
        pytest.param("name: 'x'".encode("utf-16"), Kind.UTF16, id="utf-16"),
        pytest.param(_zip(), Kind.ZIP, id="zip"),
        pytest.param(gzip.compress(NET), Kind.GZIP, id="gzip"),
        pytest.param(_tar(), Kind.TAR, id="tar"),
        pytest.param(_npy(), Kind.NUMPY, id="npy"),
        pytest.param(pickle.dumps([1], protocol=2), Kind.PICKLE, id="pickle-2"),
        pytest.param(pickle.dumps([1], protocol=5), Kind.PICKLE, id="pickle-5"),
        pytest.param(b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR", Kind.PNG, id="png"),
        pytest.param(b"\xff\xd8\xff\xe0\x00\x10JFIF", Kind.JPEG, id="jpeg"),
        pytest.param(
            write.number(1, 1)
            + write.number(2, 3)
            + write.number(3, 2)
            + write.number(4, 1)
            + write.packed_floats(5, range(6)),
            Kind.BINARYPROTO,
            id="mean-image",
        ),
        pytest.param(write.blob(2, 3), Kind.BINARYPROTO, id="mean-image-with-shape"),
        pytest.param(
            write.number(1, 100) + write.chunk(2, "lenet_iter_100.caffemodel") + write.chunk(3, write.blob(2)),
            Kind.SOLVER_STATE,
            id="solver-state",
        ),
        pytest.param(
            write.number(1, 1)
            + write.number(2, 3)
            + write.number(3, 1)
            + write.number(4, 2)
            + write.number(5, 1)
            + write.packed_floats(6, range(6)),
            Kind.BINARYPROTO,
            id="mean-video-of-c3d",
        ),
        # ONNX: ir_version 8, producer_name "pytorch"
        pytest.param(bytes.fromhex("0808 1207 7079746f726368"), Kind.ONNX, id="onnx"),
        pytest.param(
            write.number(1, 3) + write.chunk(7, write.chunk(1, write.chunk(4, "Conv")) + bytes(9999)),
            Kind.ONNX,
            id="onnx-without-a-maker",
        ),
        # TensorFlow's GraphDef: node { name: "x" op: "Placeholder" }
        pytest.param(bytes.fromhex("0a10 0a0178 120b") + b"Placeholder" + b"\x22\x00", Kind.TENSORFLOW, id="graph-def"),
        pytest.param(
            write.chunk(1, write.chunk(1, "w") + write.chunk(2, "Const") + write.chunk(5, bytes(99_999))),
            Kind.TENSORFLOW,
            id="graph-def-of-one-great-constant",
        ),
        pytest.param(write.chunk(1, "n") + CAFFE2_FILL * 2, Kind.CAFFE2, id="caffe2-init-net"),
        pytest.param(
            write.chunk(1, "n")
            + write.chunk(2, write.chunk(1, "data") + write.chunk(2, "relu") + write.chunk(4, "Relu")),
            Kind.CAFFE2,
            id="caffe2-predict-net",
        ),
        pytest.param(_zip("archive/data.pkl"), Kind.PYTORCH, id="torch-zip"),
        pytest.param(_zip("model_best/data.pkl"), Kind.PYTORCH, id="torch-zip-by-name"),
        pytest.param(_zip("metadata.json"), Kind.KERAS_ARCHIVE, id="keras-3"),
        pytest.param(_zip("arr_0.npy"), Kind.NUMPY, id="npz"),
        pytest.param(bytes.fromhex("80028a0a6cfc9c46f9206aa85019") + b".", Kind.PYTORCH, id="torch-pickle"),
        pytest.param(b"7767517\n75 83\nInput data 0 1 data\n", Kind.NCNN, id="ncnn-param"),
        pytest.param(struct.pack("<3i", 7767517, 75, 83), Kind.NCNN, id="ncnn-param-bin"),
        pytest.param(b"[net]\nbatch=64\n\n[convolutional]\n", Kind.DARKNET, id="darknet-cfg"),
        pytest.param(b"# Training\n[net]\nbatch=64\n", Kind.DARKNET, id="darknet-cfg-comment-first"),
        pytest.param(struct.pack("<3iq4f", 0, 2, 0, 32013312, 1, 2, 3, 4), Kind.DARKNET_WEIGHTS, id="darknet-weights"),
        pytest.param(b"ptrt" + bytes(20), Kind.TENSORRT, id="tensorrt"),
        pytest.param(b"ftrt" + bytes(20), Kind.TENSORRT, id="tensorrt-10"),
        pytest.param(b"\x1c\0\0\0TFL3" + bytes(20), Kind.TFLITE, id="tf-lite"),
        pytest.param(struct.pack("<Q", 14) + b'{"w":{"a":[0]}', Kind.SAFETENSORS, id="safetensors"),
        pytest.param(struct.pack("<QQ", 0x112, 0) + bytes(9), Kind.MXNET, id="mxnet"),
        pytest.param(b'<net name="x" version="10">', Kind.OPENVINO, id="openvino"),
        pytest.param(b'<?xml version="1.0"?>\n<net name="x">', Kind.OPENVINO, id="openvino-declared"),
        pytest.param(b"import caffe\nprint(1)\n", Kind.PYTHON, id="python"),
        pytest.param(bytes(range(256)) * 40, Kind.UNKNOWN, id="binary"),
        pytest.param(b"\x00", Kind.UNKNOWN, id="one-zero"),
        pytest.param(b"\x00" + b"\xff" * 100, Kind.UNKNOWN, id="endless-varint"),
    ],
)
def test_kind_by_content(tmp_path: Path, content: bytes, kind: Kind) -> None:
    path = tmp_path / "x.json.caffemodel"
    path.write_bytes(content)
    assert detect_kind(path) is kind


def test_kind_of_hdf5(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "snapshot", "w") as file:
        file["data/conv1/0"] = np.zeros((2, 3), np.float32)
    with h5py.File(tmp_path / "keras2", "w") as file:
        file.attrs["layer_names"] = np.array([b"data"])
        file["data/data/kernel:0"] = np.zeros(3)
    with h5py.File(tmp_path / "keras_model", "w") as file:
        file.create_group("model_weights")
    with h5py.File(tmp_path / "images", "w") as file:
        file["data"] = np.zeros((1, 3, 4, 4))
    with h5py.File(tmp_path / "state", "w") as file:
        file["iter"], file["learned_net"], file["current_step"] = 7, "lenet_iter_7.caffemodel.h5", 0
    with h5py.File(tmp_path / "with_user_block", "w", userblock_size=1024) as file:
        file["data/conv1/0"] = np.zeros(3, np.float32)
    assert {path.name: detect_kind(path) for path in tmp_path.iterdir()} == {
        "snapshot": Kind.HDF5_SNAPSHOT,
        "keras2": Kind.KERAS_HDF5,
        "keras_model": Kind.KERAS_HDF5,
        "images": Kind.OTHER_HDF5,
        "state": Kind.SOLVER_STATE,
        "with_user_block": Kind.HDF5_SNAPSHOT,
    }


@pytest.mark.parametrize(
    ("content", "wanted", "line"),
    [
        pytest.param(
            b"name: 'x'", [Kind.CAFFEMODEL], "is a prototxt (text); the caffemodel (binary weights)", id="swapped"
        ),
        pytest.param(NET, [Kind.PROTOTXT], "is a caffemodel (binary weights); the prototxt (text)", id="swapped-back"),
        pytest.param(b"", [Kind.PROTOTXT], "is empty; the prototxt", id="empty"),
        pytest.param(
            b"version https://git-lfs.github.com/spec/v1\n",
            [Kind.CAFFEMODEL, Kind.HDF5_SNAPSHOT],
            "is a Git LFS pointer: fetch the real file with `git lfs pull`; the caffemodel (binary weights) or Caffe's",
            id="lfs",
        ),
        pytest.param(b"<!DOCTYPE html>", [Kind.CAFFEMODEL], "is an HTML page, probably a failed download", id="html"),
        pytest.param(_zip(), [Kind.CAFFEMODEL], "is a ZIP archive: unpack it first", id="zip"),
    ],
)
def test_error_says_what_it_is_instead(tmp_path: Path, content: bytes, wanted: list[Kind], line: str) -> None:
    path = tmp_path / "given"
    path.write_bytes(content)
    with pytest.raises(ParseError) as error:
        open_input(path, *wanted)
    message = str(error.value)
    assert message.startswith(f"{path} {line}")
    assert message.endswith("was expected here")
    assert "\n" not in message


def test_expected_kind_is_returned(tmp_path: Path) -> None:
    path = tmp_path / "lenet_iter_10000"
    path.write_bytes(NET)
    assert open_input(path, Kind.PROTOTXT, Kind.CAFFEMODEL).kind is Kind.CAFFEMODEL


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ParseError, match=r"nowhere\.caffemodel cannot be read: No such file"):
        detect_kind(tmp_path / "nowhere.caffemodel")


def test_folder(tmp_path: Path) -> None:
    with pytest.raises(ParseError, match="is a folder"):
        detect_kind(tmp_path)


def test_path_with_nul() -> None:
    with pytest.raises(ParseError, match="cannot be read"):
        detect_kind("a\0b")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ParseError, match="is not a regular file"):
        detect_kind(tmp_path / "pipe")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_unreadable_file(tmp_path: Path) -> None:
    path = tmp_path / "secret.caffemodel"
    path.write_bytes(NET)
    path.chmod(0)
    with pytest.raises(ParseError, match="cannot be read: Permission denied"):
        detect_kind(path)


@needs_prototxts
def test_real_prototxts() -> None:
    assert [path.name for path in PROTOTXTS if detect_kind(path) is not Kind.PROTOTXT] == []


@needs_models
def test_real_models() -> None:
    kinds = {(path.suffix, detect_kind(path)) for path in map(weights_of, MODELS)}
    assert kinds == {(".caffemodel", Kind.CAFFEMODEL), (".h5", Kind.HDF5_SNAPSHOT)}
