"""Arguments for the examples beside this file."""


def scores(mx, dtype, *shape):
    return mx.random.normal(shape).astype(dtype)


ARGUMENTS = {
    "negative_log_likelihood": lambda mx, dtype: (scores(mx, dtype, 2, 3, 10), mx.array([[1, 9, 0], [4, 4, -1]]), 10),
    "greedy": lambda mx, dtype: (scores(mx, dtype, 5, 12),),
    "taken_actions": lambda mx, dtype: (scores(mx, dtype, 4, 3), mx.array([[2], [0], [1], [1]])),
    "margin": lambda mx, dtype: (scores(mx, dtype, 6, 8),),
    "switch_router": lambda mx, dtype: (scores(mx, dtype, 2, 5, 8), 8),
    "last_token": lambda mx, dtype: (scores(mx, dtype, 3, 4, 9),),
    "labels_from_a_list": lambda mx, dtype: (scores(mx, dtype, 3, 7), [6, 0, 3]),
    "second_best": lambda mx, dtype: (scores(mx, dtype, 3, 7),),
    "worst_of_each_column": lambda mx, dtype: (scores(mx, dtype, 2, 3, 5),),
    "sequence_log_probs": lambda mx, dtype: (scores(mx, dtype, 2, 3, 7), mx.array([[0, 6, 3], [-1, 2, 2]])),
    "confidence": lambda mx, dtype: (scores(mx, dtype, 2, 3, 7),),
    "routed": lambda mx, dtype: (scores(mx, dtype, 2, 5, 8), 8),
    "best_of_each_position": lambda mx, dtype: (scores(mx, dtype, 2, 3, 8), 2),
    "top_p": lambda mx, dtype: (scores(mx, dtype, 1, 12), 0.9),
    "min_p": lambda mx, dtype: (scores(mx, dtype, 1, 12), -1.0),
}
EXACT = set(ARGUMENTS)
