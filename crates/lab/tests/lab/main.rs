//! The lab itself: what it promises to the tests that stand on it.

mod bench;
mod bus;
mod link;
mod names;
mod person;

use std::{
    fs, io,
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    path::Path,
    process::Command,
    time::Duration,
};

use ropeway_lab::{Family, Host, Lab, harness::lab_or_skip, ports, stream};

const SOON: Duration = Duration::from_secs(5);

/// Hosts of the ssh configuration that let us in, and who we are there.
const WELCOMING: &[(&str, &str)] = &[
    ("server", "lab"),
    ("server-root", "root"),
    ("server-v6", "lab"),
    ("server-via-jump", "lab"),
    ("server-via-nc", "lab"),
    ("server-by-name", "lab"),
    ("private-via-two", "lab"),
    ("noisy-server", "noisy"),
    ("jump", "lab"),
    ("same-machine", "lab"),
];

/// Hosts that do not, and what ssh says.
const HOSTILE: &[(&str, &str)] = &[
    ("wrong-key", "Permission denied (publickey)"),
    ("changed-host-key", "REMOTE HOST IDENTIFICATION HAS CHANGED"),
    ("unknown-host-key", "Host key verification failed"),
    ("no-such-host", "Could not resolve hostname"),
];

#[test]
fn the_private_network_is_reached_from_the_server_alone() {
    let Some(lab) = lab_or_skip("reach") else { return };
    for family in Family::BOTH {
        let url = lab.web_url(family, "/");
        let page = lab.server().fetch(&url, SOON).expect("curl runs");
        assert_eq!(page.code, 0);
        assert!(page.body.contains(lab.word()), "{page:?}");
        for host in [lab.client(), lab.jump(), lab.hub()] {
            assert_eq!(host.fetch(&url, SOON).expect("curl runs").code, 7, "{host:?} {url}");
        }
    }
}

#[test]
fn the_public_web_server_says_who_came() {
    let Some(lab) = lab_or_skip("whoami") else { return };
    for family in Family::BOTH {
        let url = lab.public_web_url(family, "/whoami");
        let answer = lab.client().fetch(&url, SOON).expect("curl runs");
        assert_eq!(answer.body.trim(), lab.client().address(family).to_string());
    }
}

