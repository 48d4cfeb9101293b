//! The real program on a real bus, started by it. Needs root and dbus-daemon; says so and passes without root. polkit
//! is not there: its answers are tested where there is one.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod world;

use std::{fs, thread, time::Duration};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use ropeway_helper_api::{
    Capture, Grant, ListenerPorts, Message, Notice, Plan, Ports, Reject, Reply, Request, SessionId, bus,
    limit, wire,
};
use zbus::Message as Call;

use self::world::{
    ALICE, BOB, EVE, World, as_user, ask, call, eventually, greet, hello, in_world, is_running, next, open,
};

/// Longer than any test.
const NEVER: Duration = Duration::from_hours(1);

/// As soon as possible.
const AT_ONCE: Duration = Duration::from_millis(1);

fn signal(pid: u32, signal: Signal) {
    kill(Pid::from_raw(pid.cast_signed()), signal).unwrap();
}

fn load() -> Request {
    let plan = Plan {
        include: vec!["10.0.0.0/8".parse::<ipnet::IpNet>().unwrap().into()],
        exclude: vec![],
        listeners: ListenerPorts { v4: Some(Ports { first: 2000, last: 2007 }), v6: None },
        capture: Capture::Everyone,
        endpoints: vec![],
        direct_cgroup: false,
        dns: None,
        forwarded: vec![],
        method: None,
        reject: Reject::default(),
        meter: false,
    };
    Request::Load { session: SessionId(1), plan }
}

#[test]
fn the_first_call_starts_it_and_ten_opens_ask_nothing() {
    in_world(NEVER, |world| {
        assert_eq!(world.helper(), None);
        let lines: Vec<_> = (0..10).map(|_| world.open(ALICE)).collect();
        let helper = world.helper().expect("it has its name");
        for line in &lines {
            assert_eq!(greet(ALICE, line), Grant::All);
        }
        assert_eq!(greet(BOB, &world.open(BOB)), Grant::Own);
        assert_eq!(greet(0, &world.open(0)), Grant::All);
        assert_eq!(world.helper(), Some(helper), "one process for all");
    });
}

#[test]
fn it_keeps_no_power_that_it_does_not_need() {
    in_world(NEVER, |world| {
        let _line = world.open(ALICE);
        let status = fs::read_to_string(format!("/proc/{}/status", world.helper().unwrap())).unwrap();
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim();
        let net_admin = "0000000000001000";
        for set in ["CapPrm:", "CapEff:", "CapBnd:"] {
            assert_eq!(field(set), net_admin, "{set}");
        }
        for set in ["CapInh:", "CapAmb:"] {
            assert_eq!(field(set), "0000000000000000", "{set}");
        }
        assert_eq!(field("NoNewPrivs:"), "1");
        assert_eq!(field("Umask:"), "0077");
    });
}

#[test]
fn who_has_no_grant_is_refused_and_cannot_give_it_to_themselves() {
    in_world(NEVER, |world| {
        let eve = world.bus(EVE);
        assert_eq!(open(&eve).unwrap_err(), bus::ERROR_NOT_GRANTED);
        assert_eq!(call(&eve, bus::SET_UP, &"all").unwrap_err(), bus::ERROR_DENIED);
        assert_eq!(call(&eve, bus::REVOKE, &ALICE).unwrap_err(), bus::ERROR_DENIED);
        assert_eq!(open(&eve).unwrap_err(), bus::ERROR_NOT_GRANTED);
        assert_eq!(greet(ALICE, &world.open(ALICE)), Grant::All);
    });
}

#[test]
fn calls_that_mean_nothing_are_named() {
    in_world(NEVER, |world| {
        let alice = world.bus(ALICE);
        assert_eq!(call(&alice, bus::SET_UP, &"everything").unwrap_err(), bus::ERROR_INVALID);
        assert_eq!(call(&alice, bus::SET_UP, &7_u32).unwrap_err(), bus::ERROR_INVALID);
        assert_eq!(call(&alice, bus::OPEN, &"please").unwrap_err(), bus::ERROR_INVALID);
        assert_eq!(call(&alice, "Run", &"/bin/sh").unwrap_err(), "org.freedesktop.DBus.Error.UnknownMethod");
    });
}

#[test]
fn root_needs_nobodys_leave() {
    in_world(NEVER, |world| {
        let root = world.bus(0);
        call(&root, bus::SET_UP, &"own").unwrap();
        call(&root, bus::REVOKE, &BOB).unwrap();
        let reply = call(&root, bus::GRANTS, &()).unwrap();
        let grants: Vec<(u32, String)> = reply.body().deserialize().unwrap();
        assert_eq!(grants, [(ALICE, "all".to_owned())]);
        assert_eq!(call(&root, bus::RESTORE, &()).unwrap().body().deserialize::<u32>().unwrap(), 0);
    });
}

#[test]
fn a_connection_in_the_hands_of_another_user_ends() {
    in_world(NEVER, |world| {
        let line = world.open(ALICE);
        assert_eq!(greet(ALICE, &line), Grant::All);
        as_user(EVE, || wire::send(&line, &load(), &[])).unwrap();
        assert_eq!(next(&line), None);
    });
}

