//! One integration binary: each module walks a folder of the repository, and nothing is registered per transform.

mod cli;
mod examples;
mod files;
mod mlx;
mod walk;
