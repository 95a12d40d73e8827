//! `explain` and `list`: the catalog in words, and as records. A transform's Python file is its documentation, so it is shown as it is, in parts.

use std::collections::HashSet;
use std::fmt::Write as _;

use anyhow::Result;
use serde::Serialize;

use super::args::{RecordFormat, SettingsArgs};
use super::{CLEAN, print, profile};
use crate::catalog::{self, About, CATALOG, Kind, PRELUDE};
use crate::profile::Profile;
use crate::report;

/// How to find what is slow where no transform applies, by its first word.
const PROFILING: &str = include_str!("profiling.txt");

/// The oldest MLX whose functions were compared with those of later ones.
const RECORDED: &str = "0.20";

/// What there is to know of a transform.
#[derive(Serialize)]
struct Card<'a> {
    id: &'a str,
    title: &'a str,
    group: String,
    kind: &'static str,
    applicability: Vec<String>,
    numerics: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    narrows: String,
    pays_in: String,
    since: Vec<String>,
    gain: String,
    slower: Vec<String>,
    guide: String,
    rationale: &'a str,
    example: String,
    /// What `mlxfix bench` measured here.
    #[serde(skip_serializing_if = "Option::is_none")]
    measured_here: Option<String>,
}

impl<'a> Card<'a> {
    fn of(id: &'a str, text: &'a str, figures: Option<&Profile>) -> Self {
        let about = catalog::about(text);
        let kind = CATALOG.iter().find(|entry| entry.id == id).map(|entry| entry.kind);
        let is_advice = matches!(kind, Some(Kind::Advice(_)));
        let (title, rationale) = docstring(text);
        let mut numerics: Vec<String> = about.numerics.iter().map(|(_, class)| class.clone()).collect();
        numerics.sort_unstable();
        numerics.dedup();
        let applicability = if is_advice { "advice" } else { &about.applicability };
        let slower = about.slower.iter().map(|s| format!("on {}{}, where it is not proposed: {}", s.target, s.at, s.measured));
        Self {
            id,
            title,
            // The rules of a user are rules.
            kind: kind.map_or("rule", Kind::as_str),
            applicability: applicability.split(", ").filter(|word| !word.is_empty()).map(str::to_owned).collect(),
            numerics,
            since: since(&about, matches!(kind, Some(Kind::Pass(_)))),
            slower: slower.collect(),
            rationale,
            example: example(text),
            measured_here: figures.and_then(|figures| measured_here(id, text, figures)),
            group: about.group,
            narrows: about.narrows,
            pays_in: about.pays_in,
            gain: about.gain,
            guide: about.guide,
        }
    }

    fn text(&self) -> String {
        let mut out = format!("{}: {}\n\n", self.id, self.title);
        let mut say = |name: &str, what: &str| {
            if !what.is_empty() {
                let _ = writeln!(out, "{name:13} {what}");
            }
        };
        say("group", &self.group);
        say("kind", self.kind);
        say("applicability", &self.applicability.join(", "));
        say("numerics", &self.numerics.join(", "));
        say("narrows", &self.narrows);
        say("pays in", &self.pays_in);
        say("since", &self.since.join("; "));
        say("gain", &self.gain);
        self.slower.iter().for_each(|slower| say("slower", slower));
        say("guide", &self.guide);
        for part in [self.rationale, &self.example, self.measured_here.as_deref().unwrap_or_default()].map(str::trim_end) {
            if !part.is_empty() {
                let _ = writeln!(out, "\n{part}");
            }
        }
        out
    }
}

/// Say what the transform `id` does, why, where it pays, and show its worked example; without an id, of every transform.
pub(super) fn explain(id: Option<&str>, format: RecordFormat, settings: &SettingsArgs) -> Result<u8> {
    if id.is_some() && PROFILING.split(':').next() == id {
        print(PROFILING.as_bytes())?;
        return Ok(CLEAN);
    }
    let transforms = settings.transforms_here()?;
    let wanted: Vec<(&str, &str)> = match id {
        Some(id) => vec![transforms.named(id)?],
        None => transforms.all().collect(),
    };
    let figures = profile::of_user(settings);
    let cards: Vec<Card<'_>> = wanted.into_iter().map(|(id, text)| Card::of(id, text, figures.as_ref())).collect();
    show(&cards, format, |cards| cards.iter().map(Card::text).collect::<Vec<_>>().join("\n\n"))
}

/// Name every transform, in the order in which they run.
pub(super) fn list(format: RecordFormat, settings: &SettingsArgs) -> Result<u8> {
    let transforms = settings.transforms_here()?;
    let figures = profile::of_user(settings);
    let cards: Vec<Card<'_>> = transforms.all().map(|(id, text)| Card::of(id, text, figures.as_ref())).collect();
    show(&cards, format, |cards| {
        let rows: Vec<[String; 4]> =
            cards.iter().map(|c| [c.id.to_owned(), c.kind.to_owned(), c.applicability.join(", "), c.group.clone()]).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
        let [ids, kinds, trust, groups] = [0, 1, 2, 3].map(width);
        let lines = rows.iter().zip(cards);
        lines.map(|([id, kind, how, group], card)| format!("{id:ids$}  {kind:kinds$}  {how:trust$}  {group:groups$}  {}\n", card.title)).collect()
    })
}

