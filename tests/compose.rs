//! Transforms in one another's way: together they must do what each does by itself, in the order of the catalog and in every other order but those that
//! are listed here.

use mlxfix::catalog::{CATALOG, Kind};
use mlxfix::finding::{Applicability, TransformId};
use mlxfix::{Fixed, Options};

use super::walk::{files, fixed, read, root};

/// The whole program that has work for every transform, several of them in one function.
const PROGRAM: &str = "examples/models/first_port.py";
/// The pairs whose order matters: the first takes in a whole computation, and the second would rewrite a part of it, after which it is no more to be seen. A
/// layer norm is an rms norm of something centred. Or the second takes away a cast that tells the first of half precision; or the first leaves a factor that is a
/// number, which the second takes along.
const BEFORE: [(&str, &str); 5] = [
    ("layer-norm", "rms-norm"),
    ("float32-default", "rms-norm"),
    ("float32-default", "redundant-upcast"),
    ("float32-default", "precise-softmax"),
    ("scalar-promotion", "addmm"),
];

#[test]
fn one_program_has_work_for_every_transform() {
    let found = fixed(&read(&root().join(PROGRAM)), &[]);
    let editing = CATALOG.iter().filter(|e| !matches!(e.kind, Kind::Advice(_)));
    let idle: Vec<&str> =
        editing.map(|e| e.id).filter(|&id| !found.findings.iter().any(|f| f.applied && f.finding.transform.as_str() == id)).collect();
    assert!(idle.is_empty(), "{PROGRAM} has nothing for {idle:?}");
}

#[test]
fn together_is_one_by_one_whatever_is_admitted() {
    for (name, text) in texts() {
        for admit in [Applicability::Safe, Applicability::Narrowing, Applicability::Unsafe] {
            let one_by_one = CATALOG.iter().fold(text.clone(), |text, entry| with(&text, Some(entry.id), admit).text);
            assert_eq!(one_by_one, with(&text, None, admit).text, "{name}, {admit:?}");
        }
    }
}

#[test]
fn all_orders_but_a_few_end_in_the_same_text() {
    let mut draw = Draw(1);
    for _ in 0..6 {
        let order = draw.order();
        for (name, text) in texts() {
            assert_eq!(in_turn(&text, &order), fixed(&text, &[]).text, "{name}, in the order {order:?}");
        }
    }
}

#[test]
fn the_orders_that_matter_do() {
    for (first, second) in BEFORE {
        let mut order: Vec<&str> = CATALOG.iter().map(|e| e.id).filter(|&id| id != second).collect();
        order.insert(0, second);
        assert!(texts().iter().any(|(_, text)| in_turn(text, &order) != fixed(text, &[]).text), "{first} may come after {second}");
    }
}

/// The text after each transform has run by itself, in this order, until none finds anything.
fn in_turn(text: &str, order: &[&str]) -> String {
    let round = |text: &str| order.iter().fold(text.to_owned(), |text, id| fixed(&text, &[id]).text);
    let mut text = text.to_owned();
    for _ in 0..CATALOG.len() {
        let next = round(&text);
        if next == text {
            return text;
        }
        text = next;
    }
    panic!("does not settle in the order {order:?}:\n{text}");
}

/// The text after one transform or all of them, with what may be applied.
fn with(text: &str, id: Option<&str>, admit: Applicability) -> Fixed {
    let options = Options { select: id.map(|id| vec![TransformId::from(id)]), admit, ..Options::default() };
    mlxfix::fix(text, &options).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// What the transforms change, by name.
fn texts() -> Vec<(String, String)> {
    let all = files(&root().join("examples"), "py");
    all.iter().filter(|path| !path.ends_with("arguments.py")).map(|path| (path.display().to_string(), read(path))).collect()
}

/// Draws orders, the same ones in each run.
struct Draw(u64);

impl Draw {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }

    /// All transforms in an order that keeps the pairs that matter.
    fn order(&mut self) -> Vec<&'static str> {
        let mut left: Vec<&str> = CATALOG.iter().map(|e| e.id).collect();
        let mut order = Vec::new();
        while !left.is_empty() {
            let chosen = left[self.below(left.len())];
            if !BEFORE.iter().any(|&(first, second)| second == chosen && left.contains(&first)) {
                left.retain(|&id| id != chosen);
                order.push(chosen);
            }
        }
        order
    }
}
