"""All the code of docs/recipes.md is run, on both Keras, and computes what plain formulas and real Caffe compute."""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from caffeconv.model import Array
from tests.support import recipe_checks, recipe_files
from tests.support.command import caffeconv
from tests.support.net_builder import input_text, layer_text, values, write_caffemodel, write_text
from tests.support.places import SHARED
from tests.support.python_models import KERAS
from tests.support.recipe_checks import is_close, softmax
from tests.support.recipe_runs import FENCE, PAGE, SECTIONS, Folder, Left, commands_of
from tests.support.shared_data import needs_models, weights_of


@pytest.fixture(params=KERAS)
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    return Folder(tmp_path, request.param, monkeypatch)


@dataclass(frozen=True)
class Recipe:
    """The files that are there before, what is checked after, and the Keras that a recipe is run on."""

    files: Callable[[Path], None]
    check: Callable[[Left, Folder], None]
    keras: tuple[str, ...] = tuple(KERAS)


RECIPES = {
    "VGG-16": Recipe(recipe_files.vgg_files, recipe_checks.check_vgg),
    "SSD": Recipe(recipe_files.ssd_files, recipe_checks.check_ssd),
    "MTCNN": Recipe(recipe_files.mtcnn_files, recipe_checks.check_mtcnn),
    "ResNet-50": Recipe(recipe_files.resnet_files, recipe_checks.check_resnet),
    "CRNN": Recipe(recipe_files.crnn_files, recipe_checks.check_crnn),
    "New classes": Recipe(recipe_files.trained_files, recipe_checks.check_transfer),
    # Its programs choose their Keras themselves.
    "From Keras 2 to Keras 3": Recipe(recipe_files.trained_files, recipe_checks.check_moving, ("keras",)),
    "Your own model and the .h5": Recipe(recipe_files.lenet_files, recipe_checks.check_own_model),
}


class TestPage:
    def test_every_section_is_run(self) -> None:
        assert list(SECTIONS) == list(RECIPES)
        assert all(SECTIONS.values())

    def test_every_block_is_in_a_section_and_in_a_language_that_is_run(self) -> None:
        blocks = [block for section in SECTIONS.values() for block in section]
        assert {block.language for block in blocks} == {"python", "sh"}
        assert PAGE.read_text(encoding="utf-8").count(FENCE) == 2 * len(blocks)

    def test_no_command_is_empty(self) -> None:
        texts = [block.text for section in SECTIONS.values() for block in section if block.language == "sh"]
        assert all(map(commands_of, texts))


