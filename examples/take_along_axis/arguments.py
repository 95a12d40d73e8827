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
}
EXACT = set(ARGUMENTS)
