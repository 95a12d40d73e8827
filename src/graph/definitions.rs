//! What a file defines, before any of it is lowered: imports, functions, classes, and who assigns which attribute. Purely syntactic.

use std::cell::OnceCell;
use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::attributes::{assigned_by_name, attribute_targets};
use super::names::bound_names;
use super::statements;
use super::value::{Graph, Symbol};
use super::writes::{Writes, inner_writes};
use crate::syntax::ast::{self, Expr, Stmt};

/// Index of a function in [`Definitions::functions`].
pub type FunctionIndex = usize;
/// Index of a class in [`Definitions::classes`].
pub type ClassIndex = usize;

/// What a module-level name stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ModuleBinding {
    /// An import, by its dotted path; every import of that name agrees. Also another name of what an import holds.
    Import(Symbol),
    /// The one function of that name.
    Function(FunctionIndex),
    /// The one class of that name.
    Class(ClassIndex),
    /// Assigned, or bound in more than one way.
    Other,
}

/// A function or method.
pub struct FunctionInfo<'a> {
    /// The statement.
    pub ast: &'a ast::StmtFunctionDef,
    /// The qualified name; made unique by `#2`, `#3` where a name is defined again.
    pub name: Symbol,
    /// The class whose body holds it directly.
    pub class: Option<ClassIndex>,
    /// The function whose body holds it.
    pub parent: Option<FunctionIndex>,
    /// What functions inside it may find in it: its names, and whether each is a parameter that nothing reassigns.
    pub(super) locals: OnceCell<Rc<FxHashMap<Symbol, bool>>>,
}

/// A class.
pub struct ClassInfo<'a> {
    /// The statement.
    pub ast: &'a ast::StmtClassDef,
    /// The qualified name.
    pub name: Symbol,
    /// Methods by name; `None` where a name is bound more than once or not by a plain method.
    pub methods: FxHashMap<Symbol, Option<FunctionIndex>>,
    /// Attributes of `self` that methods other than `__init__` assign, here or in a subclass, or that are names of the body of a subclass.
    pub reassigned: FxHashSet<Symbol>,
    /// Annotated names of the class body.
    pub fields: FxHashMap<Symbol, &'a Expr>,
    /// Names of methods that a subclass in this file overrides.
    pub overridden: FxHashSet<Symbol>,
    /// Attributes are computed by code (`__getattr__`, `setattr`), so nothing is known of them.
    pub dynamic: bool,
}

/// All definitions of a file.
#[derive(Default)]
pub struct Definitions<'a> {
    /// Every function and method, in the order of the text.
    pub functions: Vec<FunctionInfo<'a>>,
    /// Every class, in the order of the text.
    pub classes: Vec<ClassInfo<'a>>,
    /// Module-level names that some function declares `global`, so that it may assign them at any time.
    pub shared: FxHashSet<Symbol>,
    /// Names that some function binds anew for the scope around it, or whose object it changes in place: whoever reads them elsewhere may find something else
    /// after each call.
    pub written: FxHashSet<Symbol>,
    /// Module-level names.
    pub module: FxHashMap<Symbol, ModuleBinding>,
    /// The module-level names that are imports, with what they stand for; those left out that only type checkers see.
    pub imports: Vec<(Symbol, Symbol)>,
    /// Attributes that the file assigns of what is no receiver of a method: of an instance of any class.
    pub(super) assigned_outside: FxHashSet<Symbol>,
    /// The names of all methods.
    pub(super) method_names: FxHashSet<Symbol>,
    /// The functions that only borrow what they are given.
    pub(super) borrowers: FxHashSet<FunctionIndex>,
    pub(super) statics: FxHashMap<(ClassIndex, Symbol), FunctionIndex>,
    by_name: FxHashMap<Symbol, FunctionIndex>,
    by_start: FxHashMap<u32, FunctionIndex>,
    class_by_start: FxHashMap<u32, ClassIndex>,
}

