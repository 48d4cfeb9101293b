//! The agent's search for names without a tunnel: no rule, no helper, no line in a file. For `ropeway hostwatch`.

use std::{future::pending, net::IpAddr, path::Path};

use ropeway_agent_api::{Report, Request};
use ropeway_mux::Latency;
use tokio::sync::broadcast::error::RecvError;

use super::name;
use crate::{
    Setup,
    agents::Agents,
    api::{Code, Failure, Field, Profile},
    link::{End, Link},
    profile::{self, Parsed, Server},
    runtime::Runtime,
    ssh::{channel::Channel, login::Login},
};

/// Signs in to the profile's server, and tells each name with an address, as often as it is seen, until the login ends. Whoever
/// drops it ends the login as well.
pub async fn search(setup: &Setup, profile: &Profile, mut tell: impl FnMut(&str, IpAddr)) -> Failure {
    match Search::begin(setup, profile).await {
        Ok(search) => search.run(&mut tell).await,
        Err(failure) => failure,
    }
}

struct Search {
    parsed: Parsed,
    login: Login,
    channel: Channel,
    runtime: Place,
}

/// The folder goes with the search, however it ends.
struct Place(Runtime);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.remove();
    }
}

impl Search {
    async fn begin(setup: &Setup, profile: &Profile) -> Result<Self, Failure> {
        let mut problems = profile::check(profile).problems;
        // nothing goes through
        problems.retain(|problem| problem.field != Field::Subnets);
        if !problems.is_empty() {
            return Err(profile::invalid(profile, &problems));
        }
        let parsed = profile::understood(profile);
        let agents = Agents::find(&setup.agents);
        let subject = profile.name.clone();
        let resources =
            |error: std::io::Error| Failure::new(Code::Resources, subject.clone(), error.to_string());
        let runtime = Place(Runtime::make(&setup.runtime).map_err(resources)?);
        let Some(server) = &parsed.server else {
            let login = Login::none(None).map_err(resources)?;
            return Ok(Self { channel: Channel::local(&agents, None)?, parsed, login, runtime });
        };
        let socket = runtime.0.folder().join("hostwatch.ssh");
        let login = sign_in(&parsed, server, &socket).await?;
        let channel = Channel::remote(&parsed.ssh_command, &subject, &socket, &agents, |_| Ok(())).await?;
        Ok(Self { parsed, login, channel, runtime })
    }

    async fn run(self, tell: &mut impl FnMut(&str, IpAddr)) -> Failure {
        let Self { parsed, mut login, mut channel, runtime } = self;
        let link = Link::new(Latency::Adaptive);
        let hosts = parsed.names.hosts.clone().unwrap_or_default();
        let server = parsed.server.as_ref().map_or_else(|| "this computer".to_owned(), Server::to_string);
        let request = Request::WatchHosts { seeds: hosts.seeds, auto: hosts.auto };
        let failure = tokio::select! {
            end = link.run(&mut channel.output, &mut channel.input, &channel.first) => ended(&end, server),
            failure = login.ended() => failure,
            () = listen(&link, &request, tell) => Failure::new(Code::Internal, server, "nobody tells any more"),
        };
        channel.end().await;
        login.end().await;
        drop(runtime);
        failure
    }
}

async fn sign_in(parsed: &Parsed, server: &Server, socket: &Path) -> Result<Login, Failure> {
    let mut login = Login::start(&parsed.ssh_command, server, socket, None, None)?;
    login.signed_in().await?;
    Ok(login)
}

async fn listen(link: &Link, request: &Request, tell: &mut impl FnMut(&str, IpAddr)) {
    let mut reports = link.reports();
    link.ask(request);
    loop {
        match reports.recv().await {
            Ok(Report::Hosts(found)) => {
                let plain = found.iter().filter(|host| name::is_plain(&host.name));
                plain.for_each(|host| tell(&host.name, host.address));
            }
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            // why the link has ended is told where it runs
            Err(RecvError::Closed) => return pending().await,
        }
    }
}

fn ended(end: &End, server: String) -> Failure {
    match end {
        End::Protocol(error) => Failure::new(Code::Protocol, server, error.to_string()),
        End::Pipe(error) => Failure::new(Code::AgentEnded, server, error.to_string()),
        End::Eof => Failure::new(Code::AgentEnded, server, "its output ended"),
        End::NoAnswer => Failure::new(Code::SshEnded, server, "no answer for 20 s"),
    }
}
