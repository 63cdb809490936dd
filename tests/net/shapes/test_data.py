"""Where data come from and where they go."""

from __future__ import annotations

from tests.support.shape_cases import IMAGE, LABELS, MATRIX, Case, shape_tests

CASES = {
    # Caffe's own, compared with a running Caffe
    "input": Case("Input", "input_param { shape { dim: 1 dim: 3 } shape { } }", (), ((1, 3), ())),
    "input_one_for_all": Case("Input", "input_param { shape { dim: 1 dim: 3 } }", (), ((1, 3), (1, 3))),
    "dummy": Case("DummyData", "dummy_data_param { shape { dim: 1 dim: 3 } shape { dim: 4 } }", (), ((1, 3), (4,))),
    "dummy_one_for_all": Case("DummyData", "dummy_data_param { shape { dim: 4 } }", (), ((4,), (4,))),
    "dummy_legacy": Case("DummyData", "dummy_data_param { num: 5 num: 6 channels: 2 height: 3 width: 4 width: 1 }",
                         (), ((5, 2, 3, 4), (6, 2, 3, 1))),
    "memory": Case("MemoryData", "memory_data_param { batch_size: 2 channels: 3 height: 4 width: 5 }",
                   (), ((2, 3, 4, 5), (2,))),
    "parameter": Case("Parameter", "parameter_param { shape { dim: 3 dim: 2 } }", (), ((3, 2),), ((3, 2),)),
    "parameter_scalar": Case("Parameter", "", (), ((),), ((),)),
    "silence": Case("Silence", "", (IMAGE, MATRIX), ()),
    # what is read from files that are not there, or given when the net is used
    "input_without_shape": Case("Input", "", (), (None,)),
    "data": Case("Data", "data_param { batch_size: 8 }", (), ((8, None, None, None), (8,))),
    "data_alone": Case("Data", "data_param { batch_size: 8 }", (), ((8, None, None, None),)),
    "data_crop": Case("Data", "data_param { batch_size: 8 } transform_param { crop_size: 5 }",
                      (), ((8, None, 5, 5), (8,))),
    "image_data_crop": Case("ImageData", "image_data_param { batch_size: 8 } transform_param { crop_size: 5 }",
                            (), ((8, 3, 5, 5), (8,))),
    "image_data_grey": Case("ImageData",
                            "image_data_param { batch_size: 8 new_height: 4 new_width: 6 is_color: false }",
                            (), ((8, 1, 4, 6), (8,))),
    "image_data_as_is": Case("ImageData", "image_data_param { batch_size: 8 }", (), ((8, 3, None, None), (8,))),
    "image_data_as_is_grey": Case("ImageData", "image_data_param { batch_size: 8 is_color: false }",
                                  (), ((8, 1, None, None), (8,))),
    "window_data": Case("WindowData", "window_data_param { batch_size: 8 } transform_param { crop_size: 5 }",
                        (), ((8, None, 5, 5), (8,))),
    "hdf5_data": Case("HDF5Data", "hdf5_data_param { batch_size: 8 }", (), (None, None)),
    "hdf5_output": Case("HDF5Output", "", (IMAGE, LABELS), ()),
    # of forks, by their sources
    **{
        name: Case(name, "", (), (None, None))
        for name in ("AnnotatedData", "DenseImageData", "ImageSegData", "VideoData")
    },
}  # fmt: skip
REFUSED = {
    "input_number": Case("Input", "input_param { shape { dim: 1 } shape { dim: 1 } }", (), (None, None, None)),
    "dummy_both": Case("DummyData", "dummy_data_param { shape { dim: 1 } num: 1 channels: 1 height: 1 width: 1 }"),
    "dummy_number": Case("DummyData", "dummy_data_param { num: 1 num: 1 channels: 1 height: 1 width: 1 }",
                         (), (None, None, None)),
    "too_large": Case("Input", "input_param { shape { dim: 65536 dim: 65536 } }"),
    "negative": Case("Input", "input_param { shape { dim: -1 } }"),
}  # fmt: skip

TestShapes = shape_tests(CASES, REFUSED, over_unknown={"parameter": ((3, 2),)})
