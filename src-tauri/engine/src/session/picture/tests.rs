use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use ropeway_helper_api::{Capture, SessionId};

use super::*;
use crate::{
    agents::Agents,
    api::{Code, Profile, ProfileId, WhileDown},
    helper::Helper,
    live::Table,
    memory::Memory,
    meters::Meters,
    profile,
    session::{
        closed::Closed,
        conflicts::Names,
        machine::{Input, Stage},
        up::Tools,
    },
};

fn context(while_down: WhileDown) -> Context {
    let subnets = ["10/8", "172.16/12", "192.168/16"].map(str::to_owned).to_vec();
    let profile =
        Profile { name: "Work".into(), server: "bastion".into(), subnets, while_down, ..Profile::default() };
    let parsed = profile::parse(&profile).unwrap();
    let helper = Arc::new(Helper::new(PathBuf::new()));
    let tools = Tools {
        meters: Arc::new(Meters::new(helper.clone())),
        helper,
        hosts: Arc::default(),
        table: Arc::new(Table::default()),
        agents: Arc::new(Agents::default()),
        ours: Arc::default(),
        names: Names::default(),
        answering: Arc::default(),
        ups: Arc::default(),
        memory: Arc::new(Memory::new(Path::new(""))),
        runtime: PathBuf::new(),
    };
    Context {
        profile: ProfileId("work".into()),
        name: profile.name,
        closed: Closed::of(
            &ProfileId("work".into()),
            &parsed,
            Capture::Everyone,
            &std::collections::BTreeSet::new(),
        ),
        parsed: Arc::new(parsed),
        invalid: None,
        session: SessionId(1),
        tools: Arc::new(tools),
    }
}

fn lost() -> Input {
    Input::Ended(Err(Failure::new(Code::SshEnded, "bastion", "")))
}

/// The status after these inputs; a pause has 8 seconds left.
fn after(context: &Context, inputs: impl IntoIterator<Item = Input>, note: Option<&Failure>) -> Status {
    let mut machine = Machine::default();
    for input in [Input::Connect].into_iter().chain(inputs) {
        machine.on(input, 0);
    }
    let pausing = matches!(machine.state(), State::Pausing { .. });
    picture(&Picture {
        context,
        next: context,
        machine: &machine,
        health: Health { verified: true, ..Health::default() },
        since: 0,
        retry: pausing.then_some(Duration::from_secs(8)),
        conflicts: &[Conflict { subnet: "10/8".into(), holder: "Lab".into() }],
        note,
    })
}

#[test]
fn what_is_held_is_part_of_the_words() {
    let (networks, all) = (context(WhileDown::Networks), context(WhileDown::Everything));
    let held = "traffic to 3 networks is held";
    for (context, inputs, expected) in [
        (&networks, vec![Input::Closed], "Connecting \u{2014} signing in".to_owned()),
        (&networks, vec![Input::Closed, Input::Up], "Connected".to_owned()),
        (
            &networks,
            vec![Input::Closed, Input::Up, lost()],
            format!("Reconnecting (1st try, in 8 s) \u{2014} {held}"),
        ),
        (
            &networks,
            vec![Input::Closed, Input::Up, lost(), Input::RetryDue, Input::Reached(Stage::StartingAgent)],
            format!("Reconnecting (1st try) \u{2014} {held}"),
        ),
        (
            &all,
            vec![Input::Closed, lost()],
            "The connection to bastion was lost \u{2014} all traffic is held".to_owned(),
        ),
        (&networks, vec![Input::Closed, lost(), Input::Disconnect], "Off".to_owned()),
    ] {
        assert_eq!(after(context, inputs, None).words, expected);
    }
}

#[test]
fn the_way_out_is_told_where_something_is_held() {
    let context = context(WhileDown::Networks);
    let status = after(&context, [Input::Closed, lost()], None);
    assert!(status.blocking && status.sentence.ends_with("disconnect to let it go its usual way."));
    let open = after(&context, [lost()], None);
    assert!(!open.blocking && !open.sentence.contains("held"), "{}", open.sentence);
}

#[test]
fn a_note_leaves_it_connected_and_goes_with_the_connection() {
    let context = context(WhileDown::Open);
    let note = Failure::new(Code::FirewallGone, "this computer", "");
    let up = after(&context, [Input::Up], Some(&note));
    assert_eq!((up.phase, up.words.as_str()), (Phase::Connected, "Connected"));
    assert_eq!(up.failure.as_ref(), Some(&note));
    assert_eq!(up.conflicts.len(), 1);
    let down = after(&context, [Input::Up, lost()], Some(&note));
    assert_eq!(down.failure.map(|failure| failure.code), Some(Code::SshEnded));
    assert_eq!(down.conflicts, []);
}
