//! From nothing to a tunnel by hand, and its traffic in the table.

use std::{fs, process::Stdio};

use ropeway_lab::{
    Family,
    window::{App, Visit},
};

use crate::stage::{CLOSED, SOON, Stage, connected, off, switch};

#[test]
fn a_profile_typed_into_the_window_carries_curl_and_its_bytes_are_listed() {
    let Some(stage) = Stage::set("typed") else { return };
    stage.assert_not_reached();
    let app = stage.desktop.open_app().expect("the app opens");

    type_work(&app, &stage, "10.20.0.0/99");
    app.click("save").expect("Save can always be pressed");
    app.wait_for_text("problem[data-field=subnets]", "32", SOON).expect("the problem stands at its field");
    assert!(app.shows("editor").expect("the page answers"));
    assert!(!stage.desktop.profiles().join("work.toml").exists(), "nothing is saved");

    app.click("chip button").expect("the bad network can be removed");
    app.type_into("field-subnets", stage.lab.private_net(Family::V4)).expect("a good one");
    app.wait_until_gone("problem").expect("all is well");
    app.click("save").expect("Save");
    app.wait_for("profile-row[data-profile=work]").expect("it is in the list");
    let saved = fs::read_to_string(stage.desktop.profiles().join("work.toml")).expect("its file");
    assert!(saved.contains("10.20.0.0/16") && !saved.contains("/99"), "{saved}");

    switch(&app);
    connected(&app);
    assert_eq!(app.attribute("connect-switch", "aria-checked").expect("it is a switch"), "true");
    assert_eq!(app.title().expect("a title"), "Ropeway — Work: Connected");
    app.click("tab-connections").expect("the tab");
    assert_listed_with_its_program(&app, &stage);
    let visit = stage.assert_reached();
    assert_listed_with_its_bytes(&app, &visit);

    switch_off(&app);
    stage.assert_not_reached();
}

#[test]
fn leaving_the_editor_asks_before_it_forgets_and_deleting_before_it_deletes() {
    let Some(stage) = Stage::set("leave") else { return };
    stage.save_work("server");
    let app = stage.desktop.open_app().expect("the app opens");
    let file = stage.desktop.profiles().join("work.toml");

    app.click("edit").expect("Edit");
    app.type_into("field-name", " and play").expect("a longer name");
    app.click("cancel").expect("Cancel");
    app.click("refuse").expect("the question, and the way back");
    assert!(app.shows("editor").expect("the page answers"));
    app.click("cancel").expect("Cancel again");
    app.click("confirm").expect("the question, and the way on");
    app.wait_until_gone("editor").expect("it closes");
    assert!(!fs::read_to_string(&file).expect("its file").contains("play"));

    app.click("edit").expect("Edit");
    app.click("delete").expect("Delete");
    app.click("refuse").expect("not yet");
    assert!(file.exists());
    app.click("delete").expect("Delete again");
    app.click("confirm").expect("yes");
    app.wait_until_gone("profile-row[data-profile=work]").expect("it is no longer listed");
    assert!(!file.exists());
}

fn type_work(app: &App, stage: &Stage, subnet: &str) {
    app.click("add-profile").expect("New profile");
    app.type_into("field-name", "Work").expect("a name");
    app.type_into("field-server", "server").expect("a server");
    app.type_into("field-ssh-command", &stage.ssh()).expect("an ssh command");
    app.type_into("field-subnets", subnet).expect("a subnet");
}

/// A connection that lasts as long as we want.
fn assert_listed_with_its_program(app: &App, stage: &Stage) {
    app.wait_for("no-connections").expect("an empty table");
    let mut curl = stage.lab.client().command("curl").expect("the client is there");
    curl.args(["--silent", "--upload-file", "-", &stage.lab.web_url(Family::V4, "/upload")]);
    let mut curl = curl.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("curl runs");
    let row = "connection-row[data-state=open]";
    app.wait_for_text(&format!("{row} [data-col=app]"), "curl", SOON).expect("its program");
    let owner = app.attribute(&format!("{row} [data-col=app]"), "title").expect("a title");
    assert!(owner.contains("user ada") && owner.contains(&format!("process {}", curl.id())), "{owner}");
    assert_eq!(app.text(&format!("{row} [data-col=address]")).expect("an address"), "10.20.0.2:80");
    assert_eq!(app.text(&format!("{row} [data-col=rule]")).expect("a rule"), "10.20.0.0/16");
    drop(curl.stdin.take());
    assert!(curl.wait().expect("curl ends").success());
    app.wait_for("no-connections").expect("it is no longer among the active ones");
}

/// Another row has curl's own count.
fn assert_listed_with_its_bytes(app: &App, visit: &Visit) {
    app.click(CLOSED).expect("the closed ones");
    let row = format!("connection-row[data-down=\"{}\"][data-state=closed]", visit.received);
    app.wait_for(&row).expect("a row with curl's count");
    assert_eq!(app.attribute(&row, "data-up").expect("sent"), visit.sent.to_string());
    assert_eq!(app.all("connection-row").expect("rows").len(), 2, "only curl went through");
}

fn switch_off(app: &App) {
    app.click("tab-overview").expect("the tab");
    switch(app);
    off(app);
    app.wait_for_text("row-words", "Off", SOON).expect("in the list, too");
    assert_eq!(app.attribute("connect-switch", "aria-checked").expect("it is a switch"), "false");
}
