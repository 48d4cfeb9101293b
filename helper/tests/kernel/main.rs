//! The real program and the real kernel: what is captured, what is not, and that nothing stays behind. Needs root, nft
//! and iproute2; says so and passes without root.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod driver;
mod world;

use std::{
    collections::BTreeSet,
    fs::File,
    io::Write,
    net::{SocketAddr, TcpStream},
    os::{
        fd::{AsFd, OwnedFd},
        unix::{
            fs::{OpenOptionsExt, chown},
            net::UnixStream,
            process::ExitStatusExt,
        },
    },
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use driver::{Helper, code, command, plan, table_exists, table_goes_soon};
use nix::sys::signal::Signal;
use ropeway_helper::rules::{SessionPlan, render};
use ropeway_helper_api::{Capture, HelperCode, Plan, Reply, Request, SessionId};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use world::{
    Connection, TemporaryCgroup, in_empty_namespace, in_world, listen, reached, reached_by_shell, run,
};

#[test]
fn captured_connections_reach_the_listener_and_others_do_not() {
    in_world(|| {
        listen("tunnel", 12300);
        let mut helper = Helper::start();
        assert_eq!(reached("10.1.2.3:80"), "outside 10.1.2.3:80");
        helper.load(1, plan(&["10.0.0.0/9", "fd00::/16"], &["10.1.0.0/16", "fd00:1::/32"], 12300));
        for (to, expected) in [
            ("10.2.3.4:80", "tunnel 10.2.3.4:80"),
            ("10.0.0.0:443", "tunnel 10.0.0.0:443"),
            ("10.127.255.255:22", "tunnel 10.127.255.255:22"),
            ("10.128.0.0:80", "outside 10.128.0.0:80"),
            ("10.1.0.0:80", "outside 10.1.0.0:80"),
            ("10.1.255.255:80", "outside 10.1.255.255:80"),
            ("[fd00::7]:80", "tunnel [fd00::7]:80"),
            ("[fd00:1::7]:80", "outside [fd00:1::7]:80"),
            ("[fd01::7]:80", "outside [fd01::7]:80"),
        ] {
            assert_eq!(reached(to), expected);
        }
    });
}

#[test]
fn the_most_specific_route_wins_with_ports_before_prefixes() {
    in_world(|| {
        listen("wide", 12300);
        listen("narrow", 12310);
        let mut helper = Helper::start();
        helper.load(1, plan(&["10.0.0.0/8", "10.1.1.0/24", "fd00::/8 80-81"], &["10.1.0.0/16"], 12300));
        helper.load(
            2,
            plan(&["10.2.0.0/16", "10.1.0.0/16 80-81", "fd00::/8 81-81"], &["10.2.2.0/24 443-443"], 12310),
        );
        for (to, expected) in [
            ("10.9.9.9:80", "wide"),
            ("10.2.2.2:80", "narrow"),
            ("10.2.2.2:443", "outside"),
            ("10.1.0.1:22", "outside"),
            ("10.1.0.1:80", "narrow"),
            ("10.1.1.1:22", "wide"),
            ("10.1.1.1:81", "narrow"),
            ("[fd00::1]:80", "wide"),
            ("[fd00::1]:81", "narrow"),
            ("[fd00::1]:22", "outside"),
        ] {
            assert_eq!(reached(to), format!("{expected} {to}"));
        }
    });
}

#[test]
fn everything_means_everything_but_this_machine() {
    in_world(|| {
        listen("tunnel", 12300);
        let mut helper = Helper::start();
        helper.load(1, plan(&["0.0.0.0/0", "::/0"], &["10.5.0.0/16"], 12300));
        assert_eq!(reached("10.1.2.3:80"), "tunnel 10.1.2.3:80");
        assert_eq!(reached("[fd00::1]:80"), "tunnel [fd00::1]:80");
        assert_eq!(reached("192.0.2.2:80"), "tunnel 192.0.2.2:80"); // a neighbour is not this machine
        assert_eq!(reached("10.5.0.1:80"), "outside 10.5.0.1:80");
        for own in ["127.0.0.1:0", "127.9.9.9:0", "192.0.2.1:0", "[::1]:0", "[2001:db8::1]:0"] {
            let listener = std::net::TcpListener::bind(own).unwrap();
            let address = listener.local_addr().unwrap();
            let client = TcpStream::connect(address).unwrap();
            let (_, from) = listener.accept().unwrap();
            assert_eq!(from, client.local_addr().unwrap());
        }
    });
}

/// nft makes a table from the script's text, in another namespace; both must list alike.
#[test]
fn the_kernel_gets_what_the_text_says() {
    in_world(|| {
        let mut endpoints = plan(&["10.0.0.0/8", "fd00::/8"], &["10.0.0.0/32"], 12300);
        endpoints.endpoints = vec!["192.0.2.2:22".parse().unwrap(), "[2001:db8::2]:22".parse().unwrap()];
        let mut user = plan(&["0.0.0.0/0 443-443", "0.0.0.0/0 8000-8100"], &["10.0.0.0/8 443-443"], 12310);
        user.capture = Capture::User { uid: 0 };
        user.listeners.v4 =
            user.listeners.v4.map(|ports| ropeway_helper_api::Ports { last: ports.first, ..ports });
        let everything =
            plan(&["0.0.0.0/0", "::/0"], &["192.168.0.0/16", "fe80::/10", "255.255.255.255/32"], 12320);
        let many = plan(&[], &[], 12330);
        let many = Plan { include: (0..5000u32).map(|i| slash_24(2 * i)).collect(), ..many };
        for plans in [
            vec![endpoints.clone()],
            vec![user.clone()],
            vec![everything.clone(), user, endpoints],
            vec![many],
        ] {
            let mut helper = Helper::start();
            for (plan, session) in plans.iter().zip(1..) {
                helper.load(session, plan.clone());
            }
            let loaded = listing();
            assert!(loaded.contains("flags owner"), "{loaded}");
            let sessions: Vec<_> =
                plans.into_iter().map(|plan| SessionPlan { plan, direct_cgroup: None }).collect();
            let text = render(&sessions.iter().collect::<Vec<_>>()).unwrap().to_string();
            let without_owner =
                |text: &str| text.replace("\tflags owner\n", "").replace(" # progname ropeway-helper", "");
            let expected = in_empty_namespace(|| {
                nft_load(&without_owner(&text));
                listing()
            });
            assert_eq!(blocks(&without_owner(&loaded)), blocks(&expected));
        }
    });
}

#[test]
fn connections_that_were_open_before_survive() {
    in_world(|| {
        listen("tunnel", 12300);
        let mut before = [Connection::open("10.1.2.3:80"), Connection::open("[fd00::1]:80")];
        let mut helper = Helper::start();
        helper.load(1, plan(&["0.0.0.0/0", "::/0"], &[], 12300));
        assert_eq!(reached("10.1.2.3:80"), "tunnel 10.1.2.3:80");
        assert!(before.iter_mut().all(Connection::is_alive));
        helper.unload(1);
        assert!(before.iter_mut().all(Connection::is_alive));
        assert_eq!(reached("10.1.2.3:80"), "outside 10.1.2.3:80");
    });
}

/// Many replacements, because the ways to lose a connection are microseconds long.
#[test]
fn nothing_is_missed_and_nothing_torn_while_the_table_is_replaced() {
    in_world(|| {
        listen("tunnel", 12300);
        let mut helper = Helper::start();
        let both = ["10.0.0.0/8", "fd00::/8"];
        helper.load(1, plan(&both, &[], 12300));
        let mut open = [Connection::open("10.1.2.3:80"), Connection::open("[fd00::1]:80")];
        let (done, count) = (AtomicBool::new(false), AtomicUsize::new(0));
        let greetings = thread::scope(|scope| {
            let caller = scope.spawn(|| {
                let mut greetings = vec![];
                while !done.load(Ordering::Relaxed) {
                    greetings.push(reached(["10.3.4.5:80", "[fd00::2]:80"][greetings.len() % 2]));
                    count.store(greetings.len(), Ordering::Relaxed);
                }
                greetings
            });
            let mut round = 0;
            while round < 1000 || count.load(Ordering::Relaxed) < 50 {
                let exclude: &[&str] = if round % 2 == 0 { &["10.77.0.0/16"] } else { &[] };
                helper.load(1, plan(&both, exclude, 12300));
                assert!(open.iter_mut().all(Connection::is_alive), "after replacement {round}");
                round += 1;
            }
            done.store(true, Ordering::Relaxed);
            caller.join().unwrap()
        });
        let missed: Vec<_> = greetings.iter().filter(|greeting| !greeting.starts_with("tunnel")).collect();
        assert!(missed.is_empty(), "{missed:?} of {}", greetings.len());
    });
}

#[test]
fn unloading_one_session_keeps_the_other_and_the_last_takes_the_table() {
    in_world(|| {
        listen("one", 12300);
        listen("two", 12310);
        let mut helper = Helper::start();
        helper.load(1, plan(&["10.1.0.0/16"], &[], 12300));
        helper.load(2, plan(&["10.2.0.0/16"], &[], 12310));
        assert_eq!(
            (reached("10.1.0.1:80"), reached("10.2.0.1:80")),
            ("one 10.1.0.1:80".into(), "two 10.2.0.1:80".into())
        );
        let mut kept = Connection::open("10.2.0.1:80");
        helper.unload(1);
        assert_eq!(reached("10.1.0.1:80"), "outside 10.1.0.1:80");
        assert_eq!(reached("10.2.0.1:80"), "two 10.2.0.1:80");
        assert!(kept.is_alive());
        helper.unload(2);
        assert!(!table_exists());
        helper.load(3, plan(&["10.1.0.0/16"], &[], 12310));
        assert_eq!(reached("10.1.0.1:80"), "two 10.1.0.1:80");
    });
}

#[test]
fn however_the_helper_ends_the_table_goes() {
    in_world(|| {
        listen("tunnel", 12300);
        for name in ["hang-up", "SIGTERM", "SIGKILL"] {
            let mut helper = Helper::start();
            helper.load(1, plan(&["10.0.0.0/8"], &[], 12300));
            helper.signal(Signal::SIGINT).signal(Signal::SIGHUP); // meant for the client
            helper.load(1, plan(&["10.0.0.0/9"], &[], 12300));
            assert!(table_exists(), "{name}");
            let mut through = Connection::open("10.1.2.3:80");
            assert_eq!(through.greeting, "tunnel 10.1.2.3:80");
            match name {
                "hang-up" => assert!(helper.hang_up().ended().success()),
                "SIGTERM" => assert!(helper.signal(Signal::SIGTERM).ended().success()),
                _ => assert_eq!(helper.signal(Signal::SIGKILL).ended().signal(), Some(9)),
            }
            table_goes_soon();
            assert_eq!(reached("10.1.2.3:80"), "outside 10.1.2.3:80", "{name}");
            assert!(!through.is_alive(), "{name}");
        }
    });
}

#[test]
fn a_second_helper_is_told_that_it_is_the_second() {
    in_world(|| {
        listen("first", 12300);
        let (mut first, mut second) = (Helper::start(), Helper::start());
        first.load(1, plan(&["10.0.0.0/8"], &[], 12300));
        let request = Request::Load { session: SessionId(1), plan: plan(&["10.0.0.0/8"], &[], 12310) };
        assert_eq!(code(&second.ask(&request, None)), Some(HelperCode::Busy));
        assert!(second.hang_up().ended().success());
        assert_eq!(reached("10.1.2.3:80"), "first 10.1.2.3:80");
        let elsewhere = in_empty_namespace(|| Helper::start().ask(&request, None));
        assert_eq!(elsewhere, Reply::Done, "another network namespace is another matter");
        let mut third = Helper::start();
        first.hang_up().ended();
        third.load(1, plan(&["10.0.0.0/8"], &[], 12310));
    });
}

/// Both look, see nothing, and load; the kernel lets one of them.
#[test]
fn of_two_that_load_at_once_one_is_told() {
    in_world(|| {
        for _ in 0..10 {
            let mut helpers = [Helper::start(), Helper::start()];
            let codes = thread::scope(|scope| {
                let load = |helper| {
                    let request =
                        Request::Load { session: SessionId(1), plan: plan(&["10.0.0.0/8"], &[], 12300) };
                    scope.spawn(move || code(&Helper::ask(helper, &request, None)))
                };
                helpers.each_mut().map(load).map(|thread| thread.join().unwrap())
            });
            assert!(
                [[None, Some(HelperCode::Busy)], [Some(HelperCode::Busy), None]].contains(&codes),
                "{codes:?}"
            );
        }
    });
}

#[test]
fn a_table_of_the_same_name_without_an_owner_is_replaced() {
    in_world(|| {
        listen("tunnel", 12300);
        nft_load("table inet ropeway {\n\tchain debris {\n\t}\n}\n");
        let mut helper = Helper::start();
        helper.load(1, plan(&["10.0.0.0/8"], &[], 12300));
        assert!(!listing().contains("debris"));
        assert_eq!(reached("10.1.2.3:80"), "tunnel 10.1.2.3:80");
    });
}

#[test]
fn a_cgroup_is_exempt_with_all_that_is_below_it() {
    in_world(|| {
        listen("tunnel", 12300);
        let exempt = TemporaryCgroup::new("exempt");
        let other = TemporaryCgroup::new("other");
        let mut helper = Helper::start();
        let everything = plan(&["0.0.0.0/0"], &[], 12300);
        assert_eq!(helper.load_with_cgroup(1, everything.clone(), folder(&exempt).as_fd()), Reply::Done);
        let from = |prepare: &str| reached_by_shell(None, prepare, "10.1.2.3:80");
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

#[test]
fn one_users_plan_captures_nobody_else() {
    in_world(|| {
        listen("user", 12300);
        listen("all", 12310);
        let mut helper = Helper::start();
        let user =
            Plan { capture: Capture::User { uid: 1234 }, ..plan(&["10.0.0.0/8"], &["10.1.0.0/16"], 12300) };
        helper.load(1, user);
        let by = |uid, to: &str| reached_by_shell(Some(uid), "", to);
        assert_eq!(by(1234, "10.2.0.1:80"), "user 10.2.0.1:80");
        assert_eq!(by(1235, "10.2.0.1:80"), "outside 10.2.0.1:80");
        helper.load(2, plan(&["0.0.0.0/0"], &[], 12310));
        assert_eq!(by(1234, "10.2.0.1:80"), "user 10.2.0.1:80");
        assert_eq!(by(1235, "10.2.0.1:80"), "all 10.2.0.1:80");
        assert_eq!(
            by(1234, "10.1.0.1:80"),
            "all 10.1.0.1:80",
            "what one tunnel leaves out, a wider one may take"
        );
    });
}

#[test]
fn fifty_thousand_prefixes_load_in_good_time() {
    in_world(|| {
        listen("tunnel", 12300);
        let mut helper = Helper::start();
        let large =
            Plan { include: (0..50_000u32).map(|i| slash_24(2 * i)).collect(), ..plan(&[], &[], 12300) };
        let (start, idle) = (Instant::now(), helper.cpu_time());
        helper.load(1, large);
        let (took, worked) = (start.elapsed(), helper.cpu_time().checked_sub(idle).unwrap());
        println!("50 000 prefixes: {took:.0?}, of which the helper and the kernel worked {worked:.0?}");
        assert!(worked < Duration::from_secs(5), "{worked:?}"); // a debug build
        assert_eq!(reached("10.0.0.1:80"), "tunnel 10.0.0.1:80");
        assert_eq!(reached("10.0.1.1:80"), "outside 10.0.1.1:80");
        assert_eq!(reached("10.0.2.1:80"), "tunnel 10.0.2.1:80");
    });
}

#[test]
fn it_does_not_start_without_a_connection_or_without_privilege() {
    in_world(|| {
        let (_near, far) = UnixStream::pair().unwrap();
        let (udp, null) =
            (std::net::UdpSocket::bind("127.0.0.1:0").unwrap(), File::open("/dev/null").unwrap());
        let no_connection = "not a connected Unix stream socket";
        for (capabilities, stdin, says) in [
            ("-all,+net_admin", Stdio::from(OwnedFd::from(null)), no_connection),
            ("-all,+net_admin", Stdio::from(OwnedFd::from(udp)), no_connection),
            ("-net_admin", Stdio::from(OwnedFd::from(far)), "CAP_NET_ADMIN"),
        ] {
            let output = command(capabilities, stdin).output().unwrap();
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(2), "{stderr}");
            assert!(stderr.contains(says) && stderr.lines().count() == 1, "{stderr}");
        }
    });
}

#[test]
fn garbage_ends_the_connection_and_the_process() {
    in_world(|| {
        let (mut near, far) = UnixStream::pair().unwrap();
        let mut child = command("-all,+net_admin", OwnedFd::from(far)).stderr(Stdio::null()).spawn().unwrap();
        near.write_all(b"\x00\x00\x00\x08GET / HT").unwrap();
        let (reply, _) = ropeway_helper_api::wire::receive::<Reply>(&near).unwrap().unwrap();
        assert_eq!(code(&reply), Some(HelperCode::Malformed));
        assert!(child.wait().unwrap().success());
    });
}

/// The n-th network of 10.0.0.0/8 of that size, and on beyond.
fn slash_24(n: u32) -> ropeway_helper_api::Route {
    ipnet::IpNet::new(std::net::Ipv4Addr::from(0x0a00_0000 + (n << 8)).into(), 24).unwrap().into()
}

fn folder(cgroup: &TemporaryCgroup) -> File {
    let path_only = nix::fcntl::OFlag::O_PATH.bits();
    File::options().read(true).custom_flags(path_only).open(&cgroup.0).unwrap()
}

fn listing() -> String {
    run("nft list table inet ropeway")
}

/// Sets and chains of a listing in an order of their own (a changed table has its new ones last), spaces made equal.
fn blocks(listing: &str) -> BTreeSet<String> {
    let body = listing.split_once('{').unwrap().1.trim_end().strip_suffix('}').unwrap();
    let blocks = body.split("\n\n").map(|block| block.split_whitespace().collect::<Vec<_>>().join(" "));
    blocks.filter(|block| !block.is_empty()).collect()
}

fn nft_load(text: &str) {
    let mut nft = Command::new("nft").args(["-f", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    nft.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(nft.wait().unwrap().success(), "{text}");
}
