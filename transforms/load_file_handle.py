"""Give `mx.load` a path and no open file.

MLX reads all of an open file at once. Of a path, a `str` or a `pathlib.Path`, it reads the names and shapes, and each array when
that is evaluated: what nothing uses is never read, and what is cast need not be in memory twice.

The values are the same. A file that is missing raises `RuntimeError` or `ValueError` instead of `FileNotFoundError`, so nothing is
changed inside `try`, and elsewhere it is assumed that the file is there, unless the function lists the folder or tests it. What is read late can be noticed: by code that writes the file again in between, and by another thread, which
can evaluate only what is there. GGUF files are read at once in either way.
"""

import mlx.core as mx

group = "memory"
guide = "Memory use: lazy loading"
gain = "35 times faster with 0.04 of the memory for one tensor of a 1.5 GB file, 1.85 times for all of it (NVIDIA H200; 25 and 1.02 times on a CPU)"
applicability = "safe, unsafe"
numerics = {"before": "exact"}


def before(path: str):
    with open(path, "rb") as f:
        weights = mx.load(f)
    return weights["embedding"]


def after(path: str):
    weights = mx.load(path)
    return weights["embedding"]
