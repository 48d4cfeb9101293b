//! `ropeway helper` as a person in a terminal has it: one password, and later none.

use ropeway_lab::system::{PASSWORD, PROGRAMS, System, Terminal, User};

fn ropeway(system: &System, user: User, arguments: &[&str]) -> Terminal {
    let mut command = system.command_of(user, &format!("{PROGRAMS}/ropeway"));
    Terminal::start(command.args(arguments)).expect("it runs")
}

/// Nobody has to be asked, and it says that.
#[track_caller]
fn says(system: &System, user: User, arguments: &[&str], text: &str) {
    ends(ropeway(system, user, arguments), text);
}

/// An administrator has to agree, and it says that.
#[track_caller]
fn says_after_password(system: &System, arguments: &[&str], text: &str) {
    let mut terminal = ropeway(system, User::ASK, arguments);
    terminal.type_password(PASSWORD).expect("it asks");
    ends(terminal, text);
}

#[track_caller]
fn ends(mut terminal: Terminal, text: &str) {
    terminal.wait_for(text).expect("it says so");
    assert!(terminal.end().expect("it ends").success(), "{}", terminal.screen());
}

#[test]
fn the_command_line_sets_up_and_removes() {
    let Some(system) = System::boot("the_command_line_sets_up_and_removes") else { return };
    let outside_homes = || {
        let changed = system.changed().expect("find runs").into_iter();
        changed.filter(|path| !path.starts_with("home/")).collect::<Vec<_>>()
    };
    let before = outside_homes();
    says(&system, User::ASK, &["helper", "status"], "not done");
    says_after_password(&system, &["helper", "setup"], "Done.");
    says(&system, User::ASK, &["helper", "status"], "done by this app");
    says(&system, User::ASK, &["helper", "grants"], User::ASK.name);
    says(&system, User::NO, &["helper", "grants"], "Nobody that you can see");
    says(&system, User::ASK, &["helper", "revoke"], "Taken away");
    says_after_password(&system, &["helper", "setup", "--all"], "the whole computer's traffic");
    says_after_password(&system, &["helper", "remove"], "Removed");
    assert_eq!(outside_homes(), before);
}
