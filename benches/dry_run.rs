//! What a dry run costs, as a multiple of parsing the same files with the same parser, in this process and on one thread.
//!
//! `cargo bench -- FOLDER`, or `MLXFIX_BENCH=FOLDER cargo bench`; without either, the examples. Files that do not speak of MLX count for neither side.

#![allow(clippy::print_stdout)] // The figures are what it is for.

use std::hint::black_box;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use mlxfix::finding::Applicability;
use mlxfix::syntax::Source;
use mlxfix::{Options, fix};

const ROUNDS: usize = 9;

fn main() {
    let folder = std::env::args().skip(1).find(|arg| !arg.starts_with('-')).map(PathBuf::from);
    let folder = folder.or_else(|| std::env::var_os("MLXFIX_BENCH").map(PathBuf::from)).unwrap_or_else(|| "examples".into());
    let texts = texts(&folder);
    let bytes: usize = texts.iter().map(String::len).sum();
    println!("{}: {} files that speak of MLX, {:.2} MB", folder.display(), texts.len(), bytes as f64 / 1e6);
    if texts.is_empty() {
        return;
    }
    let options = Options { admit: Applicability::Unsafe, ..Options::default() };
    let mut ratios = Vec::new();
    let (mut parses, mut fixes) = (Vec::new(), Vec::new());
    // The first round warms up, and reads the rules.
    for round in 0..=ROUNDS {
        let parse = timed(&texts, |text| drop(black_box(Source::parse(text))));
        let fix = timed(&texts, |text| drop(black_box(fix(text, &options))));
        if round > 0 {
            ratios.push(fix.as_secs_f64() / parse.as_secs_f64());
            parses.push(parse.as_secs_f64());
            fixes.push(fix.as_secs_f64());
        }
    }
    println!("parse {:.1} ms, dry run {:.1} ms, ratio {:.2} (medians of {ROUNDS} rounds)", 1e3 * median(parses), 1e3 * median(fixes), median(ratios));
}

fn timed(texts: &[String], work: impl Fn(&str)) -> Duration {
    let start = Instant::now();
    texts.iter().for_each(|text| work(text));
    start.elapsed()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The Python files below `folder` that speak of MLX and can be read as text.
fn texts(folder: &PathBuf) -> Vec<String> {
    let walk = ignore::WalkBuilder::new(folder).standard_filters(false).build().flatten();
    let python = walk.filter(|entry| entry.path().extension().is_some_and(|e| e == "py"));
    python.filter_map(|entry| std::fs::read_to_string(entry.path()).ok()).filter(|text| text.contains("mlx")).collect()
}
