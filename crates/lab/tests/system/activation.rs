//! Systems without systemd: the bus itself starts the helper, and nobody but the helper limits what it may do.

use ropeway_helper_api::bus;
use ropeway_lab::system::{Answer, Init, Order, System};

use crate::{is_captured, tunnel, wait_for};

#[test]
fn the_bus_alone_starts_it_with_one_capability() {
    let test = "the_bus_alone_starts_it_with_one_capability";
    let Some(system) = System::boot_with(test, Init::Bus, |_| Ok(())) else { return };
    system.install_helper().expect("it installs");
    let mut caller = tunnel(&system);
    let pid = system.owner(bus::NAME).expect("it runs");
    let status = |field| system.status_of(pid, field).expect("a field");
    for set in ["CapEff", "CapPrm", "CapBnd"] {
        assert_eq!(status(set), format!("{:016x}", 1 << 12), "{set}");
    }
    assert_eq!(status("NoNewPrivs"), "1");

    system.run("kill", &["-KILL", &pid.to_string()]).expect("it runs");
    assert_eq!(caller.does(&Order::Hear), Answer::Ended);
    assert!(!is_captured(&mut caller));
    wait_for("the name to be free", || system.owner(bus::NAME) != Some(pid));
    drop(caller);
    let _again = tunnel(&system);
}
