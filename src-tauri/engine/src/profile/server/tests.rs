#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

fn parsed(text: &str) -> (String, Option<u16>) {
    let server = Server::parse(text).expect(text);
    (server.destination, server.port)
}

fn refused(text: &str) -> (String, Option<String>) {
    let mistake = Server::parse(text).expect_err(text);
    let (start, end) = mistake.span;
    (text.chars().skip(start as usize).take((end - start) as usize).collect(), mistake.suggestion)
}

#[test]
fn a_server_is_what_ssh_takes_as_destination_and_a_port() {
    let table = [
        ("work", "work", None),
        ("me@bastion.example.org", "me@bastion.example.org", None),
        ("me@bastion.example.org:2222", "me@bastion.example.org", Some(2222)),
        ("192.0.2.1:22", "192.0.2.1", Some(22)),
        ("[fd00::1]", "fd00::1", None),
        ("me@[fd00::1]:22", "me@fd00::1", Some(22)),
        ("[fe80::1%eth0]:22", "fe80::1%eth0", Some(22)),
        ("CORP\\me@host", "CORP\\me@host", None),
        ("me@example.org@bastion", "me@example.org@bastion", None),
        ("b\u{fc}ro_2", "b\u{fc}ro_2", None),
    ];
    for (typed, destination, port) in table {
        assert_eq!(parsed(typed), (destination.into(), port), "{typed}");
        assert_eq!(Server::parse(typed).unwrap().to_string(), typed);
    }
    assert_eq!(Server::parse("me@x@[fd00::1]:22").unwrap().host(), "fd00::1");
}

#[test]
fn a_password_is_never_kept() {
    let mistake = Server::parse("me:secret@host:22").unwrap_err();
    assert_eq!(mistake.suggestion.as_deref(), Some("me@host:22"));
    assert!(!mistake.message.contains("secret"));
    assert_eq!(refused("me:p@ss@host").1.as_deref(), Some("me@host"));
}

#[test]
fn mistakes_point_at_the_place() {
    let table = [
        ("-oProxyCommand=x", "-", None),
        ("me@-host", "-", None),
        ("-me@host", "-", None),
        ("a b", " ", None),
        (" host ", " ", Some("host")),
        ("host;reboot", ";", None),
        ("$(reboot)@host", "$", None),
        ("me`x`@host", "`", None),
        ("host/path", "/", None),
        ("ho\u{0}st", "\u{0}", None),
        ("@host", "", Some("host")),
        ("me@", "@", None),
        (":22", ":", None),
        ("host:", ":", None),
        ("host:0", "0", None),
        ("host:70000", "70000", None),
        ("host:ssh", "ssh", None),
        ("host:22:23", "22:23", None),
        ("fd00::1", "fd00::1", Some("[fd00::1]")),
        ("me@fd00::1", "fd00::1", Some("me@[fd00::1]")),
        ("[fd00::1", "[", None),
        ("[host]", "host", None),
        ("[fd00::1]22", "22", None),
        ("me\\@host", "\\", None),
        ("ssh://me@host:22/", "ssh://", Some("me@host:22")),
    ];
    for (typed, wrong, better) in table {
        assert_eq!(refused(typed), (wrong.into(), better.map(String::from)), "{typed}");
    }
}

proptest! {
    #![proptest_config(crate::testing::rounds(256))]

    #[test]
    fn never_an_option_and_never_shell_text(text in prop_oneof![any::<String>(), "[a-z@:\\[\\]$;-]{0,12}"]) {
        match Server::parse(&text) {
            Ok(server) => {
                prop_assert!(!server.destination.starts_with('-') && !server.host().starts_with('-'));
                prop_assert!(!server.destination.contains(|c: char| "`$;&|<>'\"".contains(c) || c.is_whitespace()));
                prop_assert_eq!(server.to_string().parse::<String>().map(|typed| Server::parse(&typed)), Ok(Ok(server)));
            }
            Err(Mistake { span: (start, end), .. }) => {
                prop_assert!(start <= end && end as usize <= text.chars().count());
            }
        }
    }
}
