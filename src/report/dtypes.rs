//! The dtypes of named values, as tables for people and as records for machines.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;

use crate::engine::{DtypeSource, Known, Origin, Row, Table};
use crate::syntax::{Lines, TextRange};

use super::json::Place;
use super::readable;

/// A table for each scope, with what makes float32 below it.
pub fn dtype_text(text: &str, tables: &[Table]) -> String {
    let lines = Lines::of(text);
    let shown = tables.iter().filter(|t| !t.rows.is_empty());
    shown.map(|table| one(&lines, table)).collect::<Vec<_>>().join("\n")
}

fn one(lines: &Lines<'_>, table: &Table) -> String {
    let row = |range: TextRange| lines.location(range.start()).row;
    let head = ["line", "name", "dtype", "axes", "why"].map(str::to_owned);
    let cells = table.rows.iter().map(|r| {
        let rank = r.rank.map_or_else(|| if is_array(r) { "?".to_owned() } else { String::new() }, |n| n.to_string());
        [row(r.range).to_string(), r.name.clone(), dtype(r), rank, r.why.clone()]
    });
    let rows: Vec<[String; 5]> = std::iter::once(head).chain(cells).collect();
    let width = |n: usize| rows.iter().map(|r| r[n].chars().count()).max().unwrap_or_default();
    let widths = [width(0), width(1), width(2), width(3)];
    let mut out = format!("{}\n", table.scope);
    for [line, name, dtype, axes, why] in &rows {
        let [a, b, c, d] = widths;
        let _ = writeln!(out, "  {line:>a$}  {name:b$}  {dtype:c$}  {axes:>d$}  {why}");
    }
    for told in &table.promotions {
        let place = told.range.map_or_else(String::new, |range| format!(" in line {}", row(range)));
        let first = told.at.first().map_or_else(String::new, |(text, range)| format!(" from `{text}` in line {} on", row(*range)));
        let _ = writeln!(out, "  `{}`{place} makes float32{first}: {}", told.source, told.spoilt);
    }
    out
}

fn is_array(row: &Row) -> bool {
    matches!(row.dtype, Known::Array(_) | Known::Promotion(..) | Known::Nothing)
}

/// The dtype in one cell: its name, or of what it is.
fn dtype(row: &Row) -> String {
    match &row.dtype {
        Known::Array(dtype) => dtype.name().to_owned(),
        Known::Promotion(_, half) => {
            let of = row.of.iter().map(|s| if s.is == Origin::Value && s.text == "?" { "?".to_owned() } else { s.text.clone() });
            let mut of: Vec<String> = of.chain(half.map(|h| h.name().to_owned())).collect();
            if row.of.len() == 1 && row.of[0].text == row.name && of.len() == 1 {
                return "?".to_owned();
            }
            of.truncate(3);
            format!("of {}", of.join(", "))
        }
        Known::Number(true) => "number".to_owned(),
        Known::Number(false) => "int".to_owned(),
        Known::Dtype(dtype) => dtype.map_or("a dtype", |d| d.name()).to_owned(),
        Known::None => "None".to_owned(),
        Known::Nothing => "?".to_owned(),
    }
}

#[derive(Serialize)]
struct Record<'a> {
    filename: &'a str,
    scope: &'a str,
    name: &'a str,
    location: Place,
    end_location: Place,
    kind: &'static str,
    dtype: Option<&'static str>,
    promotes: Vec<Of<'a>>,
    axes: Option<u8>,
    why: &'a str,
}

#[derive(Serialize)]
struct Of<'a> {
    source: &'a str,
    kind: &'static str,
}

impl<'a> From<&'a DtypeSource> for Of<'a> {
    fn from(source: &'a DtypeSource) -> Self {
        let kind = match source.is {
            Origin::Parameter => "parameter",
            Origin::Attribute => "attribute",
            Origin::Module => "module",
            Origin::Value => "value",
        };
        Self { source: &source.text, kind }
    }
}

/// One object a line for each named value. Where `dtype` is null, the dtype is the promotion of those of `promotes`.
pub fn dtype_records(path: &Path, text: &str, tables: &[Table]) -> Vec<u8> {
    let lines = Lines::of(text);
    let filename = readable(path);
    let mut out = Vec::new();
    for (table, row) in tables.iter().flat_map(|t| t.rows.iter().map(move |r| (t, r))) {
        let (kind, dtype) = match &row.dtype {
            Known::Array(dtype) => ("array", Some(dtype.name())),
            Known::Promotion(_, half) => ("array", half.map(|h| h.name())),
            Known::Number(_) => ("number", None),
            Known::Dtype(dtype) => ("dtype", dtype.map(|d| d.name())),
            Known::None => ("none", None),
            Known::Nothing => ("unknown", None),
        };
        let record = Record {
            filename: &filename,
            scope: &table.scope,
            name: &row.name,
            location: lines.location(row.range.start()).into(),
            end_location: lines.location(row.range.end()).into(),
            kind,
            dtype,
            promotes: row.of.iter().map(Of::from).collect(),
            axes: row.rank,
            why: &row.why,
        };
        serde_json::to_writer(&mut out, &record).expect("invariant: strings and numbers always serialise");
        out.push(b'\n');
    }
    out
}
