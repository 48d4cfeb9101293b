//! What a grant covers. Pure; the one place where this is decided.

use ropeway_helper_api::{Block, Capture, Grant, Method, Plan};

/// Why not, for the log.
pub type Denial = &'static str;

pub fn load(grant: Grant, uid: u32, plan: &Plan) -> Result<(), Denial> {
    if grant == Grant::All {
        return Ok(());
    }
    capture(uid, plan.capture)?;
    if plan.method == Some(Method::Iptables) {
        return Err("the grant covers no iptables where nft works: it has room for one session only");
    }
    if plan.dns.is_some() {
        return Err("the grant covers no DNS");
    }
    if !plan.forwarded.is_empty() {
        return Err("the grant covers no forwarded traffic");
    }
    Ok(())
}

pub fn block(grant: Grant, uid: u32, block: &Block) -> Result<(), Denial> {
    if grant == Grant::All { Ok(()) } else { capture(uid, block.capture) }
}

pub fn set_hosts(grant: Grant) -> Result<(), Denial> {
    if grant == Grant::All { Ok(()) } else { Err("the grant covers no host names") }
}

/// Not even an administrator's user: over D-Bus it takes an administrator's leave.
pub fn restore_everybody(uid: u32) -> Result<(), Denial> {
    if uid == 0 { Ok(()) } else { Err("only root opens here what others keep closed") }
}

/// A cgroup's owner is looked at where its descriptor is.
fn capture(uid: u32, capture: Capture) -> Result<(), Denial> {
    match capture {
        Capture::User { uid: captured } if captured == uid => Ok(()),
        Capture::Cgroup => Ok(()),
        Capture::User { .. } | Capture::Group { .. } | Capture::Everyone => {
            Err("the grant covers only the user's own traffic")
        }
    }
}
