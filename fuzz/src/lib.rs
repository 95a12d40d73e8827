//! What the fuzz targets do, apart from libFuzzer. The tests hold the modules of this package, too, under their own names.

pub mod grammar;
pub mod mutant;
#[path = "../../tests/promises.rs"]
pub mod promises;
pub mod targets;

/// The folder of the project.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
