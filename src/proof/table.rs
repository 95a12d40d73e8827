//! A proof in words: a table of what was run, each counterexample, and what a guard refuses without need. Decides nothing.

use std::fmt::Write as _;

use super::{Context, Contexts, Failure, Proof, Row, Variant};

const HEAD: [&str; 11] =
    ["pattern", "numerics", "dtype", "ran", "same bits", "refused", "differ", "compile/vmap/grad", "mean ulp", "largest ulp", "on extremes"];

/// The table of `proofs`, then what contradicts a rule, then what its guard refuses without need.
pub fn text(proofs: &[&Proof]) -> String {
    let mut lines: Vec<Vec<String>> = vec![HEAD.iter().map(ToString::to_string).collect()];
    for (proof, variant) in variants(proofs) {
        for (at, row) in variant.rows.iter().enumerate() {
            lines.push(line(proof, variant, row, at == 0));
        }
    }
    let mut out = aligned(&lines);
    for (proof, variant) in variants(proofs) {
        for failure in &variant.failures {
            out.push_str(&counterexample(proof, variant, failure));
        }
    }
    for (proof, variant) in variants(proofs) {
        for (name, context) in contexts(variant).into_iter().filter(|(_, c)| c.failed > 0 && !c.why.is_empty()) {
            let _ = writeln!(
                out,
                "note: {} {}: inside `{name}` {} of {} are less accurate: {}",
                proof.id, variant.name, context.failed, context.ran, context.why
            );
        }
        for refusals in variant.refusals.iter().filter(|r| variant.too_strict.contains(&r.condition)) {
            let why = if refusals.why.is_empty() { "it refuses too much, or `cautions` should say why" } else { &refusals.why };
            let _ = writeln!(
                out,
                "note: {} {}: `{}` alone refused {} inputs, on none of which the result differs: {why}",
                proof.id, variant.name, refusals.condition, refusals.alone
            );
        }
    }
    out
}

/// One sentence over all `proofs`.
pub fn verdict(proofs: &[&Proof]) -> String {
    let runs: usize = variants(proofs).flat_map(|(_, v)| &v.rows).map(|r| r.ran).sum();
    let refused: usize = variants(proofs).flat_map(|(_, v)| &v.rows).map(|r| r.refused).sum();
    let wrong = proofs.iter().filter(|p| !p.holds()).count();
    let place = proofs.first().map_or(String::new(), |p| format!(" MLX {}, {}.", p.mlx, p.device));
    let held = match wrong {
        0 if proofs.len() == 1 => "which holds".to_owned(),
        0 => "all hold".to_owned(),
        _ => format!("{wrong} of them wrong"),
    };
    let noun = if proofs.len() == 1 { "rule" } else { "rules" };
    format!("{} {noun}, {held}: {runs} comparisons with float64, {refused} inputs refused by guards.{place}\n", proofs.len())
}

fn variants<'p>(proofs: &'p [&Proof]) -> impl Iterator<Item = (&'p Proof, &'p Variant)> {
    proofs.iter().flat_map(|proof| proof.variants.iter().map(move |variant| (*proof, variant)))
}

fn contexts(variant: &Variant) -> [(&'static str, &Context); 3] {
    let Contexts { compile, vmap, grad } = &variant.contexts;
    [("mx.compile", compile), ("mx.vmap", vmap), ("mx.grad", grad)]
}

fn line(proof: &Proof, variant: &Variant, row: &Row, first: bool) -> Vec<String> {
    let usual = row.dtype != "other";
    let pair = |(before, after): (f64, f64)| if usual { format!("{before:.2} -> {after:.2}") } else { String::new() };
    let context =
        |(_, c): (_, &Context)| if c.failed == 0 || !c.why.is_empty() { c.ran.to_string() } else { format!("{} ({} wrong)", c.ran, c.failed) };
    let contexts = contexts(variant).map(context).join("/");
    vec![
        format!("{} {}", proof.id, variant.name),
        variant.numerics.clone(),
        row.dtype.clone(),
        row.ran.to_string(),
        row.same_bits.to_string(),
        row.refused.to_string(),
        row.needed.to_string(),
        if first { contexts } else { String::new() },
        pair(row.mean),
        pair(row.largest),
        pair(row.extreme),
    ]
}

fn aligned(lines: &[Vec<String>]) -> String {
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
    let mut out = String::new();
    for line in lines {
        let cells: Vec<String> = line.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}")).collect();
        let _ = writeln!(out, "{}", cells.join("  ").trim_end());
    }
    out
}

fn counterexample(proof: &Proof, variant: &Variant, failure: &Failure) -> String {
    let mut out = format!("\nWRONG {} {}, inputs {}: {}\n", proof.id, variant.name, failure.inputs, failure.problem);
    let shown = failure.reading.lines().map(str::to_owned);
    let arguments = failure.arguments.iter().map(|(name, value)| format!("{name} = {}", value.as_str().unwrap_or_default()));
    let results = [("before", &failure.before), ("after", &failure.after)].into_iter().filter(|(_, text)| !text.is_empty());
    let results = results.map(|(name, text)| format!("{name} gives {text}"));
    for line in shown.chain(arguments).chain(results) {
        let _ = writeln!(out, "    {line}");
    }
    out
}
