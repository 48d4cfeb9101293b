#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

/// The words of each command.
fn split(text: &str) -> Vec<Vec<String>> {
    let commands = commands(text).expect(text);
    commands.into_iter().map(|command| command.words.into_iter().map(|word| word.text).collect()).collect()
}

fn one(text: &str) -> Word {
    let mut words = commands(text).expect(text).remove(0).words;
    assert_eq!(words.len(), 1, "{text}");
    words.remove(0)
}

#[test]
fn words_are_those_of_a_shell() {
    let table: [(&str, &[&str]); 10] = [
        ("a b\tc", &["a", "b", "c"]),
        ("a \\\n  b", &["a", "b"]),
        ("a\\ b 'c d' \"e f\"", &["a b", "c d", "e f"]),
        ("-e 'ssh -i \"my key\"'", &["-e", "ssh -i \"my key\""]),
        ("\"a\\\"b\\\\c\\d\"", &["a\"b\\c\\d"]),
        ("a''b \"\" ''", &["ab", "", ""]),
        ("a#b # comment", &["a#b"]),
        ("nohup x > /dev/null 2>&1 y", &["nohup", "x", "y"]),
        ("x &>log -a", &["x", "-a"]),
        ("x <in >>'my file' -a", &["x", "-a"]),
    ];
    for (text, words) in table {
        assert_eq!(split(text), [words], "{text}");
    }
}

#[test]
fn commands_end_where_a_shell_ends_them() {
    assert_eq!(
        split("a; b && c || d | e & f\ng (h)"),
        ["a", "b", "c", "d", "e", "f", "g", "h"].map(|word| [word])
    );
    let background: Vec<bool> =
        commands("a & b && c; d &").unwrap().iter().map(|command| command.background).collect();
    assert_eq!(background, [true, false, false, true]);
    assert!(commands("a 2> /dev/null").unwrap()[0].redirected);
}

#[test]
fn home_is_a_tilde() {
    for text in ["$HOME/.ssh/x", "\"$HOME/.ssh/x\"", "${HOME}/.ssh/x"] {
        assert_eq!(one(text), Word { text: "~/.ssh/x".into(), home: true, unknown: vec![] }, "{text}");
    }
    assert_eq!(one("'$HOME'").text, "$HOME");
    assert_eq!(one("$HOMER").unknown, ["$HOMER"]);
}

#[test]
fn what_only_a_shell_knows_stays_and_is_told() {
    let table = [
        ("me@$HOST:22", "$HOST"),
        ("${A:-b c}/8", "${A:-b c}"),
        ("$(cat my (file))x", "$(cat my (file))"),
        ("\"`date +%s`\"", "`date +%s`"),
    ];
    for (text, unknown) in table {
        let word = one(text);
        assert_eq!(word.unknown, [unknown], "{text}");
        assert!(word.text.contains(unknown), "{text}");
    }
    assert_eq!(one("a$").unknown, Vec::<String>::new());
    assert_eq!(one("'$A'").unknown, Vec::<String>::new());
}

#[test]
fn what_is_never_closed_is_told_with_its_line() {
    assert_eq!(commands("a\nb 'c\nd"), Err(ShellError::Quote(2)));
    assert_eq!(commands("\"a"), Err(ShellError::Quote(1)));
    assert_eq!(commands("a \\\n$(b"), Err(ShellError::Bracket(2)));
}

proptest! {
    #![proptest_config(crate::testing::rounds(128))]

    #[test]
    fn quoted_words_come_back(words in prop::collection::vec("[ -~\n\t\u{e9}\u{6771}]{0,8}", 1..5)) {
        let text = shell_words::join(&words);
        prop_assert_eq!(split(&text), vec![words]);
    }

    #[test]
    fn any_text_is_split_or_refused(text in prop_oneof![any::<String>(), "[a$`'\"\\\\(){}<>&|;# \n]{0,20}"]) {
        if let Ok(commands) = commands(&text) {
            prop_assert!(commands.iter().all(|command| !command.words.is_empty()));
        }
    }
}
