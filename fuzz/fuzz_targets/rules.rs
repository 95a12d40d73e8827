//! See [`targets::rules`].

#![no_main]

use libfuzzer_sys::fuzz_target;
use mlxfix_fuzz::targets;

fuzz_target!(|bytes: &[u8]| targets::rules(bytes));
