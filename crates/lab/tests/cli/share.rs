//! A tunnel that others use, too: a computer behind a bridge of the client, as containers are.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{IpAddr, SocketAddr, TcpStream},
    os::fd::AsFd,
    process::{Child, Stdio},
    thread,
};

use nix::sched::{CloneFlags, setns};
use ropeway_helper_api::Grant;
use ropeway_lab::{
    Family, Host, Lab,
    harness::{Ropeway, lab_or_skip, wait_until},
    ports,
};

use crate::{SOON, assert_nothing_stays, assert_works, listeners_of_ours, login::assert_ends, tunnel_for};

/// What `--share containers` finds.
const BRIDGE: &str = "docker0";

/// The client, as the guest sees it; never anybody's in the lab otherwise.
const ROUTER: [&str; 2] = ["172.17.0.1", "fd17::1"];

/// A network of its own behind the client, for as long as the value lives.
struct Guest(Child);

impl Guest {
    /// Behind a bridge that is made now.
    fn new(lab: &Lab) -> Self {
        let client = lab.client().as_root();
        let mut command = client.command("unshare").expect("the client is up");
        let child =
            command.args(["--net", "sleep", "infinity"]).stdin(Stdio::null()).spawn().expect("it starts");
        let guest = Self(child);
        let of_client = client.run(|| namespace("thread-self")).expect("the client is up");
        assert!(wait_until(SOON, || namespace(&guest.pid())
            .is_ok_and(|own| Some(own) != of_client.as_ref().ok().cloned())));
        for line in [
            format!("link add {BRIDGE} type bridge"),
            format!("addr add {}/16 dev {BRIDGE}", ROUTER[0]),
            format!("addr add {}/64 dev {BRIDGE} nodad", ROUTER[1]),
            format!("link add v-guest type veth peer name eth0 netns {}", guest.pid()),
            format!("link set v-guest master {BRIDGE} up"),
            format!("link set {BRIDGE} up"),
        ] {
            ip(&client, &[], &line);
        }
        let inside = ["-t", &guest.pid(), "-n", "ip"];
        for line in [
            "link set lo up",
            "addr add 172.17.0.2/16 dev eth0",
            "addr add fd17::2/64 dev eth0 nodad",
            "link set eth0 up",
            "route add default via 172.17.0.1",
            "route add ::/0 via fd17::1",
        ] {
            ip(&client, &inside, line);
        }
        guest
    }

    fn pid(&self) -> String {
        self.0.id().to_string()
    }

    fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let file = std::fs::File::open(format!("/proc/{}/ns/net", self.pid())).expect("it runs");
        thread::scope(|scope| {
            let inside = || {
                setns(file.as_fd(), CloneFlags::CLONE_NEWNET).expect("we are root");
                work()
            };
            scope.spawn(inside).join().expect("no panic")
        })
    }

    fn connect(&self, to: SocketAddr) -> io::Result<TcpStream> {
        self.run(|| TcpStream::connect_timeout(&to, SOON))
    }

    /// Whether the private page comes.
    fn reaches(&self, lab: &Lab, family: Family) -> bool {
        let page = self.connect(web(lab, family)).and_then(|mut stream| {
            stream.set_read_timeout(Some(SOON))?;
            stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
            let mut page = String::new();
            stream.read_to_string(&mut page).map(|_| page)
        });
        page.is_ok_and(|page| page.contains(lab.word()))
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn namespace(process: &str) -> io::Result<std::path::PathBuf> {
    std::fs::read_link(format!("/proc/{process}/ns/net"))
}

fn ip(host: &Host, before: &[&str], line: &str) {
    let (program, more) = if before.is_empty() { ("ip", &[][..]) } else { ("nsenter", before) };
    let mut command = host.command(program).expect("the client is up");
    let done = command.args(more).args(line.split(' ')).status().expect("it starts");
    assert!(done.success(), "{line}");
}

fn web(lab: &Lab, family: Family) -> SocketAddr {
    SocketAddr::new(lab.private().address(family), ports::WEB)
}

#[test]
fn a_container_reaches_the_private_network_and_nobody_the_listeners() {
    let Some(lab) = lab_or_skip("share") else { return };
    lab.grant(Grant::All).expect("a grant");
    let guest = Guest::new(&lab);
    assert!(!guest.reaches(&lab, Family::V4));
    let tunnel = tunnel_for(&lab, &["--share", "containers", "10.20.0.0/16", "fd20::/48"]);
    for family in Family::BOTH {
        assert_works(&lab, family);
        assert!(guest.reaches(&lab, family), "{family:?}");
    }
    let outside =
        |to: SocketAddr| lab.hub().run(|| TcpStream::connect_timeout(&to, SOON)).expect("the hub is up");
    let listeners = listeners_of_ours(&lab);
    assert_eq!(listeners.len(), 16, "eight for each family");
    for listener in listeners {
        let family = if listener.is_ipv4() { Family::V4 } else { Family::V6 };
        let router: IpAddr = ROUTER[usize::from(family == Family::V6)].parse().expect("an address");
        let refused = |attempt: io::Result<TcpStream>| attempt.err().map(|error| error.kind());
        let direct = SocketAddr::new(router, listener.port());
        assert_eq!(refused(guest.connect(direct)), Some(ErrorKind::ConnectionRefused), "{direct}");
        let direct = SocketAddr::new(lab.client().address(family), listener.port());
        assert_eq!(refused(outside(direct)), Some(ErrorKind::ConnectionRefused), "{direct}");
        // its own programs come to the listener itself, which cuts them off
        let own = crate::first_byte(&lab.client(), direct);
        assert_eq!(own.err().map(|error| error.kind()), Some(ErrorKind::ConnectionReset), "{direct}");
    }
    drop(tunnel);
    assert!(!guest.reaches(&lab, Family::V4));
    assert_nothing_stays(&lab);
}

#[test]
fn a_bridge_that_comes_later_is_taken_in() {
    let Some(lab) = lab_or_skip("share-later") else { return };
    lab.grant(Grant::All).expect("a grant");
    let _tunnel = tunnel_for(&lab, &["-l", "0.0.0.0:0", "10.20.0.0/16"]);
    let guest = Guest::new(&lab);
    assert!(wait_until(SOON, || guest.reaches(&lab, Family::V4)));
}

#[test]
fn to_share_needs_more_than_ones_own_grant() {
    let Some(lab) = lab_or_skip("share-own") else { return };
    let _guest = Guest::new(&lab);
    let args = ["--share", "containers", "10.20.0.0/16"];
    assert_ends(Ropeway::start(&lab, Some("server"), &args).expect("it starts"), "E-NOT-GRANTED");
}
