//! The value graph: what a function computes, as hash-consed nodes. Two expressions with one `ValueId` compute the same value; the reverse need not
//! hold. Nodes carry no text and no place: those are kept by [`super::body::Body`].

use std::hash::Hash;
use std::ops::ControlFlow;

use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

use super::normalize;

/// An interned name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Symbol(u32);

/// A node of the graph.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ValueId(u32);

/// The operands of a node; nearly all have at most four.
pub type Operands = SmallVec<[ValueId; 4]>;

/// What a node computes from its operands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Op {
    // Constants.
    /// A Python `int` that fits.
    Int(i64),
    /// A Python `float`, by its bits.
    Float(u64),
    /// `True` or `False`.
    Bool(bool),
    /// A `str`.
    Str(Symbol),
    /// `None`.
    None,
    /// `...`.
    Ellipsis,
    /// Any other constant, by its text.
    Literal(Symbol),

    // Names.
    /// A parameter: scope and name.
    Param(Symbol, Symbol),
    /// A local of an enclosing function, read by an inner one: scope and name.
    Captured(Symbol, Symbol),
    /// What an import brought in, by its dotted path: `mlx.core.float32`.
    Global(Symbol),
    /// A name of this module that is neither an import nor a function or class.
    ModuleName(Symbol),
    /// A name that nothing in the file binds.
    Builtin(Symbol),
    /// A local that is read where no assignment has reached.
    Unbound(Symbol),
    /// A name after a join that is not followed (loops, `try`): scope, ordinal of the join, name. The operand is what it held before; what is assigned
    /// inside is told by [`super::body::Effect::Carry`].
    Phi(Symbol, u32, Symbol),
    /// What an object has become that was changed in place: by a store, or, where others may hold it, by one of so many calls.
    Changed(u32),
    /// A value about which nothing is known: scope and ordinal.
    Opaque(Symbol, u32),
    /// What a loop variable holds; the operand is the iterable. Scope and ordinal of the loop.
    Element(Symbol, u32),
    /// A function or lambda of this file, by its qualified name.
    Function(Symbol),
    /// A class of this file, by its qualified name.
    Class(Symbol),

    // Python.
    /// `(a, b)`.
    Tuple,
    /// `[a, b]`.
    List,
    /// `a:b:c` inside a subscript.
    Slice,
    /// `x.name`, and how often the heap may have changed before.
    Attr(Symbol, u32),
    /// `x[i]`, and how often the heap may have changed before.
    Index(u32),
    /// What `x` is after `x[i] = v`, where nothing but one name of the scope holds it.
    Stored,
    /// The n-th of the values that `x` unpacks to.
    Item(u32),
    /// `a + b`.
    Add,
    /// `a - b`.
    Sub,
    /// `a * b`.
    Mul,
    /// `a / b`.
    Div,
    /// `a // b`.
    FloorDiv,
    /// `a % b`.
    Mod,
    /// `a ** b`; also `mx.square`, `mx.sqrt`, `mx.rsqrt`.
    Pow,
    /// `a @ b`.
    MatMul,
    /// `a & b`, `a | b`, `a ^ b`, `a << b`, `a >> b`, by the operator.
    Bits(u8),
    /// `-a`.
    Neg,
    /// `not a`.
    Not,
    /// `~a`.
    Invert,
    /// A comparison, by the operator; `is not`, `!=`, `not in` are `Not` of these.
    Compare(Comparison),
    /// `a and b`.
    And,
    /// `a or b`.
    Or,
    /// `then if condition else otherwise`; operands in the order condition, then, otherwise.
    Gate,
    /// A call known to be free of effects: callee, arguments, then [`Op::Keyword`]s.
    Apply,
    /// Any other call, with its ordinal among those of its scope.
    Call(Symbol, u32),
    /// `name=value` among the operands of a call.
    Keyword(Symbol),
    /// `*value` among the operands of a call or a display.
    Star,
    /// A comprehension or generator: first the element (and value), then iterables and conditions. The kind is the bracket.
    Comprehension(u8),

    // Arrays.
    /// A function of `mlx.core` (or its method twin); operands are all parameters but `stream`, in order, defaults filled in.
    Mlx(&'static str),
    /// `x.shape`.
    Shape,
    /// `x.shape[n]`.
    Dim(i32),
    /// `x.ndim`.
    Ndim,
    /// `x.dtype`.
    DtypeOf,
    /// Axes permuted; the operand after the array is a tuple of negative axes, leading fixed axes left out.
    Permute,

    /// Alternatives of a pattern; never part of a program.
    AnyOf,
}

