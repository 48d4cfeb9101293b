//! The addresses of a name, asked for on the server, again whenever their life is over.

use std::{
    collections::BTreeSet,
    net::IpAddr,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::Duration,
};

use ropeway_agent_api::{Report, Request};
use tokio::{
    sync::broadcast,
    time::{sleep, timeout},
};

use crate::{
    link::Link,
    names::{ask::Asker, message},
};

/// Asked again no sooner: servers that say "do not remember" are asked by every connection otherwise.
const SHORTEST: Duration = Duration::from_secs(30);
/// And no later: an address that is gone is noticed within the hour.
const LONGEST: Duration = Duration::from_hours(1);
/// After a failure, doubled up to [`FAILED_LONGEST`].
const FAILED: Duration = Duration::from_secs(5);
const FAILED_LONGEST: Duration = Duration::from_mins(1);

/// The server reads its hosts file in a moment.
const HOSTS_FILE: Duration = Duration::from_secs(5);

/// Of the next question about the hosts file; answers come to all who ask.
static NEXT: AtomicU32 = AtomicU32::new(1);

/// Tells each time which addresses there are, for ever. Those of the last time stay while nobody answers.
pub async fn follow(
    name: &str,
    link: &Link,
    asker: &Asker,
    search: &[String],
    mut tell: impl FnMut(BTreeSet<IpAddr>),
) {
    let mut failed = FAILED;
    loop {
        if let Some((addresses, life)) = look_up(name, link, asker, search).await {
            tell(addresses);
            failed = FAILED;
            sleep(life.clamp(SHORTEST, LONGEST)).await;
        } else {
            tracing::info!(name, "no addresses are known on the server yet");
            sleep(failed).await;
            failed = (2 * failed).min(FAILED_LONGEST);
        }
    }
}

/// As a program on the server would: its hosts file first, then its name servers, a short name with each domain.
async fn look_up(
    name: &str,
    link: &Link,
    asker: &Asker,
    search: &[String],
) -> Option<(BTreeSet<IpAddr>, Duration)> {
    let written = in_hosts_file(name, link).await;
    if !written.is_empty() {
        return Some((written, LONGEST));
    }
    for candidate in candidates(name, search) {
        let (v4, v6) = tokio::join!(ask(&candidate, false, asker), ask(&candidate, true, asker));
        let found: Vec<message::Found> = [v4, v6].into_iter().flatten().flatten().collect();
        if let Some(life) = found.iter().map(|it| it.life).min() {
            return Some((found.into_iter().map(|it| it.address).collect(), life));
        }
    }
    None
}

/// resolv.conf(5): a name without a dot is tried with the domains first, others as they stand.
fn candidates(name: &str, search: &[String]) -> Vec<String> {
    let with = search.iter().map(|domain| format!("{name}.{domain}"));
    let alone = [name.to_owned()];
    if name.contains('.') { alone.into_iter().chain(with).collect() } else { with.chain(alone).collect() }
}

async fn ask(name: &str, v6: bool, asker: &Asker) -> Option<Vec<message::Found>> {
    let answer = asker.ask_whole(message::question(name, v6)?).await?;
    message::addresses(&answer)
}

async fn in_hosts_file(name: &str, link: &Link) -> BTreeSet<IpAddr> {
    let mut reports = link.reports();
    let wanted = NEXT.fetch_add(1, Relaxed);
    if !link.ask(&Request::LookUp { id: wanted, name: name.to_owned() }) {
        return BTreeSet::new();
    }
    let heard = async {
        loop {
            match reports.recv().await {
                Ok(Report::LookedUp { id, addresses }) if id == wanted => break addresses,
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => break vec![],
            }
        }
    };
    timeout(HOSTS_FILE, heard).await.unwrap_or_default().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_are_tried_with_the_domains_first() {
        let search = ["corp.example".to_owned(), "lab".to_owned()];
        assert_eq!(candidates("db", &search), ["db.corp.example", "db.lab", "db"]);
        assert_eq!(candidates("db.corp", &search), ["db.corp", "db.corp.corp.example", "db.corp.lab"]);
    }
}
