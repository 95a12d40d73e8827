"""Names below `mx.metal` that stay, and old names that are meant."""

from unittest import mock

import mlx.core as mx


def what_is_there():
    """These belong to Metal and have not moved."""
    if mx.metal.is_available():
        mx.metal.start_capture("trace.gputrace")
        mx.metal.stop_capture()


def asks_first():
    """An older MLX has only the old name."""
    if hasattr(mx, "clear_cache"):
        mx.clear_cache()
    else:
        mx.metal.clear_cache()


def takes_what_there_is(limit: int):
    """The same in one expression."""
    set_cache_limit = getattr(mx, "set_cache_limit", None) or mx.metal.set_cache_limit
    return set_cache_limit(limit)


def asks_for_the_version():
    """The version decides."""
    if mx.__version__ < "0.24":
        return mx.metal.get_peak_memory()
    return mx.get_peak_memory()


def falls_back():
    """A handler uses the old name where the new one is missing."""
    try:
        return mx.get_active_memory()
    except Exception:
        return mx.metal.get_active_memory()


def catches_its_absence():
    """The name may be gone, and the program knows."""
    try:
        mx.metal.reset_peak_memory()
    except AttributeError:
        pass


def replaced_in_a_test(train):
    """The test replaces the old name and calls it itself."""
    with mock.patch("mlx.core.metal.set_wired_limit") as limit:
        train()
        mx.metal.set_wired_limit(0)
    return limit.call_count


def replaced_by_assignment(size: int):
    """The module gets a function of this file."""
    mx.metal.get_cache_memory = lambda: size
    return mx.metal.get_cache_memory()


def compared():
    """Old and new are held against each other."""
    return mx.metal.set_memory_limit(1 << 40), mx.set_memory_limit(1 << 40)


def another_metal(device):
    """Something else has a part of this name."""
    return device.metal.clear_cache()


def handed_in(mx):
    """The parameter hides the import."""
    return mx.metal.get_active_memory()


def passed_without_a_call(ask):
    """The new function takes a device, which only a call can give."""
    return ask(mx.metal.device_info)
