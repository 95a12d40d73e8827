//! Keeps one file's trouble with one file: stacks deep enough for any tree a parser accepts, and panics turned into messages. It hides nothing: whoever
//! calls must report the message.

use std::cell::{Cell, RefCell};
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::thread;

/// The stack of an analysing thread. The tree is walked by recursion, and a chain of operators may be as long as its file; unused stack costs no memory.
pub(super) const STACK: usize = 64 << 20;

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// From now on, a panic under guard is kept as a message with its place in our code instead of being printed. For the program, once, at its start.
pub fn catch_panics() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !GUARDED.get() {
            return usual(info);
        }
        let place = info.location().map_or(String::new(), |at| format!(" at {}:{}", at.file(), at.line()));
        PANIC.set(Some(format!("{}{place}", words(info.payload()))));
    }));
}

/// The result of `work`, or what it panicked with.
pub(super) fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    let outer = GUARDED.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(outer);
    result.map_err(|payload| PANIC.take().unwrap_or_else(|| words(&*payload).to_owned()))
}

/// Run `work` on a thread with a deep stack and wait for it.
pub fn on_deep_stack<T: Send>(work: impl FnOnce() -> T + Send) -> io::Result<T> {
    thread::scope(|scope| {
        let worker = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work)?;
        worker.join().map_err(|payload| io::Error::other(words(&*payload).to_owned()))
    })
}

fn words(payload: &(dyn std::any::Any + Send)) -> &str {
    payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic without a message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_message() {
        assert_eq!(guarded(|| 1), Ok(1));
        assert_eq!(guarded(|| -> () { panic!("at {}", 2) }), Err("at 2".to_owned()));
    }
}
