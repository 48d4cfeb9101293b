//! What is kept closed, what passes all the same, and who may open it.

use std::io::ErrorKind;

use crate::{prelude::*, world::Asker};

const EVERYTHING: [&str; 2] = ["0.0.0.0/0", "::/0"];

/// "At once", on a machine that does other things as well. A timeout would be minutes.
const AT_ONCE: Duration = Duration::from_millis(500);

#[test]
fn what_is_closed_is_refused_at_once() {
    in_world(|| {
        let mut before = Connection::open("10.1.2.3:80");
        let mut helper = Helper::start();
        helper.block(1, Block { dns: true, ..block(1, &EVERYTHING, &[]) });
        for to in ["10.1.2.3:80", "[fd00::1]:80", "192.0.2.2:80", "[2001:db8::2]:80"] {
            let start = Instant::now();
            let refused = try_to_reach(to).unwrap_err();
            assert!(
                [ErrorKind::ConnectionRefused, ErrorKind::ConnectionReset].contains(&refused),
                "{refused}"
            );
            assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
        }
        for to in ["10.0.0.53:53", "10.0.0.53:54", "[fd00::53]:53"] {
            assert_eq!(asked(to), "PermissionDenied", "{to}");
        }
        let raw = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4)).unwrap();
        let echo = [8, 0, 0xf7, 0xff, 0, 0, 0, 0]; // type, code, checksum, id, number
        let to = SocketAddr::from(([10, 1, 2, 3], 0));
        assert_eq!(raw.send_to(&echo, &to.into()).unwrap_err().kind(), ErrorKind::PermissionDenied);
        assert!(!before.is_alive(), "also what was open");
        helper.unload(1);
        assert_eq!(reached("10.1.2.3:80"), "outside 10.1.2.3:80");
    });
}

#[test]
fn only_what_the_block_names_is_closed() {
    in_world(|| {
        let mut helper = Helper::start();
        helper.block(1, block(1, &["10.0.0.0/8", "fd00::/8 80-80"], &["10.5.0.0/16"]));
        assert!(try_to_reach("10.1.2.3:80").is_err());
        assert_eq!(reached("10.5.0.1:80"), "outside 10.5.0.1:80");
        assert_eq!(reached("192.0.2.2:80"), "outside 192.0.2.2:80");
        assert!(try_to_reach("[fd00::1]:80").is_err());
        assert_eq!(reached("[fd00::1]:81"), "outside [fd00::1]:81");
        assert_eq!(asked("10.0.0.53:53"), "outside", "names pass, unless they are closed");
        assert_eq!(asked("10.0.0.53:54"), "PermissionDenied");
    });
}

#[test]
fn a_user_who_is_closed_closes_nobody_else() {
    in_world(|| {
        let mut helper = Helper::start();
        helper.block(1, Block { capture: Capture::User { uid: 1234 }, ..block(1, &EVERYTHING, &[]) });
        assert_eq!(reached("10.1.2.3:80"), "outside 10.1.2.3:80");
        let by = |uid: &str| {
            Command::new("setpriv")
                .args(["--reuid", uid, "--clear-groups", "bash", "-c", "exec 3<>/dev/tcp/10.1.2.3/80"])
                .stderr(Stdio::null())
                .current_dir("/")
                .status()
                .unwrap()
                .success()
        };
        assert_eq!((by("1234"), by("1235")), (false, true));
    });
}

#[test]
fn the_tunnel_and_its_own_sockets_pass() {
    in_world(|| {
        listen("tunnel", 12300);
        let cgroup = TemporaryCgroup::new("passes");
        let mut helper = Helper::start();
        let mut closed = Block { dns: true, direct_cgroup: true, ..block(1, &EVERYTHING, &[]) };
        closed.endpoints = vec!["10.6.0.1:22".parse().unwrap(), "[fd00::6]:22".parse().unwrap()];
        let request = Request::Block { session: SessionId(1), block: closed };
        assert_eq!(helper.ask(&request, Some(folder(&cgroup).as_fd())), Reply::Done);
        assert_eq!(reached("10.6.0.1:22"), "outside 10.6.0.1:22");
        assert_eq!(reached("[fd00::6]:22"), "outside [fd00::6]:22");
        assert!(try_to_reach("10.6.0.1:80").is_err());
        assert_eq!(reached_by_shell(&[], &cgroup.enter("inner"), "10.1.2.3:80"), "outside 10.1.2.3:80");
        let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
        assert_eq!(helper.ask(&Request::MarkSocket, Some(socket.as_fd())), Reply::Done);
        assert_eq!(Asker::of(socket).ask("10.0.0.53:53"), "outside");
        helper.load(1, plan(&["10.0.0.0/8"], &[], 12300));
        assert_eq!(reached("10.1.2.3:80"), "tunnel 10.1.2.3:80");
        assert!(try_to_reach("[fd00::1]:80").is_err(), "what is closed and not captured");
        assert_eq!(helper.ask(&Request::Hold { session: SessionId(1) }, None), Reply::Done);
        assert!(try_to_reach("10.1.2.3:80").is_err() && is_closed() && !table_exists());
    });
}

/// The neighbour has to be found again under `::/0`, and a lease has to be renewed.
#[test]
fn a_network_keeps_what_it_needs_to_exist() {
    in_world(|| {
        let mut helper = Helper::start();
        let mut closed = Block { dns: true, ..block(1, &EVERYTHING, &[]) };
        closed.endpoints = vec!["[2001:db8::2]:22".parse().unwrap(), "192.0.2.2:22".parse().unwrap()];
        helper.block(1, closed);
        run("ip neigh flush all");
        run("ip -6 neigh flush all");
        assert_eq!(reached("[2001:db8::2]:22"), "outside [2001:db8::2]:22");
        assert_eq!(reached("192.0.2.2:22"), "outside 192.0.2.2:22");
        assert_eq!(Asker::new("0.0.0.0:68").ask("10.0.0.67:67"), "outside");
        assert_eq!(asked("10.0.0.67:67"), "PermissionDenied", "from another port it is no DHCP");
    });
}

