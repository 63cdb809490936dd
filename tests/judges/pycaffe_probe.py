"""What real Caffe says of nets. Runs in pycaffe's own Python (3.6 or later), which may share no file with the tests.

stdin     a tar: `jobs.json`, and the files that the jobs name
stdout    a tar: for every job a folder `<job name>/` with what the job made, or with `error.txt` alone; `versions.json`

`jobs.json` is a list; a job is an object with these keys, all but the first two optional:

    name            its folder in the answer
    prototxt        a net in the input tar, of any generation
    weights         a binary or HDF5 caffemodel in the input tar to copy from
    phase           "TEST" (default) or "TRAIN"; with `level` and `stages` (list) the state to build the net for
    seed            what random weights and inputs are drawn from
    saves           {file name: dialect}: fills all weights at random and writes them to these; DIALECTS lists them
    factors         {layer name: BatchNorm factor} where that filling is not to use FACTOR
    upgrade         true: the net as Caffe's tool upgrade_net_proto_text writes it, as `upgraded.prototxt`; or "alone":
                    this and nothing else, for nets that cannot be built, and whatever the tool complains about
    activations     true: runs the net and writes `activations.npz`
    net_run         true: runs the net and writes `net_run.npz`
    inputs          {blob name: [kind, argument…]} for that run; INPUTS lists the kinds, default "normal"

Every other job writes `caffe.json`: layers in order with auto-inserted Splits, shapes of blobs, bottoms and tops, and
the SHA-256 of every learned array (float32, little-endian, C order) under `w|<layer>|<name>|<blob>`, but for those that
`weights` lacks. `activations.npz` has `bottom|<layer>|<position>` and `top|<layer>|<position>` of every layer that
learns or has no bottom and of every maker of a net output, copied when the layer has run, before a layer in place
overwrites them. `net_run.npz` has what the net as a whole takes and gives, `in|<blob>` and `out|<blob>`, and between
them `top|<layer>|<position>` of every layer with a bottom, but for Caffe's own Splits, copied likewise; what comes from
a layer without a bottom that is no Parameter counts as taken.

Caffe aborts its process at the first failed check, so every job runs in a child of its own.
"""

# ruff: noqa: B905  (pycaffe's Python has no zip(strict=) yet)

import hashlib
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile
import time
import typing

import numpy as np

os.environ.setdefault("GLOG_minloglevel", "2")  # read by glog when Caffe is imported

import caffe
from caffe.proto import caffe_pb2
from google.protobuf import text_format

FACTOR = 2.5
"""Of a BatchNorm: the sums that it stores are this many times the statistics that it uses."""


# ---- describing -------------------------------------------------------------------------------------------------


def describe(net, written):
    """The net as data; `written` are the layer names of the prototxt, so that other Splits are Caffe's own."""
    names = list(net._blob_names)

    def blobs(ids):
        return [[names[i], list(net._blobs[i].shape)] for i in ids]

    layers = [
        {
            "name": name,
            "type": layer.type,
            "auto_split": layer.type == "Split" and name not in written,
            "blobs": [list(blob.shape) for blob in layer.blobs],
            "bottoms": blobs(net._bottom_ids(index)),
            "tops": blobs(net._top_ids(index)),
        }
        for index, (name, layer) in enumerate(zip(net._layer_names, net.layers))
    ]
    return {"inputs": list(net.inputs), "outputs": list(net.outputs), "layers": layers, "weight_sha256": digests(net)}


def digests(net):
    """Of all learned arrays but those that the weights given left untouched, which are all NaN."""
    return {
        f"w|{index}|{name}|{position}": [
            list(blob.shape),
            hashlib.sha256(np.ascontiguousarray(blob.data, "<f4").tobytes()).hexdigest(),
        ]
        for index, (name, layer) in enumerate(zip(net._layer_names, net.layers))
        for position, blob in enumerate(layer.blobs)
        if not np.isnan(blob.data).all()
    }


# ---- filling ----------------------------------------------------------------------------------------------------


def fill(net, seed, factors):
    """Random weights under which every one of them shows in the output and variances are positive."""
    random = np.random.RandomState(seed)
    for name, layer in zip(net._layer_names, net.layers):
        arrays = [blob.data for blob in layer.blobs]
        factor = factors.get(name, FACTOR)
        for position, array in enumerate(arrays):
            array[...] = weight(layer.type, position, array.shape, random, factor)


def weight(kind, position, shape, random, factor):
    if kind == "BatchNorm":
        statistics = (random.normal(0, 0.5, shape), random.uniform(0.5, 1.5, shape), np.ones(shape))
        return statistics[position] * (factor if factor or position == 2 else 1)
    if kind == "PReLU":
        return random.uniform(0.05, 0.5, shape)
    if kind == "Scale" and position == 0:
        return random.uniform(0.5, 1.5, shape) * random.choice([-1, 1], shape)
    if len(shape) > 1 and kind != "Embed":
        return random.normal(0, 1 / np.sqrt(np.prod(shape[1:])), shape)
    return random.normal(0, 0.5, shape)


