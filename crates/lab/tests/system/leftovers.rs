//! What is closed on purpose outlives the helper, and opens when somebody asks who may.

use ropeway_helper_api::{Block, BlockId, Capture, Grant, Reply, Request, SessionId, bus};
use ropeway_lab::system::{Answer, Caller, Order, Reached, System, User};

use crate::{ask, connect, failed, installed, load, reach, wait_for};

/// Captured while the tunnel is up, closed while it is not.
fn fail_closed(system: &System, user: User) -> Caller {
    let mut caller = Caller::new(system, user);
    assert_eq!(caller.does(&Order::SetUp(Grant::Own)), Answer::Done);
    connect(&mut caller);
    load(&mut caller, user, Grant::Own);
    let block = Block {
        id: BlockId(7),
        include: ["10.20.0.0/16", "fd20::/48"]
            .map(|net| net.parse::<ipnet::IpNet>().expect("a network").into())
            .into(),
        exclude: vec![],
        capture: Capture::User { uid: user.uid },
        endpoints: vec![],
        dns: false,
        direct_cgroup: false,
    };
    assert_eq!(ask(&mut caller, Request::Block { session: SessionId(1), block }), Reply::Done);
    assert_eq!(reach(&mut caller), Reached::Captured);
    caller
}

fn kill(system: &System, caller: &mut Caller) {
    let pid = system.owner(bus::NAME);
    system.run("systemctl", &["kill", "--signal=KILL", "ropeway-helper.service"]).expect("systemctl");
    assert_eq!(caller.does(&Order::Hear), Answer::Ended);
    wait_for("the name to be free", || system.owner(bus::NAME) != pid);
}

fn tables(system: &System) -> String {
    system.run("nft", &["list", "tables"]).expect("nft runs")
}

#[test]
fn ones_own_leftovers_are_opened_without_a_question() {
    let Some(system) = installed("ones_own_leftovers_are_opened_without_a_question") else { return };
    let mut caller = fail_closed(&system, User::YES);
    let mut other = Caller::new(&system, User::NO);
    kill(&system, &mut caller);
    assert_eq!(reach(&mut caller), Reached::Refused);
    assert_eq!(reach(&mut other), Reached::Neighbour, "it was for the first one's own traffic");
    assert_eq!(tables(&system), "table inet ropeway_ks");

    connect(&mut caller);
    assert_eq!(ask(&mut caller, Request::Leftovers), Reply::Leftovers { mine: 1, others: 0 });
    assert_eq!(reach(&mut caller), Reached::Refused, "a new helper changes nothing");
    assert_eq!(caller.does(&Order::Restore), Answer::Count(1));
    assert_eq!(reach(&mut caller), Reached::Neighbour);
    assert_eq!(tables(&system), "");
}

#[test]
fn others_leftovers_need_an_administrator() {
    let Some(system) = installed("others_leftovers_need_an_administrator") else { return };
    let mut caller = fail_closed(&system, User::YES);
    kill(&system, &mut caller);
    let mut other = Caller::new(&system, User::NO);
    assert_eq!(other.does(&Order::Restore), failed(bus::ERROR_DENIED));
    assert_eq!(reach(&mut caller), Reached::Refused);
    let mut root = Caller::new(&system, User::ROOT);
    assert_eq!(root.does(&Order::Restore), Answer::Count(1));
    assert_eq!(reach(&mut caller), Reached::Neighbour);
    assert_eq!(tables(&system), "");
}

#[test]
fn a_tunnel_that_comes_back_takes_its_leftovers_over() {
    let Some(system) = installed("a_tunnel_that_comes_back_takes_its_leftovers_over") else { return };
    let mut caller = fail_closed(&system, User::YES);
    kill(&system, &mut caller);
    let mut again = fail_closed(&system, User::YES);
    assert_eq!(ask(&mut again, Request::Leftovers), Reply::Leftovers { mine: 0, others: 0 });
    assert_eq!(ask(&mut again, Request::Unload { session: SessionId(1) }), Reply::Done);
    assert_eq!(reach(&mut again), Reached::Neighbour);
    assert_eq!(tables(&system), "");
}

#[test]
fn removal_opens_everything() {
    let Some(system) = installed("removal_opens_everything") else { return };
    let mut caller = fail_closed(&system, User::YES);
    kill(&system, &mut caller);
    assert_eq!(reach(&mut caller), Reached::Refused);
    system.run(ropeway_lab::system::HELPER, &["--remove"]).expect("it removes itself");
    assert_eq!(reach(&mut caller), Reached::Neighbour);
}
