//! Which sessions and blocks there are, with the kernel's part played by a fake.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use ropeway_helper::{
    rules::{
        ClientId, Firewall, FirewallError, Key, LoadError, Rules, Script, SessionBlock, SessionPlan, State,
        Table, overlaps, render_blocks,
    },
    store::Store,
};
use ropeway_helper_api::{Capture, Count, Grant, Holder, SessionId, limit};
use tempfile::TempDir;

use crate::plans::{block, captured_by, route, session};

/// A machine with a disk and a kernel, which outlive the helper.
#[derive(Clone)]
struct Machine {
    folder: Rc<TempDir>,
    kernel: Rc<RefCell<Kernel>>,
}

#[derive(Default)]
struct Kernel {
    tables: BTreeMap<Table, Script>,
    boot: u32,
    counters: BTreeMap<String, Count>,
    /// What another program did.
    touched: Vec<Table>,
    refuses: bool,
}

impl Machine {
    fn new() -> Self {
        Self { folder: Rc::new(tempfile::tempdir().unwrap()), kernel: Rc::default() }
    }

    fn helper(&self) -> Rules<Self> {
        Rules::new(self.clone(), Store::new(self.folder.path()))
    }

    fn closed(&self) -> Option<String> {
        self.kernel.borrow().tables.get(&Table::Block).map(Script::to_string)
    }

    fn boot(&self) {
        let boot = self.kernel.borrow().boot + 1;
        *self.kernel.borrow_mut() = Kernel { boot, ..Kernel::default() };
    }
}

impl Firewall for Machine {
    fn replace(&mut self, script: &Script) -> Result<(), FirewallError> {
        let mut kernel = self.kernel.borrow_mut();
        if kernel.refuses {
            return Err(FirewallError::Refused("no".into()));
        }
        kernel.touched.retain(|table| *table != script.table);
        kernel.tables.insert(script.table, script.clone());
        Ok(())
    }

    fn remove(&mut self, table: Table) -> Result<(), FirewallError> {
        self.kernel.borrow_mut().tables.remove(&table);
        Ok(())
    }

    fn state(&mut self, table: Table) -> Result<State, FirewallError> {
        let kernel = self.kernel.borrow();
        Ok(match kernel.tables.get(&table) {
            None => State::Gone,
            Some(_) if kernel.touched.contains(&table) => State::Changed,
            Some(_) => State::Intact,
        })
    }

    fn counters(&mut self) -> Result<BTreeMap<String, Count>, FirewallError> {
        Ok(self.kernel.borrow().counters.clone())
    }

    fn boot(&self) -> String {
        self.kernel.borrow().boot.to_string()
    }
}

fn key(client: u64, session: u32) -> Key {
    Key { client: ClientId(client), session: SessionId(session) }
}

#[test]
fn an_equal_route_is_told_with_as_much_as_may_be_known() {
    let plan = |uid| {
        let mut plan = session(&["10.0.0.0/8", "11.0.0.0/8 80", "12.0.0.0/8"], &["10.1.0.0/16"], 12300);
        plan.uid = uid;
        plan
    };
    let (mine, other, new) = (plan(1000), plan(1001), plan(1000));
    let told = |earlier: &[(Key, &_)]| {
        let mut sessions = earlier.to_vec();
        sessions.push((key(1, 9), &new));
        overlaps(key(1, 9), &sessions)
    };
    assert_eq!(told(&[]), []);
    let holders = |list: Vec<ropeway_helper_api::Overlap>| list.iter().map(|o| o.holder).collect::<Vec<_>>();
    assert_eq!(holders(told(&[(key(1, 1), &mine)])), [Holder::Session { session: SessionId(1) }; 3]);
    assert_eq!(holders(told(&[(key(2, 1), &mine)])), [Holder::AnotherProgram; 3]);
    assert_eq!(holders(told(&[(key(2, 1), &other), (key(1, 1), &mine)])), [Holder::AnotherUser; 3]);
    assert_eq!(told(&[(key(2, 1), &other)])[1].route, route("11.0.0.0/8 80"));
    let narrower = captured_by(plan(1001), Capture::User { uid: 1001 }, None);
    assert_eq!(told(&[(key(2, 1), &narrower)]), [], "another scope is another matter");
}

