//! Text edits, and their composition over rounds: an edit found in an already edited text is told in terms of the original.

use super::{TextRange, TextSize};

/// Replace the text of `range` by `content`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// What is replaced; empty for an insertion.
    pub range: TextRange,
    /// What stands there afterwards.
    pub content: String,
}

impl Edit {
    /// Replace `range` by `content`.
    pub fn replace(range: TextRange, content: impl Into<String>) -> Self {
        Self { range, content: content.into() }
    }

    /// Remove `range`.
    pub fn delete(range: TextRange) -> Self {
        Self { range, content: String::new() }
    }

    /// Put `content` before `offset`.
    pub fn insert(offset: TextSize, content: impl Into<String>) -> Self {
        Self { range: TextRange::empty(offset), content: content.into() }
    }
}

/// Edits of one text, sorted and not overlapping, each with the set of findings (as caller-chosen numbers) that caused it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EditSet {
    edits: Vec<(Edit, Vec<usize>)>,
}

impl EditSet {
    /// No edits.
    pub fn new() -> Self {
        Self::default()
    }

    /// The edits in order, each with the findings that caused it.
    pub fn iter(&self) -> impl Iterator<Item = &(Edit, Vec<usize>)> {
        self.edits.iter()
    }

    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    /// Add all of `edits` for `finding`, or none of them: `false` where one overlaps or touches what is there already. An insertion that is there already
    /// is shared: it is an import that several findings need.
    pub fn try_add(&mut self, edits: &[Edit], finding: usize) -> bool {
        if !self.has_room_for(edits) {
            return false;
        }
        for edit in edits {
            if let Some(at) = self.shared(edit) {
                self.edits[at].1.push(finding);
                continue;
            }
            // Most edits come in order, and are appended.
            let at = self.edits.partition_point(|(old, _)| (old.range.start(), old.range.end()) <= (edit.range.start(), edit.range.end()));
            self.edits.insert(at, (edit.clone(), vec![finding]));
        }
        true
    }

    /// Whether [`Self::try_add`] would add `edits`.
    pub fn has_room_for(&self, edits: &[Edit]) -> bool {
        edits.iter().all(|e| self.met(e).is_none() || self.shared(e).is_some())
    }

    /// The first edit that overlaps or touches `edit`.
    fn met(&self, edit: &Edit) -> Option<usize> {
        let next = self.edits.partition_point(|(old, _)| old.range.end() < edit.range.start());
        self.edits.get(next).is_some_and(|(old, _)| old.range.start() <= edit.range.end()).then_some(next)
    }

    /// The same insertion as `edit`.
    fn shared(&self, edit: &Edit) -> Option<usize> {
        self.met(edit).filter(|&at| edit.range.is_empty() && self.edits[at].0 == *edit)
    }

    /// The same edits with other numbers for their findings.
    pub fn renumbered(&self, number: impl Fn(usize) -> usize) -> EditSet {
        let edits = self.edits.iter().map(|(e, findings)| {
            let mut findings: Vec<usize> = findings.iter().map(|&n| number(n)).collect();
            findings.sort_unstable();
            (e.clone(), findings)
        });
        EditSet { edits: edits.collect() }
    }

    /// `text` with the edits applied.
    pub fn apply(&self, text: &str) -> String {
        edited(text, TextRange::up_to(TextSize::of(text)), self.edits.iter().map(|(edit, _)| edit))
    }

    /// The edits of the original text that do what `self` and then `later` (edits of `self`'s result) do. Edits that meet are merged and carry the
    /// findings of both. What `later` takes back is no edit any more: its findings carry what is left of those whose edits it met.
    pub fn then(&self, later: &EditSet, original: &str) -> EditSet {
        let mut merged: Vec<(Edit, Vec<usize>)> = Vec::with_capacity(self.edits.len() + later.edits.len());
        let mut taken_back: Vec<Vec<usize>> = Vec::new();
        let mut first = self.edits.iter().peekable();
        let mut second = later.edits.iter().peekable();
        let middle = self.apply(original);
        // `shift` turns an offset of the middle text, outside of first's edits, into one of the original.
        let mut shift: i64 = 0;
        let original_of = |offset: TextSize, shift: i64| TextSize::new((i64::from(offset.to_u32()) - shift) as u32);
        loop {
            // The next group: a maximal run of edits of both sets that overlap or touch in the middle text.
            let first_range = |e: &Edit, shift: i64| {
                let start = TextSize::new((i64::from(e.range.start().to_u32()) + shift) as u32);
                TextRange::at(start, TextSize::of(e.content.as_str()))
            };
            let start = match (first.peek(), second.peek()) {
                (None, None) => break,
                (Some((a, _)), None) => first_range(a, shift).start(),
                (None, Some((b, _))) => b.range.start(),
                (Some((a, _)), Some((b, _))) => first_range(a, shift).start().min(b.range.start()),
            };
            let start_shift = shift;
            let mut end = start;
            let mut inner: Vec<&Edit> = Vec::new();
            let mut findings: Vec<usize> = Vec::new();
            loop {
                if let Some((a, ids)) = first.peek()
                    && first_range(a, shift).start() <= end
                {
                    end = end.max(first_range(a, shift).end());
                    shift += i64::from(TextSize::of(a.content.as_str()).to_u32()) - i64::from(a.range.len().to_u32());
                    findings.extend(ids);
                    first.next();
                } else if let Some((b, ids)) = second.peek()
                    && b.range.start() <= end
                {
                    end = end.max(b.range.end());
                    findings.extend(ids);
                    inner.push(b);
                    second.next();
                } else {
                    break;
                }
            }
            let content = edited(&middle, TextRange::new(start, end), inner.into_iter());
            findings.sort_unstable();
            findings.dedup();
            let range = TextRange::new(original_of(start, start_shift), original_of(end, shift));
            if original[range] == content {
                taken_back.push(findings);
            } else {
                merged.push((Edit { range, content }, findings));
            }
        }
        taken_back.iter().for_each(|findings| hand_over(findings, &mut merged));
        EditSet { edits: merged }
    }

