use proptest::prelude::*;

use super::*;

fn failure(code: Code) -> Failure {
    Failure::new(code, "bastion", "")
}

fn feed(machine: &mut Machine, inputs: impl IntoIterator<Item = Input>) -> Vec<Effect> {
    inputs.into_iter().flat_map(|input| machine.on(input, 0)).collect()
}

fn connected() -> Machine {
    let mut machine = Machine::default();
    feed(&mut machine, [Input::Connect, Input::Reached(Stage::LoadingRules), Input::Up]);
    machine
}

#[test]
fn connects_step_by_step() {
    let mut machine = Machine::default();
    assert_eq!(machine.on(Input::Connect, 0), [Effect::Start]);
    assert_eq!(machine.state().phase(), Phase::Connecting);
    feed(&mut machine, [Input::Reached(Stage::StartingAgent)]);
    assert!(matches!(machine.state(), State::Starting { stage: Stage::StartingAgent, again: false, .. }));
    feed(&mut machine, [Input::Up]);
    assert_eq!(machine.state().phase(), Phase::Connected);
}

#[test]
fn a_first_try_that_fails_says_so_at_once() {
    let mut machine = Machine::default();
    feed(&mut machine, [Input::Connect, Input::Ended(Err(failure(Code::ServerUnreachable)))]);
    assert_eq!(machine.state().phase(), Phase::Error);
    assert_eq!(machine.state().failure().map(|f| f.code), Some(Code::ServerUnreachable));
}

#[test]
fn a_lost_tunnel_is_tried_again_with_growing_pauses() {
    let mut machine = connected();
    let mut pauses = vec![];
    for _ in 0..3 {
        let effects = feed(&mut machine, [Input::Ended(Err(failure(Code::SshEnded)))]);
        let [Effect::Wait(pause)] = effects[..] else { panic!("{effects:?}") };
        pauses.push(pause.as_secs());
        assert_eq!(machine.state().phase(), Phase::Reconnecting);
        assert_eq!(feed(&mut machine, [Input::RetryDue]), [Effect::Start]);
    }
    assert_eq!(pauses, [1, 2, 4]);
    feed(&mut machine, [Input::Up]);
    assert_eq!(machine.state(), &State::Up);
}

#[test]
fn a_refused_key_stops_the_trying() {
    let mut machine = connected();
    feed(&mut machine, [Input::Ended(Err(failure(Code::SshEnded))), Input::RetryDue]);
    let effects = feed(&mut machine, [Input::Ended(Err(failure(Code::AuthKey)))]);
    assert_eq!((effects, machine.state().phase()), (vec![], Phase::Error));
}

#[test]
fn connect_during_the_pause_tries_now() {
    let mut machine = connected();
    feed(&mut machine, [Input::Ended(Err(failure(Code::SshEnded)))]);
    assert_eq!(feed(&mut machine, [Input::Connect]), [Effect::CancelWait, Effect::Start]);
}

#[test]
fn off_is_reached_only_when_everything_is_gone() {
    let mut machine = connected();
    assert_eq!(feed(&mut machine, [Input::Disconnect]), [Effect::Cancel]);
    assert_eq!(machine.state(), &State::Stopping { connect: false });
    feed(&mut machine, [Input::Ended(Ok(()))]);
    assert_eq!(machine.state(), &State::Off);
}

#[test]
fn connect_while_stopping_starts_anew_afterwards() {
    let mut machine = connected();
    feed(&mut machine, [Input::Disconnect, Input::Connect]);
    assert_eq!(feed(&mut machine, [Input::Ended(Ok(()))]), [Effect::Start]);
    assert_eq!(machine.state().phase(), Phase::Connecting);
}

#[test]
fn lost_rules_are_mended_without_a_new_login() {
    let mut machine = connected();
    assert_eq!(feed(&mut machine, [Input::RulesLost(failure(Code::HelperGone))]), []);
    assert_eq!(machine.state().phase(), Phase::Reconnecting);
    feed(&mut machine, [Input::Up]);
    assert_eq!(machine.state().phase(), Phase::Connected);
}

/// A machine that keeps something closed, in the state after these inputs.
fn closed(inputs: impl IntoIterator<Item = Input>) -> Machine {
    let mut machine = Machine::default();
    feed(&mut machine, [Input::Connect, Input::Closed]);
    feed(&mut machine, inputs);
    machine
}

#[test]
fn what_is_closed_blocks_whenever_the_tunnel_is_not_up() {
    let mut machine = closed([]);
    assert!(machine.is_blocking(), "before the first login");
    feed(&mut machine, [Input::Up]);
    assert!(!machine.is_blocking() && machine.is_closed());
    feed(&mut machine, [Input::Ended(Err(failure(Code::SshEnded)))]);
    assert!(machine.is_blocking());
    feed(&mut machine, [Input::RetryDue]);
    assert!(machine.is_blocking());
    feed(&mut machine, [Input::Ended(Err(failure(Code::AuthKey)))]);
    assert_eq!((machine.state().phase(), machine.is_blocking()), (Phase::Error, true));
}

