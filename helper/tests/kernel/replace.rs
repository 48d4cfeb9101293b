//! Changes of the table while connections come and go.

use crate::prelude::*;

#[test]
fn connections_that_were_open_before_survive() {
    in_world(|| {
        listen("tunnel", 12300);
        let mut before = [Connection::open("10.1.2.3:80"), Connection::open("[fd00::1]:80")];
        let mut helper = Helper::start();
        helper.load(1, plan(&["0.0.0.0/0", "::/0"], &[], 12300));
        assert_eq!(reached("10.1.2.3:80"), "tunnel 10.1.2.3:80");
        assert!(before.iter_mut().all(Connection::is_alive));
        helper.unload(1);
        assert!(before.iter_mut().all(Connection::is_alive));
        assert_eq!(reached("10.1.2.3:80"), "outside 10.1.2.3:80");
    });
}

/// Many replacements, because the ways to lose a connection are microseconds long.
#[test]
fn nothing_is_missed_and_nothing_torn_while_the_table_is_replaced() {
    in_world(|| {
        listen("tunnel", 12300);
        let mut helper = Helper::start();
        let both = ["10.0.0.0/8", "fd00::/8"];
        helper.load(1, plan(&both, &[], 12300));
        let mut open = [Connection::open("10.1.2.3:80"), Connection::open("[fd00::1]:80")];
        let (done, count) = (AtomicBool::new(false), AtomicUsize::new(0));
        let greetings = thread::scope(|scope| {
            let caller = scope.spawn(|| {
                let mut greetings = vec![];
                while !done.load(Ordering::Relaxed) {
                    greetings.push(reached(["10.3.4.5:80", "[fd00::2]:80"][greetings.len() % 2]));
                    count.store(greetings.len(), Ordering::Relaxed);
                }
                greetings
            });
            let mut round = 0;
            while round < 1000 || count.load(Ordering::Relaxed) < 50 {
                let exclude: &[&str] = if round % 2 == 0 { &["10.77.0.0/16"] } else { &[] };
                helper.load(1, plan(&both, exclude, 12300));
                assert!(open.iter_mut().all(Connection::is_alive), "after replacement {round}");
                round += 1;
            }
            done.store(true, Ordering::Relaxed);
            caller.join().unwrap()
        });
        let missed: Vec<_> = greetings.iter().filter(|greeting| !greeting.starts_with("tunnel")).collect();
        assert!(missed.is_empty(), "{missed:?} of {}", greetings.len());
    });
}

#[test]
fn unloading_one_session_keeps_the_other_and_the_last_takes_the_table() {
    in_world(|| {
        listen("one", 12300);
        listen("two", 12310);
        let mut helper = Helper::start();
        helper.load(1, plan(&["10.1.0.0/16"], &[], 12300));
        helper.load(2, plan(&["10.2.0.0/16"], &[], 12310));
        assert_eq!(
            (reached("10.1.0.1:80"), reached("10.2.0.1:80")),
            ("one 10.1.0.1:80".into(), "two 10.2.0.1:80".into())
        );
        let mut kept = Connection::open("10.2.0.1:80");
        helper.unload(1);
        assert_eq!(reached("10.1.0.1:80"), "outside 10.1.0.1:80");
        assert_eq!(reached("10.2.0.1:80"), "two 10.2.0.1:80");
        assert!(kept.is_alive());
        helper.unload(2);
        assert!(!table_exists());
        helper.load(3, plan(&["10.1.0.0/16"], &[], 12310));
        assert_eq!(reached("10.1.0.1:80"), "two 10.1.0.1:80");
    });
}

#[test]
fn fifty_thousand_prefixes_load_in_good_time() {
    in_world(|| {
        listen("tunnel", 12300);
        let mut helper = Helper::start();
        let large =
            Plan { include: (0..50_000u32).map(|i| slash_24(2 * i)).collect(), ..plan(&[], &[], 12300) };
        let (start, idle) = (Instant::now(), helper.cpu_time());
        helper.load(1, large);
        let (took, worked) = (start.elapsed(), helper.cpu_time().checked_sub(idle).unwrap());
        println!("50 000 prefixes: {took:.0?}, of which the helper and the kernel worked {worked:.0?}");
        assert!(worked < Duration::from_secs(5), "{worked:?}"); // a debug build
        assert_eq!(reached("10.0.0.1:80"), "tunnel 10.0.0.1:80");
        assert_eq!(reached("10.0.1.1:80"), "outside 10.0.1.1:80");
        assert_eq!(reached("10.0.2.1:80"), "tunnel 10.0.2.1:80");
    });
}
