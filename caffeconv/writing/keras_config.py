"""config.json of a model archive: every step with what it is called with, in the order of Keras' `model.layers`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from caffeconv.writing.keras_operations import Step, Tensor
from caffeconv.writing.unique_names import Names, model_name

__all__ = ["archive_config", "ordered_steps", "snake_case"]


def archive_config(
    name: str, steps: Sequence[Step], inputs: Sequence[Tensor], outputs: Sequence[Tensor]
) -> dict[str, Any]:
    """The content of config.json; inputs that nothing is made of are left out, since Keras 3.10 refuses them."""
    keys = _keys(steps)
    config = {
        "name": model_name(name),
        "trainable": True,
        "layers": [_layer(step, keys) for step in steps],
        "input_layers": [_history(tensor, keys) for tensor in inputs if tensor.step in keys],
        "output_layers": [_history(tensor, keys) for tensor in outputs],
    }
    return {
        "module": "keras.src.models.functional",
        "class_name": "Functional",
        "config": config,
        "registered_name": "Functional",
        "build_config": {"input_shape": None},
    }


def _keys(steps: Sequence[Step]) -> dict[Step, str]:
    """A name for each step, no name twice: of an operation the one that Keras will give it when it loads it.

    These are `pad`, `pad_1`, …, so layers have none of them.
    """
    kinds = {snake_case(step.class_name) for step in steps if step.name is None}
    like_operations = re.compile(rf"({'|'.join(kinds)})(_\d+)?")
    names, counts = Names(), dict.fromkeys(kinds, 0)
    keys = {}
    for step in steps:
        if step.name is not None:
            taken = like_operations.fullmatch(step.name.lower()) if kinds else None
            keys[step] = names.free(f"{step.name}_layer" if taken else step.name)
            continue
        kind = snake_case(step.class_name)
        keys[step] = f"{kind}_{counts[kind]}" if counts[kind] else kind
        counts[kind] += 1
    return keys


def _layer(step: Step, keys: Mapping[Step, str]) -> dict[str, Any]:
    named = {} if step.name is None else {"name": keys[step]}
    nodes = [{"args": [_argument(each, keys) for each in call], "kwargs": {}} for call in step.calls if call]
    return {
        "module": step.module,
        "class_name": step.class_name,
        "config": {**named, **step.config},
        "registered_name": step.class_name if step.name is None else None,
        "name": keys[step],
        "inbound_nodes": nodes,
    }


def _argument(value: Any, keys: Mapping[Step, str]) -> Any:
    if isinstance(value, list):
        return [_argument(each, keys) for each in value]
    if isinstance(value, Tensor):
        shape = [None] if value.sizes is None else list(value.sizes)
        config = {"shape": shape, "dtype": value.dtype, "keras_history": _history(value, keys)}
        return {"class_name": "__keras_tensor__", "config": config}
    if isinstance(value, np.ndarray):
        return {"class_name": "__numpy__", "config": {"value": value.tolist(), "dtype": value.dtype.name}}
    return value


def _history(tensor: Tensor, keys: Mapping[Step, str]) -> list[Any]:
    return [keys[tensor.step], tensor.call, tensor.output]


def snake_case(class_name: str) -> str:
    """`Conv2DTranspose` -> `conv2d_transpose`, as Keras does it."""
    name = re.sub(r"\W+", "", class_name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def ordered_steps(outputs: Sequence[Tensor]) -> list[Step]:
    """The steps that these outputs are made of, in the order of Keras' `model.layers`.

    By depth, which is the longest way to an output, and where that is the same, as they are met on the way back from
    the outputs. Keras' files of weights tell layers of a class apart by it, and before 3.6 Keras loads no layer that
    stands before one that it is called with.
    """
    met: dict[Step, int] = {}
    calls = list(_calls_by_depth(outputs, met))
    depths: dict[tuple[Step, int], int] = {}
    deepest: dict[Step, int] = {}
    for step, call in reversed(calls):
        depth = max(depths.get((step, call), 0), deepest.get(step, 0))
        deepest[step] = depths[step, call] = depth
        for tensor in _tensors(step.calls[call]):
            before = tensor.step, tensor.call
            depths[before] = max(depths.get(before, 0), depth + 1)
    return sorted(deepest, key=lambda step: (-deepest[step], met[step]))


def _calls_by_depth(outputs: Sequence[Tensor], met: dict[Step, int]) -> Iterator[tuple[Step, int]]:
    """Every call, behind those that it needs, depth first from the outputs; steps are numbered in `met` on the way."""
    done: set[tuple[Step, int]] = set()
    for output in outputs:
        way = [(output.step, output.call)]
        todo = [iter(_tensors(output.step.calls[output.call]))]
        if way[0] in done:
            continue
        met.setdefault(output.step, len(met))
        while way:
            for tensor in todo[-1]:
                if (tensor.step, tensor.call) not in done:
                    met.setdefault(tensor.step, len(met))
                    way.append((tensor.step, tensor.call))
                    todo.append(iter(_tensors(tensor.step.calls[tensor.call])))
                    break
            else:
                todo.pop()
                done.add(way[-1])
                yield way.pop()


def _tensors(arguments: Sequence[Any]) -> Iterator[Tensor]:
    for each in arguments:
        if isinstance(each, Tensor):
            yield each
        elif isinstance(each, list):
            yield from _tensors(each)
