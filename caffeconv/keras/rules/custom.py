"""Layers that no parameter describes."""

from __future__ import annotations

from collections.abc import Sequence

from caffeconv.errors import UnsupportedError
from caffeconv.keras.building import Site
from caffeconv.keras.graph import Value
from caffeconv.keras.rules.learning import as_stored
from caffeconv.keras.rules.record import Rule
from caffeconv.keras.rules.wrapping import stored

__all__ = ["ROWS"]

_MEANFIELD = ("spatial_weights", "bilateral_weights", "compatibility")


def _python(site: Site) -> Sequence[Value]:
    param = site.layer.param.python_param
    where = f"{param.module}.{param.layer}" if param.module and param.layer else "a module that the net does not name"
    raise UnsupportedError(
        f"what it computes stands in {where}: write that as a layer of Keras, and put it in its place"
    )


def _mean_field(site: Site) -> Sequence[Value]:
    return as_stored(
        site, ROWS["MultiStageMeanfield"],
        "a conditional random field (CRF-RNN) that filters over a permutohedral lattice, for which Keras has no "
        "operations: end the model at its bottoms, or put a layer of your own in its place",
    )  # fmt: skip


ROWS = {
    "Python": Rule(build=_python),
    "MultiStageMeanfield": Rule(
        ", ".join(_MEANFIELD), "none, as stored", ", ".join(_MEANFIELD), stored(*_MEANFIELD), build=_mean_field
    ),
}  # fmt: skip
