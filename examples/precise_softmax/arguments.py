"""Arguments for the examples beside this file."""


def logits(mx, dtype, *shape):
    return (4 * mx.random.normal(shape)).astype(dtype)


ARGUMENTS = {
    "attention_weights": lambda mx, dtype: (logits(mx, dtype, 2, 4, 9, 9),),
    "expert_scores": lambda mx, dtype: (logits(mx, dtype, 6, 8), mx.array([[0, 3]] * 6)),
    "step_by_step": lambda mx, dtype: (logits(mx, dtype, 3, 50),),
    "twice": lambda mx, dtype: (logits(mx, dtype, 3, 50), logits(mx, dtype, 50, 4)),
    "all_axes": lambda mx, dtype: (logits(mx, dtype, 3, 50),),
    "over_classes_and_heads": lambda mx, dtype: (logits(mx, dtype, 3, 4, 50),),
    "neural_network_softmax": lambda mx, dtype: (logits(mx, dtype, 3, 50),),
    "picked_before_the_cast": lambda mx, dtype: (logits(mx, dtype, 6, 8), mx.array([[0, 3]] * 6)),
    "Router": lambda mx, dtype: ((16, 8), (logits(mx, dtype, 6, 16),)),
    "positioned": lambda mx, dtype: tuple(logits(mx, dtype, *shape) / 4 for shape in [(2, 4, 8), (2, 4, 8), (4, 4, 8)]),
    "with_temperature": lambda mx, dtype: (logits(mx, dtype, 3, 50), 0.7),
}
EXACT = set(ARGUMENTS) - {"Router"}
