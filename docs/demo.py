"""Shows what `make demo` made: opens the two outputs as anybody would, with h5py and pickle alone."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import h5py


def main(keras_file: str, pickle_file: str) -> None:
    print(f"\n{keras_file}, as Keras reads it with load_weights(..., by_name=True):")
    with h5py.File(keras_file, "r") as file:
        for layer in file.attrs["layer_names"]:
            group = file[layer]
            for weight in group.attrs["weight_names"]:
                print(f"  {layer.decode():8} {weight.decode():18} {group[weight].shape}")

    print(f"\n{pickle_file}, in Caffe's own layout:")
    with Path(pickle_file).open("rb") as file:
        layers = pickle.load(file)
    for layer in layers:
        shapes = [array.shape for array in layer["weights"]]
        print(f"  {layer['name']:8} {layer['type']:14} {layer['bottoms']} -> {layer['tops']}  {shapes}")


if __name__ == "__main__":
    main(*sys.argv[1:])
