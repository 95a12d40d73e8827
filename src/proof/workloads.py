"""What the shipped transforms are measured on: for each a function of its name that gives, for a dtype, a label, the name of the pattern, and arguments.

The sizes are those of a decoder with 4096 dimensions and 32 heads: one token at decode, 2048 at prefill. What a file holds a
`workloads` of is measured on that instead. What saves no time or memory has no function here; nor have async-eval, which makes a generator, and
compile-scalar-args and clear-cache, whose gain takes more rounds than a measurement has.
"""

import os
import tempfile

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optimizers

SIZES = (("decode", 1), ("prefill", 2048))
DIMS, HEADS, GROUPS, CACHE = 4096, 32, 8, 2048


def normal(*shape, dtype, seed=0):
    return mx.random.normal(shape, key=mx.random.key(seed)).astype(dtype)


def layer_norm(dtype):
    for label, tokens in SIZES:
        w, b = normal(DIMS, dtype=dtype), normal(DIMS, dtype=dtype)
        yield label, "before_upcast", {"x": normal(1, tokens, DIMS, dtype=dtype), "w": w, "b": b, "eps": 1e-5}


def rms_norm(dtype):
    for label, tokens in SIZES:
        yield label, "before_upcast", {"x": normal(1, tokens, DIMS, dtype=dtype), "w": normal(DIMS, dtype=dtype), "eps": 1e-5}


def rope(dtype):
    width = DIMS // HEADS
    for label, tokens in SIZES:
        x, sizes = normal(1, HEADS, tokens, width, dtype=dtype), {"n": tokens, "d": width, "h": width // 2, "k": width // 2}
        yield label, "before_cast", {"x": x, "base": 1e4, "offset": CACHE, "scale": 1.0, "lead": (0, 1), "shape": x.shape} | sizes


def attention(dtype):
    for label, tokens in SIZES:
        length = max(tokens, CACHE)
        q, k, v = (normal(1, heads, n, DIMS // HEADS, dtype=dtype) for heads, n in ((HEADS, tokens), (GROUPS, length), (GROUPS, length)))
        mask = mx.triu(mx.full((tokens, length), -1e4), k=1 + length - tokens).astype(dtype)
        given = {"q": q, "k": k, "v": v, "scale": (DIMS // HEADS) ** -0.5, "mask": mask, "fill": None, "n": HEADS // GROUPS}
        yield label, "before_cast_repeated", given


def redundant_upcast(dtype):
    for label, tokens in SIZES:
        yield label, "before_rms", {"x": normal(1, tokens, DIMS, dtype=dtype), "eps": 1e-5}


def load_file_handle(dtype):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "weights.safetensors")
        names = ["embedding", *(f"layer{n}" for n in range(7))]
        mx.save_safetensors(path, {name: normal(DIMS, 1024, dtype=dtype) for name in names})
        yield "one of 8 arrays", "before", {"path": path}


def astype_before_eval(dtype):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "weights.safetensors")
        mx.save_safetensors(path, {f"layer{n}": normal(DIMS, 256, dtype=mx.float32) for n in range(48)})
        yield "48 arrays", "before", {"path": path}


def release_temporaries(dtype):
    layers = [nn.Linear(256, 256) for _ in range(8)]
    model = nn.Sequential(*layers)
    model.set_dtype(dtype)
    batch = (normal(64, 256, dtype=dtype), normal(64, 256, dtype=dtype, seed=1))

    def loss_fn(model, x, y):
        return nn.losses.mse_loss(model(x), y)

    yield "8 layers", "before", {"model": model, "optimizer": optimizers.SGD(1e-3), "loss_fn": loss_fn, "batches": [batch] * 4}


def precise_softmax(dtype):
    for label, tokens in (("decode", 1), ("prefill", 512)):
        yield label, "before", {"x": normal(1, HEADS, tokens, CACHE, dtype=dtype), "axis": -1}


def scalar_promotion(dtype):
    for label, tokens in SIZES:
        yield label, "before", {"c": 2.0, "x": normal(1, tokens, DIMS, dtype=dtype)}


def float32_default(dtype):
    for label, tokens in (("decode", 1), ("prefill", 512)):
        yield label, "before", {"x": normal(1, tokens, 1024, dtype=dtype), "w": normal(1024, 1024, dtype=dtype)}


def addmm(dtype):
    for label, tokens in (("decode", 1), ("prefill", 512)):
        a, b, c = (normal(*shape, dtype=dtype) for shape in ((tokens, DIMS), (DIMS, DIMS), (DIMS,)))
        yield label, "before", {"a": a, "b": b, "c": c}


def take_along_axis(dtype):
    x, i = normal(512, 32000, dtype=dtype), mx.random.randint(0, 32000, (512,))
    yield "labels", "before", {"x": x, "n": 512, "i": i, "d": None}
    scores = normal(2048, 64, dtype=dtype)
    yield "router", "before_some", {"x": scores, "n": 2048, "i": mx.argpartition(-scores, kth=8, axis=-1)[:, :8], "d": None}


def put_along_axis(dtype):
    scores = normal(2048, 64, dtype=dtype)
    yield "router", "before_some", {"y": scores, "n": 2048, "i": mx.argpartition(-scores, kth=8, axis=-1)[:, :8], "v": 0.0, "d": None}


def concat_repeat(dtype):
    for label, tokens in SIZES:
        yield label, "before", {"a": normal(1, tokens, DIMS, dtype=dtype), "n": 2, "axis": 0}


def tolist_iteration(dtype):
    yield "1024 elements", "before", {"tokens": mx.random.randint(32, 127, (1024,))}


def redundant_eval(dtype):
    weight = normal(1024, 1024, dtype=dtype)

    def step(token):
        return weight[token] @ weight

    yield "4 tokens", "before", {"step": step, "token": mx.array(0)}


def mixed_half(dtype):
    for label, tokens in (("decode", 1), ("prefill", 512)):
        yield label, "before", {"x": normal(1, tokens, 1024, dtype=dtype), "w": normal(1024, 1024, dtype=dtype)}


def numpy_scalar_left(dtype):
    for label, tokens in SIZES:
        yield label, "before", {"x": normal(1, tokens, DIMS, dtype=dtype)}


def transposed_matmul(dtype):
    yield "one row", "before", {"w": normal(DIMS, DIMS, dtype=dtype), "tokens": normal(1, DIMS, dtype=dtype)}


def sync_in_loop(dtype):
    model = nn.Linear(256, 256)
    model.set_dtype(dtype)
    batches = [(normal(64, 256, dtype=dtype), normal(64, 256, dtype=dtype, seed=1))] * 20
    yield "20 steps", "before", {"model": model, "loss_fn": nn.losses.mse_loss, "batches": batches}


def eval_in_loop(dtype):
    for label, tokens in (("decode", 1), ("prefill", 512)):
        yield label, "before", {"x": normal(1, tokens, DIMS, dtype=dtype), "steps": 32}


def compile_elementwise(dtype):
    for label, tokens in SIZES:
        yield label, "before", {"x": normal(1, tokens, DIMS, dtype=dtype)}


def compile_in_loop(dtype):
    yield "16 calls", "before", {"f": nn.gelu, "inputs": [normal(64, 256, dtype=dtype, seed=seed) for seed in range(16)]}
