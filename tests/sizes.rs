//! Texts of a size that nobody writes and somebody generates: they give a result or an error, and neither the stack nor the patience of the user runs out. How
//! the time grows is measured by `benches/growth.rs`.

use mlxfix::batch::on_deep_stack;
use mlxfix::finding::Applicability;
use mlxfix::{Fixed, Options, SyntaxError};

const HEAD: &str = "import mlx.core as mx\n\n\ndef f(x: mx.array, w: mx.array, b):\n";

/// What comes of `text`, on the stack that the program gives itself.
fn fix(text: &str) -> Result<Fixed, SyntaxError> {
    let options = Options { admit: Applicability::Unsafe, ..Options::default() };
    on_deep_stack(|| mlxfix::fix(text, &options)).expect("no panic")
}

/// Nothing is found in any of `texts`, or they are refused; but they come to an end.
fn comes_to_an_end(texts: impl IntoIterator<Item = String>) {
    for text in texts {
        match fix(&text) {
            Ok(fixed) => assert_eq!((fixed.broken, fixed.text == text), (None, true), "{text:.200}"),
            Err(error) => assert!(!error.message.is_empty()),
        }
    }
}

#[test]
fn deep_brackets_are_refused_and_overflow_no_stack() {
    for [open, close] in [["(", ")"], ["[", "]"], ["{", "}"], ["f(", ")"], ["x[", "]"], ["(lambda: ", ")"], ["f'{", "}'"], ["-(", ")"]] {
        comes_to_an_end([format!("{HEAD}    return {}1{}\n", open.repeat(10_000), close.repeat(10_000))]);
    }
}

#[test]
fn long_chains_overflow_no_stack() {
    let chain = |link: &str| format!("{HEAD}    return x{}\n", link.repeat(5_000));
    let links = [
        ".T",
        ".square()",
        "[0]",
        "()",
        " + x",
        " * w",
        " @ w",
        " ** 2",
        " and x",
        " < x",
        " if x else x",
        ".astype(mx.float32)",
        ".transpose(1, 0)",
    ];
    comes_to_an_end(links.map(chain));
    comes_to_an_end([" + x", " @ w", " if x else x"].map(|link| format!("{HEAD}    return (x{})\n", format!("\n        {link}").repeat(5_000))));
    comes_to_an_end(["not ", "-", "lambda: ", "x ** ", "await ", "*"].map(|prefix| format!("{HEAD}    return {}x\n", prefix.repeat(10_000))));
}

#[test]
fn blocks_in_blocks_are_refused_beyond_what_python_takes() {
    let nested = |opening: &str, levels: usize| {
        let lines: String = (0..levels).map(|n| format!("{}{opening}\n", " ".repeat(n))).collect();
        format!("import mlx.core as mx\n{lines}{}pass\n", " ".repeat(levels))
    };
    for opening in ["if x:", "for x in y:", "while x:", "with x:", "def f():", "class C:"] {
        let [deepest, deeper, absurd] = [99, 100, 10_000].map(|levels| fix(&nested(opening, levels)).is_ok());
        assert_eq!((deepest, deeper, absurd), (true, false, false), "{opening}");
    }
    comes_to_an_end([format!("{HEAD}    if x:\n        pass\n{}", "    elif x:\n        pass\n".repeat(10_000))]);
}

#[test]
fn long_files_and_long_lines_come_to_an_end() {
    let statements: String = (0..100_000).map(|n| format!("x{n} = {n}\n")).collect();
    comes_to_an_end([
        format!("import mlx.core as mx\n{statements}"),
        format!("import mlx.core as mx\nx = '{}'\n", "a".repeat(1 << 20)),
        format!("import mlx.core as mx\n#{}\n", " x".repeat(1 << 19)),
        format!("import mlx.core as mx\nx = [{}]\n", "1, ".repeat(1 << 18)),
        format!("import mlx.core as mx\nf({})\n", "x, ".repeat(1 << 17)),
        format!("import mlx.core as mx\n{}\n", "x = 1; ".repeat(1 << 15)),
    ]);
}