#[test]
fn of_many_overlaps_a_hundred_are_told() {
    let mut plan = session(&[], &[], 12300);
    plan.plan.include = (0..=200u8).map(|n| route(&format!("10.{n}.0.0/16"))).collect();
    let told = overlaps(key(1, 2), &[(key(1, 1), &plan), (key(1, 2), &plan)]);
    assert_eq!(told.len(), limit::OVERLAPS);
    assert_eq!(told[0].route, route("10.0.0.0/16"));
}

#[test]
fn a_session_keeps_its_place_and_hears_of_earlier_ones_only() {
    let mut rules = Machine::new().helper();
    let plan = || session(&["10.0.0.0/8"], &[], 12300);
    assert_eq!(rules.load(key(1, 1), plan()).unwrap().overlaps.len(), 0);
    assert_eq!(rules.load(key(1, 2), plan()).unwrap().overlaps.len(), 1);
    assert_eq!(rules.load(key(1, 1), plan()).unwrap().overlaps.len(), 0);
    assert_eq!((rules.sessions_of(1000), rules.sessions_of(1001)), (2, 0));
    rules.unload(key(1, 1)).unwrap();
    assert!(rules.routes_of(key(1, 1)).is_none() && rules.routes_of(key(1, 2)).is_some());
}

#[test]
fn a_block_stays_when_its_client_is_gone_until_the_profile_comes_back() {
    let machine = Machine::new();
    let mut rules = machine.helper();
    rules.block(key(1, 1), block(1000, 7, &["10.0.0.0/8"], &[])).unwrap();
    assert!(!rules.is_empty());
    rules.unload_client(ClientId(1)).unwrap();
    assert!(rules.is_empty() && machine.closed().is_some());
    assert_eq!((rules.leftovers(1000), rules.leftovers(1001)), ((1, 0), (0, 1)));
    rules.block(key(2, 1), block(1000, 7, &["11.0.0.0/8"], &[])).unwrap();
    assert_eq!(rules.leftovers(1000), (0, 0));
    assert!(!machine.closed().unwrap().contains("10.0.0.0/8"));
    rules.unload(key(2, 1)).unwrap();
    assert_eq!(machine.closed(), None);
}

#[test]
fn one_users_block_is_not_anothers() {
    let machine = Machine::new();
    let mut rules = machine.helper();
    rules.block(key(1, 1), block(1000, 7, &["10.0.0.0/8"], &[])).unwrap();
    rules.unload_client(ClientId(1)).unwrap();
    rules.block(key(2, 1), block(1001, 7, &["11.0.0.0/8"], &[])).unwrap();
    rules.unload(key(2, 2)).unwrap();
    assert_eq!(rules.restore(Some(1001)).unwrap(), 0, "in use, and not a leftover");
    rules.unload_client(ClientId(2)).unwrap();
    assert_eq!(rules.leftovers(1001), (1, 1));
    assert_eq!(rules.restore(Some(1001)).unwrap(), 1);
    assert!(machine.closed().unwrap().contains("10.0.0.0/8"));
    assert_eq!(rules.restore(None).unwrap(), 1);
    assert_eq!(machine.closed(), None);
}

#[test]
fn a_held_session_keeps_closed_what_an_unloaded_one_opens() {
    let machine = Machine::new();
    let mut rules = machine.helper();
    rules.load(key(1, 1), session(&["10.0.0.0/8"], &[], 12300)).unwrap();
    rules.block(key(1, 1), block(1000, 7, &["10.0.0.0/8"], &[])).unwrap();
    rules.hold(key(1, 1)).unwrap();
    assert!(machine.closed().is_some() && rules.routes_of(key(1, 1)).is_none());
    rules.unload(key(1, 1)).unwrap();
    assert!(machine.closed().is_none() && rules.is_empty());
}

