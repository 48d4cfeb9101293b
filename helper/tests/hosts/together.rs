//! Others read and write the file while we change it.

use std::{
    fs,
    hint::spin_loop,
    sync::{
        Barrier,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use crate::world::{ORIGINAL, World, become_helper, in_world, key, set};

/// Thousands of reads take milliseconds on an idle machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Of the editor's: enough to meet every step of a change, also on one processor.
const ROUNDS: u32 = 1_000;

#[test]
fn readers_see_a_whole_file_always() {
    in_world(|world| {
        let states =
            [&[][..], &["10.0.0.1 db"], &["10.0.0.1 db", "10.0.0.2 wiki"]].map(|names| sampled(world, names));
        hammer(world, &|text| assert!(states.iter().any(|state| state == text), "{}", text.escape_ascii()));
    });
}

#[test]
fn readers_of_a_file_that_is_written_in_place_see_the_original_part_always() {
    in_world(|world| {
        world.bind();
        hammer(world, &|text| assert!(text.starts_with(ORIGINAL), "{}", text.escape_ascii()));
    });
}

/// In each round an editor saves once, at another moment of a change of ours.
#[test]
fn an_editor_that_saves_at_the_same_time_loses_nothing() {
    in_world(|world| {
        let (start, end) = (Barrier::new(2), Barrier::new(2));
        let mut failures = vec![];
        let edit = || {
            become_helper();
            for round in 0..ROUNDS {
                let new = world.folder.join("etc/.editor");
                fs::write(&new, version(round)).unwrap();
                start.wait();
                pause(Duration::from_micros(u64::from(round % 150) * 3));
                fs::rename(new, world.hosts()).unwrap();
                end.wait();
            }
        };
        thread::scope(|scope| {
            scope.spawn(edit);
            become_helper();
            let mut file = world.file();
            for round in 0..ROUNDS {
                start.wait();
                let changed =
                    set(&mut file, key(1, 1), &["10.0.0.1 db"]).and_then(|_| file.remove(key(1, 1)));
                end.wait();
                let text = fs::read_to_string(world.hosts()).unwrap();
                if changed.is_err() || text != version(round) {
                    failures.push((round, changed, text));
                }
            }
        });
        assert!(failures.is_empty(), "{failures:?}");
        world.assert_nothing_left();
    });
}

/// Shorter than what a sleep can be.
fn pause(time: Duration) {
    let begin = Instant::now();
    while begin.elapsed() < time {
        spin_loop();
    }
}

fn version(number: u32) -> String {
    format!("127.0.0.1 localhost\n10.0.0.9 printer{number}\n")
}

/// What the file says with these names.
fn sampled(world: &World, names: &[&str]) -> Vec<u8> {
    let mut file = world.file();
    for (line, session) in names.iter().zip(1..) {
        set(&mut file, key(1, session), &[*line]).unwrap();
    }
    let text = fs::read(world.hosts()).unwrap();
    drop(file);
    ropeway_helper::undo::run(&world.store()).unwrap();
    text
}

/// Changes the file until it was read often.
fn hammer(world: &World, check: &(dyn Fn(&[u8]) + Sync)) {
    let (reads, done) = (AtomicU32::new(0), AtomicBool::new(false));
    let read = || {
        while !done.load(Relaxed) {
            check(&fs::read(world.hosts()).unwrap());
            reads.fetch_add(1, Relaxed);
        }
    };
    thread::scope(|scope| {
        let reader = scope.spawn(read);
        become_helper();
        let deadline = Instant::now() + PATIENCE;
        while reads.load(Relaxed) < 5_000 && !reader.is_finished() {
            assert!(Instant::now() < deadline, "{} reads", reads.load(Relaxed));
            let mut file = world.file();
            for (line, session) in ["10.0.0.1 db", "10.0.0.2 wiki"].into_iter().zip(1..) {
                set(&mut file, key(1, session), &[line]).unwrap();
            }
            file.remove_client(key(1, 1).client).unwrap();
        }
        done.store(true, Relaxed);
    });
    world.assert_untouched();
}
