//! What a transform file says of itself, whatever its kind: its docstring, its settings, and the newest function that its replacement needs. Reads the file's
//! tree; what a rule finds and makes is loaded elsewhere.

use std::str::FromStr;

use crate::graph::api;
use crate::platform::{Target, Version};
use crate::syntax::ast::visitor::{self, Visitor};
use crate::syntax::ast::{self, Expr, Stmt};
use crate::syntax::{Ranged, Source};

/// What a transform file says of itself, whatever its kind.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// The first line of the docstring: what the transform does.
    pub title: String,
    /// The first paragraph after it: why it pays.
    pub mechanism: String,
    /// The group of transforms it belongs to.
    pub group: String,
    /// The section of MLX's guide or documentation it comes from.
    pub guide: String,
    /// What was measured, and on which device.
    pub gain: String,
    /// Where it does not pay.
    pub slower: Vec<Slower>,
    /// What each pattern does to the numbers: the name of its function, and the class.
    pub numerics: Vec<(String, String)>,
    /// The newest function that the replacement names, below `mlx.core`, and the first MLX that has it.
    pub since: Option<(&'static str, &'static str)>,
    /// What becomes of a float32 result where the rule gives one in half precision; empty if every dtype stays.
    pub narrows: String,
}

/// A backend on which a transform does not pay.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Slower {
    /// The backend.
    pub target: Target,
    /// The wildcard that must be bound for it; at every place if there is none.
    pub with: Option<String>,
    /// What was measured.
    pub measured: String,
}

impl About {
    /// The gain, where it names the device that it was measured on; what holds on every backend follows from what the code does.
    pub fn measured(&self) -> Option<&str> {
        Some(&*self.gain).filter(|gain| !gain.is_empty() && !gain.contains("every backend"))
    }
}

impl Slower {
    /// Read `"cuda"`, or `"cuda with fill"` for the places where the wildcard `fill` is bound.
    pub(super) fn read(place: &str, measured: &str) -> Result<Self, String> {
        let (target, with) = place.split_once(" with ").map_or((place, None), |(target, with)| (target, Some(with.to_owned())));
        Ok(Self { target: target.parse()?, with, measured: measured.to_owned() })
    }

    /// What is said where the transform is left out for this.
    pub fn reason(&self) -> String {
        format!("it does not pay on {}: {}", self.target, self.measured)
    }
}

/// What a transform file says of itself.
pub fn about(source: &Source<'_>) -> About {
    let mut about = About::default();
    let body = &source.module().body;
    if let Some(Stmt::Expr(first)) = body.first()
        && let Expr::StringLiteral(doc) = &*first.value
    {
        let doc = doc.value.to_str();
        let mut paragraphs = doc.trim().split("\n\n").map(|p| p.split_whitespace().collect::<Vec<_>>().join(" "));
        about.title = paragraphs.next().unwrap_or_default();
        about.mechanism = paragraphs.next().unwrap_or_default();
    }
    for statement in body {
        let Stmt::Assign(assign) = statement else { continue };
        if let ([Expr::Name(name)], Expr::Dict(dict)) = (&assign.targets[..], &*assign.value) {
            match name.id.as_str() {
                "slower" => about.slower = strings(dict).filter_map(|(place, measured)| Slower::read(place, measured).ok()).collect(),
                "numerics" => about.numerics = strings(dict).map(|(pattern, class)| (pattern.to_owned(), class.to_owned())).collect(),
                _ => {}
            }
        }
        let ([Expr::Name(name)], Expr::StringLiteral(value)) = (&assign.targets[..], &*assign.value) else { continue };
        let value = value.value.to_str().to_owned();
        match name.id.as_str() {
            "group" => about.group = value,
            "guide" => about.guide = value,
            "gain" => about.gain = value,
            "narrows" => about.narrows = value,
            _ => {}
        }
    }
    about.since = newest(source);
    about
}

/// The newest function of MLX that a replacement of the file names, as far as our records go back.
fn newest(source: &Source<'_>) -> Option<(&'static str, &'static str)> {
    struct Named<'s, 'x>(&'s Source<'x>, Vec<(&'static str, &'static str)>);
    impl<'s> Visitor<'s> for Named<'_, '_> {
        fn visit_expr(&mut self, expr: &'s Expr) {
            let name = self.0.slice(expr.range()).strip_prefix("mx.").filter(|_| expr.is_attribute_expr());
            if let Some(function) = name.and_then(api::function).map(api::FunctionId::get) {
                self.1.extend(function.since.map(|since| (function.name, since)));
            }
            visitor::walk_expr(self, expr);
        }
    }
    let mut named = Named(source, Vec::new());
    let functions = source.module().body.iter().filter_map(Stmt::as_function_def_stmt);
    functions.filter(|f| f.name.starts_with("after")).for_each(|f| named.visit_body(&f.body));
    let version = |&(_, since): &(&str, &str)| Version::from_str(since).ok();
    named.1.into_iter().max_by_key(version)
}

/// The pairs of a dict of strings.
pub(super) fn strings(dict: &ast::ExprDict) -> impl Iterator<Item = (&str, &str)> {
    dict.items.iter().filter_map(|item| match (&item.key, &item.value) {
        (Some(Expr::StringLiteral(key)), Expr::StringLiteral(value)) => Some((key.value.to_str(), value.value.to_str())),
        _ => None,
    })
}