/// The comparisons that are not negations of others.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs)]
pub enum Comparison {
    Eq,
    NotEq,
    Lt,
    LtE,
    Gt,
    GtE,
    Is,
    In,
}

/// One node.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Value {
    /// What it computes.
    pub op: Op,
    /// From what.
    pub operands: Operands,
}

/// All nodes of one file, hash-consed, with the interned names they use.
#[derive(Default)]
pub struct Graph {
    values: Vec<Value>,
    /// For each value: whether its form shows that it is an array.
    arrayish: Vec<bool>,
    ids: FxHashMap<Value, ValueId>,
    names: Vec<Box<str>>,
    symbols: FxHashMap<Box<str>, Symbol>,
}

impl Graph {
    /// The symbol for `name`.
    pub fn symbol(&mut self, name: &str) -> Symbol {
        if let Some(&symbol) = self.symbols.get(name) {
            return symbol;
        }
        let symbol = Symbol(self.names.len() as u32);
        self.names.push(name.into());
        self.symbols.insert(name.into(), symbol);
        symbol
    }

    /// The symbol for `name`, if any node or scope uses it.
    pub fn known_symbol(&self, name: &str) -> Option<Symbol> {
        self.symbols.get(name).copied()
    }

    /// The name that `symbol` stands for.
    pub fn name(&self, symbol: Symbol) -> &str {
        &self.names[symbol.0 as usize]
    }

    /// The node for `op` of `operands`, in normal form.
    pub fn value(&mut self, op: Op, operands: &[ValueId]) -> ValueId {
        normalize::normalize(self, op, operands)
    }

    /// The node for exactly `op` of `operands`; only `normalize` may call this with operands.
    pub(super) fn intern(&mut self, op: Op, operands: &[ValueId]) -> ValueId {
        let value = Value { op, operands: operands.into() };
        if let Some(&id) = self.ids.get(&value) {
            return id;
        }
        let id = ValueId(self.values.len() as u32);
        self.arrayish.push(self.shows_array(op, operands));
        self.values.push(value.clone());
        self.ids.insert(value, id);
        id
    }

    /// A constant or name.
    pub fn leaf(&mut self, op: Op) -> ValueId {
        self.intern(op, &[])
    }

    /// The node for a constant or name, if there is one.
    pub fn find_leaf(&self, op: Op) -> Option<ValueId> {
        self.find(op, &[])
    }

    /// The node for exactly `op` of `operands`, if there is one.
    pub fn find(&self, op: Op, operands: &[ValueId]) -> Option<ValueId> {
        self.ids.get(&Value { op, operands: operands.into() }).copied()
    }

    /// A function or lambda of the file.
    pub fn leaf_function(&mut self, name: Symbol) -> ValueId {
        self.leaf(Op::Function(name))
    }

    /// The Python `int` `n`.
    pub fn int(&mut self, n: i64) -> ValueId {
        self.leaf(Op::Int(n))
    }

    /// The Python `float` `x`.
    pub fn float(&mut self, x: f64) -> ValueId {
        self.leaf(Op::Float(x.to_bits()))
    }

    /// What `value` computes.
    pub fn op(&self, value: ValueId) -> Op {
        self.values[value.0 as usize].op
    }

    /// The operands of `value`.
    pub fn operands(&self, value: ValueId) -> &[ValueId] {
        &self.values[value.0 as usize].operands
    }

