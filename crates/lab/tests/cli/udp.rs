//! Datagrams and echo requests to the private network, and what is left of their way afterwards.

use std::{
    fs, io,
    mem::MaybeUninit,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    time::Duration,
};

use nix::sys::signal::Signal;
use ropeway_lab::{
    Family, Host, Lab,
    harness::{Ropeway, lab_or_skip, wait_until},
};
use socket2::{Domain, Protocol, Socket, Type};

use crate::{GONE, PRIVATE, SOON, assert_nothing_stays, assert_works, death::kill_helper, tunnel_for};

/// One byte, an ordinary packet, and one that no network carries in one piece.
const SIZES: [usize; 3] = [1, 1_400, 60_000];

/// For one try; a datagram may be lost.
const TRY: Duration = Duration::from_secs(1);

fn tunnel(lab: &Lab) -> Ropeway {
    tunnel_for(lab, &[PRIVATE, &["--udp"]].concat())
}

#[test]
fn datagrams_of_every_size_come_back_through_the_tunnel() {
    let Some(lab) = lab_or_skip("udp") else { return };
    for family in Family::BOTH {
        assert!(echo_once(&lab, family, 1).is_err(), "there is no way yet");
    }
    let mut ropeway = tunnel(&lab);
    for family in Family::BOTH {
        for size in SIZES {
            assert!(wait_until(SOON, || echo_once(&lab, family, size).is_ok()), "{family:?} {size}");
        }
    }
    ropeway.signal(Signal::SIGTERM).expect("it runs");
    assert!(ropeway.wait_for_end(SOON).expect("it ends").success());
    assert_no_way_stays(&lab);
    assert_nothing_stays(&lab);
}

#[test]
fn a_port_where_nobody_listens_refuses() {
    let Some(lab) = lab_or_skip("udp-refused") else { return };
    let _ropeway = tunnel(&lab);
    for family in Family::BOTH {
        let refused = || {
            send(&lab, lab.refuses(family), b"?")
                .is_err_and(|it| it.kind() == io::ErrorKind::ConnectionRefused)
        };
        assert!(wait_until(SOON, refused), "{family:?}");
    }
}

#[test]
fn an_echo_comes_back_where_the_server_allows_it_and_else_it_is_told() {
    let Some(lab) = lab_or_skip("ping") else { return };
    let _ropeway = tunnel(&lab);
    allow_echo(&lab.client());
    for family in Family::BOTH {
        let told = match family {
            Family::V4 => io::ErrorKind::HostUnreachable,
            Family::V6 => io::ErrorKind::PermissionDenied,
        };
        assert!(wait_until(SOON, || ping(&lab, family).is_err_and(|it| it.kind() == told)), "{family:?}");
    }
    allow_echo(&lab.server());
    for family in Family::BOTH {
        assert!(wait_until(SOON, || ping(&lab, family).is_ok()), "{family:?}");
    }
}

#[test]
fn a_killed_ropeway_leaves_no_way() {
    let Some(lab) = lab_or_skip("udp-kill-app") else { return };
    let mut ropeway = tunnel(&lab);
    assert!(wait_until(SOON, || echo_once(&lab, Family::V4, 1).is_ok()));
    ropeway.signal(Signal::SIGKILL).expect("it runs");
    ropeway.wait_for_end(SOON).expect("nobody survives that");
    assert_no_way_stays(&lab);
    assert_nothing_stays(&lab);
}

#[test]
fn a_killed_helper_takes_the_way_along_and_it_is_put_back() {
    let Some(lab) = lab_or_skip("udp-kill-helper") else { return };
    let mut ropeway = tunnel(&lab);
    assert!(wait_until(SOON, || echo_once(&lab, Family::V4, 1).is_ok()));
    let seen = ropeway.lines().len();
    kill_helper(&lab);
    ropeway.wait_for_line_after(seen, "Connected", SOON * 2).expect("it comes back");
    assert!(wait_until(SOON, || echo_once(&lab, Family::V4, 1).is_ok()), "datagrams, too");
    assert_works(&lab, Family::V4);
    ropeway.signal(Signal::SIGTERM).expect("it runs");
    assert!(ropeway.wait_for_end(SOON).expect("it ends").success());
    assert_no_way_stays(&lab);
}