impl<'a> Definitions<'a> {
    /// Collect the definitions of `module`.
    pub fn collect(module: &'a ast::ModModule, graph: &mut Graph) -> Self {
        let mut collector =
            Collector { definitions: Self::default(), graph, seen: FxHashMap::default(), for_checkers: false, imported: FxHashSet::default() };
        collector.block(&module.body, &Place { prefix: String::new(), class: None, parent: None });
        collector.definitions.mark_overridden();
        collector.definitions.method_names = collector.definitions.classes.iter().flat_map(|class| class.methods.keys().copied()).collect();
        let imports = collector.definitions.module.iter().filter_map(|(&name, binding)| match *binding {
            ModuleBinding::Import(path) if collector.imported.contains(&name) => Some((name, path)),
            _ => None,
        });
        let mut imports: Vec<(Symbol, Symbol)> = imports.collect();
        imports.sort_unstable();
        collector.definitions.imports = imports;
        let mut targets = Vec::new();
        attribute_targets(&module.body, &mut targets);
        collector.definitions.distrust(&targets, collector.graph);
        collector.definitions.note_outside(&targets, collector.graph);
        collector.definitions.note_aliases(&module.body, collector.graph);
        let assigned: FxHashSet<Symbol> = targets.into_iter().map(|(_, attribute)| collector.graph.symbol(attribute)).collect();
        for class in &mut collector.definitions.classes {
            class.overridden.extend(class.methods.keys().filter(|m| assigned.contains(m)).copied().collect::<Vec<_>>());
        }
        collector.definitions.note_statics(collector.graph);
        let mut writes = Writes::default();
        inner_writes(&module.body, 0, &mut writes);
        collector.definitions.written = writes.rebound.into_iter().chain(writes.changed).map(|name| collector.graph.symbol(name)).collect();
        collector.definitions
    }

    /// The function with this qualified name.
    pub fn function_named(&self, name: Symbol) -> Option<FunctionIndex> {
        self.by_name.get(&name).copied()
    }

    /// The function that `statement` defines.
    pub fn function_of(&self, statement: &ast::StmtFunctionDef) -> Option<FunctionIndex> {
        self.by_start.get(&statement.range.start().to_u32()).copied()
    }

    /// The class that `statement` defines.
    pub fn class_of(&self, statement: &ast::StmtClassDef) -> Option<ClassIndex> {
        self.class_by_start.get(&statement.range.start().to_u32()).copied()
    }

    /// The class with this qualified name.
    pub fn class_named(&self, name: Symbol) -> Option<ClassIndex> {
        self.classes.iter().position(|c| c.name == name)
    }

    /// The dotted path that a plain chain of names stands for through the imports of the module.
    pub fn import_path(&self, expr: &Expr, graph: &Graph) -> Option<String> {
        match expr {
            Expr::Name(name) => match self.module.get(&graph.known_symbol(&name.id)?) {
                Some(&ModuleBinding::Import(path)) => Some(graph.name(path).to_owned()),
                _ => None,
            },
            Expr::Attribute(attribute) => Some(format!("{}.{}", self.import_path(&attribute.value, graph)?, attribute.attr)),
            _ => None,
        }
    }

    /// The parameter `name` of the function `scope`, unless it takes any number of arguments.
    pub fn parameter(&self, scope: Symbol, name: Symbol, graph: &Graph) -> Option<&'a ast::ParameterWithDefault> {
        let function = self.functions[self.function_named(scope)?].ast;
        let wanted = graph.name(name);
        function.parameters.iter_non_variadic_params().find(|p| p.parameter.name.as_str() == wanted)
    }

    /// What that parameter is annotated with.
    pub fn annotation(&self, scope: Symbol, name: Symbol, graph: &Graph) -> Option<&'a Expr> {
        self.parameter(scope, name, graph)?.annotation()
    }

    /// The classes of this file that a class inherits from.
    pub(super) fn ancestors(&self, class: ClassIndex) -> Vec<ClassIndex> {
        let mut found = vec![class];
        let mut next = 0;
        while let Some(&at) = found.get(next) {
            let bases = self.classes[at].ast.bases().iter().filter_map(|base| Some(base.as_name_expr()?.id.as_str()));
            let parents = bases.flat_map(|name| self.classes.iter().enumerate().filter(move |(_, c)| c.ast.name.as_str() == name).map(|(i, _)| i));
            let parents: Vec<ClassIndex> = parents.filter(|p| !found.contains(p)).collect();
            found.extend(parents);
            next += 1;
        }
        found.split_off(1)
    }

    /// Note in each class what its subclasses do to methods and attributes that it has.
    fn mark_overridden(&mut self) {
        for child in 0..self.classes.len() {
            let own: Vec<Symbol> = self.classes[child].methods.keys().copied().collect();
            let reassigned: Vec<Symbol> = self.classes[child].reassigned.iter().chain(&own).copied().collect();
            let dynamic = self.classes[child].dynamic;
            for parent in self.ancestors(child) {
                let parent = &mut self.classes[parent];
                parent.overridden.extend(&own);
                parent.reassigned.extend(&reassigned);
                parent.dynamic |= dynamic;
            }
        }
    }

    fn bind(&mut self, name: Symbol, binding: ModuleBinding) {
        self.module.entry(name).and_modify(|old| *old = if *old == binding { *old } else { ModuleBinding::Other }).or_insert(binding);
    }
}

