use super::*;

fn profile(name: &str) -> ProfileId {
    ProfileId(name.into())
}

fn note(table: &Table, of: &str, name: &str, address: &str, source: Source, now: u64) -> bool {
    let it = Sighting { name: name.into(), found: format!("{name}.example"), address: ip(address), source };
    table.note(&profile(of), it, now)
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn states(table: &Table) -> Vec<(String, String, HostState)> {
    table.snapshot().changed.into_iter().map(|row| (row.name, row.address, row.state)).collect()
}

#[test]
fn of_several_addresses_the_one_from_the_best_place_is_preferred() {
    let table = Table::default();
    assert!(note(&table, "work", "db", "10.0.0.1", Source::Cache, 1));
    assert!(note(&table, "work", "db", "10.0.0.2", Source::NetBios, 1));
    assert!(note(&table, "work", "db", "10.0.0.3", Source::NetBios, 1));
    assert!(!note(&table, "work", "db", "10.0.0.3", Source::NetBios, 2), "that is no news");
    let addresses = || -> Vec<String> {
        table.entries(&profile("work")).iter().map(|entry| entry.address.to_string()).collect()
    };
    assert_eq!(addresses(), ["10.0.0.2", "10.0.0.3", "10.0.0.1"]);
    assert!(note(&table, "work", "db", "10.0.0.3", Source::HostsFile, 2), "found in a better place");
    assert_eq!(addresses(), ["10.0.0.3", "10.0.0.2", "10.0.0.1"]);
}

#[test]
fn what_the_helper_did_is_told_of_each_address() {
    let table = Table::default();
    for address in ["11.0.0.1", "10.0.0.1", "10.0.0.2", "fd00::1"] {
        note(&table, "work", "db", address, Source::Seed, 1);
    }
    let entries = table.entries(&profile("work"));
    note(&table, "work", "late", "10.0.0.9", Source::Seed, 1);
    let refused = RefusedHost { name: "db".into(), address: ip("11.0.0.1"), why: HostRefusal::Address };
    table.set(&profile("work"), &entries, &[refused]);
    let row = |name: &str, address: &str, state| (name.to_owned(), address.to_owned(), state);
    assert_eq!(
        states(&table),
        [
            row("db", "11.0.0.1", HostState::Outside),
            row("db", "10.0.0.1", HostState::InForce),
            row("db", "10.0.0.2", HostState::OtherAddress),
            row("db", "fd00::1", HostState::InForce),
            row("late", "10.0.0.9", HostState::Waiting),
        ]
    );
}

#[test]
fn who_waits_for_another_profiles_name_hears_when_it_is_free() {
    let table = Table::default();
    note(&table, "home", "db", "10.0.0.1", Source::Seed, 1);
    note(&table, "work", "db", "10.1.0.1", Source::Seed, 1);
    let mut freed = table.freed();
    let why = HostRefusal::TakenBySession;
    let refused = RefusedHost { name: "db".into(), address: ip("10.1.0.1"), why };
    table.set(&profile("work"), &table.entries(&profile("work")), &[refused]);
    assert!(table.waits_for_others(&profile("work")) && !table.waits_for_others(&profile("home")));
    assert!(!freed.has_changed().unwrap());
    table.forget(&profile("home"));
    assert!(freed.has_changed().unwrap());
    freed.mark_unchanged();
    table.forget(&profile("home"));
    assert!(!freed.has_changed().unwrap(), "it had none");
}

#[test]
fn a_name_that_nobody_sees_any_more_is_forgotten() {
    let table = Table::default();
    note(&table, "work", "old", "10.0.0.1", Source::NetBios, 0);
    note(&table, "home", "old", "10.0.0.1", Source::NetBios, 0);
    note(&table, "work", "new", "10.0.0.2", Source::NetBios, 10);
    assert!(!table.expire(&profile("work"), LIFE));
    assert!(table.expire(&profile("work"), LIFE + 1));
    assert_eq!(states(&table).len(), 2);
    assert!(note(&table, "work", "old", "10.0.0.1", Source::NetBios, LIFE), "it is new again");
}

#[test]
fn a_profile_has_no_more_names_than_the_helper_takes() {
    let table = Table::default();
    for number in 0..limit::ENTRIES + 5 {
        note(&table, "work", &format!("n{number}"), "10.0.0.1", Source::NetBios, 0);
    }
    assert_eq!(table.entries(&profile("work")).len(), limit::ENTRIES);
    assert!(note(&table, "home", "db", "10.0.0.1", Source::NetBios, 0), "another one's limit is its own");
}

#[test]
fn only_what_changed_is_told_and_what_went_only_to_those_who_look() {
    let table = Table::default();
    note(&table, "work", "db", "10.0.0.1", Source::NetBios, 0);
    table.forget(&profile("work"));
    assert_eq!(table.delta(), None, "nobody looked");
    note(&table, "work", "db", "10.0.0.1", Source::NetBios, 0);
    let delta = table.delta().unwrap();
    assert_eq!((delta.changed.len(), delta.gone.len()), (1, 0));
    assert_eq!(table.delta(), None);
    table.set_all(&profile("work"), HostState::Waiting);
    assert_eq!(table.delta(), None, "it was waiting already");
    table.set_all(&profile("work"), HostState::NotAllowed);
    assert_eq!(table.delta().unwrap().changed[0].state, HostState::NotAllowed);
    table.forget(&profile("work"));
    assert_eq!(table.delta().unwrap().gone, [delta.changed[0].id]);
    table.unwatch();
}
