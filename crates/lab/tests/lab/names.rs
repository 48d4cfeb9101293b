//! The name server, and a server that moves.

use std::{net::TcpStream, time::Duration};

use ropeway_lab::{Family, Lab, SERVER_NAME, harness::lab_or_skip, ports};

use crate::{SOON, person::shell, ssh};

/// Who is there answers within microseconds.
const A_MOMENT: Duration = Duration::from_millis(500);

#[test]
fn a_name_is_what_the_zone_says_at_that_moment() {
    let Some(lab) = lab_or_skip("names") else { return };
    let (server, jump) = (lab.server(), lab.jump());
    assert_eq!(addresses(&lab), [server.address(Family::V4).to_string()]);
    let names = Family::BOTH.map(|family| (SERVER_NAME, jump.address(family)));
    lab.set_names(&names).expect("a zone");
    let mut both = addresses(&lab);
    both.sort();
    assert_eq!(both, ["198.51.100.3", "2001:db8:51::3"]);
    lab.set_names(&[]).expect("an empty zone");
    assert_eq!(addresses(&lab), Vec::<String>::new());
}

#[test]
fn a_server_that_has_moved_is_found_by_its_new_address_alone() {
    let Some(lab) = lab_or_skip("moved") else { return };
    assert!(ssh(&lab, "server-by-name", "true").status().expect("ssh runs").success());
    let (old, new) = (lab.server().address(Family::V4), lab.move_server().expect("it moves"));
    let gone = lab.client().run(|| TcpStream::connect_timeout(&(old, ports::SSH).into(), A_MOMENT));
    gone.expect("the client is up").expect_err("nobody is there");
    lab.set_names(&[(SERVER_NAME, new)]).expect("a zone");
    assert!(ssh(&lab, "server-by-name", "true").status().expect("ssh runs").success());
    let seen = lab.server().fetch(&lab.public_web_url(Family::V4, "/whoami"), SOON).expect("curl runs");
    assert_eq!(seen.body.trim(), new.to_string());
}

fn addresses(lab: &Lab) -> Vec<String> {
    let said = shell(&lab.client(), &format!("getent ahosts {SERVER_NAME} || test $? = 2"));
    said.lines()
        .filter(|line| line.contains("STREAM"))
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect()
}
