//! Many files at once: find them, read them, analyse them side by side, write them back. The only module that touches the file system. What is found in a
//! text is the engine's matter, how it is told that of `report`.

mod check;
mod configuration;
mod discover;
mod guard;
mod installed;
mod package;
mod place;
mod read;
mod run;
mod uncommitted;
mod write;

pub use check::{Checked, check};
pub use configuration::{Configuration, Configurations, Lookup};
pub use discover::Scope;
pub use guard::{catch_panics, on_deep_stack};
pub use package::Packages;
pub use place::{Place, Places};
pub use read::{SIZE_LIMIT, small_file, speaks_of_mlx, whole};
pub use run::{Choose, Done, Outcome, Plan, run};
pub use uncommitted::Allowed;
pub use write::{output_file, put, replace};
