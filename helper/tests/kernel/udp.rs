//! Datagrams that go to a session's device, those that do not, and that nothing of it stays.

use std::{fs::File, io::Read, mem::MaybeUninit, net::UdpSocket, os::fd::OwnedFd};

use ropeway_helper_api::DIRECT_MARK;

use crate::{prelude::*, world::eventually};

/// What DESIGN allows for everything to vanish.
const SOON: Duration = Duration::from_secs(2);

/// The session's device, as its engine has it.
struct Device(File);

impl Device {
    fn open(helper: &mut Helper, session: u32) -> Self {
        let (reply, descriptor) = helper.ask_for(&Request::OpenUdp { session: SessionId(session) });
        assert!(matches!(reply, Reply::Udp { .. }), "{reply:?}");
        Self(File::from(descriptor.expect("a descriptor")))
    }

    /// Where the packets went that are there now.
    fn destinations(&mut self) -> Vec<String> {
        let mut packet = vec![0; 65_535];
        let mut found = vec![];
        while let Ok(length) = self.0.read(&mut packet) {
            let packet = &packet[..length];
            found.push(match packet[0] >> 4 {
                4 => std::net::Ipv4Addr::from(*packet[16..].first_chunk::<4>().unwrap()).to_string(),
                _ => std::net::Ipv6Addr::from(*packet[24..].first_chunk::<16>().unwrap()).to_string(),
            });
        }
        found
    }
}

/// From a socket that is still there when the answer comes: else the system's refusal goes to the device, too.
fn send(to: &str, mark: Option<u32>) -> UdpSocket {
    let any = if to.starts_with('[') { "[::]:0" } else { "0.0.0.0:0" };
    let socket = UdpSocket::bind(any).unwrap();
    if let Some(mark) = mark {
        SockRef::from(&socket).set_mark(mark).unwrap();
    }
    socket.send_to(b"?", to).unwrap();
    socket
}

