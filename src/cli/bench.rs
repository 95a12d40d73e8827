//! `bench`: measure transforms on this machine, and keep the figures where findings and `explain` take them from.

use std::path::PathBuf;

use anyhow::{Context, Result, anyhow, bail};

use crate::batch;
use crate::profile::Profile;
use crate::proof;

use super::args::{BenchArgs, ProofFormat};
use super::{CLEAN, FAILURE, complain, print, profile};

/// Measure the transforms that `args` name, all without a name; the result is the exit code.
pub(super) fn bench(args: &BenchArgs) -> Result<u8> {
    let place = place(args)?;
    // What is there is kept, but for what is measured now; a file of something else is nobody's to write over.
    let mut kept = profile::read(&place)?.unwrap_or_default();
    let transforms = args.settings.transforms_here()?;
    let chosen: Vec<(&str, &str)> = match &args.ids[..] {
        [] => transforms.all().collect(),
        ids => ids.iter().map(|id| transforms.named(id)).collect::<Result<_>>()?,
    };
    let interpreter = args.python.interpreter(600);
    let mut now = Profile::default();
    let mut failed = false;
    for (id, text) in chosen {
        match proof::bench(id, text, &interpreter, args.seconds) {
            Ok(measured) if measured.cases.is_empty() && args.ids.is_empty() => {}
            Ok(measured) if measured.cases.is_empty() => complain(&format!("{id} is not measured: it names no sizes\n")),
            Ok(measured) => {
                if args.output_format == ProofFormat::Text {
                    print(format!("{id}: {}", measured.table()).as_bytes())?;
                }
                kept.transforms.insert(id.to_owned(), measured.clone());
                now.transforms.insert(id.to_owned(), measured);
            }
            Err(why) => {
                failed = true;
                complain(&format!("error: {id} was not measured: {why}\n"));
            }
        }
    }
    if args.output_format == ProofFormat::Json {
        print(&now.bytes())?;
    }
    if !now.transforms.is_empty() {
        batch::put(&place, &kept.bytes()).with_context(|| format!("cannot write {}", place.display()))?;
        complain(&format!("The figures are in {}.\n", place.display()));
    }
    Ok(if failed { FAILURE } else { CLEAN })
}

/// The file that takes the figures.
fn place(args: &BenchArgs) -> Result<PathBuf> {
    if args.seconds.is_nan() || args.seconds < 0.0 {
        bail!("--seconds must be a number of seconds");
    }
    let usual = || profile::place().ok_or_else(|| anyhow!("there is no folder for the figures of this user; --output names a file"));
    args.output.clone().map_or_else(usual, Ok)
}
