"""Puts this folder on the path of every test, and keeps TensorFlow quiet and Keras 3 on it."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
