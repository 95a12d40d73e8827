//! Diffs, text, JSON.
