//! `prove`: run rules under the user's MLX and tell what was seen.

use std::num::NonZero;

use anyhow::{Context, Result, bail};

use crate::catalog::{CATALOG, Kind};
use crate::proof;

use super::args::{ProofFormat, ProveArgs};
use super::{CLEAN, FAILURE, FINDINGS, complain, print};

/// Prove the transforms that `args` name, all without a name; the result is the exit code.
pub(super) fn prove(args: &ProveArgs) -> Result<u8> {
    let transforms = args.settings.transforms_here()?;
    let rules: Vec<(&str, &str)> = if args.ids.is_empty() {
        transforms.all().filter(|(id, text)| is_executable(id, text)).collect()
    } else {
        let named: Vec<(&str, &str)> = args.ids.iter().map(|id| transforms.named(id)).collect::<Result<_>>()?;
        if let Some((id, _)) = named.iter().find(|(id, text)| !is_executable(id, text)) {
            bail!("{id} is specified by an example, not by a rule that could be run on inputs; `mlxfix verify` runs what it changes");
        }
        named
    };
    let interpreter = args.python.interpreter(600);
    let jobs = args.jobs.or_else(|| std::thread::available_parallelism().ok()).unwrap_or(NonZero::<usize>::MIN);
    let outcomes = proof::prove(&rules, &interpreter, jobs);
    let proofs: Vec<&proof::Proof> = outcomes.iter().filter_map(|outcome| outcome.as_ref().ok()).collect();
    let out = match args.output_format {
        ProofFormat::Text if proofs.is_empty() => String::new(),
        ProofFormat::Text => proof::text(&proofs),
        ProofFormat::Json => serde_json::to_string_pretty(&proofs).context("invariant: a proof is plain data")? + "\n",
    };
    print(out.as_bytes())?;
    let mut failed = false;
    for ((id, _), outcome) in rules.iter().zip(&outcomes) {
        if let Err(why) = outcome {
            failed = true;
            complain(&format!("error: {id} was not proved: {why}\n"));
        }
    }
    if !proofs.is_empty() {
        complain(&proof::verdict(&proofs));
    }
    Ok(match () {
        () if failed => FAILURE,
        () if proofs.iter().any(|p| !p.holds()) => FINDINGS,
        () => CLEAN,
    })
}

/// Whether there is something to run: a pass may be specified by an example alone.
fn is_executable(id: &str, text: &str) -> bool {
    CATALOG.iter().find(|e| e.id == id).is_none_or(|e| matches!(e.kind, Kind::Rule)) || text.contains("\ndef inputs(")
}