/// Asks for an echo.
fn ping(to: &str) -> Socket {
    std::fs::write("/proc/sys/net/ipv4/ping_group_range", "0 0").unwrap();
    let to = SocketAddr::new(to.parse().unwrap(), 0);
    let (protocol, kind) = if to.is_ipv4() { (Protocol::ICMPV4, 8) } else { (Protocol::ICMPV6, 128) };
    let socket = Socket::new(Domain::for_address(to), Type::DGRAM, Some(protocol)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    socket.send_to(&[kind, 0, 0, 0, 0, 0, 0, 1], &to.into()).unwrap();
    socket
}

/// What is left of it in the kernel.
fn left() -> String {
    let lines = ["ip rule", "ip -6 rule", "ip route show table all", "ip -6 route show table all", "ip link"]
        .map(run);
    let ours = |line: &&str| {
        let rule = line
            .split(':')
            .next()
            .and_then(|at| at.parse::<u32>().ok())
            .is_some_and(|at| (6060..6200).contains(&at));
        rule || line.contains("table 60") || line.contains("ropeway")
    };
    lines.iter().flat_map(|text| text.lines()).filter(ours).collect::<Vec<_>>().join("\n")
}

const ROUTES: (&[&str], &[&str]) =
    (&["10.0.0.0/8", "fd00::/8", "192.0.2.0/24", "10.7.0.0/16 80-80"], &["10.1.0.0/16"]);

#[test]
fn datagrams_to_the_networks_come_out_of_the_device_and_others_leave_directly() {
    in_world(|| {
        let mut helper = Helper::start();
        helper.load(1, plan(ROUTES.0, ROUTES.1, 12300));
        let mut device = Device::open(&mut helper, 1);
        for to in ["10.0.0.53:53", "[fd00::53]:53", "10.7.0.1:9", "192.0.2.77:9"] {
            send(to, None);
        }
        assert_eq!(device.destinations(), ["10.0.0.53", "fd00::53", "10.7.0.1", "192.0.2.77"]);
        assert_eq!(asked("10.1.0.53:53"), "outside", "excluded");
        let _marked = ["10.0.0.53:53", "[fd00::53]:53"].map(|to| send(to, Some(DIRECT_MARK)));
        send("192.0.2.2:9", None); // directly connected
        assert_eq!(reached("10.1.0.1:80"), "outside 10.1.0.1:80", "TCP has its own rules");
        assert_eq!(device.destinations(), [""; 0]);
    });
}

#[test]
fn echo_requests_come_out_of_it_and_neighbours_are_still_found() {
    in_world(|| {
        let mut helper = Helper::start();
        helper.load(1, plan(&["0.0.0.0/0", "::/0"], &[], 12300));
        let mut device = Device::open(&mut helper, 1);
        for to in ["10.9.9.9", "fd00::9"] {
            ping(to);
            assert_eq!(device.destinations(), [to]);
        }
        run("ip neigh flush dev near");
        run("ip -6 neigh flush dev near");
        for neighbour in ["192.0.2.2", "2001:db8::2"] {
            assert!(ping(neighbour).recv(&mut [MaybeUninit::uninit(); 64]).is_ok(), "{neighbour} answers");
        }
        assert_eq!(device.destinations(), [""; 0], "nor does anything of the neighbours' discovery go there");
    });
}

#[test]
fn one_users_device_takes_only_that_users_datagrams() {
    in_world(|| {
        std::fs::write("/proc/sys/net/ipv4/conf/all/rp_filter", "0").unwrap();
        let mut helper = Helper::start();
        let capture = Capture::User { uid: 61_000 };
        helper.load(1, Plan { capture, ..plan(&["10.0.0.0/8"], &[], 12300) });
        let mut device = Device::open(&mut helper, 1);
        assert_eq!(asked("10.0.0.53:53"), "outside");
        assert_eq!(device.destinations(), [""; 0]);
        run("setpriv --reuid 61000 --clear-groups bash -c echo>/dev/udp/10.0.0.53/53");
        assert_eq!(device.destinations(), ["10.0.0.53"]);
    });
}

#[test]
fn routing_knows_no_groups() {
    in_world(|| {
        let mut helper = Helper::start();
        let request = Request::OpenUdp { session: SessionId(1) };
        assert_eq!(code(&helper.ask(&request, None)), Some(HelperCode::Plan), "no plan yet");
        helper.load(1, Plan { capture: Capture::Group { gid: 1 }, ..plan(&["10.0.0.0/8"], &[], 12300) });
        assert_eq!(code(&helper.ask(&request, None)), Some(HelperCode::Unsupported));
        assert_eq!(left(), "");
    });
}

#[test]
fn a_new_plan_changes_the_routes_and_the_end_of_the_plan_ends_the_device() {
    in_world(|| {
        let mut helper = Helper::start();
        helper.load(1, plan(&["10.0.0.0/9"], &["10.1.0.0/16"], 12300));
        let mut device = Device::open(&mut helper, 1);
        helper.load(1, plan(&["10.1.0.0/16", "fd00::/8"], &["fd00::53/128"], 12300));
        send("10.1.0.53:53", None);
        send("[fd00::54]:53", None);
        assert_eq!(device.destinations(), ["10.1.0.53", "fd00::54"]);
        assert_eq!((asked("10.0.0.53:53"), asked("[fd00::53]:53")), ("outside".into(), "outside".into()));
        let mut second = Device::open(&mut helper, 1);
        send("10.1.0.53:53", None);
        assert_eq!(second.destinations(), ["10.1.0.53"], "the last one counts");
        helper.unload(1);
        assert_eq!(left(), "");
        assert_eq!(asked("10.1.0.53:53"), "outside");
    });
}

#[test]
fn however_the_helper_or_its_client_ends_nothing_of_it_stays() {
    in_world(|| {
        for name in ["hang-up", "SIGTERM", "SIGKILL"] {
            let mut helper = Helper::start();
            helper.load(1, plan(ROUTES.0, ROUTES.1, 12300));
            let device = Device::open(&mut helper, 1);
            assert_ne!(left(), "", "{name}");
            match name {
                "hang-up" => assert!(helper.hang_up().ended().success()),
                "SIGTERM" => assert!(helper.signal(Signal::SIGTERM).ended().success()),
                _ => {
                    helper.signal(Signal::SIGKILL).ended();
                    drop(device);
                    let (_near, far) = UnixStream::pair().unwrap();
                    let undo = command("-all,+net_admin", OwnedFd::from(far)).arg("--undo").status().unwrap();
                    assert!(undo.success());
                }
            }
            eventually(&String::new(), SOON, left);
            assert_eq!(asked("10.0.0.53:53"), "outside", "{name}");
        }
    });
}

#[test]
fn who_closes_the_device_has_the_usual_way_again() {
    in_world(|| {
        let mut helper = Helper::start();
        helper.load(1, plan(&["10.0.0.0/8"], &[], 12300));
        drop(Device::open(&mut helper, 1));
        // a program that another test is just starting may still have a copy
        eventually(&false, SOON, || left().contains("dev ropeway"));
        assert_eq!(asked("10.0.0.53:53"), "outside");
        helper.load(1, plan(&["10.0.0.0/9"], &[], 12300));
        helper.unload(1);
        assert_eq!(left(), "");
    });
}

/// From 10.0.0.53, port 53, to this address: as the tunnel would write it.
fn packet(to: SocketAddr, said: &[u8]) -> Vec<u8> {
    let SocketAddr::V4(to) = to else { panic!("{to}") };
    let length = |more: usize| ((8 + more + said.len()) as u16).to_be_bytes();
    let head =
        [&[0x45, 0][..], &length(20), &[0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 53], &to.ip().octets()].concat();
    let sum: u32 = head.chunks(2).map(|word| u32::from(word[0]) << 8 | u32::from(word[1])).sum();
    let sum = !((sum & 0xffff) + (sum >> 16)) as u16;
    // UDP over IPv4 may go without a sum
    let udp = [&53_u16.to_be_bytes()[..], &to.port().to_be_bytes(), &length(0), &[0, 0], said].concat();
    [&head[..10], &sum.to_be_bytes(), &head[12..], &udp].concat()
}

#[test]
fn with_the_smaller_grant_a_device_brings_answers_and_nothing_else() {
    in_world(|| {
        for (grant, comes, reverse_path) in [
            (Grant::Own, false, "0"),
            (Grant::All, true, "0"),
            (Grant::Own, false, "2"),
            (Grant::All, true, "2"),
        ] {
            std::fs::write("/proc/sys/net/ipv4/conf/all/rp_filter", reverse_path).unwrap();
            let mut rules = library();
            let plan = Plan { capture: Capture::User { uid: 61_000 }, ..plan(&["10.0.0.0/8"], &[], 12300) };
            rules.load(of(61_000, 1), session(61_000, grant, plan)).unwrap();
            let device = rules.open_udp(of(61_000, 1)).unwrap();
            assert_eq!(device.name.starts_with("ropeway-own"), grant == Grant::Own, "{}", device.name);
            let mut device = Device(File::from(device.descriptor));
            let asker = thread::spawn(|| {
                nix::unistd::setfsuid(nix::unistd::Uid::from_raw(61_000));
                UdpSocket::bind("0.0.0.0:0").unwrap()
            });
            let (asker, other) = (asker.join().unwrap(), UdpSocket::bind("192.0.2.1:0").unwrap());
            asker.send_to(b"?", "10.0.0.53:53").unwrap();
            assert_eq!(device.destinations(), ["10.0.0.53"]);
            // whatever the device has, a program keeps the computer's own address
            let asker_at = SocketAddr::from(([192, 0, 2, 1], asker.local_addr().unwrap().port()));
            for (socket, at) in [(&other, other.local_addr().unwrap()), (&asker, asker_at)] {
                device.0.write_all(&packet(at, b"!")).unwrap();
                socket.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
            }
            let heard = |socket: &UdpSocket| socket.recv_from(&mut [0; 8]).is_ok();
            assert_eq!((heard(&other), heard(&asker)), (comes, true), "{grant:?} {reverse_path}");
            rules.unload(of(61_000, 1)).unwrap();
        }
        assert_eq!(left(), "");
    });
}

#[test]
fn what_is_held_still_leaves_by_the_device() {
    in_world(|| {
        let mut helper = Helper::start();
        helper.block(1, block(1, &["10.0.0.0/8"], &[]));
        assert_ne!(asked("10.0.0.53:54"), "outside");
        helper.load(1, plan(&["10.0.0.0/9"], &[], 12300));
        let mut device = Device::open(&mut helper, 1);
        send("10.0.0.53:9", None);
        assert_eq!(device.destinations(), ["10.0.0.53"]);
        assert_ne!(asked("10.200.0.1:9"), "outside", "what no tunnel carries stays closed");
    });
}
