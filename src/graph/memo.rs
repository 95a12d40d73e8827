//! Questions about values that are answered by asking the same of their operands. Values share operands, so that there may be 2 to the power of n paths back through
//! n values: each is asked once.

use rustc_hash::FxHashMap;

use super::value::ValueId;

/// The answers so far to one question, asked from one value on.
pub struct Memo<T> {
    known: FxHashMap<ValueId, T>,
    depth: u32,
    most: u32,
    beyond: T,
}

impl<T: Copy> Memo<T> {
    /// No answers yet. More than `most` values after one another are not followed: further back the answer is `beyond`.
    pub fn new(most: u32, beyond: T) -> Self {
        Self { known: FxHashMap::default(), depth: 0, most, beyond }
    }

    /// What was answered of `value`, else what `answer` says, which may ask of others by the same memo.
    pub fn of(&mut self, value: ValueId, answer: impl FnOnce(&mut Self) -> T) -> T {
        if let Some(&known) = self.known.get(&value) {
            return known;
        }
        if self.depth > self.most {
            return self.beyond;
        }
        self.depth += 1;
        let answer = answer(self);
        self.depth -= 1;
        self.known.insert(value, answer);
        answer
    }
}