/// `machine.helper()` again is what a crash is: the file and the table are all that is left.
#[test]
fn after_a_crash_the_next_helper_takes_up_what_is_closed() {
    let machine = Machine::new();
    let mut rules = machine.helper();
    rules.block(key(1, 1), block(1000, 7, &["10.0.0.0/8"], &[])).unwrap();
    let closed = machine.closed();
    drop(rules);
    let mut rules = machine.helper();
    assert_eq!(rules.leftovers(1000), (1, 0));
    assert_eq!(machine.closed(), closed);
    assert_eq!(rules.restore(Some(1000)).unwrap(), 1);
    drop(rules);
    assert_eq!((machine.helper().leftovers(1000), machine.closed()), ((0, 0), None));
}

#[test]
fn what_another_boot_or_another_program_removed_is_forgotten() {
    let machine = Machine::new();
    machine.helper().block(key(1, 1), block(1000, 7, &["10.0.0.0/8"], &[])).unwrap();
    machine.boot();
    assert_eq!((machine.helper().leftovers(1000), machine.closed()), ((0, 0), None));
    machine.helper().block(key(1, 1), block(1000, 7, &["10.0.0.0/8"], &[])).unwrap();
    machine.kernel.borrow_mut().tables.clear();
    assert_eq!((machine.helper().leftovers(1000), machine.closed()), ((0, 0), None));
}

#[test]
fn a_table_of_nobody_is_removed() {
    let machine = Machine::new();
    let debris = render_blocks(&[&block(1000, 7, &["10.0.0.0/8"], &[])]).unwrap();
    machine.clone().replace(&debris).unwrap();
    machine.helper();
    assert_eq!(machine.closed(), None);
}

#[test]
fn a_second_helper_leaves_the_blocks_to_the_first() {
    let machine = Machine::new();
    let mut first = machine.helper();
    first.block(key(1, 1), block(1000, 7, &["10.0.0.0/8"], &[])).unwrap();
    let mut second = machine.helper();
    let refused = second.block(key(1, 1), block(1000, 8, &["11.0.0.0/8"], &[]));
    assert_eq!(refused, Err(LoadError::Firewall(FirewallError::Busy)));
    assert_eq!(second.leftovers(1000), (0, 0));
    drop(first);
    assert_eq!(
        second.restore(Some(1000)).unwrap(),
        1,
        "when the first is gone, what it left is the second's"
    );
}

#[test]
fn what_the_kernel_refuses_is_not_on_the_list() {
    let machine = Machine::new();
    let mut rules = machine.helper();
    rules.block(key(1, 1), block(1000, 7, &["10.0.0.0/8"], &[])).unwrap();
    machine.kernel.borrow_mut().refuses = true;
    rules.block(key(1, 2), block(1000, 8, &["11.0.0.0/8"], &[])).unwrap_err();
    machine.kernel.borrow_mut().refuses = false;
    drop(rules);
    assert_eq!(machine.helper().leftovers(1000), (1, 0));
}

#[test]
fn one_user_cannot_keep_closed_without_end() {
    let machine = Machine::new();
    let mut rules = machine.helper();
    for id in 0..limit::SESSIONS as u64 {
        rules.block(key(id, 1), block(1000, id, &["10.0.0.0/8"], &[])).unwrap();
        rules.unload_client(ClientId(id)).unwrap();
    }
    let more = |rules: &mut Rules<_>, uid| rules.block(key(100, 1), block(uid, 100, &["10.0.0.0/8"], &[]));
    assert_eq!(more(&mut rules, 1000), Err(LoadError::TooManyBlocks));
    assert_eq!(more(&mut rules, 1001), Ok(()));
}

