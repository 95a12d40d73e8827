//! `verify` and `--verify`: run what the engine proposes, until nothing is left of which it is not known whether it holds.

use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Error, Result};

use crate::proof::{self, Interpreter};
use crate::replay::{Key, Replay, Verdict, Verdicts};

use super::args::{CheckArgs, PythonArgs};

/// For a site.
const SECONDS: u64 = 60;
/// An edit that is withdrawn may let others appear. After so many rounds, what is not known yet is not applied.
const ROUNDS: usize = 8;

/// What is not known yet, each with what is to be run or why nothing can be.
pub(super) type Unknown = Vec<(Key, Result<Replay, String>)>;

/// What is known once all has been run that `pass` asks for where so much is known already.
pub(super) fn verdicts(args: &CheckArgs, mut pass: impl FnMut(Arc<Verdicts>) -> Result<Unknown>) -> Result<Arc<Verdicts>> {
    let interpreter = args.python.interpreter(SECONDS);
    let jobs = args.jobs.or_else(|| std::thread::available_parallelism().ok()).unwrap_or(NonZero::<usize>::MIN);
    let mut verdicts = Arc::new(Verdicts::default());
    for _ in 0..ROUNDS {
        let unknown = pass(Arc::clone(&verdicts))?;
        if unknown.is_empty() {
            break;
        }
        let known = Arc::make_mut(&mut verdicts);
        for (key, reason) in unknown.iter().filter_map(|(key, replay)| Some((key, replay.as_ref().err()?))) {
            known.note(*key, Verdict::NotReplayed { reason: reason.clone() });
        }
        let replays: Vec<(Key, &Replay)> = unknown.iter().filter_map(|(key, replay)| Some((*key, replay.as_ref().ok()?))).collect();
        for (key, verdict) in proof::verify(&replays, &interpreter, jobs).map_err(|why| Error::msg(format!("nothing was verified: {why}")))? {
            known.note(key, verdict);
        }
    }
    Arc::make_mut(&mut verdicts).settled = true;
    Ok(verdicts)
}

impl PythonArgs {
    /// The Python of the user: the one that is named, that of the active virtual environment, or the usual one. A job may take `seconds` unless it is said
    /// how many.
    pub(super) fn interpreter(&self, seconds: u64) -> Interpreter {
        let named = self.python.clone().or_else(|| std::env::var_os("MLXFIX_PYTHON").map(PathBuf::from));
        let active = || {
            let root = PathBuf::from(std::env::var_os("VIRTUAL_ENV")?);
            Some(if cfg!(windows) { root.join("Scripts").join("python.exe") } else { root.join("bin").join("python") })
        };
        let path = named.or_else(active).unwrap_or_else(|| PathBuf::from("python3"));
        Interpreter { path, time: Duration::from_secs(self.timeout.map_or(seconds, NonZero::get)) }
    }
}
