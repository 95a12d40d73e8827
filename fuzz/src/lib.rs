//! What the fuzz targets share: the promises, which the tests hold as well, and the writer of programs.

pub mod grammar;
pub mod mutant;
#[path = "../../tests/promises.rs"]
pub mod promises;

pub use grammar::Draw;
