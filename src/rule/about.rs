//! What a transform file says of itself, whatever its kind: its docstring, its settings, and the newest function that its replacement needs. Reads the file's
//! tree; what a rule finds and makes is loaded elsewhere.

use std::fmt;
use std::str::FromStr;

use super::guard::Condition;
use crate::finding::{Applicability, Numerics};
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
    /// What was measured with a class of `mlx.nn` for which that does not hold, or where `no product` follows.
    pub gain_of: Vec<(String, String)>,
    /// Where it does not pay.
    pub slower: Vec<Slower>,
    /// What it takes of MLX beyond the functions that it names.
    pub needs: Vec<Need>,
    /// How far its edits may be trusted, the most trusted first: what the file says, or for a rule what follows from the rest.
    pub applicability: String,
    /// What each pattern does to the numbers: the name of its function, and the class.
    pub numerics: Vec<(String, String)>,
    /// The newest function that the replacement names, below `mlx.core`, and the first MLX that has it.
    pub since: Option<(&'static str, &'static str)>,
    /// What becomes of a float32 result where the rule gives one in half precision; empty if every dtype stays.
    pub narrows: String,
    /// In which arrays it pays; empty if in all.
    pub pays_in: String,
}

/// A backend on which a transform does not pay.
#[derive(Clone, Debug)]
pub struct Slower {
    /// The backend.
    pub target: Target,
    /// At which matches.
    pub at: Matches,
    /// What was measured.
    pub measured: String,
}

/// What a replacement takes of MLX that its functions did not always take.
#[derive(Clone, Debug)]
pub struct Need {
    /// The first version that does.
    pub since: Version,
    /// At which matches it is needed.
    pub at: Matches,
    /// What it is.
    pub what: String,
}

/// The matches of a transform that something is said of.
#[derive(Clone, Debug)]
pub enum Matches {
    /// All of them.
    All,
    /// Those that bind this wildcard.
    With(String),
    /// Those that do not.
    Without(String),
    /// Those of which this condition is not proved; its text stands beside it.
    Unless(Box<Condition>, String),
}

impl About {
    /// The gain, where it names the device that it was measured on; what holds on every backend follows from what the code does.
    pub fn measured(&self) -> Option<&str> {
        Some(&*self.gain).filter(|gain| !gain.is_empty() && !gain.contains("every backend"))
    }

    /// The gain where a match has to do with a module of this class of `mlx.nn`, or no product follows.
    pub fn measured_with(&self, class: Option<&str>) -> Option<&str> {
        let own = self.gain_of.iter().find(|(of, _)| Some(&**of) == class);
        own.map(|(_, gain)| &**gain).or_else(|| self.measured())
    }

    /// What `mlx` lacks of what it takes at every place: what it says that it needs, and with `names` each function that its replacement names.
    pub fn lacks(&self, mlx: &Version, names: bool) -> Option<String> {
        let need = self.needs.iter().find(|need| matches!(need.at, Matches::All) && need.since > *mlx).map(|need| need.reason(mlx));
        need.or_else(|| {
            let (name, since) = self.since.filter(|_| names)?;
            let need = Need { since: since.parse().ok()?, at: Matches::All, what: format!("`mx.{name}`") };
            (need.since > *mlx).then(|| need.reason(mlx))
        })
    }
}

impl Matches {
    /// Read `cuda with fill`: what something is said of, and at which matches.
    fn read(text: &str) -> Result<(&str, Self), String> {
        let Some((subject, rest)) = text.split_once(' ') else { return Ok((text, Self::All)) };
        let at = match rest.split_once(' ') {
            Some(("with", name)) => Self::With(name.to_owned()),
            Some(("without", name)) => Self::Without(name.to_owned()),
            Some(("unless", text)) => Self::Unless(Box::new(condition(text)?), text.to_owned()),
            _ => return Err(format!("after {subject:?} may follow `with` or `without` and a parameter, or `unless` and a function of the prelude")),
        };
        Ok((subject, at))
    }

    /// The wildcards that it speaks of.
    pub(super) fn names(&self) -> Vec<&str> {
        match self {
            Self::All => Vec::new(),
            Self::With(name) | Self::Without(name) => vec![name],
            Self::Unless(_, text) => {
                let arguments = text.split_once('(').map_or("", |(_, rest)| rest.trim_end_matches(')'));
                arguments.split(',').map(str::trim).collect()
            }
        }
    }
}

/// ` with fill`, as it is written.
impl fmt::Display for Matches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => Ok(()),
            Self::With(name) => write!(f, " with `{name}`"),
            Self::Without(name) => write!(f, " without `{name}`"),
            Self::Unless(_, text) => write!(f, " unless `{text}`"),
        }
    }
}

/// The function of the prelude that `text` calls.
fn condition(text: &str) -> Result<Condition, String> {
    let unknown = || format!("{text:?} is no call of a function of the prelude");
    let source = Source::parse(text).map_err(|_| unknown())?;
    let [Stmt::Expr(only)] = &source.module().body[..] else { return Err(unknown()) };
    match Condition::read(&only.value, &source, &|_| None) {
        Ok(Condition::Stated(_)) => Err(unknown()),
        Ok(condition) => Ok(condition),
        Err((_, message)) => Err(message),
    }
}

impl Need {
    /// Read `"0.22.0 with fill"`, as [`Slower::read`] does.
    pub(super) fn read(place: &str, what: &str) -> Result<Self, String> {
        let (since, at) = Matches::read(place)?;
        let since = since.parse().map_err(|_| format!("{since:?} is no version of MLX"))?;
        Ok(Self { since, at, what: what.to_owned() })
    }

    /// What is said where `mlx` lacks it.
    pub fn reason(&self, mlx: &Version) -> String {
        format!("{} is there since MLX {}, and the code must run on {mlx}", self.what, self.since)
    }
}

impl Slower {
    /// Read `"cuda"`, `"cuda with fill"` for the matches that bind the wildcard `fill`, `"cuda without fill"` for the others, or `"cuda unless are_matrices(a, b)"`.
    pub(super) fn read(place: &str, measured: &str) -> Result<Self, String> {
        let (target, at) = Matches::read(place)?;
        Ok(Self { target: target.parse()?, at, measured: measured.to_owned() })
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
                "needs" => about.needs = strings(dict).filter_map(|(place, what)| Need::read(place, what).ok()).collect(),
                "slower" => about.slower = strings(dict).filter_map(|(place, measured)| Slower::read(place, measured).ok()).collect(),
                "gain_of" => about.gain_of = strings(dict).map(|(class, gain)| (class.to_owned(), gain.to_owned())).collect(),
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
            "pays_in" => about.pays_in = value,
            "applicability" => about.applicability = value,
            _ => {}
        }
    }
    about.since = newest(source);
    if about.applicability.is_empty() && !about.numerics.is_empty() {
        // What annotations and guards ask may be proved or not; a larger error is assumed to be acceptable.
        let safe = about.numerics.iter().any(|(_, class)| class != Numerics::LessPrecise.as_str()).then_some(Applicability::Safe);
        let narrowing = (!about.narrows.is_empty()).then_some(Applicability::Narrowing);
        let words: Vec<&str> = [safe, narrowing, Some(Applicability::Unsafe)].into_iter().flatten().map(Applicability::as_str).collect();
        about.applicability = words.join(", ");
    }
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
