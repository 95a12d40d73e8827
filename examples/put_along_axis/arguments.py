"""Arguments for the examples beside this file."""


def scores(mx, dtype, *shape):
    return mx.random.normal(shape).astype(dtype)


ARGUMENTS = {
    "Gate": lambda mx, dtype: ((4, 3, 8, 6), (scores(mx, dtype, 2, 5, 6),)),
    "left_out": lambda mx, dtype: (scores(mx, dtype, 10, 8), mx.array([[0, 3, 1, 2, 0], [1, 1, -1, 0, 3]])),
    "left_out_and_flat": lambda mx, dtype: (scores(mx, dtype, 10, 8), mx.array([[0, 3, 1, 2, 0], [1, 1, -1, 0, 3]])),
    "one_hot": lambda mx, dtype: (mx.array([[2, 0], [4, -1]]), 5),
    "without_the_best": lambda mx, dtype: (scores(mx, dtype, 4, 9),),
    "top_k_only": lambda mx, dtype: (scores(mx, dtype, 2, 3, 8), 3),
    "unsorted": lambda mx, dtype: (scores(mx, dtype, 3, 6),),
    "replaced": lambda mx, dtype: (scores(mx, dtype, 4, 3), mx.array([[2], [0], [1], [1]]), scores(mx, dtype, 4)),
    "restored": lambda mx, dtype: (scores(mx, dtype, 2, 3), mx.array([[2, 0, 1], [1, 2, 0]])),
}
EXACT = set(ARGUMENTS)
