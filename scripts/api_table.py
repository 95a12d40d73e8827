"""Prints the table of MLX functions that the value graph is built on, one line per function, sorted by name.

    python scripts/api_table.py > src/graph/mlx_api.tsv

Columns: name; parameters as `name|kind|accepts|default`; result; dtype rule; effect; since which MLX release; the
function that an alias or a method stands for; the array parameters whose dtype takes part in the rule.

Names come from the stub that MLX ships. What the stub does not say (dtype rules) or says wrongly (which arguments go by
name, which must be arrays) is measured by `api_measure.py`. The output depends on nothing but `mlx[cpu]==0.32.4`: a test
runs this script again and compares.
"""

import ast
import copy
import pathlib
import sys

import mlx.core as mx
from api_measure import measure, resolve, same

VERSION = "0.32.4"
MODULES = ("fast", "linalg", "fft", "random", "metal", "distributed", "cuda")

# Effects by name; what is not listed is pure. Reading process state counts as `state`, since a read must not move across a write.
EFFECTS = {
    "random": "random.uniform random.normal random.multivariate_normal random.randint random.bernoulli random.truncated_normal"
    " random.gumbel random.categorical random.laplace random.permutation",
    "eval": "eval synchronize array.item array.tolist save savez savez_compressed save_safetensors save_gguf",
    "async": "async_eval",
    # Collectives count as io: each process must run the same ones in the same order.
    "io": "load import_function export_function exporter export_to_dot distributed.all_sum distributed.all_max distributed.all_min"
    " distributed.all_gather distributed.send distributed.recv distributed.recv_like distributed.sum_scatter"
    " metal.start_capture metal.stop_capture",
    "state": "random.seed set_default_device default_device default_stream set_default_stream new_stream new_thread_unsafe_stream"
    " new_thread_local_stream clear_streams stream get_active_memory get_array_buffer_size get_peak_memory reset_peak_memory"
    " get_cache_memory set_memory_limit get_memory_limit set_cache_limit set_wired_limit clear_cache disable_compile"
    " enable_compile set_printoptions get_printoptions printoptions metal.get_active_memory metal.get_peak_memory"
    " metal.reset_peak_memory metal.get_cache_memory metal.set_memory_limit metal.set_cache_limit metal.set_wired_limit"
    " metal.clear_cache distributed.init",
    "transform": "compile grad value_and_grad vmap jvp vjp checkpoint",
}

# The first release known to have the name; where only a range of releases is known, its end.
SINCE = {
    "0.22.0": "unflatten kron slice slice_update broadcast_arrays export_function import_function",
    "0.23.2": "bitwise_invert linalg.lu linalg.lu_factor linalg.solve linalg.solve_triangular",
    "0.24.1": "get_active_memory get_peak_memory get_cache_memory reset_peak_memory set_memory_limit set_cache_limit"
    " set_wired_limit clear_cache contiguous",
    "0.24.2": "random.permutation",
    "0.25.0": "logcumsumexp array.logcumsumexp distributed.all_max distributed.all_min",
    "0.25.1": "broadcast_shapes",
    "0.25.2": "fft.fftshift fft.ifftshift",
    "0.26.0": "linalg.eig linalg.eigvals array.real array.imag",
    "0.26.5": "segmented_mm",
    "0.29.0": "fast.cuda_kernel cuda.is_available",
    "0.29.1": "fast.precompiled_cuda_kernel",
    "0.29.2": "depends",
    "0.29.4": "median distributed.sum_scatter",
    "0.30.1": "qqmm",
    "0.30.3": "from_fp8 to_fp8 asarray",
    "0.30.4": "device_info device_count",
    "0.31.0": "blackman hamming hanning",
    "0.31.1": "bartlett",
    "0.31.2": "new_thread_local_stream clear_streams printoptions set_printoptions get_printoptions fft.fftfreq fft.rfftfreq",
    "0.32.0": "new_thread_unsafe_stream astype unstack flip diff trunc positive full_like count_nonzero logical_xor vecdot"
    " result_type isdtype can_cast from_dlpack linalg.det linalg.slogdet matrix_transpose acos acosh asin asinh atan atanh atan2"
    " bitwise_left_shift bitwise_right_shift cumulative_prod cumulative_sum empty empty_like matrix_norm pow",
    "0.32.1": "searchsorted gather_qqmm",
    "0.32.2": "fast.cross_entropy",
    "0.32.3": "array.mT fast.gated_delta_update get_array_buffer_size get_memory_limit",
    "0.32.4": "fft.stft fft.istft minmax unique",
}