#[test]
fn a_first_try_that_fails_leaves_it_closed_and_disconnect_opens_it() {
    let mut machine = closed([Input::Ended(Err(failure(Code::ServerUnreachable)))]);
    assert_eq!((machine.state().phase(), machine.is_blocking()), (Phase::Error, true));
    assert_eq!(feed(&mut machine, [Input::Disconnect]), [Effect::Open]);
    assert_eq!(machine.state(), &State::Opening { connect: false });
    assert_eq!(feed(&mut machine, [Input::Opened(Ok(()))]), []);
    assert_eq!((machine.state(), machine.is_closed()), (&State::Off, false));
}

#[test]
fn off_comes_after_the_attempt_and_after_the_opening() {
    let mut machine = closed([Input::Up]);
    assert_eq!(feed(&mut machine, [Input::Disconnect]), [Effect::Cancel]);
    assert_eq!(feed(&mut machine, [Input::Ended(Ok(()))]), [Effect::Open]);
    assert!(!machine.is_blocking(), "it was asked for: nothing to tell people");
    feed(&mut machine, [Input::Opened(Ok(()))]);
    assert_eq!(machine.state(), &State::Off);
}

#[test]
fn disconnect_in_the_pause_opens_too() {
    let mut machine = closed([Input::Up, Input::Ended(Err(failure(Code::SshEnded)))]);
    assert_eq!(feed(&mut machine, [Input::Disconnect]), [Effect::CancelWait, Effect::Open]);
}

#[test]
fn what_cannot_be_opened_is_told_and_can_be_tried_again() {
    let mut machine = closed([Input::Ended(Err(failure(Code::AuthKey))), Input::Disconnect]);
    feed(&mut machine, [Input::Opened(Err(failure(Code::HelperMissing)))]);
    assert_eq!((machine.state().phase(), machine.is_blocking()), (Phase::Error, true));
    assert_eq!(feed(&mut machine, [Input::Disconnect]), [Effect::Open]);
}

#[test]
fn a_new_start_never_opens_in_between() {
    let mut machine = closed([Input::Up, Input::Disconnect, Input::Connect]);
    assert_eq!(feed(&mut machine, [Input::Ended(Ok(()))]), [Effect::Start]);
    assert!(machine.is_closed());
    let mut machine = closed([Input::Ended(Err(failure(Code::AuthKey)))]);
    assert_eq!(feed(&mut machine, [Input::Connect]), [Effect::Start]);
    assert!(machine.is_blocking());
}

#[test]
fn connect_while_opening_starts_afterwards() {
    let mut machine = closed([Input::Ended(Err(failure(Code::AuthKey))), Input::Disconnect]);
    assert_eq!(feed(&mut machine, [Input::Connect]), []);
    assert_eq!(feed(&mut machine, [Input::Opened(Ok(()))]), [Effect::Start]);
}

fn inputs() -> impl Strategy<Value = Input> {
    prop_oneof![
        Just(Input::Connect),
        Just(Input::Disconnect),
        Just(Input::Up),
        Just(Input::RetryDue),
        Just(Input::Reached(Stage::LoadingRules)),
        Just(Input::RulesLost(failure(Code::HelperGone))),
        Just(Input::Closed),
        Just(Input::Opened(Ok(()))),
        Just(Input::Opened(Err(failure(Code::HelperGone)))),
        Just(Input::Ended(Ok(()))),
        Just(Input::Ended(Err(failure(Code::SshEnded)))),
        Just(Input::Ended(Err(failure(Code::AuthKey)))),
    ]
}

proptest! {
    #![proptest_config(crate::testing::rounds(500))]

    /// A driver that obeys (attempts end only when they run) never sees two things at once (an attempt, an opening, a
    /// pause), a pause is always either waited for or cancelled, and what is closed is opened before off.
    #[test]
    fn at_most_one_thing_at_a_time(script in prop::collection::vec(inputs(), 0..80)) {
        let mut machine = Machine::default();
        let (mut running, mut waiting, mut opening, mut closed) = (false, false, false, false);
        for input in script {
            match input {
                Input::Ended(_) | Input::Up | Input::Closed | Input::Reached(_) | Input::RulesLost(_)
                    if !running => continue,
                Input::RetryDue if !waiting => continue,
                Input::Opened(_) if !opening => continue,
                Input::Ended(_) => running = false,
                Input::RetryDue => waiting = false,
                Input::Closed => closed = true,
                Input::Opened(ref result) => (opening, closed) = (false, closed && result.is_err()),
                _ => {}
            }
            for effect in machine.on(input, 7) {
                match effect {
                    Effect::Start => { prop_assert!(!running && !waiting && !opening); running = true; }
                    Effect::Cancel => prop_assert!(running),
                    Effect::Wait(_) => { prop_assert!(!running && !waiting && !opening); waiting = true; }
                    Effect::CancelWait => { prop_assert!(waiting); waiting = false; }
                    Effect::Open => { prop_assert!(closed && !running && !waiting && !opening); opening = true; }
                }
            }
            let shows_attempt = matches!(machine.state(), State::Starting { .. } | State::Up | State::Mending { .. } | State::Stopping { .. });
            prop_assert_eq!(shows_attempt, running);
            prop_assert_eq!(matches!(machine.state(), State::Pausing { .. }), waiting);
            prop_assert_eq!(matches!(machine.state(), State::Opening { .. }), opening);
            prop_assert_eq!(machine.is_closed(), closed);
            prop_assert!(!(closed && machine.state() == &State::Off));
        }
    }
}
