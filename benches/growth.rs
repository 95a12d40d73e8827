//! How the cost of a dry run grows with its text. Each shape of text is made in one size and in twice that size, and the second may cost no more than a little
//! over twice the first: `cargo bench --bench growth` prints the factors, and fails where one of them tells of something quadratic.

#![allow(clippy::print_stdout)] // The figures are what it is for.

use std::time::Duration;

use mlxfix::batch::on_deep_stack;
use mlxfix::finding::Applicability;
use mlxfix::{Options, fix};

/// Twice the text costs twice the time where everything is linear, and four times where something that counts is quadratic.
const MOST: f64 = 3.0;
/// Each size is measured so often, and the fastest counts.
const ROUNDS: usize = 3;
/// A measurement runs until so much was spent: the clocks of some systems tick in hundredths of a second.
const ENOUGH: Duration = Duration::from_millis(100);

type Shape = (&'static str, usize, fn(usize) -> String);

/// The shapes of text, each with a size in which the smaller one takes a fraction of a second.
const SHAPES: &[Shape] = &[
    ("functions with a norm", 2_000, |n| functions(n, "    v = mx.mean(x * x, axis=-1, keepdims=True)\n    return x * mx.rsqrt(v + 1e-5)\n")),
    ("functions with a sum of a product", 2_000, |n| functions(n, "    return x @ w + b\n")),
    ("functions with constants", 2_000, |n| functions(n, "    x = x.astype(w.dtype)\n    return x + mx.zeros((4,)) * mx.ones((4,))\n")),
    ("norms of a function", 400, |n| {
        function(&numbered(n, "    x = mx.exp(x)\n    v = mx.mean(x * x, axis=-1, keepdims=True)\n    y# = x * mx.rsqrt(v + 1e-5)\n"))
    }),
    ("products with a sum of a function", 400, |n| function(&numbered(n, "    x = mx.exp(x)\n    y# = x @ w + w\n"))),
    ("softmaxes of a function", 400, |n| {
        let softmax = "    x = mx.exp(x)\n    y# = mx.softmax(x.astype(mx.float32), axis=-1).astype(x.dtype)\n";
        function(&numbered(n, softmax))
    }),
    ("activations of a function", 100, |n| {
        let gelu = "    y# = 0.5 * x * (1 + mx.tanh(mx.array(0.5) * (x + 0.044715 * x**3)))\n    x = mx.exp(y#) @ w\n";
        function(&(numbered(n, gelu) + "    return x\n"))
    }),
    ("shapes of what has shapes", 100, |n| {
        let halves = "    B, T, D = x.shape\n    x1, x2 = x[..., : D // 2], x[..., D // 2 :]\n    x = mx.concatenate([x1 * x2, x2 + x1], axis=-1)\n";
        function(&(halves.repeat(n) + "    return x @ w + b\n"))
    }),
    ("statements of a module", 20_000, |n| format!("import mlx.core as mx\n{}", numbered(n, "x# = mx.exp(x#)\n"))),
    ("statements of a function", 2_000, |n| function(&"    x = x * w + b\n".repeat(n))),
    ("names of a function", 5_000, |n| function(&numbered(n, "    y# = x * #\n"))),
    ("statements on one line", 2_000, |n| function(&format!("    {}x = x\n", "x = x * 2; ".repeat(n)))),
    ("branches", 1_500, |n| function(&numbered(n, "    if b:\n        x = x + #\n"))),
    ("alternatives", 3_000, |n| function(&format!("    if b:\n        x = w\n{}", numbered(n, "    elif b == #:\n        x = x * 2\n")))),
    ("loops that read elements", 2_000, |n| function(&numbered(n, "    for i in x.flatten():\n        y# = i.item()\n"))),
    ("names in nested loops", 500, |n| {
        let loops: String = (1..9).map(|depth| format!("{}for i{depth} in w:\n", "    ".repeat(depth))).collect();
        function(&(loops + &numbered(n, &format!("{}y# = mx.exp(x * #)\n", "    ".repeat(9)))))
    }),
    ("elements of comprehensions", 1_000, |n| function(&numbered(n, "    y# = [t * x for t in w]\n    z# = [b(t, x) for t in w]\n"))),
    ("calls of a helper that match where they are", 100, |n| {
        let helper = "def centred(x, axis):\n    d = x - mx.mean(x, axis=axis, keepdims=True)\n    return d * mx.rsqrt(mx.var(x, axis=axis, keepdims=True) + 1e-5)\n";
        function(&numbered(n, "    x = mx.exp(x)\n    y# = centred(x, -1)\n")) + "\n\n" + helper
    }),
    ("functions of a function", 1_000, |n| function(&numbered(n, "    def g#(y):\n        return mx.exp(y) * x\n    z# = g#(w)\n"))),
    ("files that are opened", 1_000, |n| function(&numbered(n, "    with open('#', 'rb') as h:\n        y = mx.load(h)\n"))),
    ("evaluations", 2_000, |n| function(&numbered(n, "    mx.eval(x)\n    y# = x.item()\n"))),
    ("handlers", 3_000, |n| function(&"    try:\n        x = x * 2\n    except ValueError:\n        x = w\n".repeat(n))),
    ("terms", 5_000, |n| function(&format!("    return x{}\n", " + x".repeat(n)))),
    ("calls in a chain", 5_000, |n| function(&format!("    return x{}\n", ".square()".repeat(n)))),
    ("elements of a list", 200_000, |n| format!("import mlx.core as mx\nx = mx.array([{}])\n", "1.5, ".repeat(n))),
    ("comments", 50_000, |n| function(&"    # why\n".repeat(n)) + "    return x\n"),
    ("one long line", 1 << 20, |n| format!("import mlx.core as mx\nx = '{}'\n", "a".repeat(n))),
    ("attributes that are stored again", 100, |n| {
        let again = "        self.n = self.n + self.n\n        self.w = self.w * self.w\n".repeat(n);
        let call = "\n    def __call__(self, x):\n        return x.reshape(self.n, -1) * self.w + mx.zeros((self.n, 1))\n";
        format!("import mlx.core as mx\n\n\nclass M:\n    def __init__(self, n, w):\n        self.n, self.w = n, w\n{again}{call}")
    }),
    ("methods that call each other", 1_000, |n| {
        let methods = numbered(n, "    def m#(self, x):\n        return self.m0(x) + 1\n");
        format!("import mlx.core as mx\nimport mlx.nn as nn\n\n\nclass M(nn.Module):\n{methods}")
    }),
];

fn main() {
    let mut failed = false;
    for &(name, size, text) in SHAPES {
        let [small, large] = [cost(&text(size)), cost(&text(2 * size))];
        let factor = large.as_secs_f64() / small.as_secs_f64();
        println!("{name:36} {size:8}: {:8.1} ms, twice the size {:8.1} ms, factor {factor:.2}", 1e3 * small.as_secs_f64(), 1e3 * large.as_secs_f64());
        failed |= factor > MOST;
    }
    assert!(!failed, "a text of twice the size costs more than {MOST} times as much");
}

fn cost(text: &str) -> Duration {
    let options = Options { admit: Applicability::Unsafe, alone: true, ..Options::default() };
    let run = || {
        let start = spent();
        let mut runs = 0;
        while runs == 0 || spent() - start < ENOUGH {
            let fixed = fix(text, &options).expect("the text is Python");
            assert_eq!(fixed.broken, None, "{text:.100}");
            runs += 1;
        }
        (spent() - start) / runs
    };
    let rounds = on_deep_stack(|| (0..ROUNDS).map(|_| run()).min());
    rounds.expect("no panic").unwrap_or_default()
}

/// The time this thread has spent computing, where the system tells; else the time that has passed.
fn spent() -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = told.and_then(|text| text.split_whitespace().next()?.parse().ok());
    static START: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);
    nanoseconds.map_or_else(|| START.elapsed(), Duration::from_nanos)
}

fn function(body: &str) -> String {
    format!("import mlx.core as mx\n\n\ndef f(x: mx.array, w: mx.array, b: float):\n{body}")
}

fn functions(count: usize, body: &str) -> String {
    format!("import mlx.core as mx\n{}", numbered(count, &format!("\n\ndef f#(x: mx.array, w: mx.array, b: mx.array):\n{body}")))
}

/// `text` so many times, with the number of each for `#`.
fn numbered(count: usize, text: &str) -> String {
    (0..count).map(|n| text.replace('#', &n.to_string())).collect()
}
