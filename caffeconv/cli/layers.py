"""`caffeconv layers`: what becomes of each layer type."""

from __future__ import annotations

import click

from caffeconv.cli.outcome import guarded

__all__ = ["layers"]


@click.command()
def layers() -> None:
    """List the Caffe layer types that have weights, and what becomes of them in Keras."""
    guarded(_run)


def _run() -> None:
    from caffeconv.cli.columns import print_table
    from caffeconv.keras.rules.table import WEIGHTED

    rows = [(name, rule.blobs, rule.keras, rule.weights) for name, rule in WEIGHTED.items()]
    print_table(("Caffe type", "Caffe's blobs", "Keras layer", "arrays in load order"), rows)