@pytest.mark.parametrize(
    ("title", "keras_name"),
    [
        pytest.param(title, name, id=f"{title.replace(' ', '_')}-{name}")
        for title, recipe in RECIPES.items()
        for name in recipe.keras
    ],
)
def test_recipe(title: str, keras_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if len(RECIPES[title].keras) == 1:
        pytest.importorskip("tf_keras")
    folder = Folder(tmp_path, keras_name, monkeypatch)
    RECIPES[title].files(tmp_path)
    RECIPES[title].check(folder.run(title), folder)


class TestRealNets:
    """The same recipes, with public nets that real Caffe has run."""

    pytestmark = needs_models

    @pytest.fixture()
    def folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
        return Folder(tmp_path, "keras", monkeypatch)

    def caffe(self, name: str) -> dict[str, Array]:
        """What went in and came out, channels last."""
        with np.load(SHARED / "models" / name / "caffe_outputs.npz") as arrays:
            blobs = {key.partition("|")[2]: arrays[key] for key in arrays}
        return {key: np.moveaxis(blob, 1, -1) if blob.ndim == 4 else blob for key, blob in blobs.items()}

    def copy(self, name: str, folder: Path, prototxt: str, caffemodel: str) -> None:
        model = SHARED / "models" / name
        shutil.copyfile(model / "deploy.prototxt", folder / prototxt)
        shutil.copyfile(weights_of(model), folder / caffemodel)

    def test_mtcnn(self, folder: Folder) -> None:
        recipe_files.mtcnn_files(folder.path)
        for number in (1, 2, 3):
            self.copy(f"mtcnn_kpzhang_det{number}", folder.path, f"det{number}.prototxt", f"det{number}.caffemodel")
        left = folder.run("MTCNN")
        first = left["pnet"].build_model((12, 12, 3))
        left["pnet"].load_weights(first, "pnet.h5")
        names = ["conv4-2", "prob1"], ["conv5-2", "prob1"], ["conv6-2", "conv6-3", "prob1"]
        for number, (net, outputs) in enumerate(zip((first, left["second"], left["third"]), names, strict=True), 1):
            caffe = self.caffe(f"mtcnn_kpzhang_det{number}")
            got = net((caffe["data"] - 127.5) * 0.0078125)
            for name, array in zip(outputs, got, strict=True):
                assert is_close(array, caffe[name], 1e-5)

    def test_ssd(self, folder: Folder) -> None:
        recipe_files.ssd_files(folder.path)
        caffemodel = "VGG_VOC0712_SSD_300x300_iter_120000.caffemodel"
        self.copy("hyperlpr_mininet_ssd", folder.path, "deploy.prototxt", caffemodel)
        names = {"mbox_loc": "ssd0_concat1", "mbox_conf_flatten": "flatten0", "mbox_priorbox": "concat0"}
        left = folder.run("SSD", **names, **{r"300, 300": "512, 512"})
        caffe = self.caffe("hyperlpr_mininet_ssd")
        got = left["detector"](((caffe["data"] - 127.5) * 0.0078125).astype(np.float32))
        location, confidence, priors = (np.asarray(each)[0] for each in got)
        heads = [caffe[f"ssd0_convpredictor{number}_conv0"].ravel() for number in range(12)]
        assert is_close(location, np.concatenate(heads[1::2]), 1e-5)
        assert is_close(confidence.reshape(-1, 2), softmax(np.concatenate(heads[::2]).reshape(-1, 2)), 1e-5)
        assert priors.shape == (2, len(location))


class TestWhatKerasSaysOfTheH5:
    """The table of the last recipe, and what is said beside it."""

    @pytest.fixture()
    def keras(self, folder: Folder) -> Any:
        recipe_files.lenet_files(folder.path)
        assert caffeconv("lenet", "lenet.prototxt", "lenet.caffemodel").status == 0
        return folder.keras

    def model(self, keras: Any, name: str = "ip1", units: int = 20, more: bool = False, **arguments: Any) -> Any:
        layers = keras.layers
        image = keras.Input((16, 18, 1))
        x = layers.Conv2D(6, 3, name="conv1", **arguments)(image)
        x = layers.Conv2D(8, 3, name="conv2")(layers.MaxPooling2D(3, 2, padding="same")(x))
        x = layers.Flatten()(layers.MaxPooling2D(2, 2, padding="same")(x))
        x = layers.Dense(5, name="ip2")(layers.Dense(units, name=name)(x))
        return keras.Model(image, layers.Dense(2, name="more")(x) if more else x)

    def filled(self, model: Any, **arguments: Any) -> set[str]:
        """The layers whose weights a file has filled."""
        before = {layer.name: layer.get_weights() for layer in model.layers if layer.weights}
        model.load_weights("lenet.h5", **arguments)
        return {
            name
            for name, weights in before.items()
            if not np.array_equal(weights[0], model.get_layer(name).get_weights()[0])
        }

    def test_a_misspelt_name(self, keras: Any) -> None:
        assert self.filled(self.model(keras, name="ip_1"), by_name=True) == {"conv1", "conv2", "ip2"}
        assert self.filled(self.model(keras, name="ip_1")) == {"conv1", "conv2", "ip_1", "ip2"}

    def test_a_layer_more(self, keras: Any) -> None:
        assert self.filled(self.model(keras, more=True), by_name=True) == {"conv1", "conv2", "ip1", "ip2"}
        with pytest.raises(ValueError, match="Layer count mismatch"):
            self.filled(self.model(keras, more=True))

    def test_a_layer_less(self, keras: Any) -> None:
        whole = self.model(keras)
        part = keras.Model(whole.input, whole.get_layer("ip1").output)
        assert self.filled(part, by_name=True) == {"conv1", "conv2", "ip1"}
        with pytest.raises(ValueError, match="Layer count mismatch"):
            self.filled(part)

    @pytest.mark.parametrize("arguments", [{"by_name": True}, {}], ids=["by_name", "in_order"])
    def test_a_bias_on_one_side_or_another_shape(self, arguments: dict[str, bool], keras: Any) -> None:
        with pytest.raises(ValueError, match="Weight count mismatch"):
            self.filled(self.model(keras, use_bias=False), **arguments)
        with pytest.raises(ValueError, match=r"[Ss]hape mismatch"):
            self.filled(self.model(keras, units=21), **arguments)
        with h5py.File("lenet.h5", "r+") as file:
            file["conv1"].attrs["weight_names"] = file["conv1"].attrs["weight_names"][:1]
        with pytest.raises(ValueError, match="Weight count mismatch"):
            self.filled(self.model(keras), **arguments)

    def test_branches_in_order_get_the_wrong_weights(self, folder: Folder) -> None:
        keras = folder.keras
        text = input_text("data", 1, 4)
        for name, bottom in (("b", "data"), ("a1", "data"), ("a2", "a1")):
            text += layer_text(name, "InnerProduct", bottom, more="inner_product_param { num_output: 4 }")
        write_text(folder.path / "net.prototxt", text)
        arrays = {name: [values(4, 4) * 0 + number, values(4)] for number, name in enumerate(("b", "a1", "a2"))}
        write_caffemodel(folder.path / "net.caffemodel", list(arrays.items()))
        assert caffeconv("net", "net.prototxt", "net.caffemodel").status == 0

        data = keras.Input((4,))
        deep = keras.layers.Dense(4, name="a2")(keras.layers.Dense(4, name="a1")(data))
        model = keras.Model(data, keras.layers.Add()([keras.layers.Dense(4, name="b")(data), deep]))

        def numbers() -> dict[str, float]:
            return {layer.name: layer.get_weights()[0][0, 0] for layer in model.layers if layer.weights}

        model.load_weights("net.h5", by_name=True)
        assert numbers() == {"b": 0, "a1": 1, "a2": 2}
        model.load_weights("net.h5")
        assert numbers() != {"b": 0, "a1": 1, "a2": 2}

    def test_a_file_of_weights_is_no_model(self, keras: Any) -> None:
        with pytest.raises(ValueError, match="No model config"):
            keras.models.load_model("lenet.h5")

    def test_a_name_that_is_for_another_format(self, keras: Any) -> None:
        shutil.copyfile("lenet.h5", "renamed.weights.h5")
        model = self.model(keras)
        if keras.__name__ == "keras":
            with pytest.raises(ValueError, match="only supports loading legacy"):
                model.load_weights("renamed.weights.h5", by_name=True)
        with pytest.raises((ValueError, KeyError)):
            model.load_weights("renamed.weights.h5")

    def test_slashes_in_names(self, keras: Any) -> None:
        if keras.__name__ == "keras":
            with pytest.raises(ValueError, match="cannot contain character `/`"):
                keras.layers.Dense(1, name="a/b")
        else:
            assert keras.layers.Dense(1, name="a/b").name == "a/b"


def test_a_saved_model_needs_the_classes_of_its_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the recipe for both Keras says of `load_model`."""
    folder = Folder(tmp_path, "keras", monkeypatch)
    keras = folder.keras
    write_text(tmp_path / "net.prototxt", input_text("data", 1, 2, 3, 3) + layer_text("it", "Normalize", "data"))
    write_caffemodel(tmp_path / "net.caffemodel", [("it", [values(2)])])
    assert caffeconv("-f", "py", "with_classes", "net.prototxt", "net.caffemodel").status == 0
    importlib.import_module("with_classes").build_model().save("net.keras")
    keras.saving.load_model("net.keras")
    classes = keras.saving.get_custom_objects()
    for name in list(classes):
        monkeypatch.delitem(classes, name)
    with pytest.raises(TypeError, match="Could not locate class"):
        keras.saving.load_model("net.keras")
