//! The two scripts that run as root, run as root: in a mount namespace of their own with an empty `/usr/local`.

// outside of a test function a panic is still how a test fails
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
};

use sha2::{Digest, Sha256};

const INSTALL: &str = include_str!("../src/setup_helper/install.sh");
const REMOVE: &str = include_str!("../src/setup_helper/remove.sh");

/// In place of the helper: writes down how it was started.
const HELPER: &str = "#!/bin/sh\necho \"$0 $*\" >>/usr/local/calls\n";

/// The same, but it cannot install.
const BROKEN: &str = "#!/bin/sh\necho \"$0 $*\" >>/usr/local/calls\n[ \"$1\" != --install ]\n";

/// Runs `$SCRIPT` after `$PREPARE` and says what is there afterwards.
const WORLD: &str = r#"
set -eu
mount -t tmpfs -o mode=755 tmpfs /usr/local
(eval "$PREPARE") </dev/null
code=0
env -u SCRIPT -u PREPARE PKEXEC_UID=1000 /bin/sh -c "$SCRIPT" ropeway-setup "$@" || code=$?
echo "$code"
find /usr/local -mindepth 1 ! -name calls -printf '%P %u:%g %m\n' | sort
echo calls
cat /usr/local/calls 2>/dev/null || true
"#;

/// A run of one of the scripts.
struct Run<'a> {
    script: &'a str,
    arguments: Vec<String>,
    /// Done before, in the namespace.
    prepare: &'a str,
    input: &'a [u8],
    environment: Vec<(&'a str, String)>,
}

#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    code: i32,
    /// What lies in `/usr/local` with its owner and mode.
    files: Vec<String>,
    /// How the program that was put there was started.
    calls: Vec<String>,
    said: String,
}

impl<'a> Run<'a> {
    fn install(input: &'a str) -> Self {
        let arguments = vec![sum(input.as_bytes()), "own".into()];
        Self { script: INSTALL, arguments, prepare: "", input: input.as_bytes(), environment: vec![] }
    }

    fn go(self) -> Outcome {
        let mut child = Command::new("unshare")
            .args(["--mount", "--propagation", "private", "/bin/sh", "-c", WORLD, "world"])
            .args(self.arguments)
            .env("SCRIPT", self.script)
            .env("PREPARE", self.prepare)
            .envs(self.environment)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // one that refuses its arguments does not read
        let _ = child.stdin.take().unwrap().write_all(self.input);
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        let told = String::from_utf8(output.stdout).unwrap();
        let (code, rest) = told.split_once('\n').unwrap();
        let (files, calls) = rest.split_once("calls\n").unwrap();
        let lines = |text: &str| text.lines().map(str::to_owned).collect();
        Outcome { code: code.parse().unwrap(), files: lines(files), calls: lines(calls), said }
    }
}

