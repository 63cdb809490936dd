"""Load one pickle under the Python that runs this, with whatever NumPy it has; needs nothing else.

python tests/judges/old_numpy.py write net.pkl     # with caffeconv installed
python tests/judges/old_numpy.py read net.pkl      # Python 3.8 or newer, NumPy 1.17 or newer
"""

import pickle
import sys
import warnings
from pathlib import Path

SHAPES = [(2, 3, 4, 5), (7,), (), (0, 3)]


def expected(shape):
    import numpy as np

    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape) - np.float32(0.5)


def write(path):
    from caffe_proto.caffe_pb2 import LayerParameter
    from caffeconv.model import Blob, Layer
    from caffeconv.writing.pickled import write_pickle

    blobs = tuple(Blob(expected(shape)) for shape in SHAPES)
    param = LayerParameter()
    layer = Layer("conv1/größe", "Convolution", param, ("data",), ("conv1",), blobs, ((1, 3, 2, 2),), (None,))
    write_pickle(path, [layer, Layer("relu", "ReLU", param)])


def read(path):
    warnings.simplefilter("error")
    conv, relu = pickle.loads(Path(path).read_bytes())
    import numpy as np

    assert list(conv) == ["name", "type", "weights", "bottoms", "tops"], conv
    assert conv["name"] == "conv1/größe" and conv["type"] == "Convolution"
    assert conv["bottoms"] == [("data", (1, 3, 2, 2))] and conv["tops"] == [("conv1", None)]
    assert relu == {"name": "relu", "type": "ReLU", "weights": [], "bottoms": [], "tops": []}
    assert len(conv["weights"]) == len(SHAPES)
    for array, shape in zip(conv["weights"], SHAPES):  # noqa: B905  # Python 3.10 has strict=
        assert type(array) is np.ndarray and array.dtype == np.float32 and array.shape == shape
        assert array.flags.c_contiguous and array.flags.writeable and array.flags.aligned
        assert array.tobytes() == expected(shape).tobytes()
        array[...] = 1
        assert (pickle.loads(pickle.dumps(array)) == 1).all()
    print(f"Python {sys.version.split()[0]}, NumPy {np.__version__}: the pickle loads")


if __name__ == "__main__":
    {"write": write, "read": read}[sys.argv[1]](sys.argv[2])
