//! What is captured, and by whom.

use crate::prelude::*;

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
        let group = Plan { capture: Capture::Group { gid: 100 }, ..plan(&["10.0.0.0/8"], &[], 12300) };
        let dns = |servers: &[&str]| {
            let servers = servers.iter().map(|server| server.parse().unwrap()).collect();
            Some(Dns { servers, v4: Some(12353), v6: Some(12354), resolver: None })
        };
        let all_names = Plan { dns: dns(&[]), ..plan(&["10.0.0.0/8"], &[], 12340) };
        let names = Plan { dns: dns(&["10.0.0.53", "fd00::53"]), ..group.clone() };
        let router = Plan { forwarded: vec![99, 1], meter: true, ..endpoints.clone() };
        let refusing = Plan {
            reject: Reject { networks: names.include.clone(), quic: true, dns_over_tls: true },
            ..names.clone()
        };
        let metered = Plan { meter: true, ..user.clone() };
        for plans in [
            vec![endpoints.clone()],
            vec![group],
            vec![names, all_names],
            vec![router],
            vec![refusing],
            vec![metered, everything.clone()],
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
            let mut meters = 1..;
            let named = |plan: Plan| {
                let meter = if plan.meter { meters.next() } else { None };
                SessionPlan { meter, ..session(0, Grant::All, plan) }
            };
            let sessions: Vec<_> = plans.into_iter().map(named).collect();
            let text = render(&sessions.iter().collect::<Vec<_>>()).unwrap().to_string();
            let without_owner =
                |text: &str| text.replace("\tflags owner\n", "").replace(" # progname ropeway-helper", "");
            let expected = in_empty_namespace(|| {
                nft_load(&without_owner(&text));
                listing()
            });
            assert_eq!(parts(&without_owner(&loaded)), parts(&expected));
        }
    });
}

/// The same for what is kept closed.
#[test]
fn the_kernel_closes_what_the_text_says() {
    in_world(|| {
        let mut closed =
            block(1, &["0.0.0.0/0", "::/0", "10.0.0.0/8 80-81"], &["10.1.0.0/16", "fd00::/8 443-443"]);
        closed.endpoints = vec!["192.0.2.2:22".parse().unwrap(), "[2001:db8::2]:22".parse().unwrap()];
        closed.dns = true;
        let user = Block { capture: Capture::User { uid: 1001 }, ..block(2, &["10.0.0.0/8"], &[]) };
        let own = session_block(1001, Grant::Own, user);
        let blocks = [session_block(0, Grant::All, closed), own];
        let mut rules = library();
        for (block, number) in blocks.iter().zip(0..) {
            rules.block(of(number, 1), block.clone()).unwrap();
        }
        let list = || run("nft list table inet ropeway_ks");
        let loaded = list();
        let text = render_blocks(&blocks.each_ref()).unwrap().to_string();
        let expected = in_empty_namespace(|| {
            nft_load(&text);
            list()
        });
        assert_eq!(parts(&loaded), parts(&expected));
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
        let by = |uid: u32, to: &str| reached_by_shell(&["--reuid", &uid.to_string()], "", to);
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

/// `setpriv`, because a shell cannot change its group.
#[test]
fn a_group_is_captured_by_the_group_that_a_program_runs_with() {
    in_world(|| {
        listen("group", 12300);
        let mut helper = Helper::start();
        helper.load(1, Plan { capture: Capture::Group { gid: 4321 }, ..plan(&["10.0.0.0/8"], &[], 12300) });
        let by = |group| reached_by_shell(&["--regid", group, "--clear-groups"], "", "10.2.0.1:80");
        assert_eq!(by("4321"), "group 10.2.0.1:80");
        assert_eq!(by("4322"), "outside 10.2.0.1:80");
    });
}

#[test]
fn a_cgroup_is_captured_before_its_user_and_the_deeper_one_first() {
    in_world(|| {
        listen("inner", 12300);
        listen("outer", 12310);
        listen("user", 12320);
        let (cgroup, mut rules) = (TemporaryCgroup::new("captured"), library());
        let scope = |number, capture, folder: Option<&str>, port| {
            let folder = folder.map(|folder| OwnedFd::from(File::open(cgroup.0.join(folder)).unwrap()));
            let plan = Plan { capture, ..plan(&["10.0.0.0/8"], &[], port) };
            let captured_cgroup = folder.map(|fd| ropeway_helper::platform::cgroup(&fd, 0).unwrap());
            (of(0, number), SessionPlan { captured_cgroup, ..session(0, Grant::All, plan) })
        };
        for (key, plan) in [
            scope(1, Capture::User { uid: 0 }, None, 12320),
            scope(2, Capture::Cgroup, Some(""), 12310),
            scope(3, Capture::Cgroup, Some("inner"), 12300),
        ] {
            rules.load(key, plan).unwrap();
        }
        let from = |prepare: &str| reached_by_shell(&[], prepare, "10.1.2.3:80");
        assert_eq!(from(&cgroup.enter("inner")), "inner 10.1.2.3:80");
        assert_eq!(from(&cgroup.enter("")), "outer 10.1.2.3:80");
        assert_eq!(from(""), "user 10.1.2.3:80");
    });
}

/// What one user may ask for reaches no other user's programs, not even in the same cgroup.
#[test]
fn an_own_grant_counts_for_its_owner_alone() {
    in_world(|| {
        listen("all", 12300);
        listen("own", 12310);
        let (cgroup, mut rules) = (TemporaryCgroup::new("shared"), library());
        let fd = OwnedFd::from(folder(&cgroup));
        let id = ropeway_helper::platform::cgroup(&fd, 0).unwrap();
        rules.load(of(0, 1), session(0, Grant::All, plan(&["0.0.0.0/0"], &[], 12300))).unwrap();
        let mut own = plan(&["10.5.0.0/16"], &[], 12310);
        own.capture = Capture::Cgroup;
        own.endpoints = vec!["10.6.0.1:22".parse().unwrap()];
        let mut own = session(1234, Grant::Own, own);
        own.captured_cgroup = Some(id);
        rules.load(of(1234, 1), own.clone()).unwrap();
        let by = |uid: &str, prepare: &str, to| reached_by_shell(&["--reuid", uid], prepare, to);
        for user in ["1234", "1235"] {
            let (route, endpoint) = if user == "1234" { ("own", "outside") } else { ("all", "all") };
            assert_eq!(by(user, &cgroup.enter(""), "10.5.0.1:80"), format!("{route} 10.5.0.1:80"), "{user}");
            assert_eq!(by(user, "", "10.6.0.1:22"), format!("{endpoint} 10.6.0.1:22"), "{user}");
        }
        own.plan = plan(&[], &[], 12310);
        own.plan.capture = Capture::User { uid: 1234 };
        own.direct_cgroup = Some(id);
        rules.load(of(1234, 1), own).unwrap();
        assert_eq!(by("1234", &cgroup.enter(""), "10.5.0.1:80"), "outside 10.5.0.1:80");
        assert_eq!(by("1235", &cgroup.enter(""), "10.5.0.1:80"), "all 10.5.0.1:80");
    });
}
