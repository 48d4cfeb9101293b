use std::{
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
};

use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::*;

/// A stand-in for the agent that any shell can run.
const PROGRAM: &[u8] = b"#!/bin/sh\ntest \"$1\" = --version || echo agent speaking\n";

fn hash(program: &[u8]) -> String {
    Sha256::digest(program).iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn agents(program: &[u8]) -> BTreeMap<Platform, Agent> {
    let platform = format!("{}-{}", std::env::consts::OS.replace("macos", "darwin"), std::env::consts::ARCH);
    BTreeMap::from([(platform, Agent { hash: hash(program), size: program.len() as u64 })])
}

/// Runs the command as sshd would: by the account's shell, with `-c`.
fn run(shell: &str, home: &Path, agents: &BTreeMap<Platform, Agent>, input: &[u8]) -> (Vec<Answer>, String) {
    let mut child = Command::new(shell)
        .args(["-c", &command(agents)])
        .env_clear()
        .env("HOME", home)
        .env("PATH", std::env::var_os("PATH").unwrap())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap().stdout;
    let mut reader = Reader::default();
    reader.push(&output).unwrap();
    let answers = std::iter::from_fn(|| reader.next()).collect();
    (answers, String::from_utf8(reader.rest()).unwrap())
}

#[test]
fn the_command_is_one_quoted_word_for_every_shell() {
    let command = command(&agents(PROGRAM));
    let inner = command.strip_prefix("exec /bin/sh -c '").and_then(|rest| rest.strip_suffix('\'')).unwrap();
    assert!(!inner.contains(['\'', '\\', '!', '\n']), "{inner}");
}

#[test]
fn an_agent_is_sent_once_and_found_again() {
    let home = tempfile::tempdir().unwrap();
    let agents = agents(PROGRAM);
    let (first, rest) = run("sh", home.path(), &agents, PROGRAM);
    assert!(matches!(first[..], [Answer::Machine(_), Answer::Send, Answer::Run]), "{first:?}");
    assert_eq!(rest, "agent speaking\n");
    let (second, _) = run("sh", home.path(), &agents, b"");
    assert!(matches!(second[..], [Answer::Machine(_), Answer::Run]), "{second:?}");
    let mode = fs::metadata(home.path().join(".cache/ropeway")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn what_arrives_broken_is_neither_kept_nor_run() {
    let home = tempfile::tempdir().unwrap();
    let mut damaged = PROGRAM.to_vec();
    damaged[20] ^= 1;
    let (answers, _) = run("sh", home.path(), &agents(PROGRAM), &damaged);
    assert_eq!(answers.last(), Some(&Answer::Failed(Trouble::Store)));
    assert_eq!(fs::read_dir(home.path().join(".cache/ropeway")).unwrap().count(), 0);
}

#[test]
fn a_damaged_cache_is_replaced() {
    let home = tempfile::tempdir().unwrap();
    let agents = agents(PROGRAM);
    let folder = home.path().join(".cache/ropeway");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(format!("agent-{}", hash(PROGRAM))), b"not it").unwrap();
    let (answers, rest) = run("sh", home.path(), &agents, PROGRAM);
    assert!(answers.contains(&Answer::Send), "{answers:?}");
    assert_eq!(rest, "agent speaking\n");
}

/// And is not kept: the next login would find it and take it for one that was tried.
#[test]
fn an_agent_that_does_not_start_is_named() {
    let home = tempfile::tempdir().unwrap();
    let program = b"#!/bin/sh\nexit 3\n";
    for _ in 0..2 {
        let (answers, _) = run("sh", home.path(), &agents(program), program);
        assert!(
            matches!(answers[..], [Answer::Machine(_), Answer::Send, Answer::Failed(Trouble::Run)]),
            "{answers:?}"
        );
    }
    assert_eq!(fs::read_dir(home.path().join(".cache/ropeway")).unwrap().count(), 0);
}

#[test]
fn a_stored_agent_that_may_not_be_run_is_named() {
    let home = tempfile::tempdir().unwrap();
    let agents = agents(PROGRAM);
    run("sh", home.path(), &agents, PROGRAM);
    let stored = home.path().join(format!(".cache/ropeway/agent-{}", hash(PROGRAM)));
    fs::set_permissions(&stored, fs::Permissions::from_mode(0o600)).unwrap();
    let (answers, _) = run("sh", home.path(), &agents, b"");
    assert!(matches!(answers[..], [Answer::Machine(_), Answer::Failed(Trouble::Run)]), "{answers:?}");
}

/// An agent that is stored was tried then; to start it twice would make everybody wait.
#[test]
fn a_stored_agent_is_started_once() {
    let home = tempfile::tempdir().unwrap();
    let program = b"#!/bin/sh\necho \"started $1\" >>\"$HOME/starts\"\n";
    let agents = agents(program);
    run("sh", home.path(), &agents, program);
    run("sh", home.path(), &agents, b"");
    let starts = fs::read_to_string(home.path().join("starts")).unwrap();
    assert_eq!(starts, "started --version\nstarted \nstarted \n");
}

#[test]
fn the_server_says_what_it_is() {
    let home = tempfile::tempdir().unwrap();
    let (answers, _) = run("sh", home.path(), &agents(PROGRAM), PROGRAM);
    let Answer::Machine(machine) = &answers[0] else { panic!("{answers:?}") };
    let (boot, namespace) = crate::sys::identity::of_this_process().unwrap_or_default();
    assert_eq!((&machine.boot, &machine.namespace), (&boot, &namespace));
    assert_eq!(Some(&machine.platform), agents(PROGRAM).keys().next());
}

#[test]
fn a_home_that_cannot_be_written_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let (answers, _) = run("sh", file.path(), &agents(PROGRAM), PROGRAM);
    assert_eq!(answers.last(), Some(&Answer::Failed(Trouble::Store)));
}

/// Whoever owns the folder could change the agent between the check and the start.
#[test]
fn a_cache_that_somebody_else_has_laid_out_is_not_used() {
    let (home, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::create_dir(home.path().join(".cache")).unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), home.path().join(".cache/ropeway")).unwrap();
    let (answers, _) = run("sh", home.path(), &agents(PROGRAM), PROGRAM);
    assert_eq!(answers.last(), Some(&Answer::Failed(Trouble::Store)));
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
}

