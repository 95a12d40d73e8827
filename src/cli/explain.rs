//! `explain` and `list`: the catalog in words. A transform's Python file is its documentation, so it is shown as it is, in parts.

use std::fmt::Write as _;

use anyhow::Result;

use super::args::SettingsArgs;
use super::{CLEAN, print, profile};
use crate::catalog::{self, About, CATALOG};

/// How to find what is slow where no transform applies, by its first word.
const PROFILING: &str = include_str!("profiling.txt");

/// Say what the transform `id` does, why, where it pays, and show its worked example.
pub(super) fn explain(id: &str, settings: &SettingsArgs) -> Result<u8> {
    if PROFILING.split(':').next() == Some(id) {
        print(PROFILING.as_bytes())?;
        return Ok(CLEAN);
    }
    let transforms = settings.transforms_here()?;
    let (id, text) = transforms.named(id)?;
    let (title, rationale) = docstring(text);
    let mut out = format!("{id}: {title}\n\n{}", card(id, &catalog::about(text)));
    for part in [rationale.to_owned(), example(text)] {
        if !part.is_empty() {
            out.push('\n');
            out.push_str(&part);
            out.push('\n');
        }
    }
    if let Some(figures) = profile::of_user(settings) {
        match figures.of(id, text) {
            Some(measured) => out.push_str(&format!("\n{}", measured.table())),
            None if figures.is_stale(id, text) => {
                out.push_str(&format!(
                    "\nThe figures of this machine are those of another version of {id}; `mlxfix bench {id}` measures it again.\n"
                ));
            }
            None => {}
        }
    }
    print(out.as_bytes())?;
    Ok(CLEAN)
}

/// Name every transform, in the order in which they run.
pub(super) fn list(settings: &SettingsArgs) -> Result<u8> {
    let transforms = settings.transforms_here()?;
    let rows: Vec<[String; 4]> = transforms
        .all()
        .map(|(id, text)| {
            let about = catalog::about(text);
            [id.to_owned(), kind(id).to_owned(), about.group, about.title]
        })
        .collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let [ids, kinds, groups] = [0, 1, 2].map(width);
    let lines = rows.iter().map(|[id, kind, group, title]| format!("{id:ids$}  {kind:kinds$}  {group:groups$}  {title}\n"));
    print(lines.collect::<String>().as_bytes())?;
    Ok(CLEAN)
}

/// What there is to know of a transform at a glance.
fn card(id: &str, about: &About) -> String {
    let mut out = String::new();
    let mut say = |name: &str, what: &str| {
        if !what.is_empty() {
            let _ = writeln!(out, "{name:9} {what}");
        }
    };
    say("group", &about.group);
    say("kind", kind(id));
    let mut classes: Vec<&str> = about.numerics.iter().map(|(_, class)| class.as_str()).collect();
    classes.sort_unstable();
    classes.dedup();
    say("numerics", &classes.join(", "));
    say("narrows", &about.narrows);
    if let Some((function, since)) = about.since {
        say("since", &format!("MLX {since}, the first with mx.{function}"));
    }
    say("gain", &about.gain);
    for slower in &about.slower {
        say("slower", &format!("on {}, where it is not proposed: {}", slower.target, slower.measured));
    }
    say("guide", &about.guide);
    out
}

/// What kind of transform `id` is; those of the user are rules.
fn kind(id: &str) -> &'static str {
    CATALOG.iter().find(|entry| entry.id == id).map_or("rule", |entry| entry.kind.as_str())
}

/// The first line of a file's docstring and the rest of it.
fn docstring(text: &str) -> (&str, &str) {
    let Some((_, body)) = text.split_once("\"\"\"") else { return ("", "") };
    let doc = body.split_once("\"\"\"").map_or(body, |(doc, _)| doc).trim();
    let (title, rest) = doc.split_once('\n').unwrap_or((doc, ""));
    (title.trim_end(), rest.trim())
}

/// The functions of a file that show the change: those named `before...` and `after...`, with the lines above them that belong to them.
fn example(text: &str) -> String {
    let mut parts: Vec<Vec<&str>> = vec![Vec::new()];
    for line in text.lines() {
        let starts = !line.is_empty() && !line.starts_with([' ', '\t', ')', ']', '}']);
        let continues = parts.last().and_then(|part| part.last()).is_some_and(|last| last.starts_with(['@', '#']));
        if starts && !continues {
            parts.push(Vec::new());
        }
        if let Some(part) = parts.last_mut() {
            part.push(line);
        }
    }
    let shows = |part: &Vec<&str>| {
        part.iter().any(|line| ["def before", "def after", "class Before", "class After"].iter().any(|head| line.starts_with(head)))
    };
    let shown = parts.into_iter().filter(shows).map(|part| part.join("\n").trim_end().to_owned());
    shown.collect::<Vec<_>>().join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# form: 1\n\"\"\"Do it fast.\n\nOne kernel\nfor three.\n\"\"\"\nimport mlx.core as mx\n\n\ndef before(x):\n    y = x\n\n    return y\n\n\ndef guard(x):\n    return True\n\n\n@mark\ndef after(\n    x,\n):\n    return x\n";

    #[test]
    fn the_docstring_is_title_and_rationale() {
        assert_eq!(docstring(FILE), ("Do it fast.", "One kernel\nfor three."));
        assert_eq!(docstring("x = 1\n"), ("", ""));
    }

    #[test]
    fn the_example_is_before_and_after_alone() {
        assert_eq!(example(FILE), "def before(x):\n    y = x\n\n    return y\n\n@mark\ndef after(\n    x,\n):\n    return x");
    }
}
