//! See [`targets::programs`].

#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use mlxfix_fuzz::targets;

fuzz_target!(|bytes: &[u8]| -> Corpus { if targets::programs(bytes) { Corpus::Keep } else { Corpus::Reject } });
