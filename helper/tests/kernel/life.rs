//! How helpers begin and end, and what they leave.

use crate::prelude::*;

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
        assert_eq!(code(&elsewhere), None, "another network namespace is another matter");
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
        let message = ropeway_helper_api::wire::receive(&near).unwrap().unwrap().message;
        let ropeway_helper_api::Message::Reply { reply } = message else { panic!("{message:?}") };
        assert_eq!(code(&reply), Some(HelperCode::Malformed));
        assert!(child.wait().unwrap().success());
    });
}