fn sum(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

fn assert_installed(outcome: &Outcome) {
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(outcome.files, ["libexec root:root 755", "libexec/ropeway-helper root:root 755"]);
    assert_eq!(outcome.calls, ["/usr/local/libexec/ropeway-helper --install --grant own --for 1000"]);
}

/// Neither the program nor a part of it, and nothing of it was run.
fn assert_nothing_left(outcome: &Outcome, because: &str) {
    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert!(outcome.files.iter().all(|file| !file.contains("ropeway")), "{outcome:?}");
    assert_eq!(outcome.calls, [""; 0]);
    assert!(outcome.said.contains(because), "{outcome:?}");
}

/// Namespaces need root.
macro_rules! as_root {
    () => {
        if !nix::unistd::geteuid().is_root() {
            eprintln!("skipped: needs root");
            return;
        }
    };
}

#[test]
fn the_announced_program_is_put_in_its_place_and_started() {
    as_root!();
    assert_installed(&Run::install(HELPER).go());
    let all = Run { arguments: vec![sum(HELPER.as_bytes()), "all".into()], ..Run::install(HELPER) }.go();
    assert_eq!(all.calls, ["/usr/local/libexec/ropeway-helper --install --grant all --for 1000"]);
}

#[test]
fn another_program_than_the_announced_one_is_not_kept() {
    as_root!();
    let other = Run { arguments: vec![sum(b"another"), "own".into()], ..Run::install(HELPER) };
    assert_nothing_left(&other.go(), "not the one that was announced");
}

#[test]
fn half_a_program_is_not_kept() {
    as_root!();
    let half = &HELPER.as_bytes()[..HELPER.len() / 2];
    assert_nothing_left(&Run { input: half, ..Run::install(HELPER) }.go(), "not the one that was announced");
    assert_nothing_left(&Run { input: b"", ..Run::install(HELPER) }.go(), "not the one that was announced");
}

#[test]
fn a_grant_that_means_nothing_is_refused_before_anything_is_done() {
    as_root!();
    for grant in ["", "root", "own --for 0"] {
        let run = Run { arguments: vec![sum(HELPER.as_bytes()), grant.into()], ..Run::install(HELPER) };
        let outcome = run.go();
        assert_nothing_left(&outcome, "neither own nor all");
        assert_eq!(outcome.files, [""; 0]);
    }
}

/// Everything that a user could put into the environment to have something of theirs run or written.
#[test]
fn the_callers_environment_changes_nothing() {
    as_root!();
    let trap = tempfile::tempdir().unwrap();
    fs::set_permissions(trap.path(), fs::Permissions::from_mode(0o777)).unwrap();
    for program in ["sha256sum", "mktemp", "cat", "mv", "chown", "chmod", "ls", "mkdir", "rm"] {
        let fake = trap.path().join(program);
        fs::write(&fake, format!("#!/bin/sh\n: >'{}'/caught\n", trap.path().display())).unwrap();
        fs::set_permissions(&fake, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let here = trap.path().display().to_string();
    let path = format!("{here}:/usr/bin:/bin");
    // the search path is the one thing that the namespace's own commands need as well
    let wrapped = format!("exec env PATH='{path}' /bin/sh -c \"$INNER\" \"$0\" \"$@\"");
    let environment = vec![
        ("INNER", INSTALL.to_owned()),
        ("TMPDIR", here.clone()),
        ("HOME", here.clone()),
        ("CDPATH", here.clone()),
        ("IFS", "/".to_owned()),
        ("ENV", format!("{here}/cat")),
        ("BASH_ENV", format!("{here}/cat")),
    ];
    let before = names(trap.path());
    assert_installed(&Run { script: &wrapped, environment, ..Run::install(HELPER) }.go());
    assert_eq!(names(trap.path()), before);
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_folder_that_others_can_change_is_not_used() {
    as_root!();
    for prepare in [
        "chmod 777 /usr/local",
        "mkdir /usr/local/libexec; chown 1000 /usr/local/libexec",
        "mkdir -m 1777 /usr/local/elsewhere; mkdir /usr/local/elsewhere/x; ln -s elsewhere/x /usr/local/libexec",
        "chgrp games /usr/local; chmod 2775 /usr/local",
        "chgrp staff /usr/local; chmod 2775 /usr/local; setfacl -m u:1000:rwx /usr/local",
        "setfacl -m u:1000:rwx /usr/local",
    ] {
        let outcome = Run { prepare, ..Run::install(HELPER) }.go();
        assert_nothing_left(&outcome, "others than root can change");
    }
}

#[test]
fn roots_own_groups_may_change_the_folders() {
    as_root!();
    for prepare in [
        "chmod 775 /usr/local",
        "chgrp staff /usr/local; chmod 2775 /usr/local",
        "setfacl -m u:1000:rx /usr/local",
        "mkdir /usr/local/libexec; chgrp games /usr/local/libexec",
    ] {
        let outcome = Run { prepare, ..Run::install(HELPER) }.go();
        assert_eq!((outcome.code, outcome.said.as_str()), (0, ""), "{prepare}");
    }
}

#[test]
fn an_older_program_is_replaced_whatever_it_is() {
    as_root!();
    for prepare in [
        "mkdir /usr/local/libexec; echo old >/usr/local/libexec/ropeway-helper",
        "mkdir /usr/local/libexec; ln -s /etc/passwd /usr/local/libexec/ropeway-helper",
    ] {
        assert_installed(&Run { prepare, ..Run::install(HELPER) }.go());
    }
}

#[test]
fn a_first_set_up_that_fails_is_taken_back() {
    as_root!();
    let outcome = Run::install(BROKEN).go();
    assert_eq!(outcome.code, 1);
    let place = "/usr/local/libexec/ropeway-helper";
    assert_eq!(
        outcome.calls,
        [format!("{place} --install --grant own --for 1000"), format!("{place} --remove")]
    );
    // what cannot even start is taken away here, and its own exit status does not come through
    let outcome = Run::install("#!/nowhere\n").go();
    assert_eq!((outcome.code, outcome.files), (1, vec!["libexec root:root 755".to_owned()]));
}

#[test]
fn an_update_that_fails_leaves_what_was_allowed_alone() {
    as_root!();
    let prepare = "mkdir /usr/local/libexec; : >/usr/local/libexec/ropeway-helper";
    let outcome = Run { prepare, ..Run::install(BROKEN) }.go();
    assert_eq!(outcome.code, 1);
    assert_eq!(outcome.calls, ["/usr/local/libexec/ropeway-helper --install --grant own --for 1000"]);
}

#[test]
fn removing_is_the_installed_programs_own_work() {
    as_root!();
    let remove = |prepare| {
        let run = Run { script: REMOVE, arguments: vec![], prepare, input: b"", environment: vec![] };
        run.go()
    };
    let script = "mkdir /usr/local/libexec; p=/usr/local/libexec/ropeway-helper; \
                  printf '#!/bin/sh\\necho \"$*\" >/usr/local/calls\\n' >$p; chmod 755 $p";
    let outcome = remove(script);
    assert_eq!((outcome.code, outcome.calls), (0, vec!["--remove".to_owned()]));
    assert_eq!(remove("").code, 1, "127 is pkexec's own");
}
