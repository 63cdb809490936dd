"""The commands and their options. What they do lives elsewhere and is imported when a command runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, cast

import click
from click_default_group import DefaultGroup

from caffeconv.cli.options import NamedShape, as_mapping, net_options
from caffeconv.cli.text import one_line

__all__ = ["main"]

_FOR_KERAS_ONLY = frozenset({
    "bgr_to_rgb", "complete_batchnorm", "depthwise", "flatten_order", "flatten_shapes", "fold_batchnorm", "rename",
    "report", "slash",
})  # fmt: skip

_CONVERT_EXAMPLE = """
\b
Examples:
  caffeconv vgg16 deploy.prototxt VGG_ILSVRC_16_layers.caffemodel
  caffeconv --format pickle vgg16 deploy.prototxt VGG_ILSVRC_16_layers.caffemodel
"""

_INSPECT_EXAMPLE = """
\b
Example:
  caffeconv inspect deploy.prototxt VGG_ILSVRC_16_layers.caffemodel
"""


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


@main.command(epilog=_CONVERT_EXAMPLE)
@click.argument("out")
@click.argument("prototxt")
@click.argument("caffemodel")
@click.option(
    "-f", "--format", "file_format", type=click.Choice(["hdf5", "pickle"]), default="hdf5", show_default=True,
    help="hdf5: OUT.h5 for Keras. pickle: OUT.pkl, a list of dicts of NumPy arrays in Caffe's layout.",
)  # fmt: skip
@click.option(
    "-n", "--include-non-weight", "--include_non_weight", is_flag=True, help="List layers without weights, too."
)
@click.option(
    "-u", "--skip-unknown", "--skip_unknown", is_flag=True,
    help="Leave out layer types that have no Keras form instead of writing their arrays as stored.",
)  # fmt: skip
@click.option(
    "-b", "--backend", type=click.Choice(["tf", "theano", "cntk"]), default="tf", show_default=True,
    help="Keras backend; theano gets flipped kernels.",
)  # fmt: skip
@click.option("-v", "--verbose", is_flag=True, help="Show a table of all layers, and every note.")
@click.option("--report", metavar="FILE.json", help="Write what each Keras layer must be, and every note, as JSON.")
@click.option("--strict", is_flag=True, help="Fail where there would be a warning, and write nothing.")
@click.option(
    "--allow-missing", multiple=True, metavar="LAYER",
    help="Go on though this layer (or: all) has no weights in the caffemodel.",
)  # fmt: skip
@click.option(
    "--slash", metavar="STRING", default="/",
    help="Put this in place of every / in a layer name, which Keras 3 does not allow.",
)  # fmt: skip
@click.option("--rename", metavar="FILE", help="New names for layers: a JSON object, or lines old=new.")
@click.option(
    "--flatten-order", type=click.Choice(["hwc", "chw"]), default="hwc", show_default=True,
    help="Order of flattened feature maps in front of an InnerProduct: Keras' own, or Caffe's.",
)  # fmt: skip
@click.option(
    "--flatten-shape", "flatten_shapes", type=NamedShape(), multiple=True, callback=as_mapping,
    help="Flattened feature maps that a layer stands behind, where they cannot be traced, like fc6=512,7,7.",
)  # fmt: skip
@click.option(
    "--depthwise", type=click.Choice(["depthwise", "conv2d"]), default="depthwise", show_default=True,
    help="What a convolution with as many groups as input channels becomes.",
)  # fmt: skip
@click.option("--bgr-to-rgb", is_flag=True, help="Swap blue and red in the first convolutions, for RGB input.")
@click.option(
    "--fold-batchnorm", is_flag=True,
    help="Fold each BatchNorm, with its Scale, into the convolution or InnerProduct before it.",
)  # fmt: skip
@click.option(
    "--complete-batchnorm", is_flag=True,
    help="Write gamma 1 and beta 0 where Caffe has none, so that a plain BatchNormalization takes the arrays.",
)  # fmt: skip
@net_options
def convert(**options: Any) -> None:
    """Convert the weights of CAFFEMODEL to OUT.h5 or OUT.pkl.

    PROTOTXT is the net's text; - uses the net inside the caffemodel. Caffe's HDF5 snapshots do as CAFFEMODEL, too.
    """
    from caffeconv.cli.conversion import Options, run

    if options["file_format"] == "pickle":
        _refuse_keras_options(click.get_current_context())
    _guarded(lambda: run(Options(**options)))


@main.command(epilog=_INSPECT_EXAMPLE)
@click.argument("files", nargs=-1, required=True, metavar="FILE [FILE]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
@net_options
def inspect(files: Sequence[str], **options: Any) -> None:
    """List what a caffemodel, a prototxt, or both together hold."""
    if len(files) > 2:
        raise click.UsageError("give one file, or a prototxt and a caffemodel")
    from caffeconv.cli.inspection import run

    _guarded(lambda: run(files=files, **options))


@main.command()
def layers() -> None:
    """List the Caffe layer types that have weights, and what becomes of them in Keras."""
    from caffeconv.cli.report import print_rules

    _guarded(print_rules)


def _refuse_keras_options(context: click.Context) -> None:
    """A pickle holds Caffe's layers in Caffe's layout: what changes Keras' arrays or names has no meaning for it.

    caffe_weight_converter takes -n, -u and -b with a pickle and ignores them, so they pass here.
    """
    given = click.core.ParameterSource.COMMANDLINE
    refused = [
        parameter.opts[-1]
        for parameter in context.command.params
        if parameter.name in _FOR_KERAS_ONLY and context.get_parameter_source(parameter.name) is given
    ]
    if refused:
        raise click.UsageError(f"{', '.join(refused)}: for --format hdf5 only, a pickle has Caffe's own layers")


def _guarded(run: Callable[[], None]) -> None:
    """Run a command; what stops it on purpose is one line on stderr and exit status 1."""
    from caffeconv.errors import CaffeconvError

    try:
        run()
        sys.stdout.flush()
    except CaffeconvError as error:
        click.echo(f"error: {one_line(str(error))}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        # The reader of our output has seen enough, and the interpreter must not try to tell it more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        click.echo(f"error: {error.strerror or error}", err=True)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
