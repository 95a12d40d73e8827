//! One integration binary: each module walks a folder of the repository, and nothing is registered per transform.

mod cli;
mod files;
mod mlx;
