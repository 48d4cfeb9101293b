#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::profile::file;
use NoteKind::{Dropped, Kept, Repaired};

/// The only profile in the text.
fn only(text: &str) -> ImportedProfile {
    let mut preview = preview(text).unwrap_or_else(|failure| panic!("{text}: {}", failure.detail));
    assert_eq!(preview.profiles.len(), 1, "{text}");
    preview.profiles.remove(0)
}

fn refused(text: &str) -> String {
    let failure = preview(text).expect_err(text);
    assert_eq!(failure.code, Code::Import);
    failure.detail
}

/// Kind and subject of each note.
fn notes(text: &str) -> Vec<(NoteKind, String)> {
    only(text).notes.into_iter().map(|note| (note.kind, note.about)).collect()
}

fn lists(text: &str) -> (Vec<String>, Vec<String>) {
    let profile = only(text).profile;
    (profile.subnets, profile.excludes)
}

#[test]
fn a_command_line_becomes_a_profile() {
    let text = "sshuttle -r me@bastion.example.org:2222 10.0.0.0/8 172.16.0.0/12 -x 10.9.0.0/16 -e 'ssh -F \"my file\"'";
    let imported = only(text);
    let expected = Profile {
        name: "bastion.example.org".into(),
        server: "me@bastion.example.org:2222".into(),
        ssh_command: "ssh -F \"my file\"".into(),
        subnets: vec!["10.0.0.0/8".into(), "172.16.0.0/12".into()],
        excludes: vec!["10.9.0.0/16".into()],
        ..Profile::default()
    };
    assert_eq!(imported.profile, expected);
    assert_eq!(imported.checked.problems, []);
    assert_eq!(imported.checked.expansions.len(), 3);
    assert_eq!(preview(text).unwrap().source, "sshuttle command line");
}

#[test]
fn what_is_said_of_latency_is_kept() {
    let kept = |options: &str| {
        let imported = only(&format!("sshuttle -r host {options} 10.0.0.0/8"));
        assert_eq!(imported.checked.problems, [], "{options}");
        (imported.profile.latency, imported.notes.into_iter().map(|note| note.kind).collect::<Vec<_>>())
    };
    for (options, latency, notes) in [
        ("--latency-buffer-size 32768", "32768", &[Kept][..]),
        ("--latency-buffer-size=1000000", "1000000", &[Kept]),
        ("--no-latency-control", "unlimited", &[Kept]),
        ("--no-lat", "unlimited", &[Kept]),
        ("--no-latency-control --latency-buffer-size 65536", "unlimited", &[Kept, Dropped]),
        ("--latency-buffer-size 65536 --no-latency-control", "unlimited", &[Kept, Kept]),
        ("--latency-buffer-size 100", "4096", &[Repaired]),
        ("--latency-buffer-size 4194304", "unlimited", &[Repaired]),
        ("--latency-buffer-size 32k", "", &[Dropped]),
        ("--latency-buffer-size unlimited", "", &[Dropped]),
    ] {
        assert_eq!(kept(options), (latency.to_owned(), notes.to_vec()), "{options}");
    }
}

#[test]
fn whatever_people_wrap_around_it_is_taken_off() {
    let plain = "sshuttle -r host 0/0";
    let wrapped = [
        "sudo -E sshuttle -r host 0/0",
        "nohup sudo -u root -E /usr/local/bin/sshuttle -r host 0/0 >/dev/null 2>&1 &",
        "SSH_AUTH_SOCK=/run/x sshuttle -r host 0/0",
        "env A=b python3 -m sshuttle -r host 0/0",
        "#!/bin/sh\nset -e\n# to work\nexec sshuttle \\\n  -r host \\\n  0/0\n",
        "#!/bin/sh\r\nsshuttle \\\r\n -r host 0/0\r\n",
        "alias work='sudo sshuttle -r host 0/0 &'",
        "$ sudo sshuttle -r host 0/0",
        "-r host 0/0",
        "--remote\nhost\n0/0\n",
    ];
    for text in wrapped {
        assert_eq!(only(text).profile, only(plain).profile, "{text}");
    }
    assert_eq!(only("-r host 0/0").notes, []);
    assert_eq!(
        notes("A=b nohup sshuttle -r host 0/0 > log &"),
        ["A=b", "nohup", "&", ">"].map(|about| (NoteKind::Dropped, about.to_owned()))
    );
}

