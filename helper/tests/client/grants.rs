//! Each request by each kind of user: who may.

use ropeway_helper::{client::Client, rules::ClientId};
use ropeway_helper_api::{
    Block, BlockId, Capture, Dns, Grant, HelperCode, HostEntry, Hosts, Leaks, Plan, Reply, Request, SessionId,
};

use crate::world::{ALICE, BOB, Bench, EVE, code, hello, load, plan};

/// What the columns `all`, `own` and root get.
const YES: Option<HelperCode> = None;
const NO: Option<HelperCode> = Some(HelperCode::NotGranted);

fn load_with(change: impl FnOnce(&mut Plan)) -> Request {
    let mut plan = plan("10.0.0.0/8", 2000);
    change(&mut plan);
    Request::Load { session: SessionId(1), plan }
}

fn capturing(capture: Capture) -> Request {
    load_with(|plan| plan.capture = capture)
}

fn block(capture: Capture) -> Request {
    let block = Block {
        id: BlockId(7),
        include: vec!["10.0.0.0/8".parse::<ipnet::IpNet>().unwrap().into()],
        exclude: vec![],
        capture,
        endpoints: vec![],
        dns: false,
        direct_cgroup: false,
    };
    Request::Block { session: SessionId(1), block }
}

fn names() -> Request {
    let entry = HostEntry { name: "db".into(), address: "10.0.0.7".parse().unwrap() };
    Request::SetHosts { session: SessionId(1), hosts: Hosts { suffixes: vec![], entries: vec![entry] } }
}

#[test]
fn a_grant_covers_what_it_says_and_nothing_else() {
    let dns = Dns { servers: vec![], v4: Some(5300), v6: None, resolver: None };
    let session = SessionId(1);
    let table = [
        ("everyone", capturing(Capture::Everyone), YES, NO),
        ("a group", capturing(Capture::Group { gid: 1001 }), YES, NO),
        ("Alice", capturing(Capture::User { uid: ALICE }), YES, NO),
        ("Bob", capturing(Capture::User { uid: BOB }), YES, YES),
        ("root", capturing(Capture::User { uid: 0 }), YES, NO),
        (
            "Bob's names",
            load_with(|plan| (plan.capture, plan.dns) = (Capture::User { uid: BOB }, Some(dns))),
            YES,
            NO,
        ),
        (
            "forwarded",
            load_with(|plan| (plan.capture, plan.forwarded) = (Capture::User { uid: BOB }, vec![1])),
            YES,
            NO,
        ),
        (
            "refused and counted",
            load_with(|plan| {
                plan.capture = Capture::User { uid: BOB };
                (plan.reject.quic, plan.meter) = (true, true);
            }),
            YES,
            YES,
        ),
        ("closed for everyone", block(Capture::Everyone), YES, NO),
        ("closed for Bob", block(Capture::User { uid: BOB }), YES, YES),
        ("closed for Alice", block(Capture::User { uid: ALICE }), YES, NO),
        ("unload", Request::Unload { session }, YES, YES),
        ("hold", Request::Hold { session }, YES, YES),
        ("leftovers", Request::Leftovers, YES, YES),
        ("one's own leftovers", Request::Restore { everybody: false }, YES, YES),
        ("everybody's leftovers", Request::Restore { everybody: true }, NO, NO),
    ];
    for (what, request, all, own) in table {
        assert_eq!(code(&Bench::greeted().say(request.clone())), all, "{what} with all");
        assert_eq!(code(&Bench::greeted_as(BOB, Grant::Own).say(request.clone())), own, "{what} with own");
        assert_eq!(code(&Bench::greeted_as(0, Grant::All).say(request)), YES, "{what} as root");
    }
}

#[test]
fn names_need_all_and_a_plan() {
    let mut bench = Bench::greeted();
    assert_eq!(code(&bench.say(names())), Some(HelperCode::Hosts), "before the plan");
    bench.say(load(1, "10.0.0.0/8", 2000));
    assert_eq!(bench.say(names()).reply, Reply::Hosts { refused: vec![] });
    let mut bench = Bench::greeted_as(BOB, Grant::Own);
    bench.say(capturing(Capture::User { uid: BOB }));
    assert_eq!(code(&bench.say(names())), NO);
}

