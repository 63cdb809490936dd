"""`caffeconv convert`: read, convert, write, and say what came out. What that takes is imported when it runs."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from caffeconv.cli.options import NamedShape, as_mapping, net_options
from caffeconv.cli.outcome import guarded
from caffeconv.cli.progress import shown_progress
from caffeconv.cli.text import printable
from caffeconv.errors import MismatchError

if TYPE_CHECKING:
    from caffeconv.keras.graph import Model
    from caffeconv.model import Net, Note, PartialShape, Result, Shape
    from caffeconv.writing.values import Examine, Written

__all__ = ["convert"]

_FOR_KERAS_ONLY = frozenset({
    "bgr_to_rgb", "complete_batchnorm", "depthwise", "flatten_order", "flatten_shapes", "fold_batchnorm", "keras_names",
    "rename", "report", "slash",
})  # fmt: skip

_FOR_FILES_OF_WEIGHTS = frozenset({"keras_names", "rename", "slash"})

_NOT_FOR_MODELS = frozenset({"backend"})

_EXAMPLE = """
\b
Examples:
  caffeconv vgg16 deploy.prototxt VGG_ILSVRC_16_layers.caffemodel
  caffeconv --format py vgg16 deploy.prototxt VGG_ILSVRC_16_layers.caffemodel
  caffeconv --format keras vgg16 deploy.prototxt VGG_ILSVRC_16_layers.caffemodel
  caffeconv --format pickle vgg16 deploy.prototxt VGG_ILSVRC_16_layers.caffemodel
"""


@click.command(epilog=_EXAMPLE)
@click.argument("out")
@click.argument("prototxt")
@click.argument("caffemodel")
@click.option(
    "-f", "--format", "formats", type=click.Choice(["hdf5", "py", "keras", "pickle"]), multiple=True, default=["hdf5"],
    show_default=True,
    help="hdf5: OUT.h5, weights for Keras. py: OUT.py, the Keras model, and OUT.h5. keras: OUT.keras, the model and its"
    " weights in one file, which Keras 3 loads. pickle: OUT.pkl, a list of dicts of NumPy arrays in Caffe's layout. May"
    " be given often.",
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
@click.option("--report", metavar="FILE.json", help="Write what each layer became, the model, and every note, as JSON.")
@click.option("--strict", is_flag=True, help="Fail where there would be a warning, and write nothing.")
@click.option(
    "--allow-missing", multiple=True, metavar="LAYER",
    help="Go on though this layer (or: all) has no weights in the caffemodel.",
)  # fmt: skip
@click.option(
    "--slash", metavar="STRING", default="/",
    help="Put this in place of every / in a layer name, which Keras 3 does not allow.",
)  # fmt: skip
@click.option(
    "--keras-names", is_flag=True,
    help="Name layers as --format py and keras do: all Keras take such names, and --report has both.",
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
    """Convert CAFFEMODEL to OUT.h5, to OUT.py and OUT.h5, to OUT.keras, or to OUT.pkl.

    PROTOTXT is the net's text; - uses the net inside the caffemodel. Caffe's HDF5 snapshots do as CAFFEMODEL, too.
    """
    if set(options["formats"]) == {"pickle"}:
        _refuse_options(_FOR_KERAS_ONLY, "for --format hdf5, py or keras only, a pickle has Caffe's own layers")
    if not {"hdf5", "py"} & set(options["formats"]):
        _refuse_options(_FOR_FILES_OF_WEIGHTS, "for --format hdf5 or py only, OUT.keras has names of its own")
    for name in ("py", "keras"):
        if name in options["formats"]:
            _refuse_options(_NOT_FOR_MODELS, f"for weights alone, the model of --format {name} is for every backend")
    guarded(lambda: _run(_Options(**options)))


def _refuse_options(names: Collection[str], reason: str) -> None:
    """Refuse options that have no meaning for the formats.

    caffe_weight_converter takes -n, -u and -b with a pickle and ignores them, so they pass there.
    """
    context = click.get_current_context()
    given = click.core.ParameterSource.COMMANDLINE
    refused = [
        parameter.opts[-1]
        for parameter in context.command.params
        if parameter.name in names and context.get_parameter_source(parameter.name) is given
    ]
    if refused:
        raise click.UsageError(f"{', '.join(refused)}: {reason}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Options:
    """The command's arguments and options, under their own names."""

    out: str
    prototxt: str
    caffemodel: str
    formats: Sequence[Literal["hdf5", "py", "keras", "pickle"]]
    include_non_weight: bool
    skip_unknown: bool
    backend: str
    verbose: bool
    report: str | None
    strict: bool
    allow_missing: Sequence[str]
    slash: str
    keras_names: bool
    rename: str | None
    flatten_order: Literal["hwc", "chw"]
    flatten_shapes: Mapping[str, Shape]
    depthwise: Literal["depthwise", "conv2d"]
    bgr_to_rgb: bool
    fold_batchnorm: bool
    complete_batchnorm: bool
    phase: Literal["TRAIN", "TEST"]
    level: int
    stages: Sequence[str]
    input_shapes: Mapping[str, PartialShape]

    @property
    def inputs(self) -> tuple[str, ...]:
        """The files that are read, which no output may replace."""
        prototxt = [self.prototxt] if self.prototxt != "-" else []
        return (*prototxt, self.caffemodel, *([self.rename] if self.rename is not None else []))

    @property
    def written(self) -> tuple[str, ...]:
        """The formats that get a file of their own; the model of --format py loads the weights beside it."""
        return tuple(dict.fromkeys([*(["hdf5"] if "py" in self.formats else []), *self.formats]))


