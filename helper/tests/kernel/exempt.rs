//! What is never captured.

use crate::prelude::*;

#[test]
fn a_cgroup_is_exempt_with_all_that_is_below_it() {
    in_world(|| {
        listen("tunnel", 12300);
        let exempt = TemporaryCgroup::new("exempt");
        let other = TemporaryCgroup::new("other");
        let mut helper = Helper::start();
        let everything = plan(&["0.0.0.0/0"], &[], 12300);
        assert_eq!(code(&helper.load_with_cgroup(1, everything.clone(), folder(&exempt).as_fd())), None);
        let from = |prepare: &str| reached_by_shell(&[], prepare, "10.1.2.3:80");
        assert_eq!(from(&exempt.enter("")), "outside 10.1.2.3:80");
        assert_eq!(from(&exempt.enter("inner")), "outside 10.1.2.3:80");
        assert_eq!(from(&other.enter("")), "tunnel 10.1.2.3:80");
        assert_eq!(from(""), "tunnel 10.1.2.3:80");
        helper.load(1, everything); // the session without its cgroup
        assert_eq!(from(&exempt.enter("")), "tunnel 10.1.2.3:80");
    });
}

#[test]
fn only_a_proper_cgroup_is_exempt() {
    in_world(|| {
        let cgroup = TemporaryCgroup::new("refused");
        let root = File::open(cgroup.0.parent().unwrap()).unwrap();
        let file = File::open(cgroup.0.join("cgroup.procs")).unwrap();
        let mut helper = Helper::start();
        for bad in [root, file, File::open("/proc/self").unwrap(), File::open("/dev/null").unwrap()] {
            let reply = helper.load_with_cgroup(1, plan(&["10.0.0.0/8"], &[], 12300), bad.as_fd());
            assert_eq!(code(&reply), Some(HelperCode::Descriptor), "{bad:?}");
        }
        assert!(!table_exists());
    });
}

/// The peer here is root, who may name any cgroup; so the check is called with other uids.
#[test]
fn a_cgroup_must_belong_to_the_user_who_hands_it_over() {
    in_world(|| {
        let cgroup = TemporaryCgroup::new("owned");
        chown(&cgroup.0, Some(1234), None).unwrap();
        let fd = OwnedFd::from(folder(&cgroup));
        let of_owner = ropeway_helper::platform::cgroup(&fd, 1234).unwrap();
        assert_eq!(ropeway_helper::platform::cgroup(&fd, 0).unwrap(), of_owner);
        assert_eq!(of_owner.level, 1);
        assert!(ropeway_helper::platform::cgroup(&fd, 1235).is_err());
    });
}

#[test]
fn a_marked_socket_is_exempt() {
    in_world(|| {
        listen("tunnel", 12300);
        let mut helper = Helper::start();
        helper.load(1, plan(&["0.0.0.0/0", "::/0"], &[], 12300));
        for to in ["10.1.2.3:80", "[fd00::1]:80"] {
            let address: SocketAddr = to.parse().unwrap();
            let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
            assert_eq!(helper.ask(&Request::MarkSocket, Some(socket.as_fd())), Reply::Done);
            assert_eq!(SockRef::from(&socket).mark().unwrap(), ropeway_helper_api::DIRECT_MARK);
            socket.connect(&address.into()).unwrap();
            assert_eq!(Connection::adopt(socket.into()).greeting, format!("outside {to}"));
        }
        let udp = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
        assert_eq!(helper.ask(&Request::MarkSocket, Some(udp.as_fd())), Reply::Done);
    });
}

#[test]
fn only_unconnected_tcp_and_udp_sockets_are_marked() {
    in_world(|| {
        let mut helper = Helper::start();
        let connected = TcpStream::connect("10.1.2.3:80").unwrap();
        let unix = UnixStream::pair().unwrap().0;
        let raw = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4)).unwrap();
        let file = File::open("/dev/null").unwrap();
        for bad in [connected.as_fd(), unix.as_fd(), raw.as_fd(), file.as_fd()] {
            assert_eq!(
                code(&helper.ask(&Request::MarkSocket, Some(bad))),
                Some(HelperCode::Descriptor),
                "{bad:?}"
            );
        }
        assert_eq!(code(&helper.ask(&Request::MarkSocket, None)), Some(HelperCode::Descriptor));
    });
}

#[test]
fn endpoints_are_exempt_with_their_port_only() {
    in_world(|| {
        listen("tunnel", 12300);
        let mut helper = Helper::start();
        let mut everything = plan(&["0.0.0.0/0", "::/0"], &[], 12300);
        everything.endpoints = vec!["10.1.2.3:22".parse().unwrap(), "[fd00::1]:22".parse().unwrap()];
        helper.load(1, everything);
        for (to, expected) in [
            ("10.1.2.3:22", "outside"),
            ("10.1.2.3:80", "tunnel"),
            ("10.1.2.4:22", "tunnel"),
            ("[fd00::1]:22", "outside"),
            ("[fd00::1]:80", "tunnel"),
            ("[fd00::2]:22", "tunnel"),
        ] {
            assert_eq!(reached(to), format!("{expected} {to}"));
        }
    });
}
