"""Arguments for the examples beside this file."""


ARGUMENTS = {
    "next_tokens": lambda mx, dtype: (lambda t: mx.arange(5) == (t + 2) % 5, mx.array(1), 4),
    "first_of_many": lambda mx, dtype: (lambda t: mx.arange(5) == (t[..., None] + 2) % 5, mx.array([[1]]), 0),
    "best": lambda mx, dtype: ([0.5, 0.25], mx.random.normal((8,)).astype(dtype), 10.0),
    "finite": lambda mx, dtype: (lambda x: x / 0, [mx.random.normal((8,)).astype(dtype)]),
    "pictures": lambda mx, dtype: (mx.random.normal((2, 1, 4, 4, 3)).astype(dtype),),
    "rows": lambda mx, dtype: ([mx.random.normal((5,)).astype(dtype)],),
    "Batch": lambda mx, dtype: ((mx.arange(6),), ()),
    "from_a_codec": lambda mx, dtype: (lambda codes: codes.astype(mx.float32) * 2, [mx.random.normal((3, 4)).astype(dtype)]),
    "_first": lambda mx, dtype: (mx.array([[1]]),),
    "until_the_end": lambda mx, dtype: (lambda t: mx.arange(5) == (t + 2) % 5, mx.array([[1]]), 0, mx.new_stream(mx.default_device())),
}
EXACT = set(ARGUMENTS)
