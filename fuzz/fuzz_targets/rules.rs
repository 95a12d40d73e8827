//! Rule files and configuration files of a user's own: any text is read or refused. A rule that can be read runs over its own text and over a program with
//! the forms that rules are about, and the engine's promises hold whatever it says.

#![no_main]

use std::path::Path;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use mlxfix::batch::on_deep_stack;
use mlxfix::catalog::UserRule;
use mlxfix::engine::refusals;
use mlxfix::finding::{Applicability, TransformId};
use mlxfix::syntax::Source;
use mlxfix::{Options, config, fix};
use mlxfix_fuzz::promises::comments;

/// A program in which the rules of a user find something.
const PROGRAM: &str = include_str!("../../examples/models/first_port.py");

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for name in ["mlxfix.toml", "pyproject.toml"] {
        // Whatever it says, it is data.
        let _ = config::read(text, Path::new(name), name);
    }
    on_deep_stack(|| run(text)).unwrap_or_else(|error| panic!("{error}"));
});

fn run(text: &str) {
    let Ok(rule) = UserRule::read("my_rule.py".into(), text.to_owned()) else { return };
    let select = Some(vec![TransformId::from(rule.id())]);
    let options = Options { select, admit: Applicability::Unsafe, rules: vec![Arc::new(rule)], ..Options::default() };
    for program in [text, PROGRAM] {
        let fixed = fix(program, &options).unwrap_or_else(|error| panic!("a program is a program: {error}"));
        assert_eq!(fixed.edits.apply(program), fixed.text);
        let (before, after) = (Source::parse(program), Source::parse(&fixed.text));
        let (Ok(before), Ok(after)) = (before, after) else { panic!("the result is no Python:\n{}", fixed.text) };
        assert_eq!(comments(&after), comments(&before), "comments");
        assert!(refusals(program, &options, None).is_ok());
    }
}
