"""Arguments for the examples beside this file."""

ARGUMENTS = {
    "loop": lambda mx, dtype: (mx.random.normal((3, 4)), 3),
    "counted": lambda mx, dtype: (mx.random.normal((3, 4)), 3),
    "clipped": lambda mx, dtype: (mx.random.normal((3, 4)), 3),
    "scaled": lambda mx, dtype: (mx.random.normal((3, 4)), 3),
    "deleted_too_late": lambda mx, dtype: (mx.random.normal((3, 4)), 3),
    "Trainer": lambda mx, dtype: ((), (mx.random.normal((3, 4)),)),
}
EXACT = set(ARGUMENTS)
