//! `ropeway run`, end to end: real ssh, real rules, real traffic, in a lab of its own for each test.
//!
//! `traffic`: what goes through and what does not. `target`: how a target's own failures and ends reach the
//! program. `login`: servers that are in the way of a tunnel. `own_sockets`: what the session needs itself goes around
//! it. `startup`: what overlaps when it connects. `limits`: on open files. `names`: who answers for them. `hosts`: which are
//! found near the server. `service`: in the background. `leaks`: what goes around is told. `share`: others use it, too. `udp`: datagrams and pings.
//! `cipher`: which one the login uses. `death`: whatever is killed, nothing stays; `fail_closed` and `held`: unless somebody
//! asked for it. All of that
//! for an ordinary user, by way of the helper that the system bus starts; `root` is the one exception.
//! To make a lab needs root; elsewhere tests are skipped with a line that says so.

mod cipher;
mod death;
mod fail_closed;
mod held;
mod hosts;
mod leaks;
mod limits;
mod login;
mod names;
mod other;
mod own_sockets;
mod root;
mod rules;
mod service;
mod share;
mod startup;
mod target;
mod traffic;
mod udp;

use std::{
    io::{self, Read},
    net::{IpAddr, SocketAddr, TcpStream},
    time::Duration,
};

use ropeway_lab::{
    Family, Host, Lab,
    harness::{Ropeway, wait_until},
};

/// More than anything small takes in a lab, also while other tests compile and run.
const SOON: Duration = Duration::from_secs(10);

/// Finding out that nobody is at an address, a failed try and the pause after it, and the next one.
const AGAIN: Duration = Duration::from_secs(30);

/// What the product promises: this long after an end, however it came, nothing is left.
const GONE: Duration = Duration::from_secs(2);

/// Both private networks, as arguments.
const PRIVATE: &[&str] = &["10.20.0.0/16", "fd20::/48"];

/// Connects to the server for the private networks.
fn tunnel(lab: &Lab) -> Ropeway {
    tunnel_for(lab, PRIVATE)
}

/// Connects to the server for these subnets and options.
fn tunnel_for(lab: &Lab, args: &[&str]) -> Ropeway {
    Ropeway::connect(lab, Some("server"), args).expect("it connects")
}

/// The private page comes to the client through the tunnel.
fn assert_works(lab: &Lab, family: Family) {
    let url = lab.web_url(family, "/");
    let page = lab.client().fetch(&url, SOON).expect("curl runs");
    assert!(page.code == 0 && page.body.contains(lab.word()), "{url}: {page:?}");
}

/// The private page is as far away as it is without a tunnel.
fn assert_no_way(lab: &Lab, family: Family) {
    let url = lab.web_url(family, "/");
    let page = lab.client().fetch(&url, SOON).expect("curl runs");
    assert_eq!((page.code, page.body.as_str()), (7, ""), "{url}");
}

/// Who the web server believes to be talking to.
fn seen_as(host: &Host, url: &str) -> IpAddr {
    let page = host.fetch(url, SOON).expect("curl runs");
    page.body.trim().parse().unwrap_or_else(|_| panic!("{url}: {page:?}"))
}

/// What a program on the host reads first from there. Where the far end fails faster than the program can look,
/// `connect` itself tells the same error.
fn first_byte(host: &Host, from: SocketAddr) -> io::Result<Option<u8>> {
    let read = || {
        let mut stream = TcpStream::connect_timeout(&from, SOON)?;
        stream.set_read_timeout(Some(SOON))?;
        let mut byte = [0];
        Ok((stream.read(&mut byte)? > 0).then_some(byte[0]))
    };
    host.run(read).expect("the host is up")
}

/// No table of ours is on the client, no process and no cgroup of ours anywhere, and that soon.
fn assert_nothing_stays(lab: &Lab) {
    let left =
        || (lab.client().nft_tables().expect("nft runs"), lab.stray_processes(), lab.abandoned_cgroups());
    wait_until(GONE, || left() == (vec![], vec![], vec![]));
    assert_eq!(left(), (vec![], vec![], vec![]), "left after {GONE:?}");
    assert_eq!(
        lab.client().hosts_file().expect("the client has one"),
        ropeway_lab::HOSTS,
        "names are as they were"
    );
}

/// The listeners on the client that are there because of a tunnel.
fn listeners_of_ours(lab: &Lab) -> Vec<SocketAddr> {
    let all = lab.client().listeners().expect("the client is up");
    all.into_iter().filter(|listener| listener.port() != ropeway_lab::ports::SSH_ON_CLIENT).collect()
}
