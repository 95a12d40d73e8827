//! How deep a walk is in what runs later, or many times.

use crate::syntax::ast;
use crate::syntax::ast::visitor::source_order::{self, SourceOrderVisitor};

/// How deep a walk is.
#[derive(Clone, Copy, Default)]
pub(super) struct Depth {
    /// Inside code that runs later, or whose text matters (`f"{x=}"`).
    pub(super) opaque: u32,
    /// Inside loops of the text that is walked, in which one read is made many times.
    pub(super) inner: u32,
}

/// A walk that keeps count of its depth.
pub(super) trait Layered<'x>: SourceOrderVisitor<'x> + Sized {
    /// Its depth.
    fn depth(&mut self) -> &mut Depth;

    /// Walk code that runs later, or whose text matters.
    fn opaque(&mut self, walk: impl FnOnce(&mut Self)) {
        self.depth().opaque += 1;
        walk(self);
        self.depth().opaque -= 1;
    }

    /// Walk a loop.
    fn inside(&mut self, walk: impl FnOnce(&mut Self)) {
        self.depth().inner += 1;
        walk(self);
        self.depth().inner -= 1;
    }

    /// Walk a part of an f-string, which may show its own text.
    fn part_of_string(&mut self, part: &'x ast::InterpolatedStringElement) {
        match part {
            ast::InterpolatedStringElement::Interpolation(e) if e.debug_text.is_some() => {
                self.opaque(|walk| source_order::walk_interpolated_string_element(walk, part))
            }
            _ => source_order::walk_interpolated_string_element(self, part),
        }
    }
}
