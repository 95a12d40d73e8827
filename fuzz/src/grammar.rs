//! Draws Python programs that use MLX. Every choice is one byte of the input, so that a small change of the bytes is a small change of the program, and
//! coverage can guide both. The tables are templates: `$` and a letter stands for something drawn, `$` and a digit for the same thing throughout a template.

/// A reader of choices. When the bytes are used up every choice is the first, and the first of each table is short.
pub struct Draw<'b> {
    bytes: std::slice::Iter<'b, u8>,
    /// How much may still be drawn: programs stay small, whatever the bytes say.
    left: usize,
    /// How deep the statement or expression that is drawn lies.
    depth: usize,
    comments: usize,
}

impl<'b> Draw<'b> {
    /// Choices made by `bytes`.
    pub fn new(bytes: &'b [u8]) -> Self {
        Self { bytes: bytes.iter(), left: 400, depth: 0, comments: 0 }
    }

    /// A number below `end`, which is at most 256.
    pub fn below(&mut self, end: usize) -> usize {
        self.left = self.left.saturating_sub(1);
        if self.left == 0 { 0 } else { self.bytes.next().map_or(0, |&byte| usize::from(byte) % end.max(1)) }
    }

    /// One of `table`.
    pub fn one<T: Copy>(&mut self, table: &[T]) -> T {
        table[self.below(table.len())]
    }

    /// Whether something happens that happens once in `often` times, and never when the bytes are used up.
    pub fn once_in(&mut self, often: usize) -> bool {
        self.below(often) == often - 1
    }

    /// Whether there is nothing left to choose.
    pub fn is_done(&self) -> bool {
        self.left == 0 || self.bytes.len() == 0
    }
}

const HEADS: &[&str] = &[
    "import mlx.core as mx\nimport mlx.nn as nn\n",
    "\"\"\"A module.\"\"\"\nfrom __future__ import annotations\n\nimport math\n\nimport mlx.core as mx\nimport numpy as np\n",
    "from mlx import core as mx, nn\nfrom mlx.utils import tree_map\nimport mlx.optimizers as optim\n",
    "from mlx.core import array, mean, rsqrt, square, softmax, matmul, concatenate\nimport mlx.core as mx\n",
    "try:\n    import mlx.core as mx\nexcept ImportError:\n    mx = None\n",
    "import mlx.core\nimport mlx.core as mx; import mlx.nn as nn\n",
];

const VARIABLES: &[&str] = &["x", "y", "w", "b", "q", "k", "v", "h", "scores", "mask", "self.weight", "self.bias", "weights", "t", "out", "i"];
const NAMES: &[&str] = &["x", "y", "w", "b", "q", "k", "v", "h", "scores", "mask", "weights", "t", "out", "i", "loss", "grads"];
const NUMBERS: &[&str] = &["1", "2", "1e-5", "0", "-1", "3", "0.5", "64", "-1e9", "1e400", "True", "10**3", "0x10", "1j", "2.0", "None"];
const AXES: &[&str] = &["-1", "1", "axis=-1", "0", "-2", "axis=(1, 2)", "None", "axis"];
const DTYPES: &[&str] = &["mx.float32", "mx.float16", "x.dtype", "mx.bfloat16", "mx.int32", "q.dtype", "t", "mx.bool_"];
const FIELDS: &[&str] = &["weight", "bias", "eps", "scale", "n_heads", "dims"];

const PARAMETERS: &[&str] = &[
    "x",
    "x: mx.array, w: mx.array, b: mx.array, eps: float = 1e-5",
    "q: mx.array, k: mx.array, v: mx.array, scale: float, mask=None",
    "x, weights, axis=-1, t=mx.float16",
    "x: \"mx.array\", /, y, *args, out=None, **kwargs",
    "a: mx.array, b: mx.array, c: mx.array, n: int, i: mx.array",
    "path: str, h, scores: Optional[mx.array] = None",
];

/// Expressions that may stand anywhere, brackets or not. `$e` is any of these, `$p` one that binds tightly, `$v` a variable, `$m` a name to bind.
const EXPRESSIONS: &[&str] = &[
    "$v",
    "$p",
    "$e + $e",
    "$p * $p",
    "$p @ $p",
    "$p - $p",
    "$p / $p",
    "$p ** 2",
    "-$p",
    "$p @ $p + $p",
    "$p * mx.rsqrt(mx.mean($1 * $1, axis=-1, keepdims=True) + $n)",
    "$1 * mx.rsqrt($1.square().mean(-1, keepdims=True) + eps)",
    "($1 - mx.mean($1, axis=-1, keepdims=True)) * mx.rsqrt(mx.var($1, axis=-1, keepdims=True) + $n) * $v + $v",
    "mx.softmax($1.astype(mx.float32), axis=$x).astype($1.dtype)",
    "mx.softmax($p @ $p.transpose(0, 1, 3, 2) * $v + $v, axis=-1) @ $p",
    "$e if $e else $e",
    "not $e",
    "$p is None",
    "$p and $p or $p",
    "$p < $p",
    "lambda $m: $e",
    "($m := $e)",
    "mx.where($e, $e, $n)",
    "[$e for $m in $p]",
    "[$1[j].item() for j in range(len($1))]",
    "{$m: $m.astype($t) for $m, $m in $p.items()}",
    "(yield $e)",
    "await $p",
    "$p,",
    "*$p, $e",
    "$p if $1 is None else $p + $1",
];

