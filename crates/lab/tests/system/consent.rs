//! An administrator is asked once, and then nobody any more.

use std::path::PathBuf;

use ropeway_helper_api::{Capture, Grant, HelperCode, HelperError, Reply, Request, SessionId, bus};
use ropeway_lab::system::{Answer, Caller, Order, PASSWORD, User};

use crate::{agent_for, ask, connect, failed, installed, is_captured, load, not_granted, plan, wait_for};

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
    for grant in [Grant::Own, Grant::All] {
        assert_eq!(caller.does(&Order::SetUp(grant)), failed(bus::ERROR_DENIED), "{grant:?}");
    }
    assert_eq!(caller.does(&Order::Open), not_granted());
    assert_eq!(caller.does(&Order::Grants), Answer::Grants(vec![]));
}

#[test]
fn a_yes_for_own_is_no_yes_for_all() {
    let Some(system) = installed("a_yes_for_own_is_no_yes_for_all") else { return };
    let mut caller = Caller::new(&system, User::OWN);
    assert_eq!(caller.does(&Order::SetUp(Grant::All)), failed(bus::ERROR_DENIED));
    assert_eq!(caller.does(&Order::Open), not_granted());
    assert_eq!(caller.does(&Order::SetUp(Grant::Own)), Answer::Done);
    assert_eq!(caller.does(&Order::SetUp(Grant::All)), failed(bus::ERROR_DENIED));
    assert_eq!(caller.does(&Order::Grants), Answer::Grants(vec![(User::OWN.uid, "own".into())]));
    assert!(matches!(connect(&mut caller), Reply::Hello { grant: Grant::Own, .. }));
}

#[test]
fn the_administrators_password_decides() {
    let Some(system) = installed("the_administrators_password_decides") else { return };
    let mut caller = Caller::new(&system, User::ASK);
    for (grant, told) in
        [(Grant::Own, "their own programs"), (Grant::All, "the whole computer: everybody's traffic")]
    {
        let set_up = Order::SetUp(grant);
        assert_eq!(caller.does(&set_up), failed(bus::ERROR_DENIED), "nobody can be asked");
        let mut agent = agent_for(&system, User::ASK, caller.pid());
        for (password, answer) in [("wrong", failed(bus::ERROR_DENIED)), (PASSWORD, Answer::Done)] {
            caller.begins(&set_up);
            agent.type_password(password).expect("it asks");
            assert_eq!(caller.finishes(), answer, "{password}: {}", agent.screen());
        }
        assert!(agent.screen().contains(told), "{}", agent.screen());
        let granted = vec![(User::ASK.uid, grant.name().to_owned())];
        assert_eq!(caller.does(&Order::Grants), Answer::Grants(granted));
    }
    assert!(matches!(connect(&mut caller), Reply::Hello { grant: Grant::All, .. }));
}

#[test]
fn a_grant_is_one_users_alone() {
    let Some(system) = installed("a_grant_is_one_users_alone") else { return };
    let mut granted = Caller::new(&system, User::YES);
    assert_eq!(granted.does(&Order::SetUp(Grant::Own)), Answer::Done);
    connect(&mut granted);
    load(&mut granted, User::YES, Grant::Own);

    let mut other = Caller::new(&system, User::NO);
    assert_eq!(other.does(&Order::Open), not_granted());
    let everybody =
        ask(&mut granted, Request::Load { session: SessionId(2), plan: plan(9, Capture::Everyone) });
    assert!(matches!(everybody, Reply::Error(HelperError { code: HelperCode::Plan, .. })), "{everybody:?}");
    let everybody =
        ask(&mut granted, Request::Load { session: SessionId(2), plan: plan(2000, Capture::Everyone) });
    assert!(
        matches!(everybody, Reply::Error(HelperError { code: HelperCode::NotGranted, .. })),
        "{everybody:?}"
    );
    assert!(is_captured(&mut granted));
    assert!(!is_captured(&mut other), "it was for the first one's own traffic");

    let mut root = Caller::new(&system, User::ROOT);
    assert!(matches!(connect(&mut root), Reply::Hello { grant: Grant::All, .. }), "root needs none");
}

#[test]
fn a_connection_is_of_no_use_to_another_user() {
    let Some(system) = installed("a_connection_is_of_no_use_to_another_user") else { return };
    let mut granted = Caller::new(&system, User::YES);
    assert_eq!(granted.does(&Order::SetUp(Grant::Own)), Answer::Done);
    let mut bystander = Caller::new(&system, User::YES);
    connect(&mut bystander);
    load(&mut bystander, User::YES, Grant::Own);
    connect(&mut granted);

    let mut thief = Caller::new(&system, User::NO);
    let door = "/tmp/door".into();
    granted.begins(&Order::Give(PathBuf::clone(&door)));
    wait_for("the door", || system.path("/tmp/door").exists());
    assert_eq!(thief.does(&Order::Take(door)), Answer::Done);
    assert_eq!(granted.finishes(), Answer::Done);
    let plan = plan(2000, Capture::User { uid: User::YES.uid });
    let refused = thief.does(&Order::Ask(Request::Load { session: SessionId(1), plan }));
    assert_eq!(refused, Answer::Ended);
    assert_eq!(granted.does(&Order::Hear), Answer::Ended, "and it is worth nothing any more");
    assert!(is_captured(&mut bystander));
}

#[test]
fn a_grant_is_taken_back_at_once() {
    let Some(system) = installed("a_grant_is_taken_back_at_once") else { return };
    let mut user = Caller::new(&system, User::YES);
    let mut other = Caller::new(&system, User::NO);
    let mut root = Caller::new(&system, User::ROOT);
    let from_others = Order::Revoke(User::YES.uid);
    for (who, revoke) in [("themselves", None), ("root", Some(&mut root))] {
        assert_eq!(user.does(&Order::SetUp(Grant::All)), Answer::Done);
        connect(&mut user);
        load(&mut user, User::YES, Grant::All);
        assert!(is_captured(&mut other));
        assert_eq!(other.does(&from_others), failed(bus::ERROR_DENIED), "polkit says no to that user");
        assert!(is_captured(&mut other));
        assert_eq!(revoke.unwrap_or(&mut user).does(&from_others), Answer::Done, "{who}");
        assert_eq!(user.does(&Order::Hear), Answer::Ended, "{who}");
        assert!(!is_captured(&mut other), "{who}");
        assert_eq!(user.does(&Order::Open), not_granted(), "{who}");
    }
}