#[test]
fn edits_inside_each_other_settle() {
    for terms in [2, 110] {
        let text = format!("{HEAD}    return {}\n", vec!["x @ w"; terms].join(" + "));
        let fixed = fix(&text).expect("it is Python");
        assert_eq!(fixed.broken, None, "{terms} terms");
        assert_eq!(fixed.text.matches("mx.addmm(").count(), terms - 1, "{terms} terms");
        let again = fix(&fixed.text).expect("it is Python");
        assert_eq!((again.broken, again.text), (None, fixed.text), "{terms} terms");
    }
}

#[test]
fn values_that_share_parts_are_not_followed_path_by_path() {
    // Each value is made of the one before twice over: followed by every path, the last would take 2 to the power of 200 steps.
    let halves = "    B, T, D = x.shape\n    x1, x2 = x[..., : D // 2], x[..., D // 2 :]\n    x = mx.concatenate([x1 * x2, x2 + x1], axis=-1)\n";
    let norm = "    v = mx.mean(x * x, axis=-1, keepdims=True)\n    return x * mx.rsqrt(v + 1e-5)\n";
    let fixed = fix(&format!("{HEAD}{}{norm}", halves.repeat(200))).expect("it is Python");
    assert_eq!((fixed.broken, fixed.findings.iter().filter(|f| f.applied).count()), (None, 1));
}

#[test]
fn what_is_made_of_itself_twice_over_is_asked_once() {
    // Each of these took 2 to the power of 60 steps in one question or another about a value.
    let attention = "    s = mx.softmax(q @ k.swapaxes(-1, -2) * 0.5 + m, axis=-1)\n    return s @ v\n";
    let function = |parameters: &str, first: &str, twice: &str, last: &str| {
        format!(
            "import mlx.core as mx\n\n\n@mx.compile\ndef g(x, s: float):\n    return x * s\n\n\ndef f({parameters}):\n{first}{}{last}",
            twice.repeat(60)
        )
    };
    let norm = "    m = mx.mean(x, axis=-1, keepdims=True)\n    return (x - m) * mx.rsqrt(mx.var(x, axis=-1, keepdims=True) + 1e-5) * w + b\n";
    let waves = "    return mx.exp(x * n) * mx.sin(x) + mx.cos(x) * x\n";
    let cast = "    y = mx.array(n)\n    return x.astype(mx.float16) * y + mx.zeros(4)\n";
    let grouped =
        "import mlx.core as mx\nimport mlx.nn as nn\n\n\nclass A(nn.Module):\n    def __init__(self, heads, groups):\n        super().__init__()\n";
    let heads = "        self.heads, self.groups, self.repeats = heads, groups, heads // groups\n\n    def __call__(self, q, k, v):\n        B, L, _ = q.shape\n        \
                 q = q.reshape(B, L, self.heads, -1).transpose(0, 2, 1, 3)\n        k = k.reshape(B, L, self.groups, -1).transpose(0, 2, 1, 3)\n        \
                 v = v.reshape(B, L, self.groups, -1).transpose(0, 2, 1, 3)\n        k = mx.repeat(k, self.repeats, axis=1)\n        \
                 v = mx.repeat(v, self.repeats, axis=1)\n        return mx.softmax(q * 0.5 @ k.transpose(0, 1, 3, 2), axis=-1) @ v\n";
    let texts = [
        function("x, n: int", "", "    n = n + n\n", "    for _ in x:\n        x = g(x, n)\n    return x\n"),
        function("x: mx.array, w: mx.array, b: mx.array", "", "    b = b + b\n", norm),
        function("x: mx.array, c", "", "    c = c and c\n", "    return x if c else x * 2\n"),
        function("x", "", "    x = x @ x\n", "    return [int(i) for i in x]\n"),
        function("x: mx.array, n", "", "    n = (n, n)\n", cast),
        function("q: mx.array, k: mx.array, v: mx.array, m: mx.array", "    m = m > 0\n", "    m = m & m\n", attention),
        function("q: mx.array, k: mx.array, v: mx.array, c: mx.array", "    m = 1.0\n", "    m = mx.where(c, m, m)\n", attention),
        function("x: mx.array", "    n = 2\n", "    n = n / n\n", waves),
        format!("{grouped}{}{heads}", "        heads = heads + heads\n".repeat(60)),
    ];
    for text in texts {
        let fixed = fix(&text).expect("it is Python");
        assert_eq!(fixed.broken, None, "{text}");
    }
}
