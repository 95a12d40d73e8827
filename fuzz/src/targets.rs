//! What each fuzz target does with its bytes. The tests run the same functions, so that what is fuzzed now and then is compiled and run at every change.

use std::path::Path;
use std::sync::Arc;

use mlxfix::batch::{check, on_deep_stack};
use mlxfix::catalog::UserRule;
use mlxfix::engine::{graphs, refusals};
use mlxfix::finding::{Applicability, TransformId};
use mlxfix::report::{FileReport, diff, records};
use mlxfix::syntax::Source;
use mlxfix::{Options, config, fix, syntax};

use super::grammar::{self, Draw};
use super::{mutant, promises};

/// A program in which the rules of a user find something.
const PROGRAM: &str = include_str!("../../examples/models/first_port.py");

/// The whole pipeline on arbitrary bytes: decoding, analysis, encoding, both reports, the graphs and the reasons for what nearly applies. Nothing panics, and
/// where the bytes are a program, every promise is kept.
pub fn bytes(bytes: &[u8]) {
    deep(|| {
        if let Ok((text, encoding)) = syntax::decode(bytes) {
            assert_eq!(encoding.encode(&text).as_deref(), Ok(bytes), "storing the text gives the bytes");
        }
        let options = Options { admit: Applicability::Unsafe, ..Options::default() };
        let Ok(checked) = check(bytes, &options) else { return };
        assert!(checked.bytes != bytes || checked.fixed.edits.is_empty() || checked.problem.is_some(), "edits without an effect");
        for written in [false, true] {
            let path = Path::new("x.py");
            let file = FileReport {
                path,
                full_path: path,
                links: &[],
                text: &checked.text,
                old: bytes,
                new: &checked.bytes,
                fixed: &checked.fixed,
                written,
            };
            // What was written needs no telling any more.
            let told = checked.fixed.findings.iter().filter(|reported| !(written && reported.applied)).count();
            assert!(!diff(&file).is_empty() || told == 0, "findings are told");
            assert_eq!(records(&file).iter().filter(|&&byte| byte == b'\n').count(), told, "one line for each finding");
        }
        promises::hold("the input", &checked.text);
        let told = graphs(&checked.text, None).is_ok() && refusals(&checked.text, &options, None).is_ok();
        assert!(told, "a program has graphs and reasons");
    });
}

/// Programs that use MLX, drawn from the bytes by a grammar or made of the examples by a few changes. Each keeps every promise. `false` where the bytes gave no
/// program.
pub fn programs(bytes: &[u8]) -> bool {
    let mut draw = Draw::new(bytes);
    let text = if draw.below(2) == 0 { grammar::program(&mut draw) } else { mutant::program(&mut draw) };
    // The program itself, for reading a failure: `MLXFIX_SHOW=1 cargo fuzz run programs FILE`.
    if std::env::var_os("MLXFIX_SHOW").is_some() {
        println!("{text}");
    }
    deep(|| promises::hold("the program", &text).is_some())
}

/// Rule files and configuration files of a user's own: any text is read or refused. A rule that can be read runs over its own text and over a program with
/// the forms that rules are about, and the engine's promises hold whatever it says.
pub fn rules(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for name in ["mlxfix.toml", "pyproject.toml"] {
        // Whatever it says, it is data.
        let _ = config::read(text, Path::new(name), name);
    }
    deep(|| run_rule(text));
}

fn run_rule(text: &str) {
    let Ok(rule) = UserRule::read("my_rule.py".into(), text.to_owned()) else { return };
    let select = Some(vec![TransformId::from(rule.id())]);
    let options = Options { select, admit: Applicability::Unsafe, rules: vec![Arc::new(rule)], ..Options::default() };
    for program in [text, PROGRAM] {
        let fixed = fix(program, &options).unwrap_or_else(|error| panic!("a program is a program: {error}"));
        assert_eq!(fixed.edits.apply(program), fixed.text);
        let (before, after) = (Source::parse(program), Source::parse(&fixed.text));
        let (Ok(before), Ok(after)) = (before, after) else { panic!("the result is no Python:\n{}", fixed.text) };
        assert_eq!(promises::comments(&after), promises::comments(&before), "comments");
        assert!(refusals(program, &options, None).is_ok());
    }
}

/// What `work` gives, on the stack that the tool gives to each file; what it panics with goes on.
fn deep<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    on_deep_stack(work).unwrap_or_else(|error| panic!("{error}"))
}
