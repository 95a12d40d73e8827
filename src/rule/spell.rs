//! How a value is written at a place: by a name that holds it there, by an expression that computes it, or by its structure. What is written is checked
//! by lowering it again, so this module may be heuristic.

use std::cell::{OnceCell, RefCell};

use rustc_hash::FxHashSet;

use crate::graph::Analysis;
use crate::graph::body::Body;
use crate::graph::normalize;
use crate::graph::value::{Comparison, Graph, Op, Symbol, ValueId};
use crate::syntax::{Source, TextRange, TextSize, is_argument, is_tight, on_one_line};

/// Deeper structures are not spelled out.
const MAX_DEPTH: u32 = 8;

/// How the last two axes of something are swapped.
pub(super) const SWAPPED: &str = ".swapaxes(-1, -2)";

/// Writes values at one place of one scope.
pub(super) struct Speller<'x> {
    analysis: &'x Analysis<'x>,
    source: &'x Source<'x>,
    body: &'x Body,
    /// The expression that is replaced.
    root: TextRange,
    /// Where its statement starts: names hold there what they hold.
    at: TextSize,
    names: Names,
    /// A name that `mlx.core` is going to have.
    import: Option<&'x str>,
    /// Names that will hold what they hold now with the last two axes swapped.
    folded: &'x [Symbol],
    /// The names in the text that is replaced.
    replaced: OnceCell<FxHashSet<&'x str>>,
    /// The expressions before the root whose text was taken over.
    copied: RefCell<Vec<TextRange>>,
}

/// A choice that takes more text than this is left to statements.
const MAX_CHOICE: usize = 100;

/// Which names may stand for a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Names {
    /// Those that hold it at the place.
    Present,
    /// Also one that held it before; the caller sees to it that it does so again.
    Earlier,
}

impl<'x> Speller<'x> {
    /// A speller for the place of `root`, whose statement starts at `at`.
    pub(super) fn new(analysis: &'x Analysis<'x>, body: &'x Body, root: TextRange, at: TextSize) -> Self {
        let (replaced, copied) = Default::default();
        Self { analysis, source: analysis.source, body, root, at, names: Names::Present, import: None, folded: &[], replaced, copied }
    }

    /// The same with other names allowed.
    pub(super) fn with(self, names: Names) -> Self {
        Self { names, ..self }
    }

    /// The same where `mlx.core` gets a name.
    pub(super) fn importing(self, import: Option<&'x str>) -> Self {
        Self { import, ..self }
    }

    /// The same where some names get what they hold with the last two axes swapped.
    pub(super) fn folding(self, folded: &'x [Symbol]) -> Self {
        Self { folded, ..self }
    }

    /// `value` as an argument of a call.
    pub(super) fn argument(&self, value: ValueId) -> Option<String> {
        let text = self.spell(value, 0)?;
        Some(if is_argument(&text) { text } else { format!("({text})") })
    }

    /// `value`, binding as tightly as a name.
    pub(super) fn tight(&self, value: ValueId) -> Option<String> {
        self.tight_at(value, 0)
    }

    fn tight_at(&self, value: ValueId, depth: u32) -> Option<String> {
        let text = self.spell(value, depth)?;
        // A number takes no attribute in any rule, so beside an operator it needs no parentheses.
        let number = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        Some(if number || is_tight(&text) { text } else { format!("({text})") })
    }

    /// The expressions before the root whose text was taken over so far.
    pub(super) fn copied(self) -> Vec<TextRange> {
        self.copied.into_inner()
    }

    /// The name by which the file knows `mlx.core`, or something inside it.
    pub(super) fn import(&self, path: &str) -> Option<String> {
        // The name that the replaced text uses, else the shortest.
        let ranked = |text: &String| {
            let name = text.split('.').next().unwrap_or_default();
            (!self.replaces(name), text.len(), text.clone())
        };
        let added = || Some(format!("{}{}", self.import?, path.strip_prefix("mlx.core")?));
        self.analysis.import_spellings(self.body, path, self.at).into_iter().min_by_key(ranked).or_else(added)
    }

