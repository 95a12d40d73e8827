//! Every promise, on every Python file below some folders: as it is, and with its imports changed so that what it computes is MLX's matter. Each run of the
//! tests takes the Python of this repository; `CONTRIBUTING.md` has the command for whole corpora.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use mlxfix::syntax::decode;
use rayon::prelude::*;

use super::promises;
use super::walk::{files, root};

/// Modules whose functions have the names of MLX's, more or less.
const NUMERIC: [&str; 6] = ["numpy", "jax.numpy", "torch", "math", "cmath", "random"];

/// What was seen.
#[derive(Default)]
struct Figures {
    undecodable: AtomicUsize,
    no_python: AtomicUsize,
    changed: AtomicUsize,
    edits: AtomicUsize,
    broken: AtomicUsize,
}

/// The folders that `MLXFIX_CORPUS` names, with `:` between them, or those of this repository that hold Python.
fn folders() -> Vec<PathBuf> {
    let own = || ["scripts", "src/proof", "tests/python", "transforms"].map(|folder| root().join(folder)).to_vec();
    std::env::var_os("MLXFIX_CORPUS").map_or_else(own, |folders| std::env::split_paths(&folders).collect())
}

#[test]
fn every_file_of_a_corpus_keeps_every_promise() {
    let python = |folder: &Path| files(folder, "py").into_iter().filter(|path| path.is_file()).collect::<Vec<PathBuf>>();
    let all: Vec<PathBuf> = folders().iter().flat_map(|folder| python(folder)).collect();
    let (start, [plain, mutated]) = (Instant::now(), [Figures::default(), Figures::default()]);
    // As deep as the program's own.
    let threads = rayon::ThreadPoolBuilder::new().stack_size(64 << 20).build().expect("threads");
    threads.install(|| {
        all.par_iter().for_each(|path| {
            let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let Ok((text, encoding)) = decode(&bytes) else {
                plain.undecodable.fetch_add(1, Ordering::Relaxed);
                return;
            };
            let name = path.display().to_string();
            plain.check(&name, || {
                assert_eq!(encoding.encode(&text).as_deref(), Ok(&*bytes), "{name}: stored again");
                promises::hold(&name, &text)
            });
            let other = with_mlx(&text);
            mutated.check(&name, || promises::hold(&format!("{name}, with other imports"), &other));
        });
    });
    // Written past the test's own capture, so that it can be read when all went well, too.
    let (files, seconds) = (all.len(), start.elapsed().as_secs_f64());
    let _ =
        writeln!(std::io::stderr(), "{files} files in {seconds:.0} s\nas they are:        {}\nwith other imports: {}", plain.told(), mutated.told());
    assert_eq!((plain.broken.into_inner(), mutated.broken.into_inner()), (0, 0), "broken promises");
}

impl Figures {
    /// Count what comes of one text. A broken promise is told by the panic itself, and the others go on.
    fn check(&self, name: &str, hold: impl FnOnce() -> Option<mlxfix::Fixed>) {
        match std::panic::catch_unwind(std::panic::AssertUnwindSafe(hold)) {
            Ok(Some(fixed)) => {
                self.changed.fetch_add(usize::from(!fixed.edits.is_empty()), Ordering::Relaxed);
                self.edits.fetch_add(fixed.edits.iter().count(), Ordering::Relaxed);
            }
            Ok(None) => drop(self.no_python.fetch_add(1, Ordering::Relaxed)),
            Err(_) => {
                let _ = writeln!(std::io::stderr(), "a promise is broken: {name}");
                self.broken.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn told(&self) -> String {
        let [undecodable, no_python, changed, edits, broken] =
            [&self.undecodable, &self.no_python, &self.changed, &self.edits, &self.broken].map(|n| n.load(Ordering::Relaxed));
        format!("{changed} changed by {edits} edits, {no_python} no Python, {undecodable} not decodable, {broken} broken promises")
    }
}

/// The text with MLX in place of the numeric modules that it imports, or of the first module of any sort.
fn with_mlx(text: &str) -> String {
    let numeric = |line: &str| changed_import(line, |module| NUMERIC.contains(&module));
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let mut changed: Vec<Option<String>> = lines.iter().map(|line| numeric(line)).collect();
    if changed.iter().all(Option::is_none)
        && let Some((at, line)) = lines.iter().enumerate().find_map(|(at, line)| Some((at, changed_import(line, |module| module != "__future__")?)))
    {
        changed[at] = Some(line);
    }
    let mut other: String = lines.iter().zip(changed).map(|(line, changed)| changed.unwrap_or_else(|| (*line).to_owned())).collect();
    if !other.contains("mlx") {
        other.push_str("\nimport mlx.core as mx\n");
    }
    other
}

/// The import in `line` of a module that is `wanted`, as one of MLX; what it binds stays.
fn changed_import(line: &str, wanted: impl Fn(&str) -> bool) -> Option<String> {
    let code = line.trim_start();
    let indent = &line[..line.len() - code.len()];
    if let Some(rest) = code.strip_prefix("from ") {
        let (module, names) = rest.split_once(" import ")?;
        return wanted(module).then(|| format!("{indent}from mlx.core import {names}"));
    }
    let rest = code.strip_prefix("import ")?;
    let module = rest.split([' ', '\r', '\n', ';', ',', '#']).next()?;
    let after = &rest[module.len()..];
    let bound = if after.starts_with(" as ") { String::new() } else { format!(" as {}", module.split('.').next().unwrap_or_default()) };
    wanted(module).then(|| format!("{indent}import mlx.core{bound}{after}"))
}

#[test]
fn imports_become_mlxs_and_bind_the_same_names() {
    for (text, expected) in [
        ("import numpy as np\nimport os\n", "import mlx.core as np\nimport os\n"),
        ("import numpy, os\r\n", "import mlx.core as numpy, os\r\n"),
        ("    from math import sqrt\n", "    from mlx.core import sqrt\n"),
        ("from __future__ import a\nfrom .b import c\nimport d.e\n", "from __future__ import a\nfrom mlx.core import c\nimport d.e\n"),
        ("x = 1", "x = 1\nimport mlx.core as mx\n"),
    ] {
        assert_eq!(with_mlx(text), expected);
    }
}