#[test]
fn with_a_grant_goes_all_that_stands_on_it() {
    let machine = Machine::new();
    let mut rules = machine.helper();
    let by = |grant, id| SessionBlock { grant, ..block(1000, id, &["10.0.0.0/8"], &[]) };
    let plan = |grant, uid| SessionPlan { grant, uid, ..session(&["10.0.0.0/8"], &[], 12300) };
    rules.block(key(1, 1), by(Grant::All, 1)).unwrap();
    rules.unload_client(ClientId(1)).unwrap();
    rules.block(key(2, 1), by(Grant::All, 2)).unwrap();
    rules.block(key(2, 2), by(Grant::Own, 3)).unwrap();
    rules.block(key(3, 1), block(1001, 1, &["11.0.0.0/8"], &[])).unwrap();
    for (key, plan) in [
        (key(2, 1), plan(Grant::All, 1000)),
        (key(2, 2), plan(Grant::Own, 1000)),
        (key(3, 1), plan(Grant::All, 1001)),
    ] {
        rules.load(key, plan).unwrap();
    }
    let loaded =
        |rules: &Rules<_>| [key(2, 1), key(2, 2), key(3, 1)].map(|key| rules.routes_of(key).is_some());
    rules.revoke(1000, Some(Grant::All)).unwrap();
    assert_eq!((rules.leftovers(1000), loaded(&rules)), ((1, 0), [true; 3]));
    rules.revoke(1000, Some(Grant::Own)).unwrap();
    assert_eq!((rules.leftovers(1000), loaded(&rules)), ((0, 0), [false, true, true]));
    assert!(machine.closed().unwrap().contains("10.0.0.0/8"), "the narrower block stays");
    rules.revoke(1000, None).unwrap();
    assert_eq!(loaded(&rules), [false, false, true]);
    let closed = machine.closed().unwrap();
    assert!(!closed.contains("10.0.0.0/8") && closed.contains("11.0.0.0/8"));
}

#[test]
fn what_another_program_did_is_mended_and_told() {
    let machine = Machine::new();
    let mut rules = machine.helper();
    rules.load(key(1, 1), session(&["10.0.0.0/8"], &[], 12300)).unwrap();
    rules.load(key(2, 1), session(&["11.0.0.0/8"], &[], 12310)).unwrap();
    let mut own = block(1000, 7, &["10.0.0.0/8"], &[]);
    own.grant = Grant::Own;
    rules.block(key(2, 1), own).unwrap();
    assert_eq!(rules.check(), []);
    machine.kernel.borrow_mut().tables.remove(&Table::Redirect);
    machine.kernel.borrow_mut().touched.push(Table::Block);
    let changed = rules.check();
    assert_eq!(changed[0].clients, [ClientId(1), ClientId(2)]);
    assert_eq!(changed[1].clients, [ClientId(2)]);
    assert!(changed.iter().all(|changed| changed.mended));
    assert_eq!(rules.check(), []);
    machine.kernel.borrow_mut().refuses = true;
    machine.kernel.borrow_mut().tables.clear();
    assert!(rules.check().iter().all(|changed| !changed.mended));
}