/// Print `cards` as records, or as what `text` makes of them.
fn show(cards: &[Card<'_>], format: RecordFormat, text: impl Fn(&[Card<'_>]) -> String) -> Result<u8> {
    let records = || -> serde_json::Result<Vec<u8>> {
        let mut lines = Vec::new();
        for card in cards {
            serde_json::to_writer(&mut lines, card)?;
            lines.push(b'\n');
        }
        Ok(lines)
    };
    match format {
        RecordFormat::Text => print(text(cards).as_bytes())?,
        RecordFormat::Json => print(&report::array(&records()?))?,
        RecordFormat::JsonLines => print(&records()?)?,
    }
    Ok(CLEAN)
}

/// Since which MLX there is what a transform makes use of.
fn since(about: &About, is_pass: bool) -> Vec<String> {
    let first = match about.since {
        // The edits of a pass may name other functions than its example.
        Some((function, since)) if is_pass => format!("MLX {since} for mx.{function}, which the example names"),
        Some((function, since)) => format!("MLX {since}, the first with mx.{function}"),
        None => format!("MLX {RECORDED} or earlier"),
    };
    let more = about.needs.iter().map(|need| format!("{} for {}", need.since, need.what));
    [first].into_iter().chain(more).collect()
}

/// What was measured on this machine, or why that is not told.
fn measured_here(id: &str, text: &str, figures: &Profile) -> Option<String> {
    let stale = || format!("The figures of this machine are those of another version of {id}; `mlxfix bench {id}` measures it again.");
    figures.of(id, text).map(|measured| measured.table()).or_else(|| figures.is_stale(id, text).then(stale))
}

/// The first line of a file's docstring and the rest of it.
fn docstring(text: &str) -> (&str, &str) {
    let Some((_, body)) = text.split_once("\"\"\"") else { return ("", "") };
    let doc = body.split_once("\"\"\"").map_or(body, |(doc, _)| doc).trim();
    let (title, rest) = doc.split_once('\n').unwrap_or((doc, ""));
    (title.trim_end(), rest.trim())
}

/// The functions of a file that show the change: those named `before...` and `after...`, and the ones of the file and of the prelude that they are made of, each
/// with the lines above it that belong to it.
fn example(text: &str) -> String {
    let defined: Vec<Part<'_>> = parts(PRELUDE).into_iter().chain(parts(text)).collect();
    let shows = |name: &str| ["before", "after", "Before", "After"].iter().any(|head| name.starts_with(head));
    let mut shown: HashSet<&str> = defined.iter().map(|part| part.name).filter(|name| shows(name)).collect();
    let mut next: Vec<&str> = shown.iter().copied().collect();
    while let Some(name) = next.pop() {
        let callers = || defined.iter().filter(|part| part.name == name);
        let reached = defined.iter().map(|part| part.name).filter(|name| callers().any(|caller| calls(caller.text, name)));
        next.extend(reached.filter(|name| shown.insert(name)));
    }
    let texts = defined.iter().filter(|part| shown.contains(part.name)).map(|part| part.text.trim_end());
    texts.collect::<Vec<_>>().join("\n\n")
}

/// Whether `text` calls `name`.
fn calls(text: &str, name: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
    text.match_indices(name).any(|(at, _)| !text[..at].ends_with(is_word) && text[at + name.len()..].starts_with('('))
}

/// A function or class of a file.
struct Part<'a> {
    name: &'a str,
    text: &'a str,
}

/// The functions and classes at the top of a file.
fn parts(text: &str) -> Vec<Part<'_>> {
    let (mut starts, mut at, mut belongs) = (Vec::new(), 0, false);
    for line in text.split_inclusive('\n') {
        let is_top = !line.trim_end().is_empty() && !line.starts_with([' ', '\t', ')', ']', '}']);
        if is_top && !belongs {
            starts.push(at);
        }
        belongs = if is_top { line.starts_with(['@', '#']) } else { belongs && line.trim().is_empty() };
        at += line.len();
    }
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    let texts = starts.iter().zip(ends).map(|(&start, end)| &text[start..end]);
    let named = texts.filter_map(|text| {
        let head = text.lines().find_map(|line| line.strip_prefix("def ").or_else(|| line.strip_prefix("class ")))?;
        Some(Part { name: head.split(['(', ':']).next().unwrap_or(head).trim(), text })
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# form: 1\n\"\"\"Do it fast.\n\nOne kernel\nfor three.\n\"\"\"\nimport mlx.core as mx\n\n\ndef double(x):\n    return half(x) * 4\n\n\ndef before(x):\n    y = double(x)\n\n    return y\n\n\ndef guard(x):\n    return True\n\n\ndef half(x):\n    return x / 2\n\n\n@mark\ndef after(\n    x,\n):\n    return x\n";

    #[test]
    fn the_docstring_is_title_and_rationale() {
        assert_eq!(docstring(FILE), ("Do it fast.", "One kernel\nfor three."));
        assert_eq!(docstring("x = 1\n"), ("", ""));
    }

    #[test]
    fn the_example_is_before_and_after_with_all_that_they_are_made_of() {
        assert_eq!(
            example(FILE),
            "def double(x):\n    return half(x) * 4\n\ndef before(x):\n    y = double(x)\n\n    return y\n\ndef half(x):\n    return x / 2\n\n@mark\ndef after(\n    x,\n):\n    return x"
        );
        let angles = example("from prelude import angles\n\n\ndef before(x):\n    return angles(x)\n");
        assert!(angles.starts_with("def angles(") && !angles.contains("def is_number("), "{angles}");
    }
}
