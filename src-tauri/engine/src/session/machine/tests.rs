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

fn inputs() -> impl Strategy<Value = Input> {
    prop_oneof![
        Just(Input::Connect),
        Just(Input::Disconnect),
        Just(Input::Up),
        Just(Input::RetryDue),
        Just(Input::Reached(Stage::LoadingRules)),
        Just(Input::RulesLost(failure(Code::HelperGone))),
        Just(Input::Ended(Ok(()))),
        Just(Input::Ended(Err(failure(Code::SshEnded)))),
        Just(Input::Ended(Err(failure(Code::AuthKey)))),
    ]
}

proptest! {
    #![proptest_config(crate::testing::rounds(500))]

    /// A driver that obeys (attempts end only when they run) never sees two attempts at once, and a pause is always
    /// either waited for or cancelled.
    #[test]
    fn at_most_one_attempt_and_one_pause(script in prop::collection::vec(inputs(), 0..60)) {
        let mut machine = Machine::default();
        let (mut running, mut waiting) = (false, false);
        for input in script {
            match input {
                Input::Ended(_) | Input::Up | Input::Reached(_) | Input::RulesLost(_) if !running => continue,
                Input::RetryDue if !waiting => continue,
                Input::Ended(_) => running = false,
                Input::RetryDue => waiting = false,
                _ => {}
            }
            for effect in machine.on(input, 7) {
                match effect {
                    Effect::Start => { prop_assert!(!running && !waiting); running = true; }
                    Effect::Cancel => prop_assert!(running),
                    Effect::Wait(_) => { prop_assert!(!running && !waiting); waiting = true; }
                    Effect::CancelWait => { prop_assert!(waiting); waiting = false; }
                }
            }
            let shows_attempt = matches!(machine.state(), State::Starting { .. } | State::Up | State::Mending { .. } | State::Stopping { .. });
            prop_assert_eq!(shows_attempt, running);
            prop_assert_eq!(matches!(machine.state(), State::Pausing { .. }), waiting);
        }
    }
}