    fn spell(&self, value: ValueId, depth: u32) -> Option<String> {
        if depth > MAX_DEPTH {
            return None;
        }
        let graph = &self.analysis.graph;
        let (op, operands) = graph.get(value);
        let depth = depth + 1;
        // A named constant keeps its name; `None`, truth values and counts are clearer as they are.
        let held = if matches!(op, Op::Changed(_)) { operands[0] } else { value };
        if !matches!(op, Op::None | Op::Bool(_) | Op::Int(_))
            && let Some(name) = self.name_of(held)
        {
            return Some(name.to_owned());
        }
        if let Some(constant) = self.constant(op) {
            return Some(constant);
        }
        if self.names == Names::Earlier
            && let Some(name) = self.body.name_before(value, self.at)
        {
            return Some(graph.name(name).to_owned());
        }
        if let Some(text) = self.written_in_root(value) {
            return Some(text);
        }
        match op {
            Op::Captured(scope, name) if scope == self.body.name => return Some(graph.name(name).to_owned()),
            // A parameter of the lambda in which the root stands.
            Op::Param(scope, name) if scope != self.body.name && graph.name(scope).contains(".<lambda>") => return Some(graph.name(name).to_owned()),
            Op::Captured(_, name) | Op::Param(_, name) | Op::ModuleName(name) | Op::Builtin(name) if self.body.value_of(name, self.at).is_none() => {
                return Some(graph.name(name).to_owned());
            }
            Op::Global(path) => return self.import(graph.name(path)),
            _ => {}
        }
        if let Some(text) = self.written(value) {
            return Some(text);
        }
        self.by_structure(value, depth)
    }

    /// A name that holds `value`: one that the replaced text reads, else the one assigned last.
    fn name_of(&self, value: ValueId) -> Option<&'x str> {
        let names = self.body.names_of(value, self.at);
        let name = |&n: &Symbol| self.analysis.graph.name(n);
        let read = || names.iter().map(name).find(|n| self.replaces(n)).or_else(|| names.first().map(name));
        if let [only] = &names[..] { Some(name(only)) } else { read() }
    }

    /// Whether `name` stands in the replaced text as a word that is no attribute.
    fn replaces(&self, name: &str) -> bool {
        let words = || self.source.slice(self.root).split(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '.'));
        self.replaced.get_or_init(|| words().filter_map(|word| word.split('.').next()).collect()).contains(name)
    }

    /// `value` written as the operation it is.
    fn by_structure(&self, value: ValueId, depth: u32) -> Option<String> {
        let graph = &self.analysis.graph;
        let (op, operands) = graph.get(value);
        let binary = |sign: &str| Some(format!("{} {sign} {}", self.tight_at(operands[0], depth)?, self.tight_at(operands[1], depth)?));
        match op {
            Op::Attr(name, _) => Some(format!("{}.{}", self.tight_at(operands[0], depth)?, graph.name(name))),
            Op::Dim(n) => Some(format!("{}.shape[{n}]", self.tight_at(operands[0], depth)?)),
            Op::DtypeOf => Some(format!("{}.dtype", self.tight_at(operands[0], depth)?)),
            Op::Mlx("astype") => Some(format!("{}.astype({})", self.tight_at(operands[0], depth)?, self.spell(operands[1], depth)?)),
            Op::Add => binary("+"),
            Op::Sub => binary("-"),
            Op::Mul => binary("*"),
            Op::Div => binary("/"),
            Op::Pow => {
                let base = self.tight_at(operands[0], depth)?;
                // A sign binds tighter on the right of a power.
                let exponent = if graph.number(operands[1]).is_some() { self.spell(operands[1], depth)? } else { self.tight_at(operands[1], depth)? };
                let is_simple = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
                let space = if is_simple(&base) && is_simple(&exponent) { "" } else { " " };
                Some(format!("{base}{space}**{space}{exponent}"))
            }
            Op::Neg => Some(format!("-{}", self.tight_at(operands[0], depth)?)),
            Op::Invert => Some(format!("~{}", self.tight_at(operands[0], depth)?)),
            Op::Gate => {
                let [condition, then, otherwise] = [operands[0], operands[1], operands[2]].map(|v| self.spell(v, depth));
                let grouped = |text: String| if text.contains(" if ") { format!("({text})") } else { text };
                let text = format!("{} if {} else {}", grouped(then?), grouped(condition?), grouped(otherwise?));
                (text.len() <= MAX_CHOICE).then_some(text)
            }
            Op::Compare(comparison) => binary(sign(comparison)),
            Op::Not => match graph.get(operands[0]) {
                (Op::Compare(Comparison::Is), sides) => {
                    Some(format!("{} is not {}", self.tight_at(sides[0], depth)?, self.tight_at(sides[1], depth)?))
                }
                _ => None,
            },
            Op::Permute => {
                let (of, axes) = normalize::permutation(graph, value)?;
                if axes == [-1, -2] {
                    return Some(self.swapped(self.tight_at(of, depth)?));
                }
                // A name may hold it with its last two axes swapped.
                let names = last_two_swapped(graph, of, &axes).map(|swapped| self.body.names_of(swapped, self.at));
                match names.into_iter().flatten().map(|name| graph.name(name)).min() {
                    Some(name) => Some(self.swapped(name.to_owned())),
                    // The second axis from the end goes before the one before it: heads and lengths of four axes.
                    None if axes == [-2, -3, -1] => Some(format!("{}.swapaxes(-3, -2)", self.tight_at(of, depth)?)),
                    None => None,
                }
            }
            _ => None,
        }
    }

    /// `text` with its last two axes swapped.
    fn swapped(&self, text: String) -> String {
        let folded = self.folded.iter().any(|&name| self.analysis.graph.name(name) == text);
        if folded { text } else { format!("{text}{SWAPPED}") }
    }

    fn constant(&self, op: Op) -> Option<String> {
        match op {
            Op::Int(n) => Some(n.to_string()),
            Op::Float(bits) => Some(float(f64::from_bits(bits))),
            Op::Bool(true) => Some("True".to_owned()),
            Op::Bool(false) => Some("False".to_owned()),
            Op::None => Some("None".to_owned()),
            _ => None,
        }
    }

    /// The text of an expression inside the root that computes `value`.
    fn written_in_root(&self, value: ValueId) -> Option<String> {
        let inside = self.body.occurrences_in(self.root).filter(|o| o.value == value && o.target.is_none() && o.range != self.root);
        on_one_line(self.source, inside.max_by_key(|o| o.range.start())?.range)
    }

    /// The text of the last expression before the root that computes `value`.
    fn written(&self, value: ValueId) -> Option<String> {
        let before = self.body.occurrences_of(value).filter(|o| o.target.is_none() && o.range.end() <= self.root.start());
        let range = before.max_by_key(|o| o.range.start())?.range;
        self.copied.borrow_mut().push(range);
        on_one_line(self.source, range)
    }
}