# These do nothing in a process that is alone, so their arguments can be measured, but not their dtype rule.
COLLECTIVES = {f"distributed.{name}" for name in ("all_sum", "all_max", "all_min", "all_gather", "sum_scatter")}
# Where the stub is wrong and nothing can be measured: (function, parameter).
STUB_ACCEPTS = {("distributed.send", "x"): "scalar", ("distributed.recv_like", "x"): "scalar"}

# Aliases that are functions of their own; the others are found by identity.
PAIRS = {"permute_dims": "transpose", "concat": "concatenate", "conjugate": "conj"}
# Methods whose function has another name; the others have the name of their function.
TWINS = {"T": "transpose", "mT": "matrix_transpose"}
# `mx.astype` is younger than the programs we read, so the method stays the canonical form.
NO_TWIN = {"astype"}

STREAM = {"Stream", "ThreadLocalStream", "Device", "DeviceType"}
ACCEPTS = {
    "array": "array",
    "array|scalar": "scalar",
    "None|array|scalar": "scalar",
    "array|int": "scalar",
    "None|array": "array?",
    "int": "int",
    "None|int": "int",
    "float": "float",
    "None|float": "float",
    "scalar": "float",
    "float|int": "float",
    "None|float|int": "float",
    "bool": "bool",
    "None|bool": "bool",
    "Dtype": "dtype",
    "Dtype|None": "dtype",
    "list[array]": "arrays",
}
RESULTS = {
    "array": "array",
    "None": "none",
    "Dtype": "dtype",
    "int": "int",
    "bool": "bool",
    "str": "str",
    "list[array]": "arrays",
    "tuple[array, ...]": "arrays",
    "tuple[array, array]": "arrays",
    "tuple[array, array, array]": "arrays",
}
# Where the stub is silent or wrong.
STUB_RESULTS = {"split": "arrays", "divmod": "arrays", "depends": "arrays", "einsum_path": "other"} | dict.fromkeys(
    ("async_eval", "save_gguf", "save_safetensors", "savez", "savez_compressed", "export_to_dot"), "none"
)


def spread(table):
    """{value: "name name"} as {name: value}."""
    return {name: value for value, names in table.items() for name in names.split()}


def annotation(node):
    """The annotation's members in one order: `None | int | array` is `None|array|int`."""
    if node is None:
        return ""
    text = ast.unparse(node).replace("mlx.core.", "").replace("StreamOrDevice", "Stream | None")
    return "|".join(sorted(part.strip() for part in text.split(" | ")))


def accepts(name, text):
    """Which arguments the parameter takes, in the table's words."""
    if set(text.split("|")) & STREAM:
        return "stream"
    if text in ACCEPTS:
        return ACCEPTS[text]
    members = {part for part in text.split("|") if part not in ("None", "int")}
    if members and all("int" in part and "array" not in part and "Callable" not in part for part in members):
        return "ints"
    unannotated = {"shape": "ints", "axes": "ints", "operands": "array"}
    return "other" if text else unannotated.get(name, "other")


class Parameter:
    """One parameter: name, kind (pos, any, kw, star), what it accepts, default as Python text or `-`."""

    def __init__(self, node, kind, default):
        self.name = node.arg
        self.kind = kind
        self.accepts = accepts(node.arg, annotation(node.annotation))
        self.default = "-" if default is None else ast.unparse(default).replace(" ", "")

    def __str__(self):
        return f"{self.name}|{self.kind}|{self.accepts}|{self.default}"


def parameters(arguments):
    """The parameters of a stub signature in order, without `self`."""
    plain = [(node, "pos") for node in arguments.posonlyargs] + [(node, "any") for node in arguments.args]
    defaults = [None] * (len(plain) - len(arguments.defaults)) + list(arguments.defaults)
    found = [Parameter(node, kind, default) for (node, kind), default in zip(plain, defaults)]
    if arguments.vararg:
        found.append(Parameter(arguments.vararg, "star", None))
    found += [Parameter(node, "kw", default) for node, default in zip(arguments.kwonlyargs, arguments.kw_defaults)]
    return [parameter for parameter in found if parameter.name != "self"]


