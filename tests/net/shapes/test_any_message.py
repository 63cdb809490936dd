"""Whatever a message holds: no exception, no waiting, a shape for each top."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf import text_format
from google.protobuf.descriptor import FieldDescriptor
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from caffe_proto.caffe_pb2 import LayerParameter
from caffeconv.net.shapes import expected_blobs, infer_top_shapes
from caffeconv.net.shapes.table import TABLE
from tests.support.shape_cases import IMAGE, Case

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from caffeconv.model import MaybeShape

HUGE = 2**31 - 1

_SIZES = st.sampled_from([0, 1, 2, 3, 5, 7, 64, HUGE, 2**32 - 1])
_SIGNED = st.sampled_from([-HUGE - 1, -5, -2, -1, 0, 1, 2, 3, 4, 64, HUGE])
_SHAPES = st.lists(st.integers(1, 9), max_size=6).map(tuple) | st.sampled_from([IMAGE, (2, 3), (HUGE,)])
_PARTIAL = st.lists(st.none() | st.integers(1, 9), max_size=6).map(tuple)
_UNSIGNED_TYPES = (FieldDescriptor.TYPE_UINT32, FieldDescriptor.TYPE_UINT64)
_FLOAT_TYPES = (FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_DOUBLE)


def _value(draw: st.DrawFn, field: Any) -> object:
    """`field` is a FieldDescriptor, of whichever implementation of protobuf."""
    if field.type in _FLOAT_TYPES:
        return draw(st.sampled_from([0.0, 1.0, 2.0, 0.5, -1.0, float("inf"), float("nan")]))
    if field.type == FieldDescriptor.TYPE_BOOL:
        return draw(st.booleans())
    if field.enum_type is not None:
        return draw(st.sampled_from([value.number for value in field.enum_type.values]))
    return draw(_SIZES if field.type in _UNSIGNED_TYPES else _SIGNED)


def _fill(draw: st.DrawFn, message: Message, depth: int = 0) -> None:
    """Set some of a message's numbers, at most a few levels deep."""
    for field in message.DESCRIPTOR.fields:
        if field.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES) or not draw(st.booleans()):
            continue
        target = getattr(message, field.name)
        repeated = hasattr(target, "extend")
        if field.message_type is not None:
            if depth < 1 and not field.name.endswith("filler"):
                _fill(draw, target.add() if repeated else target, depth + 1)
                if not repeated:
                    target.SetInParent()
        elif repeated:
            target.extend(_value(draw, field) for _ in range(draw(st.integers(1, 4))))
        else:
            setattr(message, field.name, _value(draw, field))


# The parameters that shapes depend on, of which a message gets a few: whatever fits its type is among them.
_PARAMS = sorted(
    name
    for name, field in LayerParameter.DESCRIPTOR.fields_by_name.items()
    if field.message_type is not None and not field.message_type.name.startswith("V")
    if name.endswith("_param") and name not in ("python_param",)
)
_PARAM_OF = {
    name: [param for param in _PARAMS if param.replace("_", "").startswith(name.lower()[:6])]
    + ["convolution_param", "pooling_param", "inner_product_param", "recurrent_param", "prior_box_param", "norm_param"]
    for name in TABLE
}


@st.composite
def _layers(draw: st.DrawFn) -> tuple[LayerParameter, tuple[MaybeShape, ...]]:
    param = LayerParameter(type=draw(st.sampled_from(sorted(TABLE))))
    for name in _PARAM_OF[param.type][: draw(st.integers(1, 4))]:
        message = getattr(param, name)
        message.SetInParent()
        _fill(draw, message)
    param.top.extend(f"t{index}" for index in range(draw(st.integers(0, 4))))
    return param, tuple(draw(st.lists(st.none() | _SHAPES | _PARTIAL, max_size=4)))