#[test]
fn names_leave_with_the_routes_that_carried_them() {
    let mut bench = Bench::greeted();
    let file = bench.folder.path().join("hosts");
    let has_name = || std::fs::read_to_string(&file).unwrap().contains("db");
    bench.say(load(1, "10.0.0.0/8", 2000));
    bench.say(names());
    assert!(has_name());
    bench.say(load(1, "11.0.0.0/8", 2000));
    assert!(!has_name(), "10.0.0.7 is outside now");
    bench.say(load(1, "10.0.0.0/8", 2000));
    assert!(has_name());
    bench.say(Request::Hold { session: SessionId(1) });
    assert!(!has_name());
}

/// Also another program of the same user has sessions of its own, whatever their numbers.
#[test]
fn a_meter_tells_its_own_session_alone() {
    let mut bench = Bench::greeted();
    let meter = || Request::Meter { session: SessionId(1) };
    assert_eq!(code(&bench.say(meter())), Some(HelperCode::Unsupported), "before the plan");
    bench.say(load_with(|plan| plan.meter = true));
    assert_eq!(bench.say(meter()).reply, Reply::Meter { leaks: Leaks::default() });
    for uid in [ALICE, BOB, 0] {
        bench.client = Client::new(ClientId(2), uid);
        bench.say(hello());
        assert_eq!(code(&bench.say(meter())), Some(HelperCode::Unsupported), "{uid}");
    }
}

#[test]
fn who_has_no_grant_is_told_so_at_once() {
    let answer = Bench::of(EVE).say(hello());
    assert_eq!((code(&answer), answer.close), (NO, true));
}

#[test]
fn a_revoked_grant_ends_the_conversation_at_the_next_word() {
    let mut bench = Bench::greeted();
    bench.state.lock().unwrap().grants.revoke(ALICE).unwrap();
    let answer = bench.say(load(1, "10.0.0.0/8", 2000));
    assert_eq!((code(&answer), answer.close), (NO, true));
}

/// The disk, or the table of open files, is full for a moment: nobody's tunnel ends because of that.
#[test]
fn a_grant_that_cannot_be_read_now_is_not_a_revoked_one() {
    let mut bench = Bench::greeted();
    bench.say(load(1, "10.0.0.0/8", 2000));
    let file = bench.folder.path().join("state/grants");
    let aside = file.with_extension("aside");
    std::fs::rename(&file, &aside).unwrap();
    std::fs::create_dir(&file).unwrap(); // opens, and cannot be read
    let answer = bench.say(load(2, "11.0.0.0/8", 3000));
    assert_eq!((code(&answer), answer.close), (Some(HelperCode::Limit), false));
    assert_eq!(bench.kernel.listeners(), [2000]);
    std::fs::remove_dir(&file).unwrap();
    std::fs::rename(&aside, &file).unwrap();
    assert_eq!(code(&bench.say(load(2, "11.0.0.0/8", 3000))), YES);
}

#[test]
fn what_a_crash_left_closed_is_counted_and_opened() {
    let mut bench = Bench::greeted();
    assert_eq!(bench.say(block(Capture::Everyone)).reply, Reply::Done);
    assert_eq!(bench.say(Request::Leftovers).reply, Reply::Leftovers { mine: 0, others: 0 }, "not left yet");
    bench.state.lock().unwrap().undo(ropeway_helper::rules::ClientId(1)).unwrap();
    assert_eq!(bench.say(Request::Leftovers).reply, Reply::Leftovers { mine: 1, others: 0 });
    assert_eq!(bench.say(Request::Restore { everybody: false }).reply, Reply::Done);
    assert_eq!(bench.say(Request::Leftovers).reply, Reply::Leftovers { mine: 0, others: 0 });
}

#[test]
fn a_version_is_for_people_and_short() {
    let version = "v".repeat(ropeway_helper_api::limit::VERSION + 1);
    let Request::Hello { epoch, revision, .. } = hello() else { unreachable!() };
    let answer = Bench::new().say(Request::Hello { epoch, revision, version });
    assert_eq!((code(&answer), answer.close), (Some(HelperCode::Malformed), true));
}

#[test]
fn what_a_newer_revision_asks_is_refused_and_the_connection_goes_on() {
    let answer = Bench::greeted().say(Request::Unknown);
    assert_eq!((code(&answer), answer.close), (Some(HelperCode::Unsupported), false));
}
