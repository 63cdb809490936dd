"""The kinds of files that are given as a net or as weights, and by what in their content they are known: one table.

Sources: the formats' own documentation and writers (ONNX' onnx.proto, TensorFlow's graph.proto, Caffe2's caffe2.proto,
Darknet's parser.c, ncnn's net.cpp, PyTorch's serialization.py).
"""

from __future__ import annotations

import enum
import re
from typing import Final

__all__ = ["Kind", "foreign_text", "kind_by_magic", "kind_of_text"]


class Kind(enum.Enum):
    """A kind of file; the value finishes the sentence "FILE is ..."."""

    CAFFEMODEL = "a caffemodel (binary weights)"
    HDF5_SNAPSHOT = "an HDF5 snapshot of Caffe (weights)"
    PROTOTXT = "a prototxt (text)"

    BINARYPROTO = "a binaryproto (one blob, such as a mean image), which has no layers"
    SOLVER_STATE = "a solver state, which has no layers: the caffemodel of the same iteration has the weights"
    KERAS_HDF5 = "an HDF5 file of Keras, not of Caffe"
    KERAS_ARCHIVE = "a model of Keras 3, not of Caffe: load it with keras.saving.load_model"
    OTHER_HDF5 = "an HDF5 file, but not a snapshot of Caffe: it has no group 'data'"
    CAFFE2 = "a net of Caffe2, not of Caffe: load its init_net and predict_net with caffe2, which PyTorch 1 has"
    DARKNET = "a Darknet configuration, not a net of Caffe: give the prototxt that it was converted to"
    DARKNET_WEIGHTS = "a file of Darknet's weights, not of Caffe's: convert it with a tool for Darknet"
    NCNN = "an ncnn parameter file, not a net of Caffe: give the Caffe model that ncnn's was made of"
    ONNX = "an ONNX model, not of Caffe: convert it with a tool for ONNX"
    OPENVINO = "an XML document of OpenVINO, not a net of Caffe: give the Caffe model that it was made of"
    MXNET = "a file of MXNet's weights, not of Caffe's: load it with mxnet.nd.load"
    PYTORCH = "a PyTorch file, not of Caffe: load it with torch.load or torch.jit.load"
    SAFETENSORS = "a file of safetensors, not of Caffe: load it with the package safetensors"
    TENSORFLOW = "a TensorFlow graph (a frozen model), not of Caffe: load it with TensorFlow"
    TENSORRT = "a TensorRT engine, whose weights nobody can take out: give the Caffe model that it was built from"
    TFLITE = "a TensorFlow Lite model, not of Caffe: load it with TensorFlow"
    EMPTY = "empty"
    LFS_POINTER = "a Git LFS pointer: fetch the real file with `git lfs pull`"
    HTML = "an HTML page, probably a failed download"
    XML = "an XML document"
    JSON = "a JSON document"
    PYTHON = "a Python program: run it, if it writes the net, and give what it writes"
    YAML = "a YAML document"
    TEXT = "a text, but not a prototxt"
    UTF16 = "a text in UTF-16: save it as UTF-8"
    ZIP = "a ZIP archive: unpack it first"
    GZIP = "compressed with gzip: unpack it first"
    BZIP2 = "compressed with bzip2: unpack it first"
    XZ = "compressed with xz: unpack it first"
    SEVEN_ZIP = "a 7-Zip archive: unpack it first"
    RAR = "a RAR archive: unpack it first"
    TAR = "a tar archive: unpack it first"
    PICKLE = "a Python pickle"
    NUMPY = "a NumPy array file"
    MATLAB = "a MATLAB file: load it with scipy.io.loadmat"
    PNG = "a PNG image"
    JPEG = "a JPEG image"
    UNKNOWN = "of no kind known here, or damaged from its start"


