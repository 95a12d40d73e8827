//! Who changes the names of a file from elsewhere: functions that give another value to a name of the module or of a function around them, by `global` or
//! `nonlocal`, or that write into what such a name holds.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::graph::definitions::FunctionIndex;
use crate::graph::names::locals_of;
use crate::graph::{Analysis, statements};
use crate::syntax::ast::{Expr, Stmt};
use crate::syntax::{Ranged, TextRange};

/// A change of a name that another scope binds.
pub(super) struct Write {
    /// The function that binds the name; `None` for the module.
    pub(super) holder: Option<FunctionIndex>,
    /// What is written to.
    pub(super) range: TextRange,
    /// It writes into what the name holds, which stays the same object.
    pub(super) is_into: bool,
}

/// The names of one function.
#[derive(Default)]
struct Names<'x> {
    own: FxHashSet<&'x str>,
    of_module: FxHashSet<&'x str>,
    of_outer: FxHashSet<&'x str>,
}

/// The scopes of a file, and what each changes of others.
pub(super) struct Scopes<'x> {
    names: Vec<Names<'x>>,
    parents: Vec<Option<FunctionIndex>>,
    writes: FxHashMap<&'x str, Vec<Write>>,
}

impl<'x> Scopes<'x> {
    /// Look through all functions of the file.
    pub(super) fn of(analysis: &'x Analysis<'_>) -> Self {
        let functions = &analysis.definitions.functions;
        let names = functions.iter().map(|f| {
            let mut own: Vec<&str> = f.ast.parameters.iter().map(|p| p.name().as_str()).collect();
            locals_of(&f.ast.body, &mut own);
            let mut names = Names { own: own.into_iter().collect(), ..Names::default() };
            declared(&f.ast.body, &mut names);
            names.own.retain(|n| !names.of_module.contains(n) && !names.of_outer.contains(n));
            names
        });
        let mut scopes = Self { names: names.collect(), parents: functions.iter().map(|f| f.parent).collect(), writes: FxHashMap::default() };
        let mut writes: FxHashMap<&str, Vec<Write>> = FxHashMap::default();
        for (index, function) in functions.iter().enumerate() {
            each_target(&function.ast.body, &mut |target| {
                let (object, is_into) = match target {
                    Expr::Subscript(e) => (&*e.value, true),
                    _ => (target, false),
                };
                let Expr::Name(name) = object else { return };
                let name = name.id.as_str();
                if !scopes.names[index].own.contains(name) {
                    writes.entry(name).or_default().push(Write { holder: scopes.holder(Some(index), name), range: target.range(), is_into });
                }
            });
        }
        scopes.writes = writes;
        scopes
    }

    /// The changes of something that is called `name`.
    pub(super) fn writes(&self, name: &str) -> &[Write] {
        self.writes.get(name).map_or(&[], |writes| writes)
    }

    /// The scope that binds what `from` calls `name`; `None` for the module.
    pub(super) fn holder(&self, from: Option<FunctionIndex>, name: &str) -> Option<FunctionIndex> {
        let mut at = from;
        while let Some(function) = at {
            let names = &self.names[function];
            if names.of_module.contains(name) {
                return None;
            }
            if names.own.contains(name) {
                break;
            }
            at = self.parents[function];
        }
        at
    }
}

/// Note what `global` and `nonlocal` say in `body`.
fn declared<'x>(body: &'x [Stmt], names: &mut Names<'x>) {
    statements::each(body, &mut |statement| match statement {
        Stmt::Global(s) => names.of_module.extend(s.names.iter().map(|n| n.as_str())),
        Stmt::Nonlocal(s) => names.of_outer.extend(s.names.iter().map(|n| n.as_str())),
        _ => {}
    });
}

/// Show `see` what the statements of `body`, not those of functions inside, assign to.
pub(super) fn each_target<'x>(body: &'x [Stmt], see: &mut dyn FnMut(&'x Expr)) {
    statements::each(body, &mut |statement| match statement {
        Stmt::Assign(s) => s.targets.iter().for_each(&mut *see),
        Stmt::AugAssign(s) => see(&s.target),
        _ => {}
    });
}