/// Expressions that bind tightly.
const PRIMARIES: &[&str] = &[
    "$v",
    "$n",
    "($e)",
    "(\n        $e  # why\n    )",
    "mx.$u($e)",
    "$p.$u()",
    "mx.mean($e, axis=$x, keepdims=True)",
    "$p.mean($x, keepdims=True)",
    "mx.rsqrt($e)",
    "mx.sqrt($e + $n)",
    "mx.var($e, $x)",
    "mx.softmax($e, $x)",
    "$p.astype($t)",
    "$p.transpose(0, 1, 3, 2)",
    "$p.swapaxes(-1, -2)",
    "$p.T",
    "mx.expand_dims($e, $n)",
    "$p[..., None]",
    "$p[$e]",
    "$p[mx.arange($n), $e]",
    "$p[:, $e]",
    "mx.concatenate([$1] * $n, axis=$x)",
    "mx.concatenate([$1, $1], axis=0)",
    "mx.take_along_axis($e, $e, axis=$x)",
    "mx.array($n)",
    "mx.array([$n, $n])",
    "mx.zeros(($n,), dtype=$t)",
    "$p.item()",
    "$p.tolist()",
    "int($e)",
    "float($p)",
    "len($p)",
    "mx.load(path)",
    "mx.load(open(path, \"rb\"))",
    "self.$f",
    "self._norm($e)",
    "_helper($e)",
    "f(*$p, **$p)",
    "f\"{$v:.2f} {$e}\"",
    "np.$u($e)",
    "mx.fast.rms_norm($p, $p, $n)",
    "mx.matmul($e, $e)",
    "mx.repeat($e, $n, axis=$x)",
    "$p.reshape($n, -1)",
    "$p.shape[-1]",
    "mx.metal.get_peak_memory()",
    "math.sqrt($e)",
    "nn.Linear($n, $n)($e)",
    "{**$p, 'k': $e}",
    "()",
];

const FUNCTIONS: &[&str] =
    &["square", "exp", "mean", "sum", "sqrt", "abs", "flatten", "argmax", "sigmoid", "stack", "eval", "asarray", "zeros_like", "max"];

/// Statements. `$B` is a block one level in.
const STATEMENTS: &[&str] = &[
    "pass",
    "$m = $e",
    "return $e",
    "$m = $e\n$1 = $2\nreturn $1 * $e",
    "$m += $e",
    "$m @= $e",
    "$m: mx.array = $e",
    "$m, $m = $e, $e",
    "$m = $m = $e",
    "$m = $e; $m = $e",
    "$e",
    "print($e)",
    "mx.eval($m)",
    "mx.eval($m, $e)",
    "mx.async_eval($m)",
    "$p[$e] = $e",
    "$p[mx.arange($n), $e] = $n",
    "$p[:, $e] += $e",
    "self.$f = $e",
    "self.$f *= $e",
    "$m.append($e)",
    "del $m",
    "assert $e, $e",
    "raise ValueError($e)",
    "if $e:$B",
    "if $e:$Belse:$B",
    "if $1 is not None:\n    $2 = $2 + $1",
    "if $e:$Belif $e:$Belse:$B",
    "if $e: $m = $e",
    "for $m in $e:$B",
    "for $m in range($e):$Belse:$B",
    "for $m, $m in enumerate($e):$B",
    "for $1 in $p.flatten():\n    out.append($1.item())",
    "while $e:$B",
    "try:$Bexcept Exception as $m:$Bfinally:$B",
    "try:$Bexcept ImportError:$B",
    "with open(path, \"rb\") as f:\n    $1 = mx.load(f)",
    "with mx.stream(mx.cpu) as $m:$B",
    "def inner($m, $m=None):$B",
    "$m = lambda $m: $e",
    "global $m",
    "import mlx.core as mx",
    "import math as $m",
    "match $e:\n    case [$m, *_]:\n        $1 = $e\n    case _:\n        pass",
    "$1 = mx.load(path)\nmx.eval($1)\n$1 = {k: v.astype(mx.float16) for k, v in $1.items()}",
    "mx.eval($1)\n$2 = $1.item()",
    "loss, grads = step(model, x)\noptimizer.update(model, grads)\nmx.eval(model.parameters(), optimizer.state)",
    "$1 = $2.astype(mx.float32)\n$m = mx.mean($1 ** 2, axis=-1, keepdims=True)\n$2 = ($1 * mx.rsqrt($m + eps)).astype($2.dtype)\nreturn $2 * self.weight",
    "$1 = $2 - $2.mean(-1, keepdims=True)\n$m = ($1 * $1).mean(-1, keepdims=True)\nreturn $1 / mx.sqrt($m + $n) * w + b",
    "$1 = (q * scale) @ k.transpose(0, 1, 3, 2)\nif mask is not None:\n    $1 = $1 + mask\n$1 = mx.softmax($1, axis=-1)\nreturn $1 @ v",
    "$1 = mx.matmul(x, w)\n$1 = $1 + b\nreturn mx.maximum($1, 0)",
    "mx.metal.clear_cache()",
    "break",
    "continue",
    "yield $e",
    "return",
    "async def inner():$B",
    "class Inner:$B",
];

