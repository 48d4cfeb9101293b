//! What does not work is said, with its code, and breaks nothing else.

use std::fs;

use ropeway_lab::{Family, window::visit};

use crate::stage::{CLOSED, SOON, Stage, connected, switch};

#[test]
fn a_corrupt_profile_is_shown_as_such_and_left_alone() {
    let Some(stage) = Stage::set("corrupt") else { return };
    stage.save_work("server");
    let text = "format = 1\nname = \"Lab\nsubnets = 7";
    let file = stage.desktop.save_profile("lab", text).expect("a corrupt file");
    let app = stage.desktop.open_app().expect("the app opens all the same");

    assert!(app.text("broken-row").expect("it is listed").contains("lab.toml"));
    app.click("broken-row").expect("its row");
    assert_eq!(app.text("failure-code").expect("a code"), "E-PROFILE-FILE");
    assert!(!app.text("failure-title").expect("a title").is_empty());
    assert!(app.text("details").is_ok(), "the line that is wrong can be read");

    app.click("profile-row[data-profile=work]").expect("the other one");
    switch(&app);
    connected(&app);
    stage.assert_reached();
    assert_eq!(fs::read_to_string(&file).expect("the file"), text, "not touched");
}

#[test]
fn a_refused_key_is_named_with_its_code_and_nothing_is_captured() {
    let Some(stage) = Stage::set("wrongkey") else { return };
    stage.save_work("wrong-key");
    let app = stage.desktop.open_app().expect("the app opens");
    switch(&app);
    app.wait_for_text("failure-code", "E-AUTH-KEY", SOON).expect("a code");
    let title = app.text("failure-title").expect("a title");
    assert!(title.contains("refused your key"), "{title}");
    assert_eq!(app.attribute("connect-switch", "aria-checked").expect("it is a switch"), "false");
    stage.assert_not_reached();
}

#[test]
fn what_the_far_side_refuses_or_cannot_reach_is_listed_as_such() {
    let Some(stage) = Stage::set("refuses") else { return };
    let app = stage.connected();
    app.click("tab-connections").expect("the tab");
    for (target, state, words) in [
        (stage.lab.refuses(Family::V4), "refused", "Refused"),
        (stage.lab.unreachable(Family::V4), "unreachable", "Unreachable"),
    ] {
        let visit = visit(&stage.lab.client(), &format!("http://{target}/"), SOON).expect("curl runs");
        assert!(!visit.succeeded() && visit.body.is_empty(), "{visit:?}");
        app.click(CLOSED).expect("the closed ones");
        let row = format!("connection-row[data-state={state}]");
        app.wait_for_text(&format!("{row} [data-col=result]"), words, SOON).expect("its result, in words");
        assert_eq!(app.attribute(&row, "data-down").expect("a count"), "0", "no byte came");
    }
}

#[test]
fn a_server_that_is_this_computer_is_told_before_any_rule_is_loaded() {
    let Some(stage) = Stage::set("same") else { return };
    stage.save_work("same-machine");
    let app = stage.desktop.open_app().expect("the app opens");
    switch(&app);
    app.wait_for_text("failure-code", "E-SAME-MACHINE", SOON).expect("a code");
    stage.assert_not_reached();
}
