//! Questions to name servers.

use crate::{prelude::*, world::Asker};

fn wanting(servers: &[&str]) -> Plan {
    let servers = servers.iter().map(|server| server.parse().unwrap()).collect();
    Plan {
        dns: Some(Dns { servers, v4: Some(12353), v6: Some(12353), resolver: None }),
        ..plan(&["10.9.0.0/16"], &[], 12300)
    }
}

#[test]
fn all_questions_are_captured_also_those_to_the_stub_on_this_machine() {
    in_world(|| {
        listen("tunnel", 12300);
        names("tunnel", 12353);
        let mut helper = Helper::start();
        assert_eq!(asked("10.0.0.53:53"), "outside");
        helper.load(1, wanting(&[]));
        for to in ["10.0.0.53:53", "[fd00::53]:53", "127.0.0.53:53", "[::1]:53", "9.9.9.9:53"] {
            assert_eq!(asked(to), "tunnel", "{to}");
        }
        for to in ["10.0.0.53:54", "[fd00::53]:54"] {
            assert_eq!(asked(to), "outside", "{to}");
        }
        assert_eq!(reached("10.0.0.53:53"), "tunnel 10.0.0.53:53");
        assert_eq!(reached("127.0.0.53:53"), "tunnel 127.0.0.53:53");
        assert_eq!(reached("[fd00::53]:53"), "tunnel [fd00::53]:53");
        assert_eq!(reached("10.0.0.53:80"), "outside 10.0.0.53:80");
        helper.unload(1);
        assert_eq!(asked("10.0.0.53:53"), "outside");
    });
}

#[test]
fn only_the_servers_that_are_named_are_meant() {
    in_world(|| {
        listen("tunnel", 12300);
        names("tunnel", 12353);
        let mut helper = Helper::start();
        helper.load(1, wanting(&["10.0.0.53"]));
        assert_eq!(asked("10.0.0.53:53"), "tunnel");
        assert_eq!(reached("10.0.0.53:53"), "tunnel 10.0.0.53:53");
        assert_eq!(asked("10.1.0.53:53"), "outside");
        assert_eq!(reached("10.1.0.53:53"), "outside 10.1.0.53:53");
        assert_eq!(asked("[fd00::53]:53"), "outside");
    });
}

/// A resolver keeps its socket, and the kernel remembers its flow.
#[test]
fn a_flow_that_was_open_before_changes_its_way_and_changes_back() {
    in_world(|| {
        remember();
        names("tunnel", 12353);
        let (v4, v6) = (Asker::new("0.0.0.0:0"), Asker::new("[::]:0"));
        let ask = || [v4.ask("10.0.0.53:53"), v6.ask("[fd00::53]:53")];
        assert_eq!(ask(), ["outside", "outside"]);
        let mut helper = Helper::start();
        helper.load(1, wanting(&[]));
        assert_eq!(ask(), ["tunnel", "tunnel"]);
        helper.unload(1);
        assert_eq!(ask(), ["outside", "outside"]);
    });
}

#[test]
fn marked_questions_and_those_of_the_sessions_own_programs_go_their_way() {
    in_world(|| {
        names("tunnel", 12353);
        let mut helper = Helper::start();
        helper.load(1, wanting(&[]));
        let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
        assert_eq!(helper.ask(&Request::MarkSocket, Some(socket.as_fd())), Reply::Done);
        assert_eq!(Asker::of(socket).ask("10.0.0.53:53"), "outside");
    });
}

/// What a resolver on this machine asks for its programs is asked by another user than they are.
#[test]
fn what_this_machines_resolver_asks_is_captured_whoever_the_tunnel_is_for() {
    in_world(|| {
        names("tunnel", 12353);
        let mut helper = Helper::start();
        let mine = |resolver| {
            let mut plan = wanting(&[]);
            plan.capture = Capture::User { uid: 4711 };
            plan.dns = plan.dns.map(|dns| Dns { resolver, ..dns });
            plan
        };
        helper.load(1, mine(None));
        assert_eq!(asked("10.0.0.53:53"), "outside", "root is somebody else");
        helper.load(1, mine(Some(0)));
        assert_eq!([asked("10.0.0.53:53"), asked("[fd00::53]:53")], ["tunnel", "tunnel"]);
        assert_eq!(asked("10.0.0.53:54"), "outside", "its questions, and nothing else");
        assert_eq!(reached("10.9.0.1:80"), "outside 10.9.0.1:80");
    });
}