const COMMENTS: &[&str] = &["comment", " why", "!", " type: ignore", " fmt: skip", " mlxfix: ignore", " noqa: E731", " é\u{2028}", "", "\x0c"];

/// A program.
pub fn program(draw: &mut Draw<'_>) -> String {
    let mut text = draw.one(HEADS).to_owned();
    for _ in 0..=draw.below(4) {
        text.push_str("\n\n");
        definition(draw, &mut text);
    }
    if draw.once_in(4) {
        text.push_str(&statements(draw, ""));
    }
    dressed(draw, text)
}

/// The text in another of the forms in which files come.
pub fn dressed(draw: &mut Draw<'_>, text: String) -> String {
    match draw.below(8) {
        5 => text.replace('\n', "\r\n"),
        6 => text.replace("    ", "\t"),
        7 => text.trim_end().to_owned(),
        _ => text,
    }
}

fn definition(draw: &mut Draw<'_>, text: &mut String) {
    let parameters = draw.one(PARAMETERS);
    match draw.below(4) {
        0 => *text += &format!("def f({parameters}):\n{}", statements(draw, "    ")),
        1 => *text += &format!("@mx.compile\ndef _helper({parameters}):\n    \"\"\"What it does.\"\"\"\n{}", statements(draw, "    ")),
        2 => {
            let init = "    def __init__(self, dims: int, eps: float = 1e-5):\n        super().__init__()\n        self.weight = mx.ones((dims,))\n        self.eps = eps\n";
            let norm = "\n    def _norm(self, x):\n        return x * mx.rsqrt(x.square().mean(-1, keepdims=True) + self.eps)\n";
            *text += &format!("class M(nn.Module):\n{init}");
            if draw.below(2) == 1 {
                text.push_str(norm);
            }
            *text += &format!("\n    def __call__(self, {parameters}):\n{}", statements(draw, "        "));
        }
        _ => *text += &format!("async def g({parameters}) -> mx.array:\n{}", statements(draw, "    ")),
    }
}

/// A block: one or more statements, each line after `indent`.
pub fn statements(draw: &mut Draw<'_>, indent: &str) -> String {
    let mut text = String::new();
    for _ in 0..=draw.below(5) {
        if draw.once_in(12) {
            text += &format!("{indent}{}\n", comment(draw));
        }
        let filled = statement(draw);
        for line in filled.lines() {
            // A line that goes on in brackets or a string may end in a comment as well.
            let remark = if draw.once_in(16) { format!("  {}", comment(draw)) } else { String::new() };
            text += &format!("{indent}{line}{remark}\n");
        }
        if draw.once_in(12) {
            text.push('\n');
        }
    }
    text
}

fn comment(draw: &mut Draw<'_>) -> String {
    draw.comments += 1;
    format!("#{}{}", draw.one(COMMENTS), draw.comments)
}

fn statement(draw: &mut Draw<'_>) -> String {
    if draw.depth > 3 || draw.is_done() {
        return filled(draw, "$m = $v");
    }
    draw.depth += 1;
    let template = draw.one(STATEMENTS);
    let text = filled(draw, template);
    draw.depth -= 1;
    text
}

/// An expression.
pub fn expression(draw: &mut Draw<'_>) -> String {
    nested(draw, EXPRESSIONS)
}

fn nested(draw: &mut Draw<'_>, table: &[&str]) -> String {
    if draw.depth > 6 || draw.is_done() {
        return draw.one(VARIABLES).to_owned();
    }
    draw.depth += 1;
    let template = draw.one(table);
    let text = filled(draw, template);
    draw.depth -= 1;
    text
}

/// `template` with everything drawn that it leaves open.
fn filled(draw: &mut Draw<'_>, template: &str) -> String {
    let (mut text, mut same) = (String::new(), [const { None::<&str> }; 10]);
    let mut letters = template.chars();
    while let Some(letter) = letters.next() {
        if letter != '$' {
            text.push(letter);
            continue;
        }
        match letters.next() {
            Some('e') => text += &nested(draw, EXPRESSIONS),
            Some('p') => text += &nested(draw, PRIMARIES),
            Some('v') => text += draw.one(VARIABLES),
            Some('m') => text += draw.one(NAMES),
            Some('n') => text += draw.one(NUMBERS),
            Some('x') => text += draw.one(AXES),
            Some('t') => text += draw.one(DTYPES),
            Some('f') => text += draw.one(FIELDS),
            Some('u') => text += draw.one(FUNCTIONS),
            Some('B') => text += &format!("\n{}", statements(draw, "    ")),
            Some(digit) => {
                let place = digit.to_digit(10).map_or(0, |d| d as usize);
                let known = same[place].unwrap_or_else(|| draw.one(NAMES));
                same[place] = Some(known);
                text += known;
            }
            None => {}
        }
    }
    text
}