class Function:
    """One line of the table."""

    def __init__(self, name, params, result):
        self.name = name
        self.params = params
        self.result = result
        self.dtype = "?"
        self.joins = []
        self.same = "-"

    def line(self, effects, since):
        params = " ".join(map(str, self.params)) or "-"
        effect = effects.get(self.name, "pure")
        joins = " ".join(self.joins) or "-"
        return "\t".join([self.name, params, self.result, self.dtype, effect, since.get(self.name, "-"), self.same, joins])


def from_stub(node, prefix):
    name = prefix + node.name
    result = STUB_RESULTS.get(name.removeprefix("array.")) or RESULTS.get(annotation(node.returns), "other")
    function = Function(name, parameters(node.args), result)
    for parameter in function.params:
        parameter.accepts = STUB_ACCEPTS.get((name, parameter.name), parameter.accepts)
    return function


def merged(first, second):
    """Two overloads as one: the longer, with what the shorter lacks made optional."""
    long, short = sorted((first, second), key=lambda function: -len(function.params))
    required = {parameter.name for parameter in short.params if parameter.default == "-"}
    for parameter in long.params[1:]:
        if parameter.default == "-" and parameter.name not in required or parameter.name == "stop":
            parameter.default = "None"
    return long


def read_stubs():
    """Every function of the stubs, every method and property of `array`, and its constructor as `array`, by dotted name."""
    folder = pathlib.Path(mx.__file__).parent / "core"
    functions = {}

    def add(node, prefix):
        if not isinstance(node, ast.FunctionDef) or node.name.startswith("__"):
            return
        function = from_stub(node, prefix)
        known = functions.get(function.name)
        functions[function.name] = merged(known, function) if known else function

    for module in ("__init__",) + MODULES:
        tree = ast.parse((folder / f"{module}.pyi").read_text(encoding="utf-8"))
        for node in tree.body:
            add(node, "" if module == "__init__" else module + ".")
            if isinstance(node, ast.ClassDef) and node.name == "array":
                for member in node.body:
                    add(member, "array.")
                    if isinstance(member, ast.FunctionDef) and member.name == "__init__":
                        functions["array"] = Function("array", parameters(member.args), "array")
    return functions


def add_runtime_names(functions):
    """Adds what `mlx.core` has and the stub has not: names bound to a function that the table already has."""
    known = {id(resolve(name)): name for name in sorted(functions, reverse=True) if not name.startswith("array.")}
    for name in dir(mx):
        value = getattr(mx, name)
        if name.startswith("_") or name in functions or type(value).__name__ != "nb_func":
            continue
        canonical = known[id(value)]
        functions[name] = copy.copy(functions[canonical])
        functions[name].name, functions[name].same = name, canonical


def link(functions):
    """Fills the last column: the function that an alias or a method stands for."""
    for alias, canonical in PAIRS.items():
        check(functions[alias], functions[canonical])
        assert [str(p) for p in functions[alias].params] == [str(p) for p in functions[canonical].params], alias
    for name, function in functions.items():
        method = name.removeprefix("array.")
        twin = TWINS.get(method, method)
        if method != name and method not in NO_TWIN and twin in functions:
            check(function, functions[twin])


def check(function, canonical):
    """Links a function to the one it stands for, after running both."""
    assert same(function, canonical), (function.name, canonical.name)
    assert (function.result, function.dtype) == (canonical.result, canonical.dtype), (function.name, canonical.name)
    function.same = canonical.name


def main():
    if mx.__version__ != VERSION:
        sys.exit(f"the table describes MLX {VERSION}, this is {mx.__version__}")
    effects, since = spread(EFFECTS), spread(SINCE)
    functions = read_stubs()
    for function in functions.values():
        harmless = effects.get(function.name, "pure") in ("pure", "random") or function.name in COLLECTIVES
        if harmless and function.result in ("array", "arrays"):
            measure(function)
        if function.name in COLLECTIVES:
            function.dtype, function.joins = "?", []
    link(functions)
    add_runtime_names(functions)
    for name in list(effects) + list(since):
        assert name in functions, f"{name} is in a hand table and not in MLX"
    for name in sorted(functions):
        print(functions[name].line(effects, since))


if __name__ == "__main__":
    main()
