//! The helper's life under systemd: whatever ends it, the rules go with it, and the next call starts it again.

use std::{fs, path::Path};

use ropeway_helper_api::{
    Capture, Grant, HostEntry, Hosts, Method, Notice, Plan, Reply, Request, SessionId, bus,
};
use ropeway_lab::system::{Answer, Caller, HELPER, Init, Order, System, User, lay};

use crate::{ask, connect, installed, is_captured, is_greeted, load, plan, tunnel, wait_for};

const UNIT: &str = "ropeway-helper.service";

/// Ends itself that soon when nobody needs it.
const IMPATIENT: &str = "[Service]\nEnvironment=ROPEWAY_HELPER_IDLE=300\n";

fn owner(system: &System) -> Option<u32> {
    system.owner(bus::NAME)
}

fn hosts(system: &System) -> String {
    fs::read_to_string(system.path("/etc/hosts")).expect("there is one")
}

fn name_the_neighbour(caller: &mut Caller) {
    let entry = HostEntry { name: "intranet".into(), address: "10.20.0.2".parse().expect("an address") };
    let hosts = Hosts { suffixes: vec![], entries: vec![entry] };
    let reply = ask(caller, Request::SetHosts { session: SessionId(1), hosts });
    assert_eq!(reply, Reply::Hosts { refused: vec![] });
}

/// Nothing of the tunnel is left, and another one works.
fn assert_starts_again(system: &System, caller: &mut Caller, before: &str) {
    assert_eq!(caller.does(&Order::Hear), Answer::Ended);
    assert!(!is_captured(caller), "the kernel has removed the table");
    wait_for("the names to go", || hosts(system) == before);
    connect(caller);
    load(caller, User::YES, Grant::All);
    name_the_neighbour(caller);
    assert!(is_captured(caller));
}

#[test]
fn whatever_ends_it_nothing_stays_and_the_next_call_starts_it() {
    let Some(system) = installed("whatever_ends_it_nothing_stays_and_the_next_call_starts_it") else {
        return;
    };
    let before = hosts(&system);
    let mut caller = tunnel(&system);
    name_the_neighbour(&mut caller);
    for end in [&["kill", "--signal=KILL", UNIT][..], &["restart", UNIT], &["stop", UNIT], &["kill", UNIT]] {
        let pid = owner(&system);
        assert!(hosts(&system).contains("10.20.0.2 intranet"), "{}", hosts(&system));
        system.run("systemctl", end).expect("systemctl");
        wait_for("another owner of the name, or none", || owner(&system) != pid);
        assert_starts_again(&system, &mut caller, &before);
    }
}

#[test]
fn iptables_works_in_the_sandbox_and_is_undone_after_sigkill() {
    let Some(system) = installed("iptables_works_in_the_sandbox_and_is_undone_after_sigkill") else { return };
    let before = rules_of_iptables(&system);
    let mut caller = Caller::new(&system, User::YES);
    assert_eq!(caller.does(&Order::SetUp(Grant::All)), Answer::Done);
    connect(&mut caller);
    let Answer::Port(port) = caller.does(&Order::Listen) else { panic!("no listener") };
    let plan = Plan { method: Some(Method::Iptables), ..plan(port, Capture::Everyone) };
    let reply = ask(&mut caller, Request::Load { session: SessionId(1), plan });
    assert_eq!(reply, Reply::Loaded { method: Method::Iptables, overlaps: vec![] });
    assert!(is_captured(&mut caller));
    system.run("systemctl", &["kill", "--signal=KILL", UNIT]).expect("systemctl");
    assert_eq!(caller.does(&Order::Hear), Answer::Ended);
    wait_for("the rules to go", || rules_of_iptables(&system) == before);
    assert!(!is_captured(&mut caller));
}

#[test]
fn a_device_for_udp_is_made_in_the_sandbox_and_what_leads_to_it_is_undone_after_sigkill() {
    let name = "a_device_for_udp_is_made_in_the_sandbox_and_what_leads_to_it_is_undone_after_sigkill";
    let Some(system) = installed(name) else { return };
    let mut caller = tunnel(&system);
    let reply = ask(&mut caller, Request::OpenUdp { session: SessionId(1) });
    assert!(matches!(reply, Reply::Udp { .. }), "{reply:?}");
    let leads = || system.run("ip", &["rule"]).expect("ip runs").contains("proto 94");
    assert!(leads());
    system.run("systemctl", &["kill", "--signal=KILL", UNIT]).expect("systemctl");
    assert_eq!(caller.does(&Order::Hear), Answer::Ended);
    wait_for("the rules to go", || !leads());
}

