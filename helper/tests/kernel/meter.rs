//! What goes around a tunnel is counted, and nothing else.

use ropeway_helper_api::{Count, Leaks};

use crate::prelude::*;

fn metered(include: &[&str], exclude: &[&str], port: u16) -> Plan {
    Plan { meter: true, ..plan(include, exclude, port) }
}

fn read(helper: &mut Helper, session: u32) -> Leaks {
    match helper.ask(&Request::Meter { session: SessionId(session) }, None) {
        Reply::Meter { leaks } => leaks,
        other => panic!("{other:?}"),
    }
}

fn packets(leaks: Leaks) -> [u64; 4] {
    [leaks.udp, leaks.tcp, leaks.icmp, leaks.other].map(|count| count.packets)
}

fn send(to: &str, count: usize) {
    let any = if to.starts_with('[') { "[::]:0" } else { "0.0.0.0:0" };
    let socket = std::net::UdpSocket::bind(any).unwrap();
    for _ in 0..count {
        socket.send_to(b"??", to).unwrap();
    }
}

/// An echo request, whose checksum nobody here has to like.
fn ping(to: [u8; 4]) {
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4)).unwrap();
    socket.send_to(&[8, 0, 0xf7, 0xff, 0, 0, 0, 0], &SocketAddr::from((to, 0)).into()).unwrap();
}

#[test]
fn what_goes_around_is_counted_by_what_it_is() {
    in_world(|| {
        listen("tunnel", 12300);
        let mut before = Connection::open("10.1.2.3:80");
        let mut helper = Helper::start();
        helper.load(1, metered(&["10.0.0.0/8", "fd00::/8"], &["10.5.0.0/16"], 12300));
        assert_eq!(read(&mut helper, 1), Leaks::default());
        send("10.1.2.3:9", 3);
        assert_eq!(read(&mut helper, 1).udp, Count { packets: 3, bytes: 3 * (20 + 8 + 2) });
        send("[fd00::1]:9", 1);
        assert_eq!(read(&mut helper, 1).udp, Count { packets: 4, bytes: 3 * (20 + 8 + 2) + 40 + 8 + 2 });
        ping([10, 1, 2, 3]);
        let other = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(47))).unwrap(); // GRE
        other.send_to(&[0; 8], &SocketAddr::from(([10, 1, 2, 3], 0)).into()).unwrap();
        assert_eq!(packets(read(&mut helper, 1)), [4, 0, 1, 1]);
        for _ in 0..5 {
            assert_eq!(reached("10.1.2.3:80"), "tunnel 10.1.2.3:80");
        }
        assert_eq!(packets(read(&mut helper, 1)), [4, 0, 1, 1], "what is captured");
        assert!(before.is_alive());
        let old = read(&mut helper, 1).tcp.packets;
        assert!(old > 0, "a connection that was open before");
        assert!(before.is_alive());
        assert!(read(&mut helper, 1).tcp.packets > old);
    });
}

#[test]
fn what_is_not_the_tunnels_is_not_counted() {
    in_world(|| {
        listen("tunnel", 12300);
        names("tunnel", 12353);
        let cgroup = TemporaryCgroup::new("not-counted");
        let mut helper = Helper::start();
        let mut everything = metered(&["0.0.0.0/0", "::/0"], &["10.5.0.0/16"], 12300);
        everything.endpoints = vec!["10.6.0.1:22".parse().unwrap()];
        everything.dns = Some(Dns { servers: vec![], v4: Some(12353), v6: Some(12353), resolver: None });
        everything.reject.quic = true;
        assert_eq!(code(&helper.load_with_cgroup(1, everything, folder(&cgroup).as_fd())), None);
        for own in
            ["127.0.0.1:9", "192.0.2.1:9", "[::1]:9", "[2001:db8::1]:9", "10.5.0.1:9", "224.0.0.251:5353"]
        {
            send(own, 2);
        }
        send("[ff02::fb%2]:5353", 1);
        assert_eq!(asked("10.0.0.53:53"), "tunnel");
        assert_eq!(asked("10.1.2.3:443"), "PermissionDenied");
        assert_eq!(reached("10.6.0.1:22"), "outside 10.6.0.1:22");
        for _ in 0..20 {
            // its end is the kernel's: no socket, no cgroup
            assert_eq!(reached_by_shell(&[], &cgroup.enter("inner"), "10.1.2.3:80"), "outside 10.1.2.3:80");
        }
        let marked = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
        assert_eq!(helper.ask(&Request::MarkSocket, Some(marked.as_fd())), Reply::Done);
        marked.send_to(b"?", "10.1.2.3:9").unwrap();
        let server = std::net::TcpListener::bind("192.0.2.1:8080").unwrap();
        let client = crate::world::from_outside(|| TcpStream::connect("192.0.2.1:8080").unwrap());
        server.accept().unwrap().0.write_all(b"outside\n").unwrap();
        assert_eq!(Connection::adopt(client).greeting, "outside", "what comes in is answered");
        assert_eq!(read(&mut helper, 1), Leaks::default());
    });
}

#[test]
fn each_session_has_numbers_of_its_own() {
    in_world(|| {
        let mut helper = Helper::start();
        helper.load(1, metered(&["10.0.0.0/8"], &[], 12300));
        helper.load(2, metered(&["10.2.0.0/16", "11.0.0.0/8"], &[], 12310));
        let mut user = metered(&["10.3.0.0/16"], &[], 12320);
        user.capture = Capture::User { uid: 0 };
        helper.load(3, user);
        helper.load(4, plan(&["12.0.0.0/8"], &[], 12330));
        for (to, count) in
            [("10.1.0.1:9", 1), ("10.2.0.1:9", 2), ("11.0.0.1:9", 4), ("10.3.0.1:9", 8), ("12.0.0.1:9", 16)]
        {
            send(to, count);
        }
        assert_eq!([1, 2, 3].map(|session| read(&mut helper, session).udp.packets), [1, 6, 8]);
        for none in [4, 5] {
            let reply = helper.ask(&Request::Meter { session: SessionId(none) }, None);
            assert_eq!(code(&reply), Some(HelperCode::Unsupported));
        }
    });
}

#[test]
fn numbers_stay_while_rules_change() {
    in_world(|| {
        let mut helper = Helper::start();
        helper.load(1, metered(&["10.0.0.0/8"], &[], 12300));
        send("10.1.2.3:9", 3);
        helper.load(1, metered(&["10.0.0.0/8", "11.0.0.0/8"], &["10.1.0.0/16"], 12310));
        assert_eq!(read(&mut helper, 1).udp.packets, 3, "another plan");
        helper.load(2, metered(&["12.0.0.0/8"], &[], 12300));
        send("11.1.2.3:9", 2);
        helper.unload(2);
        assert_eq!(read(&mut helper, 1).udp.packets, 5, "another session");
        run("nft reset counters table inet ropeway");
        send("11.1.2.3:9", 2);
        assert_eq!(read(&mut helper, 1).udp.packets, 7, "another program may set them back");
        helper.unload(1);
        helper.load(1, metered(&["10.0.0.0/8"], &[], 12300));
        assert_eq!(read(&mut helper, 1), Leaks::default(), "a new session");
        assert_eq!(listing().matches("counter leak_").count(), 4, "old counters are gone");
    });
}
