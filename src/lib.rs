//! mlxfix makes MLX code fast.
//!
//! It reads Python that uses `mlx.core` and `mlx.nn`, recognises slow computations on a value graph, and rewrites them to the fast form. The library is
//! total: any text gives a [`Fixed`] or a [`SyntaxError`], never a panic, and it reads no file. `ARCHITECTURE.md` names the layers and what each must not do.

pub mod advice;
pub mod batch;
pub mod catalog;
pub mod cli;
pub mod config;
pub mod engine;
pub mod finding;
pub mod graph;
pub mod passes;
pub mod place;
pub mod platform;
pub mod profile;
pub mod proof;
pub mod replay;
pub mod report;
pub mod requirements;
pub mod rule;
pub mod syntax;

pub use engine::{Fixed, Options, fix};
pub use syntax::SyntaxError;
