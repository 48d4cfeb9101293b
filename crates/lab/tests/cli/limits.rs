//! Limits on open files: raised where that is allowed, given back to children, and told where they are too low.

use std::{
    fs,
    net::{SocketAddr, TcpStream},
};

use ropeway_lab::{
    Family, Lab,
    harness::{Ropeway, lab_or_skip, wait_until},
    ports,
};

use crate::{
    PRIVATE, SOON,
    other::{put_agent_on_server, script, with_agent},
};

/// More than the limits below, fewer than what waits to be accepted.
const MANY: usize = 100;

#[test]
fn a_low_limit_here_is_told_at_once_and_when_it_is_reached() {
    let Some(lab) = lab_or_skip("few-files") else { return };
    let ropeway = lab.client().program("ropeway").expect("it is built");
    let program = script(&lab, "few", &format!("ulimit -n 90; exec {} \"$@\"", ropeway.display()));
    let tunnel = Ropeway::start_program(&lab, &program, Some("server"), PRIVATE).expect("it starts");
    tunnel.wait_for_line("only 90 files may be open", SOON).expect("it is told");
    tunnel.wait_for_line("Connected", SOON).expect("it connects");
    let connections = open_many(&lab);
    tunnel
        .wait_for_line("E-TOO-MANY-OPEN: Too many connections for this computer.", SOON)
        .expect("it is told");
    assert_told_once(&tunnel, "nofile");
    drop(connections);
}

#[test]
fn a_low_limit_on_the_server_is_told_when_it_is_reached() {
    let Some(lab) = lab_or_skip("few-there") else { return };
    put_agent_on_server(&lab);
    let program = with_agent(&lab, "ulimit -n 40; exec $HOME/agent");
    let tunnel = Ropeway::start_program(&lab, &program, Some("server"), PRIVATE).expect("it starts");
    tunnel.wait_for_line("Connected", SOON).expect("it connects");
    let connections = open_many(&lab);
    tunnel.wait_for_line("E-TOO-MANY-OPEN: Too many connections for server.", SOON).expect("it is told");
    assert_told_once(&tunnel, "nofile");
    drop(connections);
}

#[test]
fn a_soft_limit_is_ours_to_raise_and_not_the_childrens_to_suffer() {
    let Some(lab) = lab_or_skip("soft-files") else { return };
    let ropeway = lab.client().program("ropeway").expect("it is built");
    let start = format!("ulimit -Sn 200; ulimit -Hn 5000; exec {} \"$@\"", ropeway.display());
    let program = script(&lab, "soft", &start);
    let tunnel = Ropeway::start_program(&lab, &program, Some("server"), PRIVATE).expect("it starts");
    tunnel.wait_for_line("Connected", SOON).expect("it connects");
    assert_eq!(soft_limit(tunnel.pid().as_raw()), "5000");
    let processes = lab.client().processes();
    let of_ssh: Vec<_> = processes.iter().filter(|process| process.name == "ssh").collect();
    assert!(!of_ssh.is_empty(), "{processes:?}");
    for ssh in of_ssh {
        assert_eq!(soft_limit(ssh.pid), "200", "{}", ssh.line);
    }
    drop(open_many(&lab));
}

/// Each is accepted by the kernel at least.
fn open_many(lab: &Lab) -> Vec<TcpStream> {
    let web = SocketAddr::new(lab.private().address(Family::V4), ports::WEB);
    let open = || (0..MANY).map(|_| TcpStream::connect_timeout(&web, SOON)).collect::<Result<_, _>>();
    lab.client().run(open).expect("the client is up").expect("they are captured")
}

/// Also after all of the many have had their turn.
fn assert_told_once(tunnel: &Ropeway, how: &str) {
    let lines = || tunnel.lines();
    assert!(wait_until(SOON, || lines().iter().any(|line| line.contains(how))), "{:#?}", lines());
    let told = lines().iter().filter(|line| line.starts_with("E-TOO-MANY-OPEN")).count();
    assert_eq!(told, 1, "{:#?}", lines());
}

fn soft_limit(pid: i32) -> String {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).expect("it runs");
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).expect("Linux tells");
    line.split_whitespace().next().unwrap_or_default().to_owned()
}
