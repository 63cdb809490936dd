"""The commands together, each of which has a file of its own; what they do is imported when they run."""

from __future__ import annotations

from typing import cast

import click
from click_default_group import DefaultGroup

from caffeconv.cli.convert import convert
from caffeconv.cli.inspect import inspect
from caffeconv.cli.layers import layers

__all__ = ["main"]


@click.group(
    cls=cast("type[click.Group]", DefaultGroup),
    default="convert",
    default_if_no_args=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="caffeconv")
def main() -> None:
    """Take the weights out of Caffe models, with no Caffe on the machine.

    Writes an HDF5 file that Keras loads by name, or a pickle of NumPy arrays. Weights only: the model definition is
    yours to write. `caffeconv OUT PROTOTXT CAFFEMODEL` is short for `caffeconv convert OUT PROTOTXT CAFFEMODEL`.
    """


for _command in (convert, inspect, layers):
    main.add_command(_command)