#[test]
fn a_system_without_an_agent_is_named() {
    let home = tempfile::tempdir().unwrap();
    let (answers, _) = run("sh", home.path(), &BTreeMap::new(), b"");
    assert_eq!(answers.last(), Some(&Answer::Failed(Trouble::Platform)));
}

#[test]
fn the_other_shells_of_this_machine_read_it_alike() {
    for shell in ["bash", "dash", "zsh", "csh", "tcsh", "fish", "ksh", "mksh"] {
        let found = Command::new("sh").args(["-c", &format!("command -v {shell}")]).output().unwrap();
        if !found.status.success() {
            continue;
        }
        let home = tempfile::tempdir().unwrap();
        let (answers, rest) = run(shell, home.path(), &agents(PROGRAM), PROGRAM);
        assert!(answers.contains(&Answer::Run), "{shell}: {answers:?}");
        assert_eq!(rest, "agent speaking\n", "{shell}");
    }
}

#[test]
fn noise_is_skipped_and_bounded() {
    let mut reader = Reader::default();
    reader.push(b"Welcome!\nno line endROPEWAY1 send\nROPEWAY1 run\n\0mux").unwrap();
    assert_eq!(reader.next(), Some(Answer::Send));
    assert_eq!(reader.next(), Some(Answer::Run));
    assert_eq!(reader.next(), None);
    assert_eq!(reader.rest(), b"\0mux");
    let mut reader = Reader::default();
    assert_eq!(reader.push(&vec![b'x'; MAX_NOISE + 1]), Err(TooMuchNoise));
}

#[test]
fn a_platform_is_a_plain_word_or_nothing() {
    let mut reader = Reader::default();
    reader.push(b"ROPEWAY1 machine \x1b]52;c;aGk= boot=1\nROPEWAY1 machine plan9-mips boot=1\n").unwrap();
    assert!(matches!(reader.next(), Some(Answer::Machine(machine)) if machine.platform == "plan9-mips"));
}

proptest! {
    #![proptest_config(crate::testing::rounds(64))]

    #[test]
    fn any_split_reads_the_same(cuts in prop::collection::vec(1usize..40, 1..30)) {
        let text = b"motd\nROPEWAY1 machine linux-x86_64 boot=1-2 ns=net:[4026531840]\r\nROPEWAY1 run\nrest";
        let (mut reader, mut answers, mut at) = (Reader::default(), vec![], 0);
        for cut in cuts.into_iter().chain([text.len()]) {
            let end = (at + cut).min(text.len());
            reader.push(&text[at..end]).unwrap();
            answers.extend(std::iter::from_fn(|| reader.next()));
            at = end;
        }
        let machine = Machine { platform: "linux-x86_64".into(), boot: "1-2".into(), namespace: "net:[4026531840]".into() };
        prop_assert_eq!(answers, [Answer::Machine(machine), Answer::Run]);
        prop_assert_eq!(reader.rest(), b"rest");
    }

    #[test]
    fn any_bytes_are_only_noise_or_answers(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
        let mut reader = Reader::default();
        let _ = reader.push(&bytes);
        while reader.next().is_some() {}
    }
}
