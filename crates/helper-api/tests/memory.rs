//! What reading a hostile message costs. Alone in its program, because it counts every byte that is taken.
#![allow(clippy::unwrap_used)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use ropeway_helper_api::{
    Request,
    wire::{Json, MAX_MESSAGE},
};

struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: the system's allocator does everything; only numbers are counted beside it
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        MOST.fetch_max(NOW.fetch_add(layout.size(), Relaxed) + layout.size(), Relaxed);
        // SAFETY: as promised to us
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as promised to us
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// A text of ten megabytes with `piece` as often as it fits between `head` and `tail`.
fn filled(head: &str, piece: &str, tail: &str) -> Vec<u8> {
    let count = (MAX_MESSAGE - head.len() - tail.len()) / piece.len() - 1;
    format!("{head}{}{}{tail}", piece.repeat(count), piece.trim_end_matches(',')).into_bytes()
}

#[test]
fn a_hostile_message_takes_no_more_than_a_few_times_its_size() {
    let plan = r#"{"type":"load","session":1,"plan":{"include":[],"exclude":[],"listeners":{"v4":null,"v6":null},
        "endpoints":[],"direct_cgroup":false,"capture":{"type":"everyone","x":["#;
    for (head, piece, tail) in [
        (r#"{"type":"load","x":["#, "[0],", "]}"),
        (r#"{"x":["#, "{},", r#"],"type":"unload","session":1}"#),
        (plan, "[0],", "]}}}"),
        (r#"{"type":"load","session":1,"plan":{"include":["#, r#"{"net":"0.0.0.0/0"},"#, "]}}"),
        (r#"{"type":"load","session":1,"plan":{"forwarded":["#, "1,", "]}}"),
        (r#"{"type":"set-hosts","session":1,"hosts":{"suffixes":["#, r#""","#, r#"],"entries":[]}}"#),
        (r#"{"type":"set-hosts","session":1,"hosts":{"entries":[],"suffixes":[""#, r"\t", r#""]}}"#),
        (r#"{"type":"reboot","x":["#, "0,", "]}"),
    ] {
        let text = filled(head, piece, tail);
        let before = NOW.load(Relaxed);
        MOST.store(before, Relaxed);
        let read = Request::from_json(&text);
        let took = MOST.load(Relaxed) - before;
        drop(read);
        // a single long name is kept and, with marks in it, copied as it grows
        assert!(took < 3 * text.len(), "{head} {piece}: {took} bytes");
    }
}
