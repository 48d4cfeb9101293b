//! What most of these tests use.

pub use std::{
    collections::BTreeSet,
    fs::File,
    io::Write,
    net::{SocketAddr, TcpStream},
    os::{
        fd::{AsFd, OwnedFd},
        unix::{
            fs::{OpenOptionsExt, chown},
            net::UnixStream,
            process::ExitStatusExt,
        },
    },
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

pub use nix::sys::signal::Signal;
pub use ropeway_helper::rules::{SessionPlan, render, render_blocks};
pub use ropeway_helper_api::{
    Block, Capture, Dns, Grant, HelperCode, Plan, Reject, Reply, Request, SessionId,
};
pub use socket2::{Domain, Protocol, SockRef, Socket, Type};

pub use crate::{
    driver::{
        Helper, block, code, command, is_closed, library, of, plan, session, session_block, table_exists,
        table_goes_soon,
    },
    world::{
        Connection, TemporaryCgroup, asked, in_empty_namespace, in_world, listen, listen_on, names, reached,
        reached_by_shell, run, try_to_reach,
    },
};

/// The n-th network of 10.0.0.0/8 of that size, and on beyond.
pub fn slash_24(n: u32) -> ropeway_helper_api::Route {
    ipnet::IpNet::new(std::net::Ipv4Addr::from(0x0a00_0000 + (n << 8)).into(), 24).unwrap().into()
}

pub fn folder(cgroup: &TemporaryCgroup) -> File {
    let path_only = nix::fcntl::OFlag::O_PATH.bits();
    File::options().read(true).custom_flags(path_only).open(&cgroup.0).unwrap()
}

pub fn listing() -> String {
    run("nft list table inet ropeway")
}

/// Sets and chains of a listing in an order of their own (a changed table has its new ones last), spaces made equal.
pub fn parts(listing: &str) -> BTreeSet<String> {
    let body = listing.split_once('{').unwrap().1.trim_end().strip_suffix('}').unwrap();
    let blocks = body.split("\n\n").map(|block| block.split_whitespace().collect::<Vec<_>>().join(" "));
    blocks.filter(|block| !block.is_empty()).collect()
}

/// The kernel remembers flows from now on: it does so where a rule asks for it, as those of most machines do.
pub fn remember() {
    nft_load(
        "table inet other {\n\tchain output {\n\t\ttype nat hook output priority 0;\n\t\tct mark 1\n\t}\n}\n",
    );
}

pub fn nft_load(text: &str) {
    let mut nft = Command::new("nft").args(["-f", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    nft.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(nft.wait().unwrap().success(), "{text}");
}
