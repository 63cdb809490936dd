"""Sets TensorFlow and Keras up before either is imported, and has failures in `support` show their values."""

import os

import pytest

pytest.register_assert_rewrite("tests.support")

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
# Many AMD and ARM machines have no oneDNN, and what TensorFlow computes without it, it computes with it.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