/// A comparison as Python writes it.
fn sign(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Eq => "==",
        Comparison::NotEq => "!=",
        Comparison::Lt => "<",
        Comparison::LtE => "<=",
        Comparison::Gt => ">",
        Comparison::GtE => ">=",
        Comparison::Is => "is",
        Comparison::In => "in",
    }
}

/// The node, if there is one, for what the permutation `axes` makes of `x` with the last two axes swapped.
fn last_two_swapped(graph: &Graph, x: ValueId, axes: &[i64]) -> Option<ValueId> {
    let len = axes.len().max(2) as i64;
    let mut axes: Vec<i64> = (-len..-(axes.len() as i64)).chain(axes.iter().copied()).collect();
    let last = axes.len() - 1;
    axes.swap(last - 1, last);
    let fixed = axes.iter().zip(-len..).take_while(|&(&axis, place)| axis == place).count();
    let axes: Option<Vec<ValueId>> = axes[fixed..].iter().map(|&a| graph.find_leaf(Op::Int(a))).collect();
    graph.find(Op::Permute, &[x, graph.find(Op::Tuple, &axes?)?])
}

/// A float as Python writes it.
fn float(x: f64) -> String {
    let text = format!("{x:?}");
    // Rust writes 1e-5 where Python writes 1e-05; both read the same.
    match text.as_str() {
        "inf" => "float(\"inf\")".to_owned(),
        "-inf" => "-float(\"inf\")".to_owned(),
        "NaN" => "float(\"nan\")".to_owned(),
        _ => text,
    }
}