# ---- running ----------------------------------------------------------------------------------------------------


def continuation(random, shape):
    """Sequence marks: 0 where a sequence begins, which is the first step and one more of the first sequence."""
    marks = np.ones(shape)
    marks[0] = 0
    marks[len(marks) // 2].flat[0] = 0
    return marks


def carried(random, shape):
    """Sequence marks: every first step goes on with the first state; only the first sequence begins anew later on."""
    marks = np.ones(shape)
    marks[len(marks) // 2].flat[0] = 0
    return marks


INPUTS: "dict[str, typing.Callable[..., typing.Any]]" = {
    "normal": lambda random, shape: random.normal(0, 1, shape),
    "positive": lambda random, shape: random.uniform(0.1, 2, shape),
    "integers": lambda random, shape, limit: random.randint(0, limit, shape),
    "continuation": continuation,
    "carried": carried,
}


def steps(net, seed, inputs):
    """Runs the net layer by layer: the index of each, with copies of its bottoms and of its tops."""
    random = np.random.RandomState(seed + 1)
    for name in net.inputs:
        kind, *arguments = inputs.get(name, ["normal"])
        blob = net.blobs[name]
        blob.data[...] = INPUTS[kind](random, tuple(blob.shape), *arguments)
    for index in range(len(net.layers)):
        bottoms = [net._blobs[i].data.copy() for i in net._bottom_ids(index)]
        net._forward(index, index)
        yield index, bottoms, [net._blobs[i].data.copy() for i in net._top_ids(index)]


def activations(net, ran):
    outputs = set(net.outputs)
    names = list(net._blob_names)
    arrays = {}
    for index, bottoms, tops in ran:
        if len(net.layers[index].blobs) or not bottoms or outputs.intersection(names[i] for i in net._top_ids(index)):
            arrays.update({f"bottom|{index}|{i}": array for i, array in enumerate(bottoms)})
            arrays.update({f"top|{index}|{i}": array for i, array in enumerate(tops)})
    return arrays


def net_run(net, written, ran):
    names = list(net._blob_names)
    arrays = {}
    for index, bottoms, tops in ran:
        kind = net.layers[index].type
        if not bottoms and kind != "Parameter":
            arrays.update({f"in|{names[i]}": array for i, array in zip(net._top_ids(index), tops)})
        elif kind != "Split" or net._layer_names[index] in written:
            arrays.update({f"top|{index}|{i}": array for i, array in enumerate(tops)})
    arrays.update({f"out|{name}": net.blobs[name].data.copy() for name in net.outputs})
    return arrays


# ---- saving -----------------------------------------------------------------------------------------------------


def save_caffe(net, written, path):
    net.save(str(path))


def save_hdf5(net, written, path):
    """As Caffe saves it, without the time stamps that HDF5 puts beside every dataset."""
    start = int(time.time())
    net.save_hdf5(str(path))
    content = path.read_bytes()
    for second in range(start, int(time.time()) + 1):
        content = content.replace(struct.pack("<I", second), bytes(4))
    path.write_bytes(content)


def save_written(net, written, path):
    """In the generation of the prototxt (V0, V1), its blobs with num, channels, height and width."""
    message = caffe_pb2.NetParameter()
    message.CopyFrom(written)
    for layer in message.layers:
        holder = layer.layer if layer.HasField("layer") else layer
        for blob in net.params.get(holder.name, ()):
            holder.blobs.add(**legacy(blob.data))
    path.write_bytes(message.SerializeToString())


def save_double(net, written, path):
    message = saved(net, lambda array: {"shape": {"dim": array.shape}, "double_data": array.flat})
    path.write_bytes(message.SerializeToString())


def save_legacy_shapes(net, written, path):
    path.write_bytes(saved(net, legacy).SerializeToString())


def save_unpacked(net, written, path):
    """Every value with a tag of its own, as writers without packing do."""

    def unpacked(array):
        bare = caffe_pb2.BlobProto(shape={"dim": array.shape}).SerializeToString()
        tag = struct.pack("B", (caffe_pb2.BlobProto.DATA_FIELD_NUMBER << 3) | 5)
        return bare + b"".join(tag + value.tobytes() for value in array.astype("<f4").flat)

    message = saved(net, lambda array: {})
    content = b""
    for layer in message.layer:
        arrays = [blob.data for blob in net.params.get(layer.name, ())]
        del layer.blobs[:]
        body = layer.SerializeToString() + b"".join(
            field(caffe_pb2.LayerParameter.BLOBS_FIELD_NUMBER, unpacked(array)) for array in arrays
        )
        content += field(caffe_pb2.NetParameter.LAYER_FIELD_NUMBER, body)
    del message.layer[:]
    path.write_bytes(message.SerializeToString() + content)


def field(number, content):
    """A length-delimited field of the wire format."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(value):
    groups = []
    while value > 127:
        groups.append(value & 127 | 128)
        value >>= 7
    return bytes([*groups, value])


def legacy(array):
    dims = (1,) * (4 - array.ndim) + array.shape
    return dict(zip(("num", "channels", "height", "width"), dims), data=array.flat)


def saved(net, encode):
    """What Caffe saves, every blob encoded anew."""
    with tempfile.NamedTemporaryFile() as file:
        net.save(file.name)
        message = caffe_pb2.NetParameter.FromString(file.read())
    for layer in message.layer:
        arrays = [blob.data for blob in net.params.get(layer.name, ())]
        del layer.blobs[:]
        for array in arrays:
            layer.blobs.add(**encode(array))
    return message


DIALECTS = {
    "caffe": save_caffe,
    "hdf5": save_hdf5,
    "as written": save_written,
    "double": save_double,
    "legacy shapes": save_legacy_shapes,
    "unpacked": save_unpacked,
}


# ---- jobs -------------------------------------------------------------------------------------------------------


def written_layers(message):
    return {layer.name for layer in message.layer} | {
        layer.layer.name if layer.HasField("layer") else layer.name for layer in message.layers
    }


def work(job, folder):
    """One job; what it makes goes to `folder`."""

    def build(weights=None):
        net = caffe.Net(
            job["prototxt"], getattr(caffe, job.get("phase", "TEST")), job.get("level", 0), job.get("stages")
        )
        if weights:
            for layer in net.layers:
                for blob in layer.blobs:
                    blob.data[...] = np.nan
            net.copy_from(str(weights))
        return net

    source = pathlib.Path(job["prototxt"])
    upgrading = ["upgrade_net_proto_text", str(source), str(folder / "upgraded.prototxt")]
    if job.get("upgrade") == "alone":
        subprocess.call(upgrading)
        return
    text = source.read_bytes().decode(errors="replace")
    written = text_format.Merge(text, caffe_pb2.NetParameter(), allow_unknown_field=True)
    seed = job.get("seed")
    net = build(job.get("weights"))
    if job.get("saves"):
        fill(net, seed, job.get("factors", {}))
    description = describe(net, written_layers(written))
    for name, dialect in sorted(job.get("saves", {}).items()):
        path = folder / name
        DIALECTS[dialect](net, written, path)
        assert digests(build(path)) == description["weight_sha256"], f"{name}: Caffe reads back other weights"
    if job.get("upgrade"):
        subprocess.check_call(upgrading)
    description["prototxt"] = source.name
    (folder / "caffe.json").write_text(json.dumps(description, sort_keys=True))
    if job.get("activations") or job.get("net_run"):
        ran = list(steps(net, seed, job.get("inputs", {})))
        if job.get("activations"):
            np.savez(str(folder / "activations.npz"), **activations(net, ran))
        if job.get("net_run"):
            arrays = net_run(net, written_layers(written), ran)
            np.savez_compressed(str(folder / "net_run.npz"), **arrays)


def run(job, answers):
    """Runs a job in a child process; a child that fails leaves its last words instead of files."""
    folder = answers / job["name"]
    folder.mkdir(parents=True)
    with tempfile.TemporaryFile() as words:
        child = os.fork()
        if not child:
            os.dup2(words.fileno(), 2)
            code = 1
            try:
                work(job, folder)
                code = 0
            except BaseException as error:
                os.write(2, repr(error).encode())
            finally:
                os._exit(code)
        if os.waitpid(child, 0)[1]:
            shutil.rmtree(folder)
            folder.mkdir()
            words.seek(0)
            (folder / "error.txt").write_bytes(words.read()[-4000:] or b"died without a word")


def versions():
    """What answers: Caffe's version and layer types, and what it runs on."""
    return {
        "caffe": caffe.__version__,
        "layer_types": list(caffe.layer_type_list()),
        "numpy": np.__version__,
        "python": sys.version.split()[0],
    }


def main():
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever else prints must not spoil the tar
    with tempfile.TemporaryDirectory() as base:
        os.chdir(base)
        with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as tar:
            tar.extractall("given")
        os.chdir("given")
        jobs = json.loads(pathlib.Path("jobs.json").read_text())
        answers = pathlib.Path(base, "answers")
        answers.mkdir()
        for job in jobs:
            run(job, answers)
        (answers / "versions.json").write_text(json.dumps(versions()))
        with tarfile.open(fileobj=answer, mode="w|") as tar:
            tar.add(str(answers), "")
    answer.close()


main()
