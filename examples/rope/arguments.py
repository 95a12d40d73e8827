"""Arguments for the examples beside this file."""


def heads(mx, dtype, length=9):
    return mx.random.normal((2, 4, length, 16)).astype(dtype)


ARGUMENTS = {
    "by_halves": lambda mx, dtype: (heads(mx, dtype), 10000.0, 3),
    "back_to_its_dtype": lambda mx, dtype: (heads(mx, dtype), 40),
    "by_pairs": lambda mx, dtype: (heads(mx, dtype), 500000.0, 0.25),
    "powers": lambda mx, dtype: (heads(mx, dtype), 500000.0),
    "pairs_of_any_rank": lambda mx, dtype: (heads(mx, dtype), 10000.0),
    "pairs_in_float32": lambda mx, dtype: (heads(mx, dtype), 3),
    "pairs_of_powers": lambda mx, dtype: (heads(mx, dtype),),
    "Heads": lambda mx, dtype: ((32, 2), (mx.random.normal((2, 9, 32)).astype(dtype),)),
    "part_of_the_axis": lambda mx, dtype: (heads(mx, dtype), 9, 40),
    "as_many_frequencies_as_said": lambda mx, dtype: (heads(mx, dtype), 8),
    "tables_in_a_lambda": lambda mx, dtype: (heads(mx, dtype), heads(mx, dtype)),
    "keys_by_the_tables_of_queries": lambda mx, dtype: (heads(mx, dtype), heads(mx, dtype)),
}
EXACT = {"by_halves", "back_to_its_dtype", "by_pairs", "pairs_in_float32", "Heads", "as_many_frequencies_as_said", "keys_by_the_tables_of_queries"}
LESS_PRECISE = {"powers", "pairs_of_any_rank", "pairs_of_powers", "part_of_the_axis"}