struct Place {
    prefix: String,
    class: Option<ClassIndex>,
    parent: Option<FunctionIndex>,
}

impl Place {
    fn is_module(&self) -> bool {
        self.class.is_none() && self.parent.is_none()
    }
}

struct Collector<'a, 'g> {
    definitions: Definitions<'a>,
    graph: &'g mut Graph,
    seen: FxHashMap<String, u32>,
    /// Within `if TYPE_CHECKING`, which never runs.
    for_checkers: bool,
    /// Names that an import binds when the program runs.
    imported: FxHashSet<Symbol>,
}

impl<'a> Collector<'a, '_> {
    fn unique(&mut self, name: String) -> Symbol {
        let count = self.seen.entry(name.clone()).or_insert(0);
        *count += 1;
        let name = if *count == 1 { name } else { format!("{name}#{count}") };
        self.graph.symbol(&name)
    }

    fn block(&mut self, body: &'a [Stmt], place: &Place) {
        for statement in body {
            self.statement(statement, place);
        }
    }

    fn statement(&mut self, statement: &'a Stmt, place: &Place) {
        match statement {
            Stmt::FunctionDef(def) => self.function(def, place),
            Stmt::ClassDef(def) => self.class(def, place),
            Stmt::Import(import) if place.is_module() => {
                for alias in &import.names {
                    let (name, path) = imported(alias);
                    let (name, path) = (self.graph.symbol(name), self.graph.symbol(path));
                    self.import(name, path);
                }
            }
            Stmt::ImportFrom(import) if place.is_module() => {
                for alias in &import.names {
                    let path = imported_from(import, alias);
                    let name = self.graph.symbol(alias.asname.as_ref().unwrap_or(&alias.name));
                    let path = self.graph.symbol(&path);
                    self.import(name, path);
                }
            }
            Stmt::Global(global) => {
                for name in &global.names {
                    let name = self.graph.symbol(name);
                    self.definitions.module.insert(name, ModuleBinding::Other);
                    self.definitions.shared.insert(name);
                }
            }
            _ => {
                if place.is_module() {
                    let mut names = Vec::new();
                    bound_names(statement, &mut names);
                    for name in names {
                        let name = self.graph.symbol(name);
                        self.definitions.bind(name, ModuleBinding::Other);
                    }
                }
                if let (Some(class), Stmt::AnnAssign(assign)) = (place.class, statement)
                    && let Expr::Name(name) = &*assign.target
                {
                    let name = self.graph.symbol(&name.id);
                    self.definitions.classes[class].fields.insert(name, &assign.annotation);
                }
                if let Some(class) = place.class {
                    let mut names = Vec::new();
                    bound_names(statement, &mut names);
                    for name in names {
                        let name = self.graph.symbol(name);
                        self.definitions.classes[class].methods.insert(name, None);
                    }
                }
                for (n, body) in statements::blocks(statement).into_iter().enumerate() {
                    let outer = self.for_checkers;
                    self.for_checkers |= n == 0 && is_for_checkers(statement);
                    self.block(body, place);
                    self.for_checkers = outer;
                }
            }
        }
    }

    fn import(&mut self, name: Symbol, path: Symbol) {
        self.definitions.bind(name, ModuleBinding::Import(path));
        if !self.for_checkers {
            self.imported.insert(name);
        }
    }

    fn function(&mut self, def: &'a ast::StmtFunctionDef, place: &Place) {
        let name = self.unique(format!("{}{}", place.prefix, def.name));
        let index = self.definitions.functions.len();
        self.definitions.functions.push(FunctionInfo { ast: def, name, class: place.class, parent: place.parent, locals: OnceCell::new() });
        self.definitions.by_name.insert(name, index);
        self.definitions.by_start.insert(def.range.start().to_u32(), index);
        let short = self.graph.symbol(&def.name);
        if place.is_module() {
            self.definitions.bind(short, ModuleBinding::Function(index));
        }
        if let Some(class) = place.class {
            let plain = def.decorator_list.is_empty();
            let methods = &mut self.definitions.classes[class].methods;
            methods.entry(short).and_modify(|m| *m = None).or_insert(plain.then_some(index));
            if matches!(def.name.as_str(), "__getattr__" | "__getattribute__" | "__setattr__") {
                self.definitions.classes[class].dynamic = true;
            }
            if def.name.as_str() != "__init__" {
                self.reassignments(def, class);
            }
            self.assignments_by_name(def, class);
        }
        let prefix = format!("{}{}.<locals>.", place.prefix, def.name);
        self.block(&def.body, &Place { prefix, class: None, parent: Some(index) });
    }

    /// Note which attributes of its first parameter a method assigns.
    fn reassignments(&mut self, def: &'a ast::StmtFunctionDef, class: ClassIndex) {
        let Some(receiver) = def.parameters.iter().next().map(|p| p.name().as_str()) else { return };
        let mut targets = Vec::new();
        attribute_targets(&def.body, &mut targets);
        for (object, attribute) in targets {
            if object == receiver {
                let attribute = self.graph.symbol(attribute);
                self.definitions.classes[class].reassigned.insert(attribute);
            }
        }
    }

    /// Note the attributes that a method assigns by `setattr`; all of them where it computes their names.
    fn assignments_by_name(&mut self, def: &'a ast::StmtFunctionDef, class: ClassIndex) {
        let Some(receiver) = def.parameters.iter().next().map(|p| p.name().as_str()) else { return };
        for name in assigned_by_name(&def.body, receiver) {
            match name {
                Some(name) => {
                    let name = self.graph.symbol(name);
                    self.definitions.classes[class].reassigned.insert(name);
                }
                None => self.definitions.classes[class].dynamic = true,
            }
        }
    }

    fn class(&mut self, def: &'a ast::StmtClassDef, place: &Place) {
        let name = self.unique(format!("{}{}", place.prefix, def.name));
        let index = self.definitions.classes.len();
        self.definitions.class_by_start.insert(def.range.start().to_u32(), index);
        self.definitions.classes.push(ClassInfo {
            ast: def,
            name,
            methods: FxHashMap::default(),
            reassigned: FxHashSet::default(),
            fields: FxHashMap::default(),
            overridden: FxHashSet::default(),
            dynamic: false,
        });
        if place.is_module() {
            let short = self.graph.symbol(&def.name);
            self.definitions.bind(short, ModuleBinding::Class(index));
        }
        let prefix = format!("{}{}.", place.prefix, def.name);
        self.block(&def.body, &Place { prefix, class: Some(index), parent: place.parent });
    }
}

/// The name that `import a.b` or `import a.b as c` binds, and the path it then stands for.
pub(super) fn imported(alias: &ast::Alias) -> (&str, &str) {
    let first = alias.name.split('.').next().unwrap_or_default();
    alias.asname.as_ref().map_or((first, first), |name| (name.as_str(), alias.name.as_str()))
}

/// The path that a name of `from a import b` stands for.
pub fn imported_from(import: &ast::StmtImportFrom, alias: &ast::Alias) -> String {
    let module = import.module.as_ref().map_or("", |m| m.as_str());
    format!("{}{}{}{}", ".".repeat(import.level as usize), module, if module.is_empty() { "" } else { "." }, alias.name)
}

/// Whether a statement is `if TYPE_CHECKING:`.
fn is_for_checkers(statement: &Stmt) -> bool {
    let name = statement.as_if_stmt().map(|s| match &*s.test {
        Expr::Name(name) => name.id.as_str(),
        Expr::Attribute(attribute) => attribute.attr.as_str(),
        _ => "",
    });
    name == Some("TYPE_CHECKING")
}
