//! The same for kernels without nft. The programs on this machine may be the ones on top of nft: their rules are not in
//! our table.

use crate::prelude::*;

fn by_iptables() -> Plan {
    let mut plan = plan(&["10.0.0.0/8", "fd00::/8"], &["10.1.0.0/16"], 12300);
    plan.endpoints = vec!["10.6.0.1:22".parse().unwrap()];
    plan.dns = Some(Dns { servers: vec![], v4: Some(12353), v6: Some(12353), resolver: None });
    plan.method = Some(ropeway_helper_api::Method::Iptables);
    plan
}

fn rules_of_ours() -> Vec<String> {
    let all = run("iptables-save -t nat") + &run("ip6tables-save -t nat");
    all.lines().filter(|line| line.contains("ropeway")).map(str::to_owned).collect()
}

#[test]
fn what_nft_does_iptables_does() {
    in_world(|| {
        listen("tunnel", 12300);
        names("tunnel", 12353);
        let mut helper = Helper::start();
        run("iptables -t nat -A OUTPUT -d 10.77.0.1 -j RETURN");
        helper.load(1, by_iptables());
        assert!(!table_exists());
        for (to, expected) in [
            ("10.2.3.4:80", "tunnel"),
            ("10.1.0.1:80", "outside"),
            ("10.6.0.1:22", "outside"),
            ("10.6.0.1:80", "tunnel"),
            ("192.0.2.2:80", "outside"),
            ("[fd00::7]:80", "tunnel"),
        ] {
            assert_eq!(reached(to), format!("{expected} {to}"));
        }
        assert_eq!((asked("10.0.0.53:53"), asked("127.0.0.53:53")), ("tunnel".into(), "tunnel".into()));
        helper.load(1, Plan { include: vec![slash_24(0)], ..by_iptables() });
        assert_eq!(reached("10.2.3.4:80"), "outside 10.2.3.4:80");
        assert_eq!(reached("10.0.0.1:80"), "tunnel 10.0.0.1:80");
        let another = Request::Load { session: SessionId(2), plan: plan(&["10.0.0.0/8"], &[], 12310) };
        assert_eq!(code(&helper.ask(&another, None)), Some(HelperCode::Unsupported));
        helper.unload(1);
        assert_eq!(rules_of_ours(), [""; 0]);
        assert!(run("iptables-save -t nat").contains("10.77.0.1"), "others' rules stay");
    });
}

#[test]
fn what_a_crash_leaves_the_next_helper_removes() {
    in_world(|| {
        let mut helper = Helper::start();
        helper.load(1, by_iptables());
        helper.signal(Signal::SIGKILL).ended();
        assert_ne!(rules_of_ours(), [""; 0]);
        let _helper = Helper::start();
        assert_eq!(rules_of_ours(), [""; 0]);
    });
}

#[test]
fn removed_rules_are_noticed_and_mended() {
    in_world(|| {
        listen("tunnel", 12300);
        let mut rules = library();
        rules.load(of(0, 1), session(0, Grant::All, by_iptables())).unwrap();
        assert_eq!(rules.check(), []);
        run("iptables -t nat -F OUTPUT");
        assert!(rules.check()[0].mended);
        assert_eq!(reached("10.2.3.4:80"), "tunnel 10.2.3.4:80");
    });
}