#[test]
fn every_command_of_a_script_is_looked_at() {
    let preview = preview("cd /x\nsshuttle -r a 10/8 &\nsshuttle -r b 0/0 && echo sshuttle").unwrap();
    let names: Vec<&str> = preview.profiles.iter().map(|imported| imported.profile.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    let left_out: Vec<&str> = preview.profiles[0].notes.iter().map(|note| note.about.as_str()).collect();
    assert!(left_out.contains(&"cd /x") && left_out.contains(&"echo sshuttle"), "{left_out:?}");
}

#[test]
fn what_is_not_carried_over_is_told() {
    let text = "sshuttle -vr host 0/0 --method nft -X list -D --pidfile=/x --python py --nonsense @more";
    let expected =
        ["-v", "--method nft", "-X list", "-D", "--pidfile /x", "--python py", "--nonsense", "@more"];
    assert_eq!(notes(text), expected.map(|about| (NoteKind::Dropped, about.to_owned())));
    let imported = only(text);
    assert!(imported.notes[1].text.starts_with("Not carried over yet. Choosing how traffic is captured"));
    assert_eq!(
        (imported.profile.server.as_str(), imported.profile.subnets),
        ("host", vec!["0/0".to_owned()])
    );
}

#[test]
fn names_and_the_servers_own_networks_are_kept() {
    let text = "sshuttle -NHr host --dns --ns-hosts 192.0.2.1,192.0.2.2 --to-ns 10.0.0.53@5353 \
                --seed-hosts a,b -s ~/nets -X /etc/not db.corp:5432";
    let imported = only(text);
    let Profile { subnets, excludes, names, reach, .. } = imported.profile;
    assert_eq!((subnets, excludes), (texts(&["@~/nets", "db.corp:5432"]), texts(&["@/etc/not"])));
    assert!(names.dns && names.auto_hosts && reach.auto_nets);
    assert_eq!(names.ns_hosts, ["192.0.2.1", "192.0.2.2"]);
    assert_eq!((names.name_servers, names.seed_hosts), (texts(&["10.0.0.53@5353"]), texts(&["a", "b"])));
    assert_eq!(imported.checked.problems, []);
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

#[test]
fn a_password_is_taken_out_and_not_repeated() {
    for text in [
        "sshuttle -r me:secret@host:22 0/0",
        "format = 1\nname = \"a\"\nserver = \"me:secret@host:22\"\nsubnets = [\"0/0\"]\n",
    ] {
        let imported = only(text);
        assert_eq!(imported.profile.server, "me@host:22");
        assert_eq!(
            (imported.notes[0].kind, imported.notes[0].about.as_str()),
            (NoteKind::Danger, "me:…@host:22")
        );
        assert!(!format!("{imported:?}").contains("secret"));
    }
}

#[test]
fn a_program_that_would_run_is_shown_literally() {
    let command = "sh -c 'rm -rf /'";
    for text in [
        format!("sshuttle -r host -e \"{command}\" 0/0"),
        format!("format = 1\nname = \"a\"\nssh-command = \"{command}\"\nsubnets = [\"0/0\"]\n"),
    ] {
        assert!(notes(&text).contains(&(NoteKind::Danger, command.into())), "{text}");
        assert_eq!(only(&text).profile.ssh_command, command);
    }
    assert_eq!(only("sshuttle -r host -e ssh 0/0").notes, []);
}

#[test]
fn short_forms_say_what_they_mean() {
    let imported = only("sshuttle -r host 10/8 10.1/16:80 0/0 10.0.0.0/9");
    assert_eq!(imported.profile.subnets, ["10/8", "10.1/16:80", "0/0", "10.0.0.0/9"]);
    let texts: Vec<&str> = imported.notes.iter().map(|note| note.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "It means 10.0.0.0/8, as sshuttle 0.54 had it; sshuttle 2.0 captures 0.0.0.0/8.",
            "It means 10.1.0.0/16:80, as sshuttle 0.54 had it; sshuttle 2.0 captures 10.0.0.0/16:80."
        ]
    );
    assert!(imported.notes.iter().all(|note| note.kind == NoteKind::Repaired));
}

#[test]
fn spellings_that_are_certain_are_repaired() {
    let text = "sshuttle -r ::1 fd00::/8:443 0x0a.0.0.1 010.0.0.1 10.0.0.0/8 10.0.0.1/8 -x 10.1.0.0/16 -x 10.1.0.0/16";
    let (through, direct) = lists(text);
    assert_eq!(through, ["[fd00::/8]:443", "10.0.0.1", "8.0.0.1", "10.0.0.0/8"]);
    assert_eq!(direct, ["10.1.0.0/16"]);
    assert_eq!(only(text).profile.server, "[::1]");
    let repaired = ["::1", "fd00::/8:443", "0x0a.0.0.1", "010.0.0.1", "10.0.0.1/8", "10.1.0.0/16"];
    assert_eq!(notes(text), repaired.map(|about| (NoteKind::Repaired, about.to_owned())));
}

#[test]
fn what_is_not_certain_is_left_to_the_person() {
    let imported = only("sshuttle -r host 10.1 db.example.org 10.0.0.0/33");
    assert_eq!(imported.profile.subnets, ["10.1", "db.example.org", "10.0.0.0/33"]);
    assert_eq!(imported.checked.problems.len(), 2);
    assert_eq!(imported.checked.problems[0].suggestion.as_deref(), Some("10.1.0.0/16"));
}

#[test]
fn variables_are_told() {
    let imported = only("sshuttle -r \"$USER@host\" -e \"ssh -i $HOME/.ssh/x\" $NETS");
    let told: Vec<(NoteKind, &str)> =
        imported.notes.iter().map(|note| (note.kind, note.about.as_str())).collect();
    let expected = [
        (NoteKind::Danger, "$USER"),
        (NoteKind::Repaired, "ssh -i ~/.ssh/x"),
        (NoteKind::Danger, "$NETS"),
        (NoteKind::Danger, "ssh -i ~/.ssh/x"),
    ];
    assert_eq!(told, expected);
    assert_eq!(imported.checked.problems.len(), 2, "both are marked in the editor, too");
}

#[test]
fn a_server_inside_its_own_range_is_told() {
    let about = |text: &str| {
        notes(text).into_iter().any(|(kind, about)| kind == NoteKind::Kept && about == "me@10.0.0.1")
    };
    assert!(about("sshuttle -r me@10.0.0.1 10.0.0.0/8"));
    assert!(!about("sshuttle -r me@10.0.0.1 10.0.0.0/8 -x 10.0.0.1"));
    assert!(!about("sshuttle -r me@10.0.0.1 192.168.0.0/16"));
}

#[test]
fn the_last_server_counts_and_none_is_this_computer() {
    let imported = only("sshuttle -r a -r b 10.0.0.0/8");
    assert_eq!((imported.profile.server.as_str(), imported.notes[0].about.as_str()), ("b", "a"));
    let imported = only("sshuttle 10.0.0.0/8");
    assert_eq!((imported.profile.server.as_str(), imported.notes[0].kind), ("", NoteKind::Kept));
    assert_eq!(imported.checked.problems, []);
}

#[test]
fn broken_texts_are_refused_in_words() {
    let table = [
        ("", "there is nothing in it"),
        (" \n\t", "there is nothing in it"),
        ("hello world", "there is no sshuttle command in it, and no line “format = 1” as in a profile"),
        (
            "pip install sshuttle",
            "there is no sshuttle command in it, and no line “format = 1” as in a profile",
        ),
        ("sshuttle -r 'host 0/0", "line 1: a quotation mark is opened and never closed"),
        ("sshuttle 0/0 -r", "-r needs a value behind it"),
        ("name = \"a\"", "the line “format = 1” is missing"),
        ("format = 1\nprofile = []", "there is no [[profile]] in it"),
    ];
    for (text, detail) in table {
        assert_eq!(refused(text), detail, "{text}");
    }
    assert!(refused("format = 1\nname = \"open").starts_with("line 2: "));
    assert!(refused("format = 2\n").starts_with("it is written in format 2;"));
    assert!(refused("format = 1\n[[profile]]\nname = \"a\"\nsubnets = 5\n").starts_with("line 4: "));
    assert_eq!(refused(&"x".repeat(MAX_LENGTH + 1)), "it is longer than 1 MiB");
}

#[test]
fn many_profiles_come_from_one_file() {
    let text = "format = 1\nexported = \"today\"\n[[profile]]\nname = \"a\"\nsubnets = [\"0/0\"]\ncolour = 3\n\n[[profile]]\nname = \"b\"\nserver = \"host\"\n";
    let preview = preview(text).unwrap();
    assert_eq!(preview.source, "Ropeway profile");
    let names: Vec<&str> = preview.profiles.iter().map(|imported| imported.profile.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    let dropped: Vec<&str> = preview.profiles[0].notes.iter().map(|note| note.about.as_str()).collect();
    assert_eq!(dropped, ["exported = \"today\"", "colour = 3"]);
    assert!(preview.profiles[1].notes.is_empty());
    assert_eq!(preview.profiles[1].checked.problems.len(), 1, "b has no networks");
}

#[test]
fn editors_marks_and_line_ends_do_not_matter() {
    let text = "\u{feff}format = 1\r\nname = \"a\"\r\nsubnets = [\"0/0\"]\r\n";
    assert_eq!(only(text).profile.name, "a");
}

fn any_profile() -> impl Strategy<Value = Profile> {
    let texts = || prop::collection::vec(any::<String>(), 0..4);
    // No @: a password in it would be taken out.
    let server = any::<String>().prop_map(|text| text.replace('@', ""));
    (any::<String>(), server, any::<String>(), texts(), texts()).prop_map(
        |(name, server, ssh_command, subnets, excludes)| Profile {
            name,
            server,
            ssh_command,
            subnets,
            excludes,
            ..Profile::default()
        },
    )
}

#[test]
fn one_users_or_one_groups_programs_are_kept() {
    let imported = only("sshuttle --user root -r host 10/8");
    assert_eq!(imported.profile.capture, "user:root");
    assert_eq!(imported.checked.problems, []);
    assert!(imported.notes.iter().any(|it| it.kind == NoteKind::Kept && it.about == "--user root"));
    let both = only("sshuttle --group=root --user 1000 -r host 10/8");
    assert_eq!(both.profile.capture, "group:root");
    assert!(both.notes.iter().any(|it| it.kind == NoteKind::Dropped && it.about == "--user 1000"));
    let stranger = only("sshuttle --user no-such-user -r host 10/8");
    assert_eq!(stranger.checked.problems.len(), 1, "the editor asks who is meant");
}

proptest! {
    #![proptest_config(crate::testing::rounds(128))]

    #[test]
    fn what_we_write_we_import(profile in any_profile()) {
        let text = file::write("", &profile).unwrap();
        prop_assert_eq!(only(&text).profile, profile);
    }

    #[test]
    fn what_sshuttle_is_told_we_import(nets in prop::collection::hash_set("1[0-9]\\.[0-9]{1}\\.0\\.0/16", 1..5), user in "[a-z]{1,8}") {
        let nets: Vec<String> = nets.into_iter().collect();
        let imported = only(&format!("sudo sshuttle -r {user}@host {}", nets.join(" \\\n  ")));
        prop_assert_eq!(imported.checked.problems, vec![]);
        prop_assert_eq!(imported.profile.subnets, nets);
        prop_assert_eq!(imported.profile.server, format!("{user}@host"));
    }

    #[test]
    fn any_text_is_imported_or_refused(
        text in prop_oneof![any::<String>(), "(sudo |alias x='|-|)sshuttle( -{1,2}[rxevNH]{0,3}[ =]?[a-z@:'\"$0-9./&>]{0,9}){0,4}"]
    ) {
        match preview(&text) {
            Ok(preview) => prop_assert!(!preview.profiles.is_empty()),
            Err(failure) => prop_assert!(!failure.detail.is_empty()),
        }
    }
}
