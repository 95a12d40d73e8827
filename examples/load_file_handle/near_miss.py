"""Open files that `mx.load` has to be given."""

import io
import zipfile

import mlx.core as mx
import numpy as np


def handled(path: str):
    """The handler knows what a missing file raises."""
    try:
        return mx.load(open(path, "rb"))
    except FileNotFoundError:
        return {}


def from_memory(data: bytes):
    """There is no path."""
    return mx.load(io.BytesIO(data), format="safetensors")


def header_first(path: str):
    """The handle is read by others too."""
    with open(path, "rb") as f:
        size = int.from_bytes(f.read(8), "little")
        return size, mx.load(f)


def after_the_check(path: str, check):
    """Something is called before the file is loaded."""
    with open(path, "rb") as f:
        check(path)
        weights = mx.load(f)
    return weights


def in_an_archive(archive: zipfile.ZipFile):
    """A member of an archive has no path."""
    with archive.open("weights.npy", "r") as f:
        return mx.load(f, format="npy")


def from_a_store(store, key: str):
    """A store opens what it holds in its own way."""
    with store.open("rb") as f:
        return mx.load(f, format="npy")


def bytes_as_a_path(path: bytes):
    """`mx.load` takes no bytes."""
    return mx.load(open(path, "rb"))


def open_already(descriptor: int):
    """The number of an open file."""
    return mx.load(open(descriptor, "rb"), format="safetensors")


def by_numpy(path: str):
    """NumPy reads the file."""
    return mx.array(np.load(open(path, "rb")))


def handed_in(file):
    """The caller has opened it."""
    return mx.load(file)


def perhaps(path: str, known: dict):
    """The file is only looked at if it is not known."""
    with open(path, "rb") as f:
        weights = known or mx.load(f)
    return weights