def _run(options: _Options) -> None:
    """Convert as the options say, and tell what was written; nothing is, where this raises a CaffeconvError."""
    from caffeconv.model import carrying
    from caffeconv.net.loading import load_net
    from caffeconv.writing.outputs import check_apart, output_path

    paths: dict[str, Path] = {name: output_path(options.out, name) for name in ("hdf5", *options.formats)}
    report = [options.report] if options.report is not None else []
    check_apart([*(paths[name] for name in options.written), *report], options.inputs)
    net = load_net(
        options.prototxt,
        options.caffemodel,
        phase=options.phase,
        level=options.level,
        stages=options.stages,
        input_shapes=options.input_shapes,
        allow_missing=options.allow_missing,
    )
    with carrying(net.notes):
        if set(options.formats) != {"pickle"}:
            _to_keras(net, paths, options)
        if "pickle" in options.formats:
            _to_pickle(net, paths["pickle"], options)


def _to_pickle(net: Net, path: Path, options: _Options) -> None:
    from caffeconv.cli.printing import print_net, print_notes, print_written
    from caffeconv.net import insert_splits, settle_shapes
    from caffeconv.writing.pickled import write_pickle

    net = settle_shapes(insert_splits(net))
    _refuse_warnings(net.notes, options.strict)
    sizes = [[blob.array.size for blob in layer.blobs] for layer in net.layers]
    found: list[Note] = []
    with shown_progress(sizes) as progress:
        write_pickle(path, net.layers, progress=progress, examine=_examining(found, options.strict))
    if options.verbose:
        print_net(net)
    print_notes((*net.notes, *found), options.verbose)
    print_written(path, sizes)


