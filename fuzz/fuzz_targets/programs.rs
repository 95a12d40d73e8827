//! Programs that use MLX, drawn from the bytes by a grammar or made of the examples by a few changes. Each keeps every promise.

#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use mlxfix::batch::on_deep_stack;
use mlxfix_fuzz::{Draw, grammar, mutant, promises};

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let mut draw = Draw::new(bytes);
    let text = if draw.below(2) == 0 { grammar::program(&mut draw) } else { mutant::program(&mut draw) };
    // The program itself, for reading a failure: `MLXFIX_SHOW=1 cargo fuzz run programs FILE`.
    if std::env::var_os("MLXFIX_SHOW").is_some() {
        println!("{text}");
    }
    match on_deep_stack(|| promises::hold("the program", &text)) {
        Ok(Some(_)) => Corpus::Keep,
        Ok(None) => Corpus::Reject,
        Err(error) => panic!("{error}"),
    }
});
