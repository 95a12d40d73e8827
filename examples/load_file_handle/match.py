"""Files that are opened for `mx.load` alone. Each is loaded by its path."""

import glob
import os
from pathlib import Path

import mlx.core as mx


def at_once(path: str):
    """The file is opened and never closed."""
    weights = mx.load(open(path, "rb"))
    return weights["embedding"]


def in_a_block(folder: Path):
    """The file is opened for a block, and the format told."""
    with open(folder / "model.safetensors", "rb") as f:
        weights = mx.load(f, format="safetensors")
        # The rest is for training.
        weights = {k: v for k, v in weights.items()
                   if not k.startswith("optimizer")}

    return weights


def by_the_path(folder: Path):
    """The path opens itself."""
    with (folder / "model.safetensors").open("rb") as file:
        return mx.load(file)["ids"]


def shards(folder: str):
    """One file after the other."""
    weights = {}
    for shard in sorted(glob.glob(os.path.join(folder, "*.safetensors"))):
        with open(shard, mode="rb") as f:
            weights.update(mx.load(f))
    return weights


def named(folder: str, name: str):
    """The name is put together."""
    path = f"{folder}/{name}.safetensors"
    arrays, metadata = mx.load(open(path, "rb"), return_metadata=True)
    return arrays, metadata


def path_not_visible(path):
    """Nothing shows that it is a path and no number of an open file."""
    for name, array in mx.load(open(path, "rb")).items():
        if name == "ids":
            return array


def if_there(folder: Path):
    """A missing file is told by a test, and not by an exception."""
    path = folder / "model.safetensors"
    if not path.exists():
        return None
    return mx.load(open(path, "rb"))["ids"]