    /// Whether `look` breaks off at a value on the way back from `from`, itself included: it is shown each value once, however many share it, and says over which
    /// operands to go on.
    pub fn finds<'g>(&'g self, from: ValueId, mut look: impl FnMut(ValueId) -> ControlFlow<(), &'g [ValueId]>) -> bool {
        let (mut seen, mut waiting) = (FxHashSet::default(), vec![from]);
        while let Some(value) = waiting.pop() {
            if seen.insert(value) {
                match look(value) {
                    ControlFlow::Break(()) => return true,
                    ControlFlow::Continue(operands) => waiting.extend(operands),
                }
            }
        }
        false
    }

    /// `value`'s operation and operands at once.
    pub fn get(&self, value: ValueId) -> (Op, &[ValueId]) {
        let value = &self.values[value.0 as usize];
        (value.op, &value.operands)
    }

    /// The number `value` is, where it is a constant one.
    pub fn number(&self, value: ValueId) -> Option<f64> {
        match self.op(value) {
            Op::Int(n) => Some(n as f64),
            Op::Float(bits) => Some(f64::from_bits(bits)),
            _ => None,
        }
    }

    /// The Python `int` that `value` is, where it is a constant one.
    pub fn as_int(&self, value: ValueId) -> Option<i64> {
        match self.op(value) {
            Op::Int(n) => Some(n),
            _ => None,
        }
    }

    /// The dotted path of an imported thing.
    pub fn path(&self, value: ValueId) -> Option<&str> {
        match self.op(value) {
            Op::Global(path) => Some(self.name(path)),
            _ => None,
        }
    }

    /// Whether the form of `value` shows that it is an array: some operation made it that only arrays come out of.
    pub fn is_arrayish(&self, value: ValueId) -> bool {
        self.arrayish[value.0 as usize]
    }

    /// Whether `value` is the call of a module: of something that is no builtin and no import, and still has no effects.
    pub fn calls_module(&self, value: ValueId) -> bool {
        self.op(value) == Op::Apply && matches!(self.op(self.operands(value)[0]), Op::Attr(..) | Op::Param(..))
    }

    /// Worked out once, from operands for which it is known: expressions that share parts would take exponential time otherwise.
    fn shows_array(&self, op: Op, operands: &[ValueId]) -> bool {
        match op {
            Op::Mlx(name) => {
                !matches!(name, "item" | "tolist" | "split" | "meshgrid" | "broadcast_arrays" | "divmod" | "svd" | "qr" | "eigh" | "eig")
            }
            Op::Permute | Op::MatMul => true,
            Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Pow => operands.iter().any(|&v| self.is_arrayish(v)),
            Op::Neg | Op::Index(_) | Op::Stored => self.is_arrayish(operands[0]),
            Op::Gate => operands[1..].iter().all(|&v| self.is_arrayish(v)),
            _ => false,
        }
    }

    /// Every node there is now.
    pub fn ids(&self) -> impl Iterator<Item = ValueId> + use<> {
        (0..self.values.len() as u32).map(ValueId)
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is no node yet.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The value that `value` becomes where every node of `replaced` is exchanged. `memo` may be kept between calls with the same replacement.
    pub fn substitute(&mut self, value: ValueId, memo: &mut FxHashMap<ValueId, ValueId>) -> ValueId {
        self.substitute_since(ValueId(0), value, memo)
    }

    /// The same where nothing older than `oldest` is exchanged: what is older is made of nothing that is.
    pub fn substitute_since(&mut self, oldest: ValueId, value: ValueId, memo: &mut FxHashMap<ValueId, ValueId>) -> ValueId {
        // An explicit stack: graphs of generated code can be deep.
        let mut stack = vec![value];
        while let Some(&top) = stack.last() {
            if memo.contains_key(&top) {
                stack.pop();
                continue;
            }
            let waiting = stack.len();
            let missing: Operands = self.operands(top).iter().copied().filter(|&v| v >= oldest && !memo.contains_key(&v)).collect();
            stack.extend(missing);
            if stack.len() > waiting {
                continue;
            }
            let op = self.op(top);
            let old = self.operands(top);
            let operands: Operands = old.iter().map(|v| memo.get(v).copied().unwrap_or(*v)).collect();
            let new = if operands[..] == *old { top } else { self.value(op, &operands) };
            memo.insert(top, new);
            stack.pop();
        }
        memo[&value]
    }
}