@settings(max_examples=1500, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(_layers())
def test_nothing_raises(layer: tuple[LayerParameter, tuple[MaybeShape, ...]]) -> None:
    assert_said(*layer)


_RANKS: tuple[MaybeShape, ...] = (
    (), (None,), (3,), (None, None), (2, 3), (2, 3, 4), (2, None, 4, 5), (1,) * 6, None
)  # fmt: skip


@pytest.mark.parametrize("name", sorted(TABLE))
def test_bottoms_of_any_rank(name: str) -> None:
    """Every type over bottoms of too few axes, of too many, and of one rank beside another."""
    for count in range(1, max(TABLE[name].bottoms, 2) + 1):
        for bottoms in itertools.product(_RANKS if count < 3 else (*_RANKS[::4], IMAGE), repeat=count):
            param = text_format.Parse(_PLAIN.get(name, ""), LayerParameter(type=name, top=["t0", "t1"]))
            assert_said(param, bottoms)


_PLAIN = {
    "ArgMax": "argmax_param { axis: 0 }",
    "ROIPooling": "roi_pooling_param { pooled_h: 7 pooled_w: 5 }",
    "ROIAlign": "roi_align_param { pooled_h: 7 pooled_w: 5 }",
    "PSROIPooling": "psroi_pooling_param { output_dim: 21 group_size: 7 }",
    **dict.fromkeys(("Convolution", "Deconvolution"), "convolution_param { num_output: 4 kernel_size: 3 }"),
    **dict.fromkeys(("InnerProduct", "FcRistretto"), "inner_product_param { num_output: 4 }"),
    **dict.fromkeys(("LSTM", "RNN"), "recurrent_param { num_output: 4 }"),
    "Pooling": "pooling_param { kernel_size: 3 }",
    "PriorBox": "prior_box_param { min_size: 1 }",
    "Permute": "permute_param { order: 3 }",
    "SPP": "spp_param { pyramid_height: 2 }",
    "Slice": "slice_param { slice_point: 1 }",
}
"""Parameters without which a layer of the type is refused before its bottoms are looked at."""


def test_layers_that_once_raised() -> None:
    argmax = Case("ArgMax", "argmax_param { axis: 0 }", ((),))
    assert infer_top_shapes(argmax.param, argmax.bottoms)[2]
    assert infer_top_shapes(Case("ArgMax", "", ((),)).param, ((),)).tops == (None,)
    for name in ("ROIPooling", "ROIAlign", "PSROIPooling"):
        tops, reason, refused = infer_top_shapes(Case(name, _PLAIN[name], (IMAGE, ())).param, (IMAGE, ()))
        assert (tops, bool(reason), refused) == ((None,), True, True)


def assert_said(param: LayerParameter, bottoms: tuple[MaybeShape, ...]) -> None:
    tops, reason, _ = infer_top_shapes(param, bottoms)
    assert len(tops) == len(param.top)
    assert reason is None or (reason and "\n" not in reason)
    for top in tops:
        assert top is None or isinstance(top, tuple)
        assert all(size is None or (isinstance(size, int) and size > 0) for size in top or ())
    blobs = expected_blobs(param, bottoms)
    assert blobs is None or all(isinstance(blob, tuple) for blob in blobs)


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(Case("SPP", f"spp_param {{ pyramid_height: {HUGE} }}", (IMAGE,)), id="pyramid"),
        pytest.param(Case("SPP", f"spp_param {{ pyramid_height: {HUGE} }}", ((1, 1, HUGE, 1),)), id="line_pyramid"),
        pytest.param(Case("Tile", f"tile_param {{ tiles: {HUGE} }}", (IMAGE,)), id="tiles"),
        pytest.param(Case("Input", "input_param { shape { %s } }" % ("dim: 1 " * 20000)), id="axes"),
        pytest.param(Case("Reshape", "reshape_param { shape { %s } }" % ("dim: 1 " * 20000), (IMAGE,)), id="new_axes"),
        pytest.param(
            Case("Reshape", "reshape_param { shape { %s } }" % (f"dim: {2**63 - 1} " * 20000), (IMAGE,)), id="new_sizes"
        ),
        pytest.param(
            Case("Convolution", "convolution_param { num_output: 1 %s }" % ("kernel_size: 1 " * 20000), (IMAGE,)),
            id="kernel_axes",
        ),
        pytest.param(
            Case("PriorBox", "prior_box_param { min_size: 1 %s }" % ("aspect_ratio: 2 " * 20000), (IMAGE,)), id="ratios"
        ),
        pytest.param(Case("Permute", "permute_param { %s }" % ("order: 1 " * 20000), (IMAGE,)), id="order"),
        pytest.param(Case("Upsample", "upsample_param { scale: inf }", (IMAGE,)), id="infinite_scale"),
        pytest.param(Case("Upsample", "upsample_param { scale: nan }", (IMAGE,)), id="scale_not_a_number"),
        pytest.param(Case("Scale", f"scale_param {{ num_axes: {HUGE} }}", (None,)), id="scaled_axes"),
        pytest.param(Case("Scale", "scale_param { num_axes: -1 axis: -2147483648 }", (None,)), id="scaled_to_end"),
        pytest.param(
            Case("Convolution", "convolution_param { num_output: 1 kernel_size: 3 %s }" % ("pad: 1 " * 20000), (None,)),
            id="pads_over_unknown",
        ),
    ],
)
def test_large_numbers_cost_nothing(case: Case) -> None:
    tops, _, _ = infer_top_shapes(case.param, case.bottoms)
    assert tops == (None,)
    blobs = expected_blobs(case.param, case.bottoms) or ()
    assert all(len(blob) <= 32 for blob in blobs)
