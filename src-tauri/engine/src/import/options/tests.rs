#![allow(clippy::unwrap_used)]

use super::*;

/// `name=value` of each option, and what is not one, as it stands.
fn read_line(line: &str) -> Result<Vec<String>, ImportError> {
    let word = |text: &str| Word { text: text.into(), ..Word::default() };
    let shown = |argument| match argument {
        Argument::Option { option, value, .. } if option.takes_value => {
            format!("{}={}", option.long, value.text)
        }
        Argument::Option { option, .. } => option.long.into(),
        Argument::Subnet(word) => word.text,
        Argument::Unknown { typed } => format!("?{typed}"),
        Argument::Ambiguous { typed, candidates } => format!("?{typed}: {}", candidates.join(" ")),
    };
    Ok(read(line.split_whitespace().map(word).collect())?.into_iter().map(shown).collect())
}

#[test]
fn options_are_read_as_sshuttle_reads_them() {
    let table: [(&str, &[&str]); 10] = [
        ("-r host 10/8", &["remote=host", "10/8"]),
        ("-rhost", &["remote=host"]),
        ("-r=host", &["remote=host"]),
        ("-vNHr host", &["verbose", "auto-nets", "auto-hosts", "remote=host"]),
        ("-vvv -Dv", &["verbose", "verbose", "verbose", "daemon", "verbose"]),
        ("--remote host --remote=other", &["remote=host", "remote=other"]),
        ("--rem host --exclude=1.2.3.4", &["remote=host", "exclude=1.2.3.4"]),
        ("--dns --seed-hosts=a,b", &["dns", "seed-hosts=a,b"]),
        ("-r host -- -x 10/8", &["remote=host", "-x", "10/8"]),
        ("--namespace x", &["namespace=x"]),
    ];
    for (line, read) in table {
        assert_eq!(read_line(line).unwrap(), read, "{line}");
    }
}

#[test]
fn what_is_no_option_is_told() {
    assert_eq!(read_line("--ns 10/8").unwrap(), ["ns-hosts=10/8"]);
    assert_eq!(read_line("--frobnicate -q").unwrap(), ["?--frobnicate", "?-q"]);
    assert_eq!(read_line("--name").unwrap(), ["?--name: namespace namespace-pid"]);
    assert_eq!(
        read_line("--s x").unwrap()[0],
        "?--s: ssh-cmd subnets seed-hosts syslog sudoers sudoers-no-modify sudoers-user"
    );
}

#[test]
fn a_missing_value_is_told() {
    for (line, option) in [("10/8 -r", "-r"), ("--exclude", "--exclude"), ("-r -v", "-r"), ("-vr", "-r")] {
        assert_eq!(read_line(line), Err(ImportError::NoValue(option.into())), "{line}");
    }
}

#[test]
fn no_two_options_have_the_same_name() {
    for (index, option) in OPTIONS.iter().enumerate() {
        let same = |other: &&Opt| {
            other.long == option.long || (option.short.is_some() && other.short == option.short)
        };
        assert!(!OPTIONS[index + 1..].iter().any(|other| same(&other)), "{}", option.long);
    }
}
