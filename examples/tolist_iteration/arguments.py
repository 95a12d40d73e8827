"""Arguments for the examples beside this file."""


ARGUMENTS = {
    "decode": lambda mx, dtype: (mx.array([[2, 0], [1, 1]]), {0: "a", 1: "b", 2: "c"}),
    "listed": lambda mx, dtype: (mx.random.normal((3, 4)).astype(dtype),),
    "as_numbers": lambda mx, dtype: (mx.random.uniform(shape=(3, 4)).astype(dtype),),
    "by_index": lambda mx, dtype: (mx.array([[3, 1], [1, 7]]),),
    "numbered": lambda mx, dtype: (mx.random.normal((2, 3, 5)).astype(dtype),),
    "read_twice": lambda mx, dtype: (mx.array([[3, 1], [0, 2]]),),
    "rank_not_visible": lambda mx, dtype: (mx.array([104, 105]),),
    "corners": lambda mx, dtype: (mx.arange(8).reshape(4, 2).astype(dtype),),
    "beside_others": lambda mx, dtype: (["a", "b"], mx.array([0.5, 0.25]).astype(dtype)),
    "patches": lambda mx, dtype: (mx.array([[4, 6], [2, 8], [3, 3]]), 4),
    "sizes": lambda mx, dtype: (mx.array([[4, 6], [2, 8]]),),
    "table": lambda mx, dtype: (mx.random.normal((2, 3)).astype(dtype),),
    "evaluated_first": lambda mx, dtype: (mx.random.normal((5,)).astype(dtype),),
    "its_own_number": lambda mx, dtype: (mx.array([1, 2, 3, 4]), 3),
    "in_two_loops": lambda mx, dtype: (mx.array([True, False, True]), [[1, 2, 3], [4], [5, 6, 7]]),
    "one_column": lambda mx, dtype: (mx.arange(8).reshape(4, 2).astype(dtype), 3),
    "padded": lambda mx, dtype: (mx.zeros((3, 4)).astype(dtype), mx.array([[3], [0], [2]])),
    "chunks": lambda mx, dtype: (mx.arange(8).astype(dtype), mx.array([2, 1, 3])),
    "grids": lambda mx, dtype: ([mx.arange(6).astype(dtype), mx.arange(4)], mx.array([[2, 3], [4, 1]])),
    "gathered": lambda mx, dtype: (mx.arange(8).reshape(2, 4).astype(dtype), mx.array([[[1], [3]], [[0], [2]]])),
    "named_columns": lambda mx, dtype: (mx.arange(12).reshape(3, 4).astype(dtype),),
}
EXACT = set(ARGUMENTS)
