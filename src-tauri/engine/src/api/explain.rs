use serde::{Deserialize, Serialize};

/// What becomes of a connection, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Explained {
    /// As it was asked.
    pub asked: String,
    pub host: String,
    /// The one that was named, or the usual one.
    pub port: u16,
    /// Why this computer knows no address for the name; empty when it does.
    pub error: String,
    /// What the servers of tunnels that are up say of the name.
    pub on_servers: Vec<ServerView>,
    /// One for each address that this computer knows.
    pub addresses: Vec<ExplainedAddress>,
    /// The tunnels that are up.
    pub tunnels: Vec<String>,
}

/// What a server says of a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct ServerView {
    pub profile: String,
    /// Empty when it knows none.
    pub addresses: Vec<String>,
}

/// What becomes of a connection to one address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct ExplainedAddress {
    pub address: String,
    /// The profile whose tunnel takes it; none when it goes its usual way.
    pub profile: Option<String>,
    /// The rule that decided, as typed; empty when none knows the address.
    pub rule: String,
    /// In words.
    pub why: String,
    /// Whether the server can connect there, tried just now; none where no tunnel takes it.
    pub server: Option<String>,
    /// The interface by which it would leave without a tunnel.
    pub otherwise: String,
}
