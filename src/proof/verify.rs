//! Runs sites under the user's MLX: each finding's own code, before and after its edit. Many go to one process, for starting MLX takes longer than most of
//! them; a site that takes too long or ends its process costs itself, and the others go on in a new one.

use std::num::NonZero;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread;

use rustc_hash::FxHashMap;
use serde_json::{Value, json};

use super::{Interpreter, MODULES, SITES};
use crate::graph::api;
use crate::replay::{Key, Replay, Verdict};

/// A process gets so many sites at once.
const BATCH: usize = 32;

/// What came of each of `replays`, `jobs` processes at a time. An error is one that no site is to blame for.
pub fn verify(replays: &[(Key, &Replay)], interpreter: &Interpreter, jobs: NonZero<usize>) -> Result<Vec<(Key, Verdict)>, String> {
    let size = replays.len().div_ceil(jobs.get()).clamp(1, BATCH);
    let batches = Mutex::new(replays.chunks(size));
    let (done, failed) = (Mutex::new(Vec::new()), Mutex::new(None));
    thread::scope(|scope| {
        for _ in 0..jobs.get().min(replays.len()) {
            scope.spawn(|| {
                loop {
                    let Some(batch) = batches.lock().unwrap_or_else(PoisonError::into_inner).next() else { return };
                    match verify_batch(batch, interpreter) {
                        Ok(verdicts) => done.lock().unwrap_or_else(PoisonError::into_inner).extend(verdicts),
                        Err(why) => {
                            failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
                            return;
                        }
                    }
                }
            });
        }
    });
    match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(why) => Err(why),
        None => Ok(done.into_inner().unwrap_or_else(PoisonError::into_inner)),
    }
}

fn verify_batch(batch: &[(Key, &Replay)], interpreter: &Interpreter) -> Result<Vec<(Key, Verdict)>, String> {
    let modules = [&MODULES[..], &SITES[..]].concat();
    let mut verdicts = Vec::with_capacity(batch.len());
    while verdicts.len() < batch.len() {
        let left = &batch[verdicts.len()..];
        let mut answers = Vec::new();
        // The first answer says that everything is there that a site needs.
        let ended = interpreter.each(&modules, &job(left), left.len() + 1, |answer| answers.push(answer));
        let started = !answers.is_empty();
        for answer in answers.iter().skip(1).take(left.len()) {
            let verdict = serde_json::from_slice(answer).map_err(|e| format!("an answer is not understood: {e}"))?;
            verdicts.push((batch[verdicts.len()].0, verdict));
        }
        match ended {
            Err(why) if !started => return Err(why),
            Ok(()) if !started => return Err("the program ended without an answer".to_owned()),
            Err(reason) if verdicts.len() < batch.len() => {
                verdicts.push((batch[verdicts.len()].0, Verdict::NotReplayed { reason }));
            }
            Ok(()) if verdicts.len() < batch.len() => return Err("the program ended before its time".to_owned()),
            _ => {}
        }
    }
    Ok(verdicts)
}

/// The sites as the program takes them: each text once.
fn job(sites: &[(Key, &Replay)]) -> Value {
    let mut texts: Vec<&str> = Vec::new();
    let mut places: FxHashMap<&str, usize> = FxHashMap::default();
    let mut told = Vec::with_capacity(sites.len());
    for (_, replay) in sites {
        let mut site = json!(replay);
        let mut place = |text| {
            *places.entry(text).or_insert_with(|| {
                texts.push(text);
                texts.len() - 1
            })
        };
        let (before, after) = replay.texts();
        site["rule"] = json!(place(replay.rule()));
        site["before"]["text"] = json!(place(before));
        site["after"]["text"] = json!(place(after));
        told.push(site);
    }
    let functions: Vec<&str> = api::harmless().collect();
    json!({ "texts": texts, "sites": told, "functions": functions })
}