def _to_keras(net: Net, paths: Mapping[str, Path], options: _Options) -> None:
    """Every file that was asked for appears once all are written."""
    from caffeconv.cli.printing import print_layers, print_notes, print_written
    from caffeconv.writing.keras_h5 import write_keras_h5

    model, plain, result, backend = _converted(net, options)
    _refuse_warnings(result.notes, options.strict)
    sizes = [[weight.view.size for weight in layer.weights] for layer in result.layers]
    stored = {old.name: new.name for old, new in zip(plain.layers, result.layers, strict=True)}
    weights = paths["hdf5"] if {"hdf5", "py"} & set(options.formats) else None
    found: list[Note] = []
    examine = _examining(found, options.strict)
    with contextlib.ExitStack() as stack:
        stack.enter_context(_report(net, model, result, stored, found, options.report))
        stack.enter_context(_text(net, model, paths.get("py"), stored, paths["hdf5"]))
        progress = stack.enter_context(shown_progress(sizes))
        alone = (progress, examine) if weights is None else (None, None)
        stack.enter_context(_archive(net, model, paths.get("keras"), *alone))
        if weights is not None:
            write_keras_h5(weights, result.layers, backend=backend, progress=progress, examine=examine)
    if options.verbose:
        print_layers(result)
    print_notes((*result.notes, *found), options.verbose)
    if weights is not None:
        print_written(weights, sizes)
    if "py" in paths:
        print(f"{printable(str(paths['py']))}: the model, which loads {printable(paths['hdf5'].name)}")
    if "keras" in paths:
        print(f"{printable(str(paths['keras']))}: the model with its weights, for keras.saving.load_model")


def _text(
    net: Net, model: Model, path: Path | None, stored: Mapping[str, str], weights: Path
) -> contextlib.AbstractContextManager[None]:
    if path is None:
        return contextlib.nullcontext()
    from caffeconv.writing.atomic import appearing
    from caffeconv.writing.python_source import python_source

    return appearing(path, python_source(net, model, stored, weights.name))


def _archive(
    net: Net, model: Model, path: Path | None, progress: Callable[[int], None] | None, examine: Examine | None
) -> contextlib.AbstractContextManager[None]:
    if path is None:
        return contextlib.nullcontext()
    from caffeconv.writing.keras_archive import archiving

    return archiving(path, net, model, progress=progress, examine=examine)


def _report(
    net: Net,
    model: Model,
    result: Result,
    stored: Mapping[str, str],
    found: Sequence[Note],
    path: str | None,
) -> contextlib.AbstractContextManager[None]:
    if path is None:
        return contextlib.nullcontext()
    from caffeconv.writing.report import reporting

    return reporting(path, net, model, result, stored, found)


def _converted(net: Net, options: _Options) -> tuple[Model, Result, Result, str]:
    """The graph, its arrays, these under the names and for the backend that were asked for, and its name."""
    from caffeconv.cli.new_names import read_renames
    from caffeconv.keras.adjust.backends import for_backend
    from caffeconv.keras.adjust.renaming import rename_layers
    from caffeconv.keras.building import Options
    from caffeconv.keras.conversion import model_of, result_of
    from caffeconv.keras.refused_names import with_name_notes

    wanted = Options(
        flatten_order=options.flatten_order,
        flatten_shapes=options.flatten_shapes,
        depthwise=options.depthwise,
        include_unknown=not options.skip_unknown,
        bgr_to_rgb=options.bgr_to_rgb,
        fold_batchnorm=options.fold_batchnorm,
        complete_batchnorm=options.complete_batchnorm,
    )
    model = model_of(net, wanted)
    result = result_of(model, net, wanted, options.include_non_weight)
    names = read_renames(options.rename) if options.rename is not None else {}
    if options.keras_names:
        from caffeconv.writing.unique_names import safe_names

        rest = [layer.name for layer in result.layers if layer.name not in names]
        names = {**safe_names(model, rest, names.values()), **names}
    others = {layer.name for layer in net.layers}
    renamed = rename_layers(result, names, options.slash, others)
    if "hdf5" in options.formats:
        renamed = with_name_notes(renamed)
    return (model, result, *for_backend(renamed, options.backend))


def _examining(found: list[Note], strict: bool) -> Examine:
    """Gathers what is odd about values; where a warning is an error, before a file takes its place."""
    from caffeconv.writing.values import value_notes

    def examine(arrays: Sequence[Written]) -> None:
        found.extend(value_notes(arrays))
        _refuse_warnings(found, strict)

    return examine


def _refuse_warnings(notes: Sequence[Note], strict: bool) -> None:
    warnings = [note for note in notes if note.level == "warning"]
    if strict and warnings:
        from caffeconv.model import carrying

        with carrying(warnings[1:]):
            raise MismatchError(f"a warning, and --strict was given: {warnings[0]}")