/// Its counters are new then, and count from 0.
#[test]
fn what_was_counted_outlives_its_table_but_not_its_session() {
    let machine = Machine::new();
    let mut rules = machine.helper();
    let metered = || {
        let mut plan = session(&["10.0.0.0/8"], &[], 12300);
        plan.plan.meter = true;
        plan
    };
    let counts = |packets| {
        let count = Count { packets, bytes: 30 * packets };
        machine.kernel.borrow_mut().counters.insert("leak_1_udp".into(), count);
    };
    rules.load(key(1, 1), metered()).unwrap();
    assert_eq!(rules.meter(key(1, 1)).unwrap().udp.packets, 0);
    counts(3);
    assert_eq!(rules.meter(key(1, 1)).unwrap().udp.packets, 3);
    counts(5);
    machine.kernel.borrow_mut().tables.remove(&Table::Redirect);
    assert!(rules.check()[0].mended);
    counts(1);
    assert_eq!(rules.meter(key(1, 1)).unwrap().udp, Count { packets: 6, bytes: 180 });
    rules.load(key(1, 1), metered()).unwrap();
    assert_eq!(rules.meter(key(1, 1)).unwrap().udp.packets, 6, "another plan of the session");
    assert!(matches!(rules.meter(key(2, 1)), Err(LoadError::Unsupported(_))), "another's session");
    rules.unload(key(1, 1)).unwrap();
    assert!(rules.meter(key(1, 1)).is_err());
    rules.load(key(1, 1), metered()).unwrap();
    assert_eq!(rules.meter(key(1, 1)).unwrap().udp.packets, 0, "a new session");
}

#[test]
fn what_a_living_session_keeps_closed_is_not_another_sessions_to_take() {
    let machine = Machine::new();
    let mut rules = machine.helper();
    rules.block(key(1, 1), block(1000, 7, &["10.0.0.0/8"], &[])).unwrap();
    let stolen = rules.block(key(2, 1), block(1000, 7, &["11.0.0.0/8"], &[]));
    assert_eq!(stolen, Err(LoadError::Taken));
    assert!(machine.closed().unwrap().contains("10.0.0.0/8"));
    rules.block(key(1, 1), block(1000, 7, &["12.0.0.0/8"], &[])).unwrap();
    assert!(machine.closed().unwrap().contains("12.0.0.0/8"), "it may change its own");
}

/// The next helper must not take a list that it cannot read for one that says that nothing is closed.
#[test]
fn a_list_that_cannot_be_read_opens_nothing_until_root_does() {
    let machine = Machine::new();
    let mut rules = machine.helper();
    rules.block(key(1, 1), block(1000, 7, &["10.0.0.0/8"], &[])).unwrap();
    drop(rules);
    let closed = machine.closed();
    std::fs::write(machine.folder.path().join("blocks"), "{").unwrap();
    for _ in 0..2 {
        let mut rules = machine.helper();
        assert_eq!((rules.leftovers(1000), machine.closed()), ((0, 1), closed.clone()));
        let more = rules.block(key(1, 1), block(1000, 8, &["11.0.0.0/8"], &[]));
        assert_eq!(more, Err(LoadError::Unknown));
    }
    assert_eq!(machine.helper().restore(None).unwrap(), 1);
    assert_eq!(machine.closed(), None);
    machine.helper().block(key(1, 1), block(1000, 8, &["11.0.0.0/8"], &[])).unwrap();
}

#[test]
fn what_one_user_has_leaves_room_for_another() {
    let machine = Machine::new();
    let mut rules = machine.helper();
    let large = |uid| {
        let mut plan = session(&[], &[], 12300);
        plan.uid = uid;
        plan.plan.include =
            (0..100_000u32).map(|i| route(&format!("{}/24", std::net::Ipv4Addr::from(i << 12)))).collect();
        plan
    };
    rules.load(key(1, 1), large(1000)).unwrap();
    rules.load(key(1, 2), large(1000)).unwrap();
    assert!(matches!(rules.load(key(1, 3), large(1000)), Err(LoadError::Plan(_))));
    rules.load(key(2, 1), large(1001)).unwrap();
    let mut scattered = session(&[], &[], 12300);
    let many = |from: u16| (from..from + 250).map(|port| route(&format!("10.0.0.0/8 {port}"))).collect();
    for number in 0..17u16 {
        scattered.plan.include = many(1 + 250 * number);
        let loaded = rules.load(key(3, number.into()), SessionPlan { uid: 1002, ..scattered.clone() });
        assert_eq!(loaded.err(), (number == 16).then_some(LoadError::TooManySets), "{number}");
    }
}