#[test]
fn what_comes_in_is_answered() {
    in_world(|| {
        let mut helper = Helper::start();
        let server = std::net::TcpListener::bind("192.0.2.1:8080").unwrap();
        helper.block(1, block(1, &EVERYTHING, &[]));
        let client = crate::world::from_outside(|| TcpStream::connect("192.0.2.1:8080").unwrap());
        let (mut stream, _) = server.accept().unwrap();
        stream.write_all(b"outside\n").unwrap();
        assert_eq!(Connection::adopt(client).greeting, "outside");
    });
}

#[test]
fn it_outlives_a_crash_until_the_profile_comes_back() {
    in_world(|| {
        let mut helper = Helper::start();
        helper.load(1, plan(&["10.0.0.0/9"], &[], 12300));
        helper.block(1, block(7, &["10.0.0.0/8"], &[]));
        helper.signal(Signal::SIGKILL).ended();
        table_goes_soon();
        assert!(try_to_reach("10.1.2.3:80").is_err() && is_closed());
        let mut helper = Helper::start();
        assert!(try_to_reach("10.1.2.3:80").is_err());
        assert_eq!(helper.ask(&Request::Leftovers, None), Reply::Leftovers { mine: 1, others: 0 });
        helper.block(1, block(7, &["10.1.0.0/16"], &[]));
        assert_eq!(helper.ask(&Request::Leftovers, None), Reply::Leftovers { mine: 0, others: 0 });
        assert!(try_to_reach("10.1.2.3:80").is_err());
        assert_eq!(reached("10.2.0.1:80"), "outside 10.2.0.1:80", "the new one replaces the old one");
        helper.unload(1);
        assert!(!is_closed());
        assert_eq!(reached("10.1.2.3:80"), "outside 10.1.2.3:80");
    });
}

#[test]
fn restoring_opens_what_a_crash_left() {
    in_world(|| {
        let mut helper = Helper::start();
        helper.block(1, block(7, &["10.0.0.0/8"], &[]));
        helper.hang_up().ended();
        assert!(is_closed());
        let mut helper = Helper::start();
        assert_eq!(helper.ask(&Request::Restore { everybody: false }, None), Reply::Done);
        assert!(!is_closed());
        assert_eq!(reached("10.1.2.3:80"), "outside 10.1.2.3:80");
    });
}

#[test]
fn two_users_close_and_open_only_their_own() {
    in_world(|| {
        let mut rules = library();
        rules.block(of(1000, 1), session_block(1000, Grant::All, block(1, &["10.1.0.0/16"], &[]))).unwrap();
        rules.block(of(1001, 1), session_block(1001, Grant::All, block(1, &["10.2.0.0/16"], &[]))).unwrap();
        rules.unload(of(1001, 1)).unwrap();
        assert!(try_to_reach("10.1.0.1:80").is_err());
        assert_eq!(reached("10.2.0.1:80"), "outside 10.2.0.1:80");
        rules.unload_client(of(1000, 1).client).unwrap();
        assert_eq!(rules.restore(Some(1001)).unwrap(), 0);
        assert!(try_to_reach("10.1.0.1:80").is_err());
        assert_eq!(rules.restore(Some(1000)).unwrap(), 1);
        assert!(!is_closed());
    });
}

/// Replaced in the kernel, and taken up by one helper from another.
#[test]
fn nothing_gets_through_while_blocks_are_replaced() {
    in_world(|| {
        let mut rules = library();
        let closed =
            |more: &str| session_block(0, Grant::All, block(1, &["10.0.0.0/8", "fd00::/8", more], &[]));
        rules.block(of(0, 1), closed("11.0.0.0/8")).unwrap();
        let (done, count) = (AtomicBool::new(false), AtomicUsize::new(0));
        let through = thread::scope(|scope| {
            let caller = scope.spawn(|| {
                let mut through = 0;
                while !done.load(Ordering::Relaxed) {
                    let to = ["10.3.4.5:80", "[fd00::2]:80"][count.fetch_add(1, Ordering::Relaxed) % 2];
                    through += usize::from(TcpStream::connect(to).is_ok());
                }
                through
            });
            let mut round = 0;
            while round < 300 || count.load(Ordering::Relaxed) < 3000 {
                rules.block(of(0, 1), closed(["12.0.0.0/8", "11.0.0.0/8"][round % 2])).unwrap();
                if round % 10 == 0 {
                    drop(rules);
                    rules = library();
                }
                round += 1;
            }
            done.store(true, Ordering::Relaxed);
            caller.join().unwrap()
        });
        assert_eq!(through, 0, "of {}", count.load(Ordering::Relaxed));
    });
}

#[test]
fn fifty_thousand_networks_are_closed_in_good_time() {
    in_world(|| {
        let mut helper = Helper::start();
        let large =
            Block { include: (0..50_000u32).map(|i| slash_24(2 * i)).collect(), ..block(1, &[], &[]) };
        let idle = helper.cpu_time();
        helper.block(1, large);
        let worked = helper.cpu_time().checked_sub(idle).unwrap();
        println!("50 000 networks closed: the helper and the kernel worked {worked:.0?}");
        assert!(worked < Duration::from_secs(5), "{worked:?}"); // a debug build
        assert!(try_to_reach("10.0.0.1:80").is_err());
        assert_eq!(reached("10.0.1.1:80"), "outside 10.0.1.1:80");
    });
}
