//! See [`targets::bytes`].

#![no_main]

use libfuzzer_sys::fuzz_target;
use mlxfix_fuzz::targets;

fuzz_target!(|bytes: &[u8]| targets::bytes(bytes));
