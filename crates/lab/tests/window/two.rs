//! Two tunnels in one app, the first of them for everything. The second one's ssh, and the first one's own when it
//! comes back, must go around both: who signs in from where, only the hosts at the other end can tell.

use std::{collections::BTreeSet, net::SocketAddr, process::Stdio, time::Duration};

use nix::sys::signal::Signal::SIGKILL;
use ropeway_lab::{
    Family, Host, Process,
    harness::wait_until,
    window::{App, Visit, visit},
};

use crate::stage::{SOON, Stage, switch, until};

/// The profile for everything, by way of the jump host.
const ALL: &str = "all";

/// The profile for the private network.
const WORK: &str = "work";

/// The jump host, as the server sees it.
const JUMP_INSIDE: &str = "192.168.30.1";

/// Signing in by way of the jump host takes a second, a first try that fails and the pause after it some more.
const AGAIN: Duration = Duration::from_secs(30);

#[test]
fn two_tunnels_one_of_them_for_everything_do_not_disturb_each_other() {
    let Some(stage) = Stage::set("two") else { return };
    let app = both(&stage);
    assert_eq!(redirections(&stage), 2, "{}", rules(&stage));
    assert!(rules(&stage).contains("10.20.0.0/16"), "{}", rules(&stage));
    assert_the_most_specific_wins(&stage, &app);

    lose(&stage, &app, ALL, "server-via-jump");
    assert!(is(&app, WORK, "connected"), "the other one is not concerned");
    stage.assert_reached();
    assert_all_is_well(&stage, &app);

    lose(&stage, &app, WORK, "server");
    assert_all_is_well(&stage, &app);

    toggle(&app, ALL);
    wait_for(&app, ALL, "off");
    assert!(is(&app, WORK, "connected"), "the other one is not concerned");
    assert_eq!(redirections(&stage), 1, "{}", rules(&stage));
    stage.assert_reached();
    assert_eq!(seen_by_the_public(&stage), stage.lab.client().address(Family::V4).to_string());

    toggle(&app, WORK);
    wait_for(&app, WORK, "off");
    stage.assert_not_reached();
}

/// First the one for everything, then the other through its rules.
fn both(stage: &Stage) -> App {
    stage.save("All", "server-via-jump", "0.0.0.0/0");
    stage.save_work("server");
    let app = stage.desktop.open_app().expect("the app opens");
    toggle(&app, ALL);
    wait_for(&app, ALL, "connected");
    assert_eq!(redirections(stage), 1, "{}", rules(stage));
    assert_a_strangers_login_is_captured(stage);
    toggle(&app, WORK);
    assert_all_is_well(stage, &app);
    app
}

/// Both are connected, carry traffic, and nobody's ssh went through a tunnel.
fn assert_all_is_well(stage: &Stage, app: &App) {
    wait_for(app, ALL, "connected");
    wait_for(app, WORK, "connected");
    stage.assert_reached();
    assert_eq!(seen_by_the_public(stage), stage.lab.server().address(Family::V4).to_string());
    assert_nobody_is_captured(stage);
}

/// Compare [`assert_a_strangers_login_is_captured`].
fn assert_nobody_is_captured(stage: &Stage) {
    let client = stage.lab.client().address(Family::V4).to_string();
    let expected = [BTreeSet::from([client.clone()]), BTreeSet::from([client, JUMP_INSIDE.into()])];
    let found = || [stage.lab.jump(), stage.lab.server()].map(|host| signed_in_from(&host));
    // sshd may not have noticed yet that a login is gone
    wait_until(SOON, || found() == expected);
    assert_eq!(found(), expected, "who signed in at jump and server, from where");
}

/// What it looks like when an ssh is not Ropeway's own: it comes from the server itself.
fn assert_a_strangers_login_is_captured(stage: &Stage) {
    let server = stage.lab.server();
    let itself = server.address(Family::V4).to_string();
    let mut ssh = stage.lab.client().command("ssh").expect("the client is up");
    ssh.arg("-F").arg(stage.lab.ssh_config()).args(["server", "cat"]);
    let mut ssh = ssh.stdin(Stdio::piped()).spawn().expect("ssh runs");
    until("it comes from the server", SOON, || signed_in_from(&server).contains(&itself));
    drop(ssh.stdin.take());
    assert!(ssh.wait().expect("ssh ends").success());
}

