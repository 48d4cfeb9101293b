#![allow(clippy::unwrap_used)]

use super::super::{check, parse};
use super::*;

fn work() -> Profile {
    Profile {
        name: "Work".into(),
        server: "me@bastion:2222".into(),
        subnets: vec!["10/8".into(), "[fd00::/8]:443".into()],
        excludes: vec!["10.9.0.0/16".into()],
        ..Profile::default()
    }
}

/// Field, entry and message of each problem.
fn problems(profile: &Profile) -> Vec<(Field, Option<u32>, String)> {
    check(profile)
        .problems
        .into_iter()
        .map(|problem| (problem.field, problem.index, problem.message))
        .collect()
}

fn only_problem(profile: &Profile) -> Problem {
    let mut problems = check(profile).problems;
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems.remove(0)
}

#[test]
fn a_good_profile_is_ready_to_run() {
    let parsed = parse(&work()).unwrap();
    assert_eq!(parsed.server, Some(Server { destination: "me@bastion".into(), port: Some(2222) }));
    assert_eq!(parsed.ssh_command, ["ssh"]);
    let typed: Vec<&str> = parsed.include.iter().map(|(typed, _)| typed.as_str()).collect();
    assert_eq!(typed, ["10/8", "[fd00::/8]:443"]);
    assert_eq!(parsed.exclude[0].1.to_string(), "10.9.0.0/16");
}

#[test]
fn every_network_says_what_it_means() {
    let shown: Vec<(Field, u32, String, String)> =
        check(&work()).expansions.into_iter().map(|e| (e.field, e.index, e.means, e.note)).collect();
    let expected = [
        (Field::Subnets, 0, "10.0.0.0/8", "16 777 216 addresses"),
        (Field::Subnets, 1, "[fd00::/8]:443", "2^120 addresses, port 443"),
        (Field::Excludes, 0, "10.9.0.0/16", "65 536 addresses"),
    ];
    assert_eq!(shown, expected.map(|(field, index, means, note)| (field, index, means.into(), note.into())));
}

#[test]
fn no_server_is_this_computer() {
    assert_eq!(parse(&Profile { server: String::new(), ..work() }).unwrap().server, None);
}

#[test]
fn the_ssh_command_is_split_like_a_shell_does() {
    let parsed =
        |text: &str| parse(&Profile { ssh_command: text.into(), ..work() }).map(|parsed| parsed.ssh_command);
    assert_eq!(parsed("ssh -F 'my file' -o \"A=b c\"").unwrap(), ["ssh", "-F", "my file", "-o", "A=b c"]);
    assert_eq!(parsed("   ").unwrap(), ["ssh"]);
    for bad in ["ssh 'open", "'' -F x", "ssh \0"] {
        let problem = only_problem(&Profile { ssh_command: bad.into(), ..work() });
        assert_eq!(problem.field, Field::SshCommand, "{bad}");
    }
}

#[test]
fn the_home_folder_is_written_in_full() {
    let expanded = |word: &str, home: Option<&str>| from_home(word.into(), home.map(Path::new));
    assert_eq!(expanded("~/.ssh/other", Some("/home/me")), "/home/me/.ssh/other");
    assert_eq!(expanded("~/.ssh/other", None), "~/.ssh/other");
    assert_eq!(expanded("-oIdentityFile=~/.ssh/x", Some("/home/me")), "-oIdentityFile=~/.ssh/x");
}

#[test]
fn a_limit_that_cannot_be_is_a_problem_at_its_field() {
    let latency = |text: &str| Profile { latency: text.into(), ..work() };
    assert_eq!(parse(&latency("65536")).unwrap().latency, Latency::Fixed(65_536));
    assert_eq!(parse(&latency("unlimited")).unwrap().latency, Latency::Unlimited);
    let problem = only_problem(&latency("100"));
    assert_eq!((problem.field, problem.suggestion.as_deref()), (Field::Latency, Some("4096")));
}

