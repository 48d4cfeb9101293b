//! What the kernel remembers of connections from the time before the rules.

use std::io::ErrorKind::{self, HostUnreachable, NetworkUnreachable};

use crate::{prelude::*, world::from_outside};

/// In a world whose kernel remembers, where outside never answers for 10.99.0.0/16 and `fd99::/16`, and has no way to
/// 10.98.0.0/16 and `fd98::/16`.
fn in_world_that_remembers(test: impl FnOnce() + Send + 'static) {
    in_world(|| {
        remember();
        from_outside(|| {
            run("ip route add blackhole 10.99.0.0/16 table local");
            run("ip -6 route add blackhole fd99::/16 table local");
            run("ip route add unreachable 10.98.0.0/16 table local");
            run("ip -6 route add unreachable fd98::/16 table local");
            std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
            std::fs::write("/proc/sys/net/ipv6/conf/all/forwarding", "1").unwrap();
        });
        test();
    });
}

/// A program that always uses this port.
fn socket(to: &str, from: u16) -> Socket {
    let any = if to.starts_with('[') { "[::]" } else { "0.0.0.0" };
    let socket = Socket::new(Domain::for_address(to.parse().unwrap()), Type::STREAM, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.bind(&format!("{any}:{from}").parse::<SocketAddr>().unwrap().into()).unwrap();
    socket
}

fn connect(to: &str, from: u16) -> Result<String, ErrorKind> {
    let socket = socket(to, from);
    match socket.connect(&to.parse::<SocketAddr>().unwrap().into()) {
        Ok(()) => Ok(Connection::adopt(socket.into()).greeting),
        Err(error) => Err(error.kind()),
    }
}

/// Outside says at once that nobody is there, which the kernel takes for no end of the attempt.
#[test]
fn an_attempt_that_failed_before_does_not_send_the_next_one_around() {
    in_world_that_remembers(|| {
        listen("tunnel", 12300);
        let mut helper = Helper::start();
        for to in ["10.98.0.1:80", "[fd98::1]:80"] {
            let outside = connect(to, 40_001).unwrap_err();
            assert!(matches!(outside, HostUnreachable | NetworkUnreachable), "{to}: {outside}");
            helper.load(1, plan(&["10.0.0.0/8", "fd00::/8"], &[], 12300));
            assert_eq!(connect(to, 40_001), Ok(format!("tunnel {to}")));
            helper.unload(1);
        }
    });
}

/// The kernel asks again after a second, by itself.
#[test]
fn an_attempt_that_waits_for_its_answer_is_taken() {
    in_world_that_remembers(|| {
        listen("tunnel", 12300);
        let mut helper = Helper::start();
        for to in ["10.99.0.1:80", "[fd99::1]:80"] {
            let socket = socket(to, 40_002);
            let address = to.parse::<SocketAddr>().unwrap();
            socket.set_nonblocking(true).unwrap();
            assert!(socket.connect(&address.into()).is_err(), "it is under way");
            helper.load(1, plan(&["10.0.0.0/8", "fd00::/8"], &[], 12300));
            socket.set_nonblocking(false).unwrap();
            assert_eq!(Connection::adopt(socket.into()).greeting, format!("tunnel {to}"));
            helper.unload(1);
        }
    });
}

/// Forgotten, their packets would leave in the clear under the program's own address.
#[test]
fn open_connections_go_on_as_they_began() {
    in_world_that_remembers(|| {
        listen("tunnel", 12300);
        let mut helper = Helper::start();
        let mut direct = Connection::open("10.1.2.3:80");
        helper.load(1, plan(&["10.0.0.0/8"], &[], 12300));
        let mut through = Connection::open("10.1.2.3:80");
        helper.load(2, plan(&["10.1.0.0/16"], &[], 12300));
        helper.unload(1);
        helper.unload(2);
        assert_eq!([&direct.greeting, &through.greeting], ["outside 10.1.2.3:80", "tunnel 10.1.2.3:80"]);
        assert!(direct.is_alive() && through.is_alive());
    });
}
