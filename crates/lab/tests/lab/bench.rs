//! The bench measures what it says: its target, its loads and the redirector before `ssh -D`, which is the one tunnel
//! that needs nothing but ssh. No speed is asserted.

use std::{
    thread,
    time::{Duration, Instant},
};

use ropeway_lab::{
    bench::{
        load::{
            bulk::{Bulk, Way},
            echo::Echo,
            hold::Held,
            meter::Meter,
            visits::Visits,
        },
        parts::LinkName,
        stage::Stage,
        tunnel::{Kind, Tunnel, carries},
        usage::Role,
    },
    harness::lab_or_skip,
};

const LINK: LinkName = LinkName { mbits: 20, round_trip_ms: 20 };

/// Long enough for a few key presses.
const A_WHILE: Duration = Duration::from_millis(600);

#[test]
fn loads_go_through_a_tunnel_and_are_counted() {
    let Some(lab) = lab_or_skip("bench-loads") else { return };
    let mut stage = Stage::on(lab).expect("a stage");
    assert!(carries(&stage).is_err(), "nothing leads there without a tunnel");
    stage.join_by(Some(&LINK.spec())).expect("a link");
    let tunnel = Tunnel::start(&stage, Kind::Socks).expect("ssh -D");
    let client = stage.lab.client();

    let visits = Visits::burst(&client, 20).expect("a network");
    assert_eq!((visits.took.len(), visits.failed), (20, 0));
    drop(Held::open(&client, 50).expect("50 connections"));

    let echo = Echo::start(&client).expect("an echo");
    let began = Instant::now();
    for way in Way::BOTH {
        let bulk = Bulk::start(&client, way, 2, 9).expect("two streams");
        let meter = Meter::of(&stage.lab, &bulk, way, 9).expect("a meter");
        thread::sleep(A_WHILE);
        let rate = meter.watch(A_WHILE).expect("a rate").rate();
        assert!(rate > 1.0 && rate < 1.2 * f64::from(LINK.mbits), "{way:?}: {rate} Mbit/s");
    }
    let trips = echo.round_trips(began).expect("answers");
    assert!(trips.iter().all(|trip| *trip >= f64::from(LINK.round_trip_ms)), "{trips:?}");

    let cpu = tunnel.processes.cpu();
    assert!(cpu[&Role::Ssh] > 0.0 && cpu[&Role::Sshd] > 0.0, "{cpu:?}");
    let memory = tunnel.processes.resident();
    assert!(memory[&Role::Client] > 1e5, "the redirector: {memory:?}");
    drop(tunnel);
    assert!(carries(&stage).is_err(), "a tunnel that ended leaves no rule");
}
