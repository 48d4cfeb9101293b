//! An administrator is asked once, and then nobody any more.

use ropeway_helper_api::{Grant, Reply, bus};
use ropeway_lab::system::{Answer, Caller, Order, PASSWORD, System, User};

use crate::{agent_for, connect, failed, is_captured, load, not_granted};

fn installed(test: &str) -> Option<System> {
    let system = System::boot(test)?;
    system.install_helper().expect("it installs");
    Some(system)
}

#[test]
fn after_a_yes_ten_connects_ask_nothing() {
    let Some(system) = installed("after_a_yes_ten_connects_ask_nothing") else { return };
    let mut caller = Caller::new(&system, User::YES);
    assert_eq!(caller.does(&Order::Open), not_granted(), "nobody was asked yet");
    assert_eq!(caller.does(&Order::SetUp(Grant::Own)), Answer::Done);
    // whoever wanted to ask now could not
    system.run("systemctl", &["mask", "--runtime", "--now", "polkit.service"]).expect("polkit stops");
    for _ in 0..10 {
        let mut caller = Caller::new(&system, User::YES);
        assert!(matches!(connect(&mut caller), Reply::Hello { grant: Grant::Own, .. }));
        assert!(!is_captured(&mut caller), "not yet");
        load(&mut caller, User::YES, Grant::Own);
        assert!(is_captured(&mut caller));
        assert_eq!(caller.does(&Order::Hangup), Answer::Done);
    }
}

#[test]
fn after_a_no_nothing_has_changed() {
    let Some(system) = installed("after_a_no_nothing_has_changed") else { return };
    let mut caller = Caller::new(&system, User::NO);
    assert_eq!(caller.does(&Order::SetUp(Grant::Own)), failed(bus::ERROR_DENIED));
    assert_eq!(caller.does(&Order::Open), not_granted());
    assert_eq!(caller.does(&Order::Grants), Answer::Grants(vec![]));
}

#[test]
fn the_administrators_password_decides() {
    let Some(system) = installed("the_administrators_password_decides") else { return };
    let mut caller = Caller::new(&system, User::ASK);
    assert_eq!(caller.does(&Order::SetUp(Grant::All)), failed(bus::ERROR_DENIED), "nobody can be asked");
    let mut agent = agent_for(&system, User::ASK, caller.pid());
    for (password, answer) in [("wrong", failed(bus::ERROR_DENIED)), (PASSWORD, Answer::Done)] {
        caller.begins(&Order::SetUp(Grant::All));
        agent.type_password(password).expect("it asks");
        assert_eq!(caller.finishes(), answer, "{password}: {}", agent.screen());
    }
    assert_eq!(caller.does(&Order::Grants), Answer::Grants(vec![(User::ASK.uid, "all".into())]));
    assert!(matches!(connect(&mut caller), Reply::Hello { grant: Grant::All, .. }));
}
