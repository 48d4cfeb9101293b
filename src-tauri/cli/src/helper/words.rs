//! The helper's state in a few aligned lines.

use ropeway_engine::api::{GrantRow, GrantScope, HelperSetup, HelperState, Leftovers};

/// What is said before an administrator is asked to install something.
pub const BEFORE_SETUP: &str = "\
One-time set-up: one small program is put at /usr/local/libexec/ropeway-helper, and the system starts it when a
tunnel needs it. An administrator is asked now, and not again. `ropeway helper remove` takes it away.";

pub fn status(state: &HelperState) -> String {
    let rows = [
        ("Set-up", setup(state)),
        ("You may send", state.grant.map_or(NOTHING_YET, scope).to_owned()),
        ("Allowed for", allowed(&state.grants)),
        ("Left closed", closed(state.leftovers)),
    ];
    rows.map(|(what, is)| format!("{what:<12}  {is}")).join("\n")
}

pub fn grants(rows: &[GrantRow]) -> String {
    if rows.is_empty() {
        return "Nobody that you can see: root sees everybody, others see themselves.".to_owned();
    }
    let names: Vec<String> = rows.iter().map(name).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let lines = rows.iter().zip(&names);
    let lines = lines.map(|(row, name)| format!("{name:<width$}  {:>5}  {}", row.uid, scope(row.grant)));
    lines.collect::<Vec<_>>().join("\n")
}

pub fn restored(count: u32) -> String {
    match count {
        0 => "Nothing was closed.".to_owned(),
        1 => "Opened what one tunnel had left closed.".to_owned(),
        count => format!("Opened what {count} tunnels had left closed."),
    }
}

/// Behind "you may send".
pub fn scope(grant: GrantScope) -> &'static str {
    match grant {
        GrantScope::Own => "your own programs' traffic",
        GrantScope::All => "the whole computer's traffic",
    }
}

const NOTHING_YET: &str = "nothing yet (ropeway helper setup)";

fn setup(state: &HelperState) -> String {
    let version = state.version.as_ref().map(|version| format!(", version {version}")).unwrap_or_default();
    match state.setup {
        HelperSetup::Missing => "not done (ropeway helper setup)".to_owned(),
        HelperSetup::Installed | HelperSetup::Packaged if version.is_empty() => {
            "damaged: it does not start (ropeway helper setup)".to_owned()
        }
        HelperSetup::Installed => format!("done by this app{version}"),
        HelperSetup::Packaged => format!("done by a package{version}"),
        HelperSetup::Old => format!("does not fit this app{version} (ropeway helper setup)"),
        HelperSetup::Own => "not needed here".to_owned(),
    }
}

fn allowed(rows: &[GrantRow]) -> String {
    if rows.is_empty() {
        "nobody that you can see".to_owned()
    } else {
        rows.iter().map(name).collect::<Vec<_>>().join(", ")
    }
}

fn name(row: &GrantRow) -> String {
    if row.me { format!("{} (you)", row.name) } else { row.name.clone() }
}

fn closed(Leftovers { mine, others }: Leftovers) -> String {
    let tunnels = |count| if count == 1 { "one tunnel".to_owned() } else { format!("{count} tunnels") };
    match (mine, others) {
        (0, 0) => "nothing".to_owned(),
        (_, 0) => format!("by {} of yours (ropeway restore-network)", tunnels(mine)),
        (0, _) => format!("by {} of other users (ropeway restore-network --everybody)", tunnels(others)),
        _ => format!(
            "by {} of yours, {} of other users (ropeway restore-network)",
            tunnels(mine),
            tunnels(others)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(setup: HelperSetup) -> HelperState {
        let row = |uid, name: &str, grant, me| GrantRow { uid, name: name.into(), grant, me };
        HelperState {
            setup,
            version: Some("1.2.3".into()),
            grant: Some(GrantScope::Own),
            grants: vec![
                row(1000, "alice", GrantScope::Own, true),
                row(65_534, "nobody", GrantScope::All, false),
            ],
            leftovers: Leftovers { mine: 1, others: 2 },
        }
    }

    #[test]
    fn a_state_is_four_aligned_lines() {
        let expected = "\
Set-up        done by this app, version 1.2.3
You may send  your own programs' traffic
Allowed for   alice (you), nobody
Left closed   by one tunnel of yours, 2 tunnels of other users (ropeway restore-network)";
        assert_eq!(status(&state(HelperSetup::Installed)), expected);
    }

    #[test]
    fn a_computer_without_a_helper_says_what_to_do() {
        let missing = HelperState {
            setup: HelperSetup::Missing,
            version: None,
            grant: None,
            grants: vec![],
            leftovers: Leftovers::default(),
        };
        let expected = "\
Set-up        not done (ropeway helper setup)
You may send  nothing yet (ropeway helper setup)
Allowed for   nobody that you can see
Left closed   nothing";
        assert_eq!(status(&missing), expected);
        let damaged = HelperState { setup: HelperSetup::Installed, ..missing };
        assert!(status(&damaged).starts_with("Set-up        damaged"), "it has no version to tell");
    }

    #[test]
    fn grants_are_a_table() {
        let expected = "\
alice (you)   1000  your own programs' traffic
nobody       65534  the whole computer's traffic";
        assert_eq!(grants(&state(HelperSetup::Packaged).grants), expected);
        assert!(grants(&[]).starts_with("Nobody that you can see"));
    }
}
