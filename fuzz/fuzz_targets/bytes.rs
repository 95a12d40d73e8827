//! The whole pipeline on arbitrary bytes: decoding, analysis, encoding, both reports, the graphs and the reasons for what nearly applies. Nothing panics, and
//! where the bytes are a program, every promise is kept.

#![no_main]

use std::path::Path;

use libfuzzer_sys::{Corpus, fuzz_target};
use mlxfix::batch::{check, on_deep_stack};
use mlxfix::engine::{graphs, refusals};
use mlxfix::finding::Applicability;
use mlxfix::report::{FileReport, diff, records};
use mlxfix::{Options, syntax};
use mlxfix_fuzz::promises;

fuzz_target!(|bytes: &[u8]| -> Corpus { on_deep_stack(|| run(bytes)).unwrap_or_else(|error| panic!("{error}")) });

fn run(bytes: &[u8]) -> Corpus {
    if let Ok((text, encoding)) = syntax::decode(bytes) {
        assert_eq!(encoding.encode(&text).as_deref(), Ok(bytes), "storing the text gives the bytes");
    }
    let options = Options { admit: Applicability::Unsafe, ..Options::default() };
    let Ok(checked) = check(bytes, &options) else { return Corpus::Keep };
    assert!(checked.bytes != bytes || checked.fixed.edits.is_empty() || checked.problem.is_some(), "edits without an effect");
    for written in [false, true] {
        let path = Path::new("x.py");
        let file = FileReport { path, full_path: path, text: &checked.text, old: bytes, new: &checked.bytes, fixed: &checked.fixed, written };
        // What was written needs no telling any more.
        let told = checked.fixed.findings.iter().filter(|reported| !(written && reported.applied)).count();
        assert!(!diff(&file).is_empty() || told == 0, "findings are told");
        assert_eq!(records(&file).iter().filter(|&&byte| byte == b'\n').count(), told, "one line for each finding");
    }
    promises::hold("the input", &checked.text);
    let told = graphs(&checked.text, None).is_ok() && refusals(&checked.text, &options, None).is_ok();
    assert!(told, "a program has graphs and reasons");
    Corpus::Keep
}
