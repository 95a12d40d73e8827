"""Arguments for the examples beside this file."""

import os
import pathlib
import tempfile


def folder(mx):
    """A folder with a small file of weights; the operating system's folder for temporary files keeps it."""
    path = os.path.join(tempfile.gettempdir(), f"mlxfix-load-{os.getpid()}")
    os.makedirs(path, exist_ok=True)
    mx.save_safetensors(os.path.join(path, "model.safetensors"), {"embedding": mx.random.normal((8, 4)), "ids": mx.arange(6)})
    return path


def file(mx):
    """The file in it."""
    return os.path.join(folder(mx), "model.safetensors")


ARGUMENTS = {
    "at_once": lambda mx, dtype: (file(mx),),
    "in_a_block": lambda mx, dtype: (pathlib.Path(folder(mx)),),
    "by_the_path": lambda mx, dtype: (pathlib.Path(folder(mx)),),
    "shards": lambda mx, dtype: (folder(mx),),
    "named": lambda mx, dtype: (folder(mx), "model"),
    "if_there": lambda mx, dtype: (pathlib.Path(folder(mx)),),
    "path_not_visible": lambda mx, dtype: (file(mx),),
}
EXACT = set(ARGUMENTS)
