//! One integration binary: each module walks a folder of the repository, and nothing is registered per transform.

mod advice;
mod alone;
mod catalog;
mod cli;
mod compose;
mod config;
mod corpus;
mod dtypes;
mod engine;
mod examples;
mod files;
mod fuzz;
mod graph;
mod mlx;
mod promises;
mod sizes;
mod spellings;
mod tidy;
mod uncommitted;
mod user_rules;
mod walk;