_MAGICS: Final = (
    # where, the bytes there as a pattern, kind; the first that matches counts
    (0, rb"PK\x03\x04.{26}[^\x00/]+/(data\.pkl|constants\.pkl|byteorder|\.data/|\.format_version)", Kind.PYTORCH),
    (0, rb"PK\x03\x04.{26}(metadata\.json|config\.json|model\.weights\.h5)", Kind.KERAS_ARCHIVE),
    (0, rb"PK\x03\x04.{26}[^\x00]*?\.npy", Kind.NUMPY),
    (0, rb"PK\x03\x04|PK\x05\x06", Kind.ZIP),
    (0, rb"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19", Kind.PYTORCH),
    (0, rb"\x80[\x02-\x05]", Kind.PICKLE),
    (0, rb"\x1f\x8b\x08", Kind.GZIP),
    (0, rb"BZh", Kind.BZIP2),
    (0, rb"\xfd7zXZ\x00", Kind.XZ),
    (0, rb"7z\xbc\xaf\x27\x1c", Kind.SEVEN_ZIP),
    (0, rb"Rar!\x1a\x07", Kind.RAR),
    (0, rb"\x93NUMPY", Kind.NUMPY),
    (0, rb"\x89PNG\r\n\x1a\n", Kind.PNG),
    (0, rb"\xff\xd8\xff", Kind.JPEG),
    (0, rb"\xff\xfe|\xfe\xff", Kind.UTF16),
    (0, rb"[pf]trt", Kind.TENSORRT),
    (0, rb"\xdd\x85\x76\x00", Kind.NCNN),
    (0, rb"\x12\x01\x00\x00\x00\x00\x00\x00", Kind.MXNET),
    (0, rb"\x00{4}[\x01-\x03]\x00{3}[\x00-\x09]\x00{3}.{4}", Kind.DARKNET_WEIGHTS),
    (0, rb"MATLAB 5\.0 MAT-file", Kind.MATLAB),
    (4, rb"TFL3", Kind.TFLITE),
    (4, rb"\x00{4}\{\"", Kind.SAFETENSORS),
    (257, rb"ustar", Kind.TAR),
)
_COMPILED: Final = tuple((place, re.compile(pattern, re.DOTALL), kind) for place, pattern, kind in _MAGICS)

_TEXTS: Final = tuple(
    (re.compile(pattern, re.IGNORECASE), kind, surely)
    for pattern, kind, surely in (
        # how the text begins, what it is then, and whether it surely is no prototxt
        (r"version https://git-lfs\.github\.com/spec/", Kind.LFS_POINTER, True),
        (r"<(!doctype\s+html|html|head|body|!--)", Kind.HTML, True),
        (r"(<\?xml[^>]*>\s*)?<net\s+name\s*=", Kind.OPENVINO, True),
        (r"<\?xml", Kind.XML, True),
        (r"\[(net|network|convolutional)\]", Kind.DARKNET, True),
        (r"7767517\s", Kind.NCNN, True),
        (r"[\[{]", Kind.JSON, True),
        (r"#!.*python|(from\s+[\w.]+\s+import|import\s+\w|def\s+\w+\(|class\s+\w+)", Kind.PYTHON, False),
        (r"---\s|%YAML|[\w-]+:[^\n]*\n(?:[^\n]*\n)*?\s*-\s+\w", Kind.YAML, False),
    )
)
_LEAD: Final = re.compile(r"(?:\s|#(?!!)[^\n]*)*")
_COMMENT: Final = re.compile(r"#[^\r\n]*")
_FIELD: Final = re.compile(r"\b[A-Za-z_]\w*\s*([{<]|:(?!//))")
_HEAD: Final = 4096


def kind_by_magic(head: bytes) -> Kind | None:
    """The kind of a file that begins with certain bytes, whatever follows; `None` where they are not there."""
    return next((kind for place, pattern, kind in _COMPILED if pattern.match(head, place)), None)


def kind_of_text(text: str) -> Kind:
    """The kind of a text that begins like this."""
    start = text.lstrip()
    kind = next((kind for pattern, kind, surely in _TEXTS if surely and pattern.match(start)), None)
    if kind is not None:
        return kind
    fields = _COMMENT.sub("", text)
    if not fields.strip() or _FIELD.search(fields):
        return Kind.PROTOTXT
    return foreign_text(text) or Kind.TEXT


def foreign_text(text: str) -> Kind | None:
    """The kind of a text that cannot be read as a net, `None` if it may be meant as one."""
    start = _LEAD.match(text, 0, _HEAD)
    head = text[start.end() if start else 0 :][:_HEAD]
    return next((kind for pattern, kind, _ in _TEXTS if pattern.match(head)), None)
