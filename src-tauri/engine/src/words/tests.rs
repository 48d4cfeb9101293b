use std::collections::HashSet;

use super::*;
use crate::api::Phase;

#[test]
fn every_code_is_in_the_list_of_all() {
    // A new code does not compile here until it has its number; then the list must have grown too.
    let number = |code: Code| match code {
        Code::AuthKey => 0,
        Code::HostKeyNew => 1,
        Code::HostKeyChanged => 2,
        Code::ServerName => 3,
        Code::ServerUnreachable => 4,
        Code::Ssh => 5,
        Code::SshMissing => 6,
        Code::SshEnded => 7,
        Code::NoExec => 8,
        Code::AgentEnded => 9,
        Code::Agent => 10,
        Code::Protocol => 11,
        Code::SameMachine => 12,
        Code::HelperBusy => 13,
        Code::HelperOld => 14,
        Code::HelperMissing => 15,
        Code::HelperGone => 16,
        Code::Firewall => 17,
        Code::Resources => 18,
        Code::ProfileMissing => 19,
        Code::ProfileInvalid => 20,
        Code::ProfileFile => 21,
        Code::ProfileSave => 22,
        Code::Import => 23,
        Code::NotGranted => 24,
        Code::Denied => 25,
        Code::HelperSetup => 26,
        Code::FirewallGone => 27,
        Code::DnsTaken => 32,
        Code::Hosts => 28,
        Code::Unsupported => 29,
        Code::CannotHold => 30,
        Code::TooManyOpen => 31,
        Code::Internal => 33,
    };
    let numbers: HashSet<i32> = Code::ALL.iter().map(|&code| number(code)).collect();
    assert_eq!(numbers, (0..=number(Code::Internal)).collect());
    assert_eq!(numbers.len(), Code::ALL.len(), "a code is there twice");
}

/// Blame, machine talk, and ways out that are none.
const BANNED: [&str; 11] = [
    "sudo",
    "root",
    "error",
    "exit",
    "status",
    "log",
    "invalid",
    "illegal",
    "failed",
    "you must",
    "you forgot",
];

#[test]
fn every_code_has_words_in_our_style() {
    for &code in Code::ALL {
        let Words { title, cause } = of(code);
        assert!(!title.is_empty() && !cause.is_empty(), "{code:?} has no words");
        for text in [title, cause] {
            let spoken = format!(" {} ", text.to_lowercase().replace([',', '.', ';', ':'], " "));
            assert!(text.ends_with('.'), "{code:?}: {text}");
            assert!(!text.contains("  ") && !text.contains('!'), "{code:?}: {text}");
            for banned in BANNED {
                assert!(!spoken.contains(&format!(" {banned} ")), "{code:?} says {banned:?}: {text}");
            }
        }
        let subjects = usize::from(![Code::Resources, Code::FirewallGone, Code::Internal].contains(&code));
        assert_eq!(
            title.matches("{}").count(),
            subjects,
            "{code:?}: a title names its subject, where it has one"
        );
        assert_eq!(title.matches('.').count(), 1, "{code:?}: a title is one sentence");
        assert!(title.len() <= 60, "{code:?}: too long for a notification: {title}");
    }
}

#[test]
fn no_two_codes_have_the_same_title() {
    let titles: HashSet<&str> = Code::ALL.iter().map(|&code| of(code).title).collect();
    assert_eq!(titles.len(), Code::ALL.len());
}

#[test]
fn the_subject_is_in_the_title() {
    let failure = Failure::new(Code::AuthKey, "work.example.org", "Permission denied (publickey).");
    assert_eq!(failure.title, "work.example.org refused your key.");
    assert!(!failure.cause.contains("{}"));
    assert_eq!(
        (failure.subject.as_str(), failure.detail.as_str()),
        ("work.example.org", "Permission denied (publickey).")
    );
}

#[test]
fn same_machine_says_the_way_out() {
    let failure = Failure::new(Code::SameMachine, "here", "");
    assert!(
        failure.cause.contains("\u{201c}This computer\u{201d}")
            && failure.cause.contains("a server elsewhere")
    );
}

#[test]
fn states_have_the_words_of_the_design() {
    let refused = Failure::new(Code::AuthKey, "bastion", "");
    let table = [
        (state(Phase::Off, None, 0, None, None), "Off"),
        (state(Phase::Connecting, Some("signing in"), 1, None, None), "Connecting \u{2014} signing in"),
        (state(Phase::Connecting, None, 1, None, None), "Connecting"),
        (state(Phase::Reconnecting, None, 2, Some(8), Some(&refused)), "Reconnecting (2nd try, in 8 s)"),
        (
            state(Phase::Reconnecting, Some("signing in"), 3, None, None),
            "Reconnecting (3rd try) \u{2014} signing in",
        ),
        (state(Phase::Reconnecting, None, 0, None, None), "Reconnecting"),
        (state(Phase::Reconnecting, None, 12, Some(0), None), "Reconnecting (12th try)"),
        (state(Phase::Reconnecting, None, 21, Some(121), None), "Reconnecting (21st try, in 3 min)"),
        (state(Phase::Waiting, None, 0, None, None), "Waiting for network"),
        (state(Phase::Waiting, Some("a touch of the key"), 0, None, None), "Waiting for a touch of the key"),
        (state(Phase::Connected, None, 0, None, None), "Connected"),
        (state(Phase::Connected, Some("not verified"), 0, None, None), "Connected \u{2014} not verified"),
        (state(Phase::Paused, None, 0, Some(420), None), "Paused, 7 min left"),
        (state(Phase::Paused, None, 0, None, None), "Paused"),
        (state(Phase::NeedsYou, Some("your code"), 0, None, None), "Needs your code"),
        (state(Phase::Error, None, 0, None, Some(&refused)), "bastion refused your key"),
        (
            state(Phase::Error, Some("all traffic is held"), 0, None, Some(&refused)),
            "bastion refused your key \u{2014} all traffic is held",
        ),
        (state(Phase::Error, None, 0, None, None), "Error"),
        (
            state(Phase::Reconnecting, Some("traffic to 3 networks is held"), 0, None, None),
            "Reconnecting \u{2014} traffic to 3 networks is held",
        ),
        (state(Phase::SetUp, None, 0, None, None), "Set-up not finished"),
    ];
    for (words, expected) in table {
        assert_eq!(words, expected);
    }
}

#[test]
fn another_programs_words_cannot_steer_a_terminal() {
    let failure = Failure::new(Code::NoExec, "bastion", "one\x1b]0;title\x07\ntwo\r");
    assert_eq!(failure.detail, "one\u{fffd}]0;title\u{fffd}\ntwo\u{fffd}");
}