#[test]
fn ssh_gets_in_where_it_should_and_nowhere_else() {
    let Some(lab) = lab_or_skip("ssh") else { return };
    for (host, user) in WELCOMING {
        let output = ssh(&lab, host, "echo; id -un; echo $ROPEWAY_LAB").output().expect("ssh runs");
        let said = String::from_utf8_lossy(&output.stdout);
        let wanted = [*user, lab.name()];
        // the second name of one user number is told as the first
        let wanted = if *user == "noisy" { ["lab", lab.name()] } else { wanted };
        assert!(said.ends_with(&format!("\n{}\n", wanted.join("\n"))), "{host}: {output:?}");
        assert_eq!(said.len() > 10_240, *host == "noisy-server", "{host}: {} bytes", said.len());
    }
    for (host, words) in HOSTILE {
        let output = ssh(&lab, host, "true").output().expect("ssh runs");
        assert_eq!(output.status.code(), Some(255), "{host}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(words), "{host}: {output:?}");
    }
}

#[test]
fn the_big_file_travels_whole_both_ways() {
    let Some(lab) = lab_or_skip("big") else { return };
    let got = lab.server().download(&lab.web_url(Family::V4, "/big"), SOON * 6).expect("curl runs");
    assert_eq!((got.code, got.sum.bytes, got.sum.sha256.as_str()), (0, stream::BIG, stream::BIG_SHA256));
    let sent =
        lab.server().upload(&lab.web_url(Family::V6, "/upload"), stream::BIG, SOON * 6).expect("curl runs");
    assert_eq!((sent.code, sent.body), (0, format!("{} {}\n", stream::BIG_SHA256, stream::BIG)));
}

#[test]
fn each_direction_of_a_connection_can_end_first() {
    let Some(lab) = lab_or_skip("half-close") else { return };
    let server = lab.server();
    assert_eq!(talk(&server, lab.echo(Family::V4), "hello").expect("echo answers"), "hello");
    let goodbye = talk_after_end(&server, lab.farewell(Family::V6), "and thanks").expect("it answers");
    assert_eq!(goodbye, ropeway_lab::serve::FAREWELL);
    let heard = || {
        server
            .fetch(&lab.web_url(Family::V4, "/last-words"), SOON)
            .is_ok_and(|page| page.body == "and thanks")
    };
    assert!(ropeway_lab::harness::wait_until(SOON, heard));
}

#[test]
fn dead_addresses_are_dead_in_their_own_way() {
    let Some(lab) = lab_or_skip("dead") else { return };
    let server = lab.server();
    for family in Family::BOTH {
        assert_eq!(failure(&server, lab.refuses(family)), io::ErrorKind::ConnectionRefused);
        assert_eq!(failure(&server, lab.silent(family)), io::ErrorKind::TimedOut);
    }
    assert!(server.repeated_syns().expect("counted") > 0, "nobody answered for more than a second");
    assert_eq!(failure(&server, lab.unreachable(Family::V4)), io::ErrorKind::HostUnreachable);
    assert_eq!(failure(&server, lab.unreachable(Family::V6)), io::ErrorKind::NetworkUnreachable);
}

#[test]
fn a_hosts_tables_and_listeners_are_its_own() {
    let Some(lab) = lab_or_skip("tables") else { return };
    let client = lab.client().as_root();
    let added = client.command("nft").expect("it is up").args(["add", "table", "inet", "probe"]).status();
    assert!(added.expect("nft runs").success());
    assert_eq!(client.nft_tables().expect("nft runs"), ["inet probe"]);
    assert_eq!(lab.server().nft_tables().expect("nft runs"), Vec::<String>::new());
    let ports: Vec<_> = client.listeners().expect("it is up").iter().map(SocketAddr::port).collect();
    assert_eq!(ports, [ports::SSH_ON_CLIENT; 2], "one for each family");
}

#[test]
fn a_host_has_its_own_home_accounts_and_run_folder() {
    let Some(lab) = lab_or_skip("view") else { return };
    let script = "echo $HOME; getent passwd lab; touch $XDG_RUNTIME_DIR/mark; ls /run/netns 2>&1; test -e /sys/fs/cgroup && echo cgroups";
    let output =
        lab.client().command("sh").expect("it is up").args(["-c", script]).output().expect("sh runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.starts_with(&format!("{}\nlab:x:", lab.client().home().display())), "{said}");
    assert!(said.contains("No such file") && said.ends_with("cgroups\n"), "{said}");
    assert!(lab.client().runtime_folder().join("mark").exists() && !Path::new("/run/user/59002").exists());
}

#[test]
fn taking_it_down_leaves_nothing() {
    let Some(lab) = lab_or_skip("down") else { return };
    let name = lab.name().to_owned();
    // neither of its parent's group nor with an environment that tells where it belongs
    let mut orphan = lab.client().command("setsid").expect("it is up");
    let mut orphan = orphan.env_clear().args(["/bin/sleep", "1000"]).spawn().expect("sleep runs");
    assert!(ropeway_lab::harness::wait_until(SOON, || lab
        .stray_processes()
        .iter()
        .any(|it| it.line.contains("1000"))));
    drop(lab);
    assert!(!orphan.wait().expect("it was ours").success());
    assert!(!namespaces().contains(&name), "{}", namespaces());
    assert!(!Lab::names().contains(&name));
}

#[test]
fn a_lab_takes_the_place_of_one_that_was_left() {
    let Some(first) = lab_or_skip("again") else { return };
    let (name, word) = (first.name().to_owned(), first.word().to_owned());
    first.leave_up();
    assert_eq!(Lab::open(&name).expect("it is up").word(), word);
    let second = Lab::up(&name).expect("the old one is no obstacle");
    assert_ne!(second.word(), word);
    assert_eq!(second.server().fetch(&second.web_url(Family::V4, "/"), SOON).expect("curl runs").code, 0);
}

#[test]
fn the_command_line_does_all_of_it() {
    let Some(lab) = lab_or_skip("cli") else { return };
    let name = format!("{}-x", lab.name());
    let up = tool(&["up", &name]);
    assert!(up.contains("\"10.20.0.0/16\""), "{up}");
    assert_eq!(
        tool(&["exec", &name, "server", "--", "curl", "-s", "http://198.51.100.1/whoami"]),
        "198.51.100.4\n"
    );
    assert_eq!(tool(&["info", &name]), up);
    tool(&["down", &name]);
    assert!(!Lab::names().contains(&name));
    assert_eq!(tool(&["down", &name]), "", "taking down what is not there is no error");
}

fn tool(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_ropeway-lab")).args(args).output().expect("it is built");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("it speaks UTF-8")
}

fn ssh(lab: &Lab, host: &str, remote: &str) -> Command {
    let mut command = lab.client().command("ssh").expect("it is up");
    command.arg("-F").arg(lab.ssh_config()).args(["-n", "-o", "BatchMode=yes", host, remote]);
    command
}

/// Says `words`, ends, and reads the answer.
fn talk(host: &Host, to: SocketAddr, words: &str) -> io::Result<String> {
    host.run(|| {
        let mut stream = TcpStream::connect_timeout(&to, SOON)?;
        stream.write_all(words.as_bytes())?;
        stream.shutdown(Shutdown::Write)?;
        io::read_to_string(stream)
    })
    .expect("the host is up")
}

/// Reads to the end, and then says `words`.
fn talk_after_end(host: &Host, to: SocketAddr, words: &str) -> io::Result<String> {
    host.run(|| {
        let mut stream = TcpStream::connect_timeout(&to, SOON)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        stream.write_all(words.as_bytes())?;
        Ok(answer)
    })
    .expect("the host is up")
}

fn failure(host: &Host, to: SocketAddr) -> io::ErrorKind {
    let result =
        host.run(|| TcpStream::connect_timeout(&to, Duration::from_millis(1500))).expect("the host is up");
    result.expect_err("nobody can be there").kind()
}

fn namespaces() -> String {
    let names = fs::read_dir("/run/netns").into_iter().flatten().flatten().map(|entry| entry.file_name());
    names.map(|name| name.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}
