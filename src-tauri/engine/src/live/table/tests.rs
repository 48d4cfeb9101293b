use super::*;

fn opened(profile: &str) -> Opened {
    Opened {
        profile: ProfileId(profile.into()),
        target: "10.1.2.3:80".parse().unwrap(),
        rule: "10/8".into(),
        inode: 7,
        user: Some("dev".into()),
        state: ConnectionState::Opening,
    }
}

/// So many milliseconds after the first moment, which is the same for the whole test.
fn at(start: Instant, milliseconds: u64) -> Instant {
    start + Duration::from_millis(milliseconds)
}

#[test]
fn a_connection_is_told_when_it_changes_and_only_then() {
    let (table, start) = (Arc::new(Table::default()), Instant::now());
    let row = table.open(opened("work"), 0);
    assert_eq!(table.delta(at(start, 200)).changed.len(), 1);
    assert_eq!(table.delta(at(start, 400)).changed, []);
    row.add_down(1000);
    row.set(ConnectionState::Open);
    let changed = table.delta(at(start, 600)).changed;
    assert_eq!((changed[0].down, changed[0].state), (1000, ConnectionState::Open));
    assert_eq!(changed[0].down_rate, 2000, "1000 bytes in 0.2 s, weighted 0.4");
}

#[test]
fn a_rate_fades_to_nothing_and_then_is_silent() {
    let (table, start) = (Arc::new(Table::default()), Instant::now());
    let row = table.open(opened("work"), 0);
    row.add_up(100_000);
    let mut rounds = 0;
    for now in (200..).step_by(200) {
        match table.delta(at(start, now)).changed.first() {
            Some(_) => rounds += 1,
            None => break,
        }
        assert!(rounds < 60, "still changing");
    }
    assert_eq!(table.snapshot().changed[0].up_rate, 0);
}

#[test]
fn the_first_end_is_kept_and_a_dropped_row_was_lost() {
    let table = Arc::new(Table::default());
    let row = table.open(opened("work"), 0);
    row.set(ConnectionState::Refused);
    row.set(ConnectionState::Reset);
    drop(row);
    drop(table.open(opened("work"), 0));
    let states: Vec<_> = table.snapshot().changed.iter().map(|row| row.state).collect();
    assert_eq!(states, [ConnectionState::Refused, ConnectionState::Lost]);
}

#[test]
fn sums_outlive_the_rows_that_are_forgotten() {
    let (table, start) = (Arc::new(Table::default()), Instant::now());
    table.begin(&ProfileId("work".into()));
    table.delta(start);
    for _ in 0..CLOSED_KEPT + 50 {
        let row = table.open(opened("work"), 0);
        row.add_down(10);
        row.set(ConnectionState::Closed);
    }
    let delta = table.delta(at(start, 200));
    assert_eq!((delta.changed.len(), delta.gone.len()), (CLOSED_KEPT, 50));
    let total = &delta.totals[0];
    assert_eq!(
        (total.down, total.closed, total.active),
        (10 * (CLOSED_KEPT as u64 + 50), CLOSED_KEPT as u32 + 50, 0)
    );
}

#[test]
fn a_socket_is_asked_for_once() {
    let (table, start) = (Arc::new(Table::default()), Instant::now());
    let _row = table.open(opened("work"), 0);
    let asked = table.nameless();
    assert_eq!(asked, HashSet::from([7]));
    table.name(&asked, &HashMap::from([(7, App { pid: 42, name: "curl".into() })]));
    assert_eq!(table.nameless(), HashSet::new());
    assert_eq!(table.delta(at(start, 200)).changed[0].app.as_deref(), Some("curl"));
}

#[test]
fn closing_asks_the_relay() {
    let table = Arc::new(Table::default());
    let row = table.open(opened("work"), 0);
    assert!(table.close(1) && !table.close(2));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(row.close_asked());
}
