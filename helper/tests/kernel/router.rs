//! Traffic of other machines.

use std::net::Ipv4Addr;

use crate::{prelude::*, world::Lan};

#[test]
fn what_is_forwarded_is_captured_where_the_plan_says_and_nowhere_else() {
    in_world(|| {
        let lan = Lan::new();
        listen_on(Ipv4Addr::UNSPECIFIED, "tunnel", 12300);
        let mut helper = Helper::start();
        let there = |to: &'static str| lan.there(move || try_to_reach(to));
        let says = |text: &str| Ok(text.to_owned());
        assert_eq!(there("10.1.2.3:80"), says("outside 10.1.2.3:80"));
        let routes = || plan(&["10.0.0.0/8", "192.168.50.0/24"], &["10.5.0.0/16"], 12300);
        helper.load(1, routes());
        assert_eq!(there("10.1.2.3:80"), says("outside 10.1.2.3:80"), "a plan that names no interface");
        helper.load(1, Plan { forwarded: vec![Lan::interface() + 1000], ..routes() });
        assert_eq!(there("10.1.2.3:80"), says("outside 10.1.2.3:80"), "a plan that names another one");
        helper.load(1, Plan { forwarded: vec![Lan::interface()], ..routes() });
        assert_eq!(there("10.1.2.3:80"), says("tunnel 10.1.2.3:80"));
        assert_eq!(there("10.5.0.1:80"), says("outside 10.5.0.1:80"));
        assert_eq!(reached("10.1.2.3:80"), "tunnel 10.1.2.3:80");
        let own = std::net::TcpListener::bind("192.168.50.1:0").unwrap();
        let address = own.local_addr().unwrap();
        lan.there(move || TcpStream::connect(address).unwrap());
        assert!(own.accept().is_ok(), "this machine's own address is in the routes, and not captured");
    });
}

#[test]
fn what_others_send_around_is_refused_and_counted() {
    in_world(|| {
        let lan = Lan::new();
        let mut helper = Helper::start();
        let reject = Reject {
            networks: vec!["10.200.0.0/16".parse::<ipnet::IpNet>().unwrap().into()],
            ..Reject::default()
        };
        let plan = Plan {
            forwarded: vec![Lan::interface()],
            reject,
            meter: true,
            ..plan(&["10.0.0.0/9"], &["10.200.0.0/16 80-80"], 12300)
        };
        helper.load(1, plan);
        let there = |to: &'static str| lan.there(move || try_to_reach(to));
        assert_eq!(there("10.200.0.1:22"), Err(std::io::ErrorKind::ConnectionRefused));
        assert_eq!(there("10.200.0.1:80"), Ok("outside 10.200.0.1:80".into()));
        assert_eq!(lan.there(|| asked("10.0.0.53:54")), "outside");
        let Reply::Meter { leaks } = helper.ask(&Request::Meter { session: SessionId(1) }, None) else {
            panic!()
        };
        assert_eq!((leaks.udp.packets, leaks.tcp.packets), (1, 0));
    });
}

#[test]
fn the_listeners_are_no_open_proxy() {
    in_world(|| {
        let lan = Lan::new();
        listen_on(Ipv4Addr::UNSPECIFIED, "tunnel", 12300);
        let there = |to: &'static str| lan.there(move || try_to_reach(to));
        let mut helper = Helper::start();
        helper.load(1, Plan { forwarded: vec![Lan::interface()], ..plan(&["10.0.0.0/8"], &[], 12300) });
        assert_eq!(there("192.168.50.1:12300"), Err(std::io::ErrorKind::ConnectionRefused));
        assert_eq!(there("192.168.50.1:12307"), Err(std::io::ErrorKind::ConnectionRefused));
        assert_eq!(there("10.1.2.3:80"), Ok("tunnel 10.1.2.3:80".into()));
    });
}
