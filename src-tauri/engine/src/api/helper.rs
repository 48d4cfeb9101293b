use serde::{Deserialize, Serialize};

/// The privileged helper as settings show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct HelperState {
    pub setup: HelperSetup,
    /// Of the installed one.
    pub version: Option<String>,
    /// What this user may ask of it; root may everything.
    pub grant: Option<GrantScope>,
    /// Everybody's.
    pub grants: Vec<GrantRow>,
    /// Networks of this user, and of others, that something keeps closed although no tunnel of theirs is up.
    pub leftovers: Leftovers,
}

/// Whether it is there, and who looks after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub enum HelperSetup {
    Missing,
    /// By this app, which can repair and remove it.
    Installed,
    /// By the system's package manager.
    Packaged,
    /// Of another epoch than this app.
    Old,
    /// None is needed or possible: this engine is root and starts its own.
    Own,
}

/// What an administrator has allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub enum GrantScope {
    /// One's own programs' traffic.
    Own,
    /// The whole computer: everybody's traffic, names, containers.
    All,
}

/// A user who may use the helper.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct GrantRow {
    pub uid: u32,
    /// Their name; the number where they have none.
    pub name: String,
    pub grant: GrantScope,
    /// Whether it is the user who asks.
    pub me: bool,
}

/// What crashes left closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Leftovers {
    pub mine: u32,
    pub others: u32,
}
