//! The fuzz targets take inputs here, too: they are of another package, which is built when someone fuzzes and must not fall behind what it tests.

#![allow(unreachable_pub, clippy::print_stdout)] // They are another crate's, and say what they drew when asked.

#[path = "../fuzz/src/grammar.rs"]
mod grammar;
#[path = "../fuzz/src/mutant.rs"]
mod mutant;
#[path = "../fuzz/src/targets.rs"]
mod targets;

use std::path::Path;

use crate::promises;

/// The folder of the project.
const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn read(file: &str) -> Vec<u8> {
    std::fs::read(Path::new(ROOT).join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

#[test]
fn bytes_takes_programs_and_what_is_none() {
    let mut program = read("examples/models/first_port.py");
    targets::bytes(&program);
    // Cut short it is no program, and with a byte that begins no character no text either.
    program.truncate(program.len() / 2);
    targets::bytes(&program);
    program.push(0xff);
    targets::bytes(&program);
}

#[test]
fn programs_draws_programs_that_use_mlx() {
    // Bytes without order, the same each time. A change to an example often makes something of it that is no Python.
    let mut state = 1_u32;
    let mut byte = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    let inputs: Vec<Vec<u8>> = (0..40).map(|_| (0..200).map(|_| byte()).collect()).collect();
    let drawn = inputs.iter().filter(|input| targets::programs(input)).count();
    assert!(drawn >= 10, "{drawn} of 40 inputs draw a program");
}

#[test]
fn rules_takes_rules_and_configurations() {
    targets::rules(&read("transforms/addmm.py"));
    targets::rules(b"select = [\"all\"]\nrules = [\"../own.py\"]\n");
    targets::rules(b"def before(x):");
}
