"""Arguments for the examples beside this file."""

ARGUMENTS = {
    "peak": lambda mx, dtype: (lambda: mx.ones((2, 2)),),
    "between_models": lambda mx, dtype: ([1, 2],),
    "limits": lambda mx, dtype: (8,),
    "wire": lambda mx, dtype: (0.5,),
    "imported_module": lambda mx, dtype: ([mx.ones((2, 2))],),
    "imported_name": lambda mx, dtype: ([1],),
    "handed_on": lambda mx, dtype: (),
    "large_try": lambda mx, dtype: (len, "path"),
}
EXACT = set(ARGUMENTS)
