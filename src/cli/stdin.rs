//! Standard input as a file, for editors: the diff to standard output, or with `--write` the whole text, byte for byte, whatever became of it.

use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context, Result};

use crate::batch::{self, Checked, Packages, Place, Places};
use crate::engine::Options;
use crate::report::{FileReport, Problem, Summary};

use super::check::{Digest, Run};
use super::verify;

/// Analyse standard input under the name `name`.
pub(super) fn run(run: &mut Run<'_>, name: Option<&Path>, options: &Options) -> Result<()> {
    let write = run.args().write;
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes).context("cannot read standard input")?;
    // The same files are passed over as when they are read from disk.
    if !batch::speaks_of_mlx(&bytes) {
        run.add(&place(name), write.then(|| Digest { out: bytes, summary: Summary::default() }), None);
        return Ok(());
    }
    let (place, packages) = (place(name), Packages::default());
    let analyse = |verdicts| {
        let options = Options { verdicts, ..options.clone() };
        batch::on_deep_stack(|| packages.check(&place.path, &bytes, &options)).context("cannot start a thread")
    };
    let verdicts = run.args().verify.then(|| {
        let unknown = |checked: Result<Checked<'_>, Problem>| checked.map_or_else(|_| Vec::new(), |checked| checked.fixed.unknown);
        verify::verdicts(run.args(), |known| Ok(unknown(analyse(Some(known))?)))
    });
    let checked = analyse(verdicts.transpose()?)?;
    match checked {
        Ok(checked) => {
            let report = FileReport {
                path: &place.shown,
                full_path: &place.path,
                links: &[],
                text: &checked.text,
                old: &bytes,
                new: &checked.bytes,
                fixed: &checked.fixed,
                written: write,
            };
            let digest = run.digest(&report);
            // With --write the text itself goes to standard output, so the remarks on what is left have no place there.
            let out = if write { checked.bytes } else { digest.out };
            run.add(&place, Some(Digest { out, summary: digest.summary }), checked.problem);
        }
        Err(problem) => {
            let digest = write.then(|| Digest { out: bytes, summary: Summary::default() });
            run.add(&place, digest, Some(problem));
        }
    }
    Ok(())
}

fn place(name: Option<&Path>) -> Place {
    match name {
        Some(name) => Places::new().name(&std::path::absolute(name).unwrap_or_else(|_| name.to_path_buf())),
        None => Place { path: "-".into(), shown: "-".into(), near: "-".into(), links: Vec::new() },
    }
}