#[test]
fn a_revoked_grant_ends_what_it_had_allowed() {
    in_world(NEVER, |world| {
        let (mine, other) = (world.open(ALICE), world.open(BOB));
        assert_eq!((greet(ALICE, &mine), greet(BOB, &other)), (Grant::All, Grant::Own));
        call(&world.bus(ALICE), bus::REVOKE, &ALICE).unwrap();
        assert_eq!(next(&mine), None);
        assert_eq!(open(&world.bus(ALICE)).unwrap_err(), bus::ERROR_NOT_GRANTED);
        assert_eq!(ask(BOB, &other, &Request::Leftovers), Reply::Leftovers { mine: 0, others: 0 });
    });
}

#[test]
fn connections_of_one_user_are_limited() {
    in_world(NEVER, |world| {
        let alice = world.bus(ALICE);
        let lines: Vec<_> = (0..limit::CONNECTIONS).map(|_| open(&alice).unwrap()).collect();
        assert_eq!(open(&alice).unwrap_err(), bus::ERROR_LIMIT);
        assert_eq!(greet(BOB, &world.open(BOB)), Grant::Own);
        drop(lines);
        eventually(&true, || open(&alice).is_ok());
    });
}

#[test]
fn it_ends_when_nobody_needs_it_and_comes_back() {
    in_world(AT_ONCE, |world| {
        let line = world.open(ALICE);
        assert_eq!(greet(ALICE, &line), Grant::All);
        let first = world.helper().expect("somebody is connected");
        drop(line);
        eventually(&false, || is_running(first));
        let line = world.open(ALICE);
        assert_eq!(greet(ALICE, &line), Grant::All);
        assert_ne!(world.helper(), Some(first));
    });
}

/// Each call meets a helper that is about to end, has just ended, or is not there yet.
#[test]
fn no_call_is_lost_between_two_helpers() {
    in_world(AT_ONCE, |world| {
        thread::scope(|scope| {
            for uid in [ALICE, BOB] {
                scope.spawn(move || {
                    let bus = world.bus(uid);
                    for _ in 0..30 {
                        greet(uid, &open(&bus).unwrap());
                    }
                });
            }
        });
    });
}

/// More than fit into any queue, from one who does not read the answers.
#[test]
fn a_flood_of_calls_holds_up_nobody() {
    in_world(NEVER, |world| {
        let flood = world.bus(EVE);
        for index in 0..500 {
            let method = [bus::OPEN, bus::GRANTS, bus::RESTORE][index % 3];
            let call = Call::method_call(bus::PATH, method).unwrap();
            let call = call.destination(bus::NAME).unwrap().interface(bus::INTERFACE).unwrap();
            flood.send(&call.build(&()).unwrap()).unwrap();
        }
        assert_eq!(greet(ALICE, &world.open(ALICE)), Grant::All);
    });
}

#[test]
fn clients_see_a_kill_and_the_next_call_starts_another() {
    in_world(NEVER, |world| {
        let line = world.open(ALICE);
        greet(ALICE, &line);
        assert!(matches!(ask(ALICE, &line, &load()), Reply::Loaded { .. }));
        let helper = world.helper();
        signal(helper.unwrap(), Signal::SIGKILL);
        assert_eq!(next(&line), None);
        eventually(&true, || world.helper() != helper); // the bus has seen it too
        let line = world.open(ALICE);
        greet(ALICE, &line);
        assert!(matches!(ask(ALICE, &line, &load()), Reply::Loaded { .. }), "the table is free");
    });
}

#[test]
fn sigterm_ends_it_in_order() {
    in_world(NEVER, |world| {
        let line = world.open(ALICE);
        greet(ALICE, &line);
        let helper = world.helper().unwrap();
        signal(helper, Signal::SIGTERM);
        assert_eq!(next(&line), None);
        eventually(&false, || is_running(helper));
    });
}

#[test]
fn a_replaced_program_makes_way_after_the_last_session() {
    in_world(NEVER, |world| {
        let (busy, idle) = (world.open(ALICE), world.open(BOB));
        greet(ALICE, &busy);
        greet(BOB, &idle);
        assert!(matches!(ask(ALICE, &busy, &load()), Reply::Loaded { .. }));
        let old = world.helper().unwrap();
        replace_program(world);
        let replaced = Some(Message::Notice { notice: Notice::Replaced });
        assert_eq!((next(&busy), next(&idle)), (replaced.clone(), replaced));
        assert_eq!(world.helper(), Some(old), "a second one could do nothing");
        assert_eq!(ask(ALICE, &busy, &Request::Unload { session: SessionId(1) }), Reply::Done);
        assert_eq!((next(&busy), next(&idle)), (None, None));
        let line = world.open(ALICE);
        assert!(matches!(ask(ALICE, &line, &hello()), Reply::Hello { .. }));
        assert_ne!(world.helper(), Some(old));
    });
}

/// As packages do it.
fn replace_program(world: &World) {
    let new = world.program().with_extension("new");
    fs::copy(world.program(), &new).unwrap();
    fs::rename(new, world.program()).unwrap();
}