/// Without counters.
fn rules_of_iptables(system: &System) -> Vec<String> {
    let both =
        ["iptables-save", "ip6tables-save"].map(|save| system.run(save, &["-t", "nat"]).expect("it runs"));
    let rules = both.iter().flat_map(|text| text.lines()).filter(|line| line.starts_with("-A"));
    rules.map(str::to_owned).collect()
}

#[test]
fn it_has_one_capability_and_a_sandbox() {
    let Some(system) = installed("it_has_one_capability_and_a_sandbox") else { return };
    let _caller = tunnel(&system);
    let pid = owner(&system).expect("it runs");
    let status = |field| system.status_of(pid, field).expect("a field");
    // CAP_NET_ADMIN is number 12
    for set in ["CapEff", "CapPrm", "CapBnd"] {
        assert_eq!(status(set), format!("{:016x}", 1 << 12), "{set}");
    }
    assert_eq!((status("NoNewPrivs"), status("Seccomp")), ("1".into(), "2".into()));
    assert_eq!(system.unit(UNIT, "MainPID").expect("systemctl"), pid.to_string());
    let read_only =
        system.run("nsenter", &["--mount", "--target", &pid.to_string(), "touch", "/usr/x", "/var/x"]);
    assert!(read_only.is_err(), "not even root could write there");
}

#[test]
fn when_nobody_needs_it_it_ends() {
    let prepare = |root: &Path| {
        let folder = root.join("etc/systemd/system").join(format!("{UNIT}.d"));
        fs::create_dir_all(&folder)?;
        Ok(fs::write(folder.join("impatient.conf"), IMPATIENT)?)
    };
    let Some(system) = System::boot_with("when_nobody_needs_it_it_ends", Init::Systemd, prepare) else {
        return;
    };
    system.install_helper().expect("it installs");
    let mut caller = tunnel(&system);
    for _ in 0..2 {
        assert_eq!(caller.does(&Order::Hangup), Answer::Done);
        wait_for("its end", || system.unit(UNIT, "ActiveState").expect("systemctl") == "inactive");
        assert_eq!(system.unit(UNIT, "Result").expect("systemctl"), "success");
        connect(&mut caller);
    }
}

#[test]
fn an_update_waits_until_tunnels_have_ended() {
    let Some(system) = installed("an_update_waits_until_tunnels_have_ended") else { return };
    let mut caller = tunnel(&system);
    let old = owner(&system);
    system.install_helper().expect("it installs again");
    assert_eq!(caller.does(&Order::Hear), Answer::Notice(Notice::Replaced));
    assert_eq!(owner(&system), old, "it has something to do");
    assert!(is_captured(&mut caller));
    connect(&mut Caller::new(&system, User::YES));

    // with the last session all connections end; that one's may do so before its reply is out
    let last = caller.does(&Order::Ask(Request::Unload { session: SessionId(1) }));
    if last != Answer::Ended {
        assert_eq!((last, caller.does(&Order::Hear)), (Answer::Reply(Reply::Done), Answer::Ended));
    }
    // until the old one has ended it may still answer, and then ends that connection too: engines ask again
    wait_for("the newer one", || owner(&system) != old && is_greeted(&mut caller));
    load(&mut caller, User::YES, Grant::All);
    assert!(is_captured(&mut caller));
    let new = owner(&system).expect("it runs");
    assert_ne!(Some(new), old);
    let program = fs::read_link(system.path(&format!("/proc/{new}/exe"))).expect("it runs");
    assert!(program.ends_with(HELPER.trim_start_matches('/')), "not a deleted one: {}", program.display());
}

#[test]
fn after_a_power_cut_the_boot_cleans_up() {
    let Some(system) = installed("after_a_power_cut_the_boot_cleans_up") else { return };
    let before = hosts(&system);
    let mut caller = tunnel(&system);
    name_the_neighbour(&mut caller);
    let disk = tempfile::tempdir().expect("a folder");
    system.copy_disk(disk.path()).expect("the disk can be read");
    drop(system);

    let boot = |test: &str| {
        let lay = |root: &Path| lay(disk.path(), root);
        System::boot_with(test, Init::Systemd, lay).expect("we are root")
    };
    let system = boot("with a journal");
    assert_eq!(hosts(&system), before);
    assert_eq!(system.unit("ropeway-undo.service", "Result").expect("systemctl"), "success");
    assert!(!system.path("/var/lib/ropeway/journal").exists());
    assert_eq!(system.unit("ropeway-undo.service", "ConditionResult").expect("systemctl"), "yes");
    // the grant is still there
    connect(&mut Caller::new(&system, User::YES));
    system.copy_disk(disk.path()).expect("the disk can be read");
    drop(system);

    let system = boot("without one");
    assert_eq!(system.unit("ropeway-undo.service", "ConditionResult").expect("systemctl"), "no");
}
