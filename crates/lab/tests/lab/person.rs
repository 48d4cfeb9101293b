//! The person before the client: somebody without any privilege, also where a test acts for them.

use std::{fs, io, net::TcpStream, os::unix::fs::MetadataExt};

use ropeway_lab::{Family, Host, harness::lab_or_skip, ports};

use crate::SOON;

#[test]
fn programs_on_the_client_have_no_privilege_and_those_elsewhere_are_roots() {
    let Some(lab) = lab_or_skip("nobody") else { return };
    let who = "id -un; id -G; grep Cap.*: /proc/self/status; echo $USER $HOME $XDG_RUNTIME_DIR";
    let home = lab.client().home();
    let said = shell(&lab.client(), who);
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines[..2], ["ada", "59002"]);
    assert!(lines.contains(&"CapEff:\t0000000000000000") && lines.contains(&"CapPrm:\t0000000000000000"));
    assert_eq!(lines.last(), Some(&&*format!("ada {} /run/user/59002", home.display())));
    for host in [lab.client().as_root(), lab.server()] {
        assert!(shell(&host, who).starts_with("root\n0\n"));
    }
}

#[test]
fn home_and_session_folder_are_the_persons_own() {
    let Some(lab) = lab_or_skip("own") else { return };
    let client = lab.client();
    for folder in [client.home(), client.runtime_folder()] {
        let data = fs::metadata(&folder).expect("it is there");
        assert_eq!((data.uid(), data.mode() & 0o777), (client.uid(), 0o700), "{}", folder.display());
    }
    let file = client.home().join("note");
    client.run(|| fs::write(&file, "mine")).expect("the client is up").expect("it is the person's home");
    assert_eq!(fs::metadata(&file).expect("it was written").uid(), client.uid());
    let of_root = client.as_root().home().join("note");
    let refused = client.run(|| fs::write(&of_root, "not mine")).expect("the client is up");
    assert_eq!(refused.expect_err("it is root's").kind(), io::ErrorKind::PermissionDenied);
}

#[test]
fn the_person_may_change_their_part_of_the_cgroup_tree() {
    let Some(lab) = lab_or_skip("cgroup") else { return };
    let own = "tree=$(sed -n 's/^[^ ]* \\([^ ]*\\) cgroup2 .*/\\1/p' /proc/self/mounts | head -1); \
               own=$tree$(sed -n s/^0:://p /proc/self/cgroup)";
    let script = format!(
        "{own}; mkdir $own/below && echo $$ > $own/below/cgroup.procs && sed -n s/^0:://p /proc/self/cgroup"
    );
    let own_of_lab = format!("/ropeway-lab-{}", lab.name());
    assert_eq!(shell(&lab.client(), &script).trim_end(), format!("{own_of_lab}/below"));
    let none = shell(&lab.client().without_cgroups(), "grep -c ' cgroup2 ' /proc/self/mounts || true");
    assert_eq!(none, "0\n");
    let name = lab.name().to_owned();
    drop(lab);
    let mounts = fs::read_to_string("/proc/self/mounts").expect("there is one");
    let tree = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>()).find(|it| it[2] == "cgroup2");
    let tree = tree.expect("the test before found it")[1];
    assert!(!fs::exists(format!("{tree}/ropeway-lab-{name}")).expect("readable"), "it goes with the lab");
}

/// Rules ask whose a connection is: that of a test's own socket must be the person's, too.
#[test]
fn sockets_that_tests_make_for_the_person_are_the_persons() {
    let Some(lab) = lab_or_skip("skuid") else { return };
    let (client, root) = (lab.client(), lab.client().as_root());
    let count = "add table inet t; add chain inet t c { type filter hook output priority 0; }; \
                 add rule inet t c tcp flags syn meta skuid 59002 counter";
    assert!(root.command("nft").expect("it is up").arg(count).status().expect("nft runs").success());
    let to = (lab.hub().address(Family::V4), ports::WEB);
    let packets = || {
        let listed = shell(&root, "nft list table inet t");
        let count = listed.split("counter packets ").nth(1).and_then(|rest| rest.split(' ').next());
        count.expect("a counter").parse::<u32>().expect("a number")
    };
    root.run(|| TcpStream::connect(to)).expect("it is up").expect("the hub answers");
    assert_eq!(packets(), 0);
    client.run(|| TcpStream::connect(to)).expect("it is up").expect("the hub answers");
    assert_eq!(packets(), 1);
    assert_eq!(client.fetch(&lab.public_web_url(Family::V4, "/"), SOON).expect("curl runs").code, 0);
    assert_eq!(packets(), 2);
}

/// What a shell on the host says.
pub fn shell(host: &Host, script: &str) -> String {
    let output = host.command("sh").expect("it is up").args(["-c", script]).output().expect("sh runs");
    assert!(output.status.success(), "{script}: {output:?}");
    String::from_utf8(output.stdout).expect("it speaks UTF-8")
}
