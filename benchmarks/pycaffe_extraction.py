"""The way of converters that need Caffe: pycaffe loads the net, its arrays are copied out, h5py writes them.

    python pycaffe_extraction.py PROTOTXT CAFFEMODEL DESCRIPTION OUT.h5

Runs in pycaffe's Python (3.6 or later).
"""

import json
import os
import sys

import numpy as np
import plain_keras

os.environ.setdefault("GLOG_minloglevel", "2")  # read by glog when Caffe is imported

import caffe

if __name__ == "__main__":
    prototxt, model, description, out = sys.argv[1:]
    net = caffe.Net(prototxt, model, caffe.TEST)
    with open(description) as file:  # noqa: PTH123  (Python 3.6)
        flattened = json.load(file)["flattened"]
    layers = [
        (name, layer.type, [np.array(blob.data) for blob in layer.blobs])
        for name, layer in zip(net._layer_names, net.layers)  # noqa: B905  (Python 3.6)
    ]
    plain_keras.write(out, layers, flattened)