/// What the echo service sends back is what it got.
fn echo_once(lab: &Lab, family: Family, size: usize) -> io::Result<()> {
    let sent: Vec<u8> = (0..size).map(|place| place as u8).collect();
    let answer = send(lab, lab.echo(family), &sent)?;
    if answer == sent { Ok(()) } else { Err(io::Error::other(format!("{} bytes came back", answer.len()))) }
}

/// From a program on the client, which hears only whom it has asked.
fn send(lab: &Lab, to: SocketAddr, datagram: &[u8]) -> io::Result<Vec<u8>> {
    let exchange = || {
        let any = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let socket = UdpSocket::bind(SocketAddr::new(any, 0))?;
        socket.set_read_timeout(Some(TRY))?;
        socket.connect(to)?;
        socket.send(datagram)?;
        let mut answer = vec![0; 1 << 16];
        let length = socket.recv(&mut answer)?;
        answer.truncate(length);
        Ok(answer)
    };
    lab.client().run(exchange).expect("the client is up")
}

/// What `ping` does where it has no privilege.
fn ping(lab: &Lab, family: Family) -> io::Result<()> {
    let to = SocketAddr::new(lab.echo(family).ip(), 0);
    let (protocol, request, answer) =
        if to.is_ipv4() { (Protocol::ICMPV4, 8, 0) } else { (Protocol::ICMPV6, 128, 129) };
    let exchange = || {
        let socket = Socket::new(Domain::for_address(to), Type::DGRAM, Some(protocol))?;
        socket.set_read_timeout(Some(TRY))?;
        // only who has a peer hears errors
        socket.connect(&to.into())?;
        socket.send(&[request, 0, 0, 0, 0, 0, 0, 7, b'h', b'i'])?;
        let mut space = [MaybeUninit::new(0_u8); 64];
        let (length, from) = socket.recv_from(&mut space)?;
        // SAFETY: all of it was initialized before
        let came: Vec<u8> = space[..length].iter().map(|byte| unsafe { byte.assume_init() }).collect();
        let from = from.as_socket().map(|from| from.ip());
        let expected = came[0] == answer && came[6..] == [0, 7, b'h', b'i'] && from == Some(to.ip());
        if expected { Ok(()) } else { Err(io::Error::other(format!("{came:?} from {from:?}"))) }
    };
    lab.client().run(exchange).expect("the client is up")
}

/// A default of systemd's, but not of the kernel's.
fn allow_echo(host: &Host) {
    let allow = || fs::write("/proc/sys/net/ipv4/ping_group_range", "0 2147483647");
    host.as_root().run(allow).expect("the host is up").expect("it has that setting");
}

/// No rule, route or device of ours is on the client, and that soon.
fn assert_no_way_stays(lab: &Lab) {
    wait_until(GONE, || way(lab).is_empty());
    assert_eq!(way(lab), Vec::<String>::new());
}

fn way(lab: &Lab) -> Vec<String> {
    let asked = [
        &["rule"][..],
        &["-6", "rule"],
        &["route", "show", "table", "all"],
        &["-6", "route", "show", "table", "all"],
        &["link"],
    ];
    let said = asked.map(|args| {
        let output = lab.client().as_root().command("ip").expect("the client is up").args(args).output();
        String::from_utf8_lossy(&output.expect("ip runs").stdout).into_owned()
    });
    let ours =
        |line: &&str| line.contains("proto 94") || line.contains("table 60") || line.contains("ropeway");
    said.iter().flat_map(|text| text.lines()).filter(ours).map(str::to_owned).collect()
}
