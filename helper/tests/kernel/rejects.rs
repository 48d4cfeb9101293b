//! What would go around the tunnel is refused, at once, and does not leave.

use std::io::ErrorKind;

use crate::{
    prelude::*,
    world::{Asker, from_outside},
};

/// "At once", on a machine that does other things as well. A timeout would be minutes.
const AT_ONCE: Duration = Duration::from_millis(500);

fn networks(networks: &[&str]) -> Reject {
    let networks = networks.iter().map(|net| net.parse::<ipnet::IpNet>().unwrap().into()).collect();
    Reject { networks, ..Reject::default() }
}

/// Counts what comes in outside for this network, but for what IPv6 itself needs.
fn count_outside(net: &'static str) {
    from_outside(move || {
        nft_load(&format!(
            "table inet seen {{\n\tchain prerouting {{\n\t\ttype filter hook prerouting priority -300\n\t\t{net} counter\n\t}}\n}}\n"
        ));
    });
}

fn counted_outside() -> u64 {
    let listing = from_outside(|| run("nft list table inet seen"));
    let packets = listing.split("counter packets ").nth(1).unwrap();
    packets.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn what_the_server_cannot_carry_is_refused_at_once_and_does_not_leave() {
    in_world(|| {
        listen("tunnel", 12300);
        count_outside("ip6 daddr fd00::/8");
        let mut before = Connection::open("[fd00::9]:80");
        let sent_before = counted_outside();
        let mut helper = Helper::start();
        helper
            .load(1, Plan { reject: networks(&["::/0"]), ..plan(&["10.0.0.0/8"], &["fd00:5::/32"], 12300) });
        let start = Instant::now();
        assert_eq!(try_to_reach("[fd00::1]:80"), Err(ErrorKind::ConnectionRefused));
        assert_eq!(asked("[fd00::53]:54"), "PermissionDenied");
        assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
        let raw = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6)).unwrap();
        let to: SocketAddr = "[fd00::1]:0".parse().unwrap();
        assert_eq!(
            raw.send_to(&[128, 0, 0, 0, 0, 1, 0, 1], &to.into()).unwrap_err().kind(),
            ErrorKind::PermissionDenied
        );
        assert_eq!(counted_outside(), sent_before, "nothing has left");
        assert_eq!(reached("10.1.2.3:80"), "tunnel 10.1.2.3:80", "and the way that there is works");
        assert_eq!(reached("[fd00:5::1]:80"), "outside [fd00:5::1]:80", "what the plan leaves out");
        assert!(before.is_alive(), "what was open goes on");
        run("ip -6 neigh flush all");
        assert!(before.is_alive(), "also when the neighbour has to be found again");
        helper.unload(1);
        assert_eq!(reached("[fd00::1]:80"), "outside [fd00::1]:80");
    });
}

#[test]
fn only_those_who_are_captured_are_refused() {
    in_world(|| {
        let mut helper = Helper::start();
        let mut user = plan(&[], &[], 12300);
        user.capture = Capture::User { uid: 1234 };
        user.reject = networks(&["fd00::/8"]);
        user.endpoints = vec!["[fd00::6]:22".parse().unwrap()];
        helper.load(1, user.clone());
        let by = |uid: &str, host: &str, port: &str| {
            Command::new("setpriv")
                .args(["--reuid", uid, "--clear-groups", "bash", "-c"])
                .arg(format!("exec 3<>/dev/tcp/{host}/{port}"))
                .stderr(Stdio::null())
                .current_dir("/")
                .status()
                .unwrap()
                .success()
        };
        assert_eq!((by("1234", "fd00::1", "80"), by("1235", "fd00::1", "80")), (false, true));
        assert!(by("1234", "fd00::6", "22"), "the server itself");
        user.capture = Capture::Everyone;
        helper.load(1, user);
        let socket = Socket::new(Domain::IPV6, Type::STREAM, None).unwrap();
        assert_eq!(helper.ask(&Request::MarkSocket, Some(socket.as_fd())), Reply::Done);
        let to: SocketAddr = "[fd00::1]:80".parse().unwrap();
        socket.connect(&to.into()).unwrap();
        let cgroup = TemporaryCgroup::new("not-refused");
        let plan = Plan { reject: networks(&["10.0.0.0/8"]), ..plan(&[], &[], 12300) };
        assert_eq!(code(&helper.load_with_cgroup(1, plan, folder(&cgroup).as_fd())), None);
        assert_eq!(reached_by_shell(&[], &cgroup.enter("inner"), "10.1.2.3:80"), "outside 10.1.2.3:80");
        assert!(try_to_reach("10.1.2.3:80").is_err());
    });
}