/// Which of the two carried a connection is told by whose table has it.
fn assert_the_most_specific_wins(stage: &Stage, app: &App) {
    open(app, ALL);
    app.click("tab-connections").expect("the tab");
    app.click("[aria-label=\"Which connections\"] label:last-child").expect("the closed ones");
    let public = public_visit(stage);
    let row = format!("connection-row[data-down=\"{}\"]", public.received);
    app.wait_for(&row).expect("the public visit");
    assert_eq!(app.text(&format!("{row} [data-col=rule]")).expect("a rule"), "0.0.0.0/0");
    let listed = texts(app, "connection-row [data-col=address]");
    assert!(!listed.iter().any(|address| address.starts_with("10.20.")), "{listed:?}");

    open(app, WORK);
    let private = stage.assert_reached();
    let row = format!("connection-row[data-down=\"{}\"]", private.received);
    app.wait_for(&row).expect("the private visit");
    assert_eq!(app.text(&format!("{row} [data-col=rule]")).expect("a rule"), "10.20.0.0/16");
    app.click("tab-overview").expect("the tab");
}

/// The page of the hub that says who asked for it.
fn public_visit(stage: &Stage) -> Visit {
    let url = stage.lab.public_web_url(Family::V4, "/whoami");
    let visit = visit(&stage.lab.client(), &url, SOON).expect("curl runs");
    assert!(visit.succeeded(), "{visit:?}");
    visit
}

fn seen_by_the_public(stage: &Stage) -> String {
    public_visit(stage).body.trim().to_owned()
}

/// Kills a profile's login to that host of the lab, and waits until the window says so. That lasts as long as the
/// pause before the next try, three quarters of a second at least.
fn lose(stage: &Stage, app: &App, profile: &str, server: &str) {
    let is_it = |process: &Process| {
        let line = &process.line;
        process.name == "ssh" && line.contains(" -M ") && line.ends_with(&format!(" -- {server}"))
    };
    let all = stage.lab.client().processes();
    all.iter().find(|process| is_it(process)).unwrap_or_else(|| panic!("{all:#?}")).signal(SIGKILL);
    wait_for(app, profile, "reconnecting");
}

/// The other ends of a host's connections to its sshd.
fn signed_in_from(host: &Host) -> BTreeSet<String> {
    let mut ss = host.command("ss").expect("the host is up");
    ss.args(["--no-header", "--numeric", "--tcp", "state", "established", "sport", "=", ":22"]);
    let output = ss.output().expect("ss runs");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    let peer = |line: &str| line.split_whitespace().nth(3)?.parse::<SocketAddr>().ok();
    text.lines().map(|line| peer(line).unwrap_or_else(|| panic!("{line}")).ip().to_string()).collect()
}

fn rules(stage: &Stage) -> String {
    let mut nft = stage.lab.client().as_root().command("nft").expect("the client is up");
    let output = nft.args(["list", "ruleset"]).output().expect("nft runs");
    String::from_utf8_lossy(&output.stdout).into()
}

fn redirections(stage: &Stage) -> usize {
    rules(stage).matches("redirect to").count()
}

fn toggle(app: &App, profile: &str) {
    open(app, profile);
    switch(app);
}

/// Shows the profile's page.
fn open(app: &App, profile: &str) {
    app.click(&format!("profile-row[data-profile={profile}]")).expect("its row");
    app.wait_for(&format!("profile-row[data-profile={profile}][aria-current=page]")).expect("its page");
}

fn is(app: &App, profile: &str, phase: &str) -> bool {
    app.shows(&format!("profile-row[data-profile={profile}][data-phase={phase}]")).expect("the page answers")
}

fn wait_for(app: &App, profile: &str, phase: &str) {
    until(&format!("{profile} is {phase}"), AGAIN, || is(app, profile, phase));
}

fn texts(app: &App, what: &str) -> Vec<String> {
    app.all(what).expect("the page answers").iter().map(|found| found.text().expect("a text")).collect()
}