    /// Where a range of the edited text was in the original: ranges that meet an edit grow to hold all that it replaced.
    pub fn original_range(&self, range: TextRange) -> TextRange {
        let (mut shift, mut start, mut end) = (0i64, None, None);
        let back = |offset: TextSize, shift: i64| TextSize::new((i64::from(offset.to_u32()) - shift) as u32);
        for (edit, _) in &self.edits {
            let new_start = TextSize::new((i64::from(edit.range.start().to_u32()) + shift) as u32);
            let new_end = new_start + TextSize::of(edit.content.as_str());
            if start.is_none() && range.start() < new_end {
                start = Some(if range.start() <= new_start { back(range.start(), shift) } else { edit.range.start() });
            }
            if end.is_none() && range.end() <= new_end {
                end = Some(if range.end() <= new_start { back(range.end(), shift) } else { edit.range.end() });
            }
            shift += i64::from((new_end - new_start).to_u32()) - i64::from(edit.range.len().to_u32());
        }
        let start = start.unwrap_or_else(|| back(range.start(), shift));
        let end = end.unwrap_or_else(|| back(range.end(), shift));
        TextRange::new(start, end.max(start))
    }
}

/// What is left of `range` of a text after `edits`, which lie in it.
fn edited<'e>(text: &str, range: TextRange, edits: impl Iterator<Item = &'e Edit>) -> String {
    let mut content = String::with_capacity(range.len().to_usize());
    let mut copied = range.start().to_usize();
    for edit in edits {
        content.push_str(&text[copied..edit.range.start().to_usize()]);
        content.push_str(&edit.content);
        copied = edit.range.end().to_usize();
    }
    content.push_str(&text[copied..range.end().to_usize()]);
    content
}

/// Let the edits that carry one of `findings` carry them all.
fn hand_over(findings: &[usize], edits: &mut [(Edit, Vec<usize>)]) {
    for (_, carried) in edits.iter_mut().filter(|(_, carried)| carried.iter().any(|n| findings.contains(n))) {
        carried.extend(findings);
        carried.sort_unstable();
        carried.dedup();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(edits: &[(u32, u32, &str)], finding: usize) -> EditSet {
        let mut set = EditSet::new();
        for &(from, to, content) in edits {
            assert!(set.try_add(&[Edit::replace(TextRange::new(from.into(), to.into()), content)], finding));
        }
        set
    }

    #[test]
    fn composed_edits_do_what_both_do_in_turn() {
        let text = "abcdefghij";
        // Every pair out of a family of small edits: a hundred compositions against the plain two-step result.
        let family = [(0, 0, "X"), (0, 2, ""), (1, 3, "YYYY"), (2, 5, "Z"), (4, 4, "WW"), (6, 9, "V"), (9, 10, "")];
        for a in family {
            for b in family {
                let first = set(&[a], 0);
                let middle = first.apply(text);
                let len = middle.len() as u32;
                let second = set(&[(b.0.min(len), b.1.min(len), b.2)], 1);
                let both = first.then(&second, text);
                assert_eq!(both.apply(text), second.apply(&middle), "{a:?} then {b:?}");
            }
        }
    }

    #[test]
    fn edits_apart_keep_their_findings_apart() {
        let both = set(&[(0, 1, "longer")], 0).then(&set(&[(8, 9, "x")], 1), "abcdefghij");
        let owners: Vec<_> = both.iter().map(|(_, f)| f.clone()).collect();
        assert_eq!(owners, [vec![0], vec![1]]);
    }

    #[test]
    fn what_is_taken_back_is_no_edit_and_belongs_to_what_is_left() {
        let moved = set(&[(0, 2, ""), (4, 4, "ab")], 0);
        let both = moved.then(&set(&[(2, 4, "")], 1), "abcdef");
        assert_eq!(both.iter().cloned().collect::<Vec<_>>(), [(Edit::delete(TextRange::new(0.into(), 2.into())), vec![0, 1])]);
    }

    #[test]
    fn overlapping_edits_are_refused_whole() {
        let mut edits = set(&[(2, 5, "x")], 0);
        let before = edits.clone();
        let late = [Edit::delete(TextRange::new(8.into(), 9.into())), Edit::delete(TextRange::new(4.into(), 6.into()))];
        assert!(!edits.try_add(&late, 1));
        assert_eq!(edits, before);
    }

    #[test]
    fn an_insertion_that_is_there_already_is_shared() {
        let mut edits = set(&[(0, 0, "import"), (4, 5, "x")], 0);
        assert!(edits.try_add(&[Edit::insert(0.into(), "import"), Edit::delete(TextRange::new(8.into(), 9.into()))], 1));
        assert_eq!(edits.apply("abcdefghij"), "importabcdxfghj");
        assert_eq!(edits.iter().next().map(|(_, findings)| findings.clone()), Some(vec![0, 1]));
        assert!(!edits.try_add(&[Edit::insert(0.into(), "another")], 2));
        assert!(!edits.try_add(&[Edit::replace(TextRange::new(4.into(), 5.into()), "x")], 2));
    }

    #[test]
    fn a_range_of_the_result_is_found_in_the_original() {
        let edits = set(&[(2, 4, "LONG")], 0);
        assert_eq!(edits.original_range(TextRange::new(7.into(), 9.into())), TextRange::new(5.into(), 7.into()));
        assert_eq!(edits.original_range(TextRange::new(3.into(), 5.into())), TextRange::new(2.into(), 4.into()));
    }
}
