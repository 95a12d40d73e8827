"""Uses of names that MLX has moved. Each uses the present name."""

import atexit

import mlx.core as mx


def peak(step):
    """What a script prints at its end."""
    mx.metal.reset_peak_memory()
    mx.eval(step())
    peak_mem = mx.metal.get_peak_memory() / 1024**3
    return f"{peak_mem:.0f} GB, cache {mx.metal.get_cache_memory() / 1e12:.0f} TB"


def between_models(models: list):
    """Memory is given back between two models."""
    while models:
        del models[-1]
        mx.metal.clear_cache()
    return models


def limits(gigabytes: int):
    """Limits at the start of a program; each call answers the limit before."""
    before = mx.metal.set_cache_limit(gigabytes * 1024**3)
    mx.metal.set_memory_limit(2 * gigabytes * 1024**3)
    return before, mx.metal.set_cache_limit(before)


def wire(fraction: float):
    """The GPU is asked how much it can hold, whatever the default device is."""
    if mx.metal.is_available():
        working_set = mx.metal.device_info()["max_recommended_working_set_size"]
        mx.metal.set_wired_limit(int(fraction * working_set))
    return mx.metal.device_info().get("max_recommended_working_set_size", 0)


def imported_module(arrays: list):
    """The module has a name of its own."""
    from mlx.core import metal

    mx.eval(arrays)
    return metal.get_active_memory() >= 0 and metal.is_available() in (True, False)


def imported_name(arrays: list):
    """The function is imported by name."""
    from mlx.core.metal import clear_cache as release

    arrays.clear()
    release()
    return arrays


def handed_on():
    """The function is passed to something that calls it."""
    return atexit.register(mx.metal.clear_cache) is not None


def large_try(load, path):
    """A handler for whatever may go wrong says nothing about the name."""
    try:
        mx.metal.reset_peak_memory()
        return load(path)
    except Exception as error:
        return str(error)
