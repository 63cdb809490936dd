"""What a layer is set to and nobody reads is told; defaults, and what changes nothing, are not."""

from __future__ import annotations

import pytest
from google.protobuf import text_format

from caffe_proto.caffe_pb2 import LayerParameter
from caffeconv.keras.conversion import convert
from caffeconv.net.remarks import remarks_on
from tests.support.net_builder import input_text, layer_text, net_of


def remarks(text: str) -> list[str]:
    layer = text_format.Parse(f'name: "it" {text}', LayerParameter())
    return [f"{note.level}: {note.text}" for note in remarks_on(layer)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(
            'type: "ConvolutionRistretto" quantization_param { bw_params: 4 }', ["warning: ", "quantization_param"],
            id="ristretto",
        ),
        pytest.param(
            'type: "InnerProduct" weights_compress: "Ternary_quantize" weights_compress_param { maxbits: 8 }',
            ["warning: ", "weights_compress", "rounds"], id="ternary",
        ),
        pytest.param(
            'type: "Dropout" dropout_param { sample_weights_test: true }',
            ["warning: ", "dropout_param.sample_weights_test", "(true)"], id="draws-in-testing",
        ),
        pytest.param(
            'type: "ROIPooling" roi_pooling_param { pad_ratio: 0.5 }',
            ["warning: ", "roi_pooling_param.pad_ratio", "(0.5)"], id="larger-regions",
        ),
        pytest.param(
            'type: "Pooling3D" pooling3d_param { temporal_pad: 1 }', ["warning: ", "temporal_pad"], id="time"
        ),
        pytest.param('type: "Proposal" proposal_param { ratio: 1 }', ["info: ", "proposal_param"], id="not-known"),
        pytest.param(
            'type: "Python" python_param { param_str: "1" }', ["info: ", "python_param.param_str"], id="python"
        ),
        pytest.param('type: "ReLU" forward_type: FLOAT16', ["info: ", "forward_type"], id="half-precision"),
    ],
)  # fmt: skip
def test_what_is_not_read_is_told(text: str, words: list[str]) -> None:
    (remark,) = remarks(text)
    assert all(word in remark for word in words)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('type: "Dropout" dropout_param { sample_weights_test: false }', id="default"),
        pytest.param('type: "Convolution" convolution_param { relu: true engine: MKLDNN }', id="used-and-idle"),
        pytest.param('type: "BatchNorm" batch_norm_param { moving_average_fraction: 0.9 }', id="of-training"),
        pytest.param('type: "Convolution" dropout_param { sample_weights_test: true }', id="of-another-type"),
        pytest.param(
            'type: "Data" transform_param { mirror: true mean_value: 1 } data_param { source: "x" }', id="data"
        ),
        pytest.param('type: "SoftmaxWithLoss" loss_param { ignore_label: 1 } loss_weight: 2', id="loss"),
        pytest.param('type: "Convolution" param { lr_mult: 0 decay_mult: 0 }', id="rates"),
    ],
)
def test_what_changes_nothing_is_not(text: str) -> None:
    assert remarks(text) == []


def test_a_conversion_tells_once_a_layer() -> None:
    param = "dropout_param { sample_weights_test: true }"
    text = input_text("data", 1, 2) + "".join(layer_text(name, "Dropout", "data", more=param) for name in "ab")
    told = [note.layer for note in convert(net_of(text)).notes if "sample_weights_test" in note.text]
    assert told == ["a", "b"]
