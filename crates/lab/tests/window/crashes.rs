//! Everything is killed once. What dies takes its own with it and nothing else; what lives says what happened.

use std::time::Duration;

use nix::sys::signal::Signal::SIGKILL;
use ropeway_lab::{harness::wait_until, window::App};

use crate::stage::{CLEAN, SOON, Stage, connected, until};

#[test]
fn killing_the_app_leaves_nothing() {
    let Some(stage) = Stage::set("killapp") else { return };
    let app = stage.connected();
    app.process().signal(SIGKILL);
    stage.desktop.wait_until_clean(CLEAN).expect("clean");
    until("the agent is gone", CLEAN, || agents(&stage).is_empty());
    stage.assert_not_reached();
}

#[test]
fn the_end_of_the_display_server_leaves_nothing() {
    let Some(mut stage) = Stage::set("killx") else { return };
    let app = stage.connected();
    stage.desktop.crash_display();
    stage.desktop.wait_until_clean(CLEAN).expect("clean");
    assert!(!app.runs());
    until("the agent is gone", CLEAN, || agents(&stage).is_empty());
    stage.assert_not_reached();
}

#[test]
fn a_killed_helper_is_told_and_started_again() {
    let Some(stage) = Stage::set("killhelper") else { return };
    let app = stage.connected();
    let helper = stage.process("ropeway-helper");
    helper.signal(SIGKILL);
    told_and_connected_again(&stage, &app);
    assert_ne!(stage.process("ropeway-helper").pid, helper.pid);
}

#[test]
fn a_killed_ssh_is_told_and_started_again() {
    let Some(stage) = Stage::set("killssh") else { return };
    let app = stage.connected();
    let ssh = stage.master();
    ssh.signal(SIGKILL);
    told_and_connected_again(&stage, &app);
    assert_ne!(stage.master().pid, ssh.pid);
}

#[test]
fn a_killed_agent_is_told_and_started_again() {
    let Some(stage) = Stage::set("killagent") else { return };
    let app = stage.connected();
    let [agent] = agents(&stage).try_into().expect("one agent");
    agent.signal(SIGKILL);
    told_and_connected_again(&stage, &app);
    assert_ne!(agents(&stage)[0].pid, agent.pid);
}

#[test]
fn the_tunnel_goes_on_without_the_page_and_the_page_comes_back() {
    let Some(stage) = Stage::set("killpage") else { return };
    let app = stage.connected();
    let screen = stage.desktop.screen().expect("X answers");
    let switch = app.wait_for("connect-switch").and_then(|switch| switch.middle()).expect("the switch");

    // ends the WebDriver session too: from here on there is only a mouse
    stage.process(PAGE).signal(SIGKILL);
    stage.assert_reached();
    until("the window's switch works again", SOON, || {
        screen.click(switch.0, switch.1).expect("a click");
        wait_until(ANSWER, || !stage.visit().succeeded())
    });
    stage.assert_not_reached();
}

/// A click on a page that is not there yet is lost; one that is not, ends the tunnel within this time.
const ANSWER: Duration = Duration::from_secs(4);

/// The kernel's short name of the process that draws the page.
const PAGE: &str = "WebKitWebProces";

/// The next try comes after three quarters of a second at least; so long the reason stands there.
fn told_and_connected_again(stage: &Stage, app: &App) {
    app.wait_for("failure-code").expect("the reason");
    connected(app);
    stage.assert_reached();
}

fn agents(stage: &Stage) -> Vec<ropeway_lab::Process> {
    let all = stage.lab.server().processes();
    all.into_iter().filter(|process| process.line.contains("agent-")).collect()
}