#[test]
fn names_are_short_and_visible() {
    let named = |name: &str| check(&Profile { name: name.into(), ..work() }).problems;
    assert_eq!(named(&"\u{e9}".repeat(64)), []);
    assert_eq!(named(&"a".repeat(66))[0].span, Some((64, 66)));
    assert_eq!(named("a\nb")[0].span, Some((1, 2)));
    for bad in ["", "  "] {
        assert_eq!(named(bad)[0].message, "A profile needs a name.", "{bad:?}");
    }
}

#[test]
fn something_must_go_through() {
    assert_eq!(only_problem(&Profile { subnets: vec![], ..work() }).field, Field::Subnets);
}

#[test]
fn problems_of_every_field_are_told_at_once() {
    let profile = Profile {
        name: String::new(),
        server: "a b".into(),
        subnets: vec!["10/8".into(), "10.0.0.0/33".into()],
        excludes: vec!["010.0.0.1".into()],
        ..work()
    };
    let places: Vec<(Field, Option<u32>)> =
        problems(&profile).into_iter().map(|(field, index, _)| (field, index)).collect();
    let expected =
        [(Field::Name, None), (Field::Server, None), (Field::Subnets, Some(1)), (Field::Excludes, Some(0))];
    assert_eq!(places, expected);
    let octal = &check(&profile).problems[3];
    assert_eq!((octal.span, octal.suggestion.as_deref()), (Some((0, 3)), Some("8.0.0.1")));
    assert!(parse(&profile).is_err());
}

#[test]
fn the_same_network_twice_is_a_problem() {
    let listed = |subnets: &[&str], excludes: &[&str]| {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        problems(&Profile { subnets: owned(subnets), excludes: owned(excludes), ..work() })
    };
    let expect = |field, message: &str| vec![(field, Some(1), message.to_owned())];
    assert_eq!(listed(&["10/8", "10/8"], &[]), expect(Field::Subnets, "10/8 is in the list twice."));
    assert_eq!(
        listed(&["10/8", "10.1.2.3/8"], &[]),
        expect(Field::Subnets, "10.1.2.3/8 is in the list already, as 10/8.")
    );
    assert_eq!(
        listed(&["10/8:80", "10/8:80,443"], &[]),
        expect(Field::Subnets, "10/8:80,443 is in the list already, as 10/8:80.")
    );
    assert_eq!(
        listed(&["10/8"], &["10.1/16", "10.0.0.0/8"]),
        expect(
            Field::Excludes,
            "10.0.0.0/8 is also a network that goes through, as 10/8; it can be only one of both."
        )
    );
    // Narrower, other ports, other family: each is something of its own.
    assert_eq!(listed(&["10/8", "10.1/16", "10/8:80", "0/0", "::/0"], &["10.2/16"]), []);
}

#[test]
fn whose_traffic_is_checked_at_its_field() {
    let problem = only_problem(&Profile { capture: "user:no-such-user".into(), ..work() });
    assert_eq!((problem.field, problem.span), (Field::Capture, Some((5, 17))));
    let cgroup = Profile { capture: "cgroup:/user.slice".into(), ..work() };
    assert_eq!(parse(&cgroup).unwrap().capture, Capture::Cgroup("/user.slice".into()));
    let held = only_problem(&Profile { while_down: WhileDown::Networks, ..cgroup });
    assert!(held.field == Field::Capture && held.message.contains("not a cgroup's"), "{}", held.message);
}

#[test]
fn networks_and_names_follow_an_edit_and_the_rest_needs_a_new_connection() {
    let before = parse(&work()).unwrap();
    let names = crate::api::Names { dns: true, ..crate::api::Names::default() };
    let live = Profile { subnets: vec!["10.1/16".into(), "db.corp".into()], names, ..work() };
    assert!(parse(&live).unwrap().runs_as(&before));
    for edited in [
        Profile { server: "other".into(), ..work() },
        Profile { ssh_command: "ssh -v".into(), ..work() },
        Profile { capture: "everyone".into(), ..work() },
        Profile { while_down: WhileDown::Networks, ..work() },
        Profile { latency: "65536".into(), ..work() },
    ] {
        assert!(!parse(&edited).unwrap().runs_as(&before), "{edited:?}");
    }
}