#[test]
fn quic_is_refused_where_the_plan_captures_and_nowhere_else() {
    in_world(|| {
        let mut helper = Helper::start();
        let reject = Reject { quic: true, ..Reject::default() };
        helper.load(1, Plan { reject, ..plan(&["10.0.0.0/8", "fd00::/8"], &["10.5.0.0/16"], 12300) });
        for (to, expected) in [
            ("10.1.2.3:443", "PermissionDenied"),
            ("[fd00::1]:443", "PermissionDenied"),
            ("10.0.0.53:54", "outside"),
            ("10.0.0.53:53", "outside"),
        ] {
            assert_eq!(asked(to), expected, "{to}");
        }
        let free = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
        assert!(free.send_to(b"?", "10.5.0.1:443").is_ok() && free.send_to(b"?", "192.0.2.2:443").is_ok());
    });
}

/// The port is in the plan's routes as well: it must not be captured.
#[test]
fn questions_by_tls_are_refused_where_questions_are_captured() {
    in_world(|| {
        listen("tunnel", 12300);
        names("tunnel", 12353);
        let mut helper = Helper::start();
        let reject = Reject { dns_over_tls: true, ..Reject::default() };
        let wanting = |servers: &[&str]| {
            let servers = servers.iter().map(|server| server.parse().unwrap()).collect();
            let dns = Some(Dns { servers, v4: Some(12353), v6: Some(12353), resolver: None });
            Plan { dns, reject: reject.clone(), ..plan(&["10.0.0.0/8"], &[], 12300) }
        };
        helper.load(1, wanting(&["10.0.0.53"]));
        assert_eq!(try_to_reach("10.0.0.53:853"), Err(ErrorKind::ConnectionRefused));
        assert_eq!(reached("10.0.0.54:853"), "tunnel 10.0.0.54:853", "no name server");
        assert_eq!(reached("10.0.0.53:80"), "tunnel 10.0.0.53:80");
        helper.load(1, wanting(&[]));
        for to in ["10.0.0.54:853", "9.9.9.9:853", "[fd00::53]:853"] {
            assert_eq!(try_to_reach(to), Err(ErrorKind::ConnectionRefused), "{to}");
        }
        assert_eq!(asked("10.0.0.53:53"), "tunnel");
        helper.load(1, Plan { dns: None, ..wanting(&[]) });
        assert_eq!(reached("10.0.0.53:853"), "tunnel 10.0.0.53:853", "where no questions are captured");
    });
}

/// A flow that was answered goes on, as an open connection does; another to the same place is refused.
#[test]
fn a_conversation_goes_on() {
    in_world(|| {
        remember();
        let before = Asker::new("[::]:0");
        assert_eq!(before.ask("[fd00::53]:54"), "outside");
        let mut helper = Helper::start();
        helper.load(1, Plan { reject: networks(&["::/0"]), ..plan(&["10.0.0.0/8"], &[], 12300) });
        assert_eq!(before.ask("[fd00::53]:54"), "outside");
        assert_eq!(asked("[fd00::53]:54"), "PermissionDenied");
        let server = std::net::TcpListener::bind("[2001:db8::1]:8080").unwrap();
        let client = from_outside(|| TcpStream::connect("[2001:db8::1]:8080").unwrap());
        let (mut stream, _) = server.accept().unwrap();
        stream.write_all(b"outside\n").unwrap();
        assert_eq!(Connection::adopt(client).greeting, "outside", "what comes in is answered");
    });
}
