"""Arguments for the examples beside this file."""

import os
import tempfile


def file(mx):
    """A small file of weights; the operating system's folder for temporary files keeps it."""
    path = os.path.join(tempfile.gettempdir(), f"mlxfix-example-{os.getpid()}.safetensors")
    mx.save_safetensors(path, {"embedding": mx.random.normal((8, 4)), "ids": mx.arange(6)})
    return path


ARGUMENTS = {
    "comprehension": lambda mx, dtype: (file(mx),),
    "one_array": lambda mx, dtype: (file(mx), dtype),
    "tree": lambda mx, dtype: (file(mx),),
    "only_the_floats": lambda mx, dtype: (file(mx),),
    "in_place": lambda mx, dtype: (file(mx), dtype),
    "listed": lambda mx, dtype: (file(mx),),
    "whole_model": lambda mx, dtype: (4,),
}
EXACT = set(ARGUMENTS)
