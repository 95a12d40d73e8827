"""Use the present name of a function that MLX has moved.

The memory functions are no longer Metal's alone: since MLX 0.24.1 they stand in `mlx.core` itself, and `device_info` since 0.30.4. The
old names print a notice to standard error and will go away; `mx.random.permuation`, a misspelling until 0.24.2, is gone already.

The function is the same. `mx.metal.device_info()` becomes `mx.device_info(mx.gpu)`: without the argument the new one describes the
default device, which need not be the GPU and then lacks the keys of one. `is_available`, `start_capture` and `stop_capture` stay where
they are. Code that asks which names there are, catches their absence or replaces them in a test keeps the old names.
"""

import mlx.core as mx

group = "upkeep"
guide = "MLX documentation: Memory Management"
gain = "no time: a program that goes on running, without the notices (every backend)"
applicability = "safe"
numerics = {"before": "exact"}


def before(generate, prompt):
    mx.metal.reset_peak_memory()
    text = generate(prompt)
    print(f"Peak memory: {mx.metal.get_peak_memory() / 1e9:.3f} GB")
    mx.metal.clear_cache()
    return text


def after(generate, prompt):
    mx.reset_peak_memory()
    text = generate(prompt)
    print(f"Peak memory: {mx.get_peak_memory() / 1e9:.3f} GB")
    mx.clear_cache()
    return text
