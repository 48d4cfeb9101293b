//! By which means rules get into the kernel. Pure.

use ropeway_helper_api::Method;

/// What this machine can do, or why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Means {
    /// `nf_tables` with tables that belong to a socket (Linux 5.12).
    pub nft: Result<(), String>,
    /// `iptables-restore` and what it needs.
    pub iptables: Result<(), String>,
}

impl Default for Means {
    fn default() -> Self {
        Self { nft: Ok(()), iptables: Err("not looked for".into()) }
    }
}

/// What is asked for, else nft, else iptables; and why, for the log. An error says why nothing is left.
pub fn choose(wanted: Option<Method>, means: &Means) -> Result<(Method, String), String> {
    match (wanted, &means.nft, &means.iptables) {
        (Some(Method::Nft), Ok(()), _) => Ok((Method::Nft, "as the plan says".into())),
        (Some(Method::Nft), Err(nft), _) => Err(format!("nft cannot be used: {nft}")),
        (Some(Method::Iptables), _, Ok(())) => Ok((Method::Iptables, "as the plan says".into())),
        (Some(Method::Iptables), _, Err(iptables)) => Err(format!("iptables cannot be used: {iptables}")),
        (None, Ok(()), _) => Ok((Method::Nft, "the kernel has all it needs".into())),
        (None, Err(nft), Ok(())) => Ok((Method::Iptables, format!("nft cannot be used: {nft}"))),
        (None, Err(nft), Err(iptables)) => {
            Err(format!("neither nft ({nft}) nor iptables ({iptables}) can be used"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn means(nft: bool, iptables: bool) -> Means {
        let able = |able: bool| if able { Ok(()) } else { Err("no".to_owned()) };
        Means { nft: able(nft), iptables: able(iptables) }
    }

    #[test]
    fn nft_where_it_can_and_iptables_where_it_must() {
        let chosen = |wanted, means: Means| choose(wanted, &means).ok().map(|(method, _)| method);
        assert_eq!(chosen(None, means(true, true)), Some(Method::Nft));
        assert_eq!(chosen(None, means(false, true)), Some(Method::Iptables));
        assert_eq!(chosen(None, means(false, false)), None);
        assert_eq!(chosen(Some(Method::Iptables), means(true, true)), Some(Method::Iptables));
        assert_eq!(chosen(Some(Method::Iptables), means(true, false)), None);
        assert_eq!(chosen(Some(Method::Nft), means(false, true)), None);
    }
}
