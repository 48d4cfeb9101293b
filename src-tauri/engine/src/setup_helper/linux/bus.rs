//! What everybody may ask of the helper on the system bus.

use std::{io, time::Duration};

use ropeway_helper_api::{Grant, bus};
use tokio::time::timeout;
use zbus::{
    Connection, DBusError, Proxy,
    connection::Builder,
    fdo::DBusProxy,
    names::BusName,
    proxy::{CacheProperties, MethodFlags},
    zvariant::DynamicType,
};

use super::{service_file, terminal};
use crate::{
    api::{Code, Failure},
    setup_helper::{
        SUBJECT,
        facts::{Answer, Facts},
    },
};

/// The bus gives a service 25 s to start, after that the helper answers at once.
const ANSWER: Duration = Duration::from_secs(30);

/// While a person looks for the administrator's password.
const CONSENT: Duration = Duration::from_mins(2);

/// The system bus, at the address where it is. Every question has a connection of its own, which ends when nobody waits
/// for the answer any more: so the helper can tell.
#[derive(Debug, Clone, Default)]
pub struct Bus {
    /// None: the one of this computer.
    address: Option<String>,
}

impl Bus {
    /// Asks the helper itself, which starts it. Without a bus there is no helper.
    pub async fn look(&self, uid: u32) -> Facts {
        let nothing = Facts { uid, ..Facts::default() };
        match timeout(ANSWER, self.find()).await {
            Ok(Ok(Some(connection))) => {
                let answer = timeout(ANSWER, answer(&connection)).await.unwrap_or_else(|_| Err(timed_out()));
                let answer = answer.inspect_err(|error| tracing::warn!(%error, "the helper does not answer"));
                Facts { there: true, ours: service_file::is_ours(), answer: answer.ok(), ..nothing }
            }
            Ok(Ok(None)) | Err(_) => nothing,
            Ok(Err(error)) => {
                tracing::debug!(%error, "no system bus");
                nothing
            }
        }
    }

    pub async fn set_up(&self, grant: Grant) -> Result<(), Failure> {
        self.ask(bus::SET_UP, &(grant.name(),)).await
    }

    pub async fn revoke(&self, uid: u32) -> Result<(), Failure> {
        self.ask(bus::REVOKE, &(uid,)).await
    }

    /// How many were opened.
    pub async fn restore(&self) -> Result<u32, Failure> {
        self.ask(bus::RESTORE, &()).await
    }

    /// polkit may ask an administrator before the answer comes.
    async fn ask<B, R>(&self, method: &'static str, arguments: &B) -> Result<R, Failure>
    where
        B: serde::Serialize + DynamicType,
        R: for<'d> zbus::zvariant::DynamicDeserialize<'d>,
    {
        let _agent = terminal::agent().await;
        let asked = timeout(CONSENT, async {
            let connection = self.connect().await?;
            let helper = helper(&connection).await?;
            let answer =
                helper.call_with_flags(method, MethodFlags::AllowInteractiveAuth.into(), arguments).await?;
            // only a call that wants no reply has none
            answer.ok_or(zbus::Error::InvalidReply)
        });
        match asked.await {
            Ok(answer) => answer.map_err(|error| failure(&error)),
            Err(_) => Err(Failure::new(Code::Denied, SUBJECT, "nobody answered the question")),
        }
    }

    /// A connection, when the helper is on the bus.
    async fn find(&self) -> zbus::Result<Option<Connection>> {
        let connection = self.connect().await?;
        Ok(is_there(&connection).await?.then_some(connection))
    }

    async fn connect(&self) -> zbus::Result<Connection> {
        let builder = match &self.address {
            Some(address) => Builder::address(address.as_str())?,
            None => Builder::system()?,
        };
        builder.build().await
    }
}

async fn is_there(connection: &Connection) -> zbus::Result<bool> {
    let daemon = DBusProxy::new(connection).await?;
    let name = BusName::try_from(bus::NAME)?;
    Ok(daemon.name_has_owner(name).await?
        || daemon.list_activatable_names().await?.iter().any(|name| name.as_str() == bus::NAME))
}

async fn answer(connection: &Connection) -> zbus::Result<Answer> {
    let helper = helper(connection).await?;
    let grants: Vec<(u32, String)> = helper.call(bus::GRANTS, &()).await?;
    Ok(Answer {
        epoch: helper.get_property("Epoch").await?,
        version: helper.get_property("Version").await?,
        // one that we do not know is of a newer helper: it is no grant for us
        grants: grants.into_iter().filter_map(|(uid, name)| Some((uid, Grant::named(&name)?))).collect(),
    })
}

async fn helper(connection: &Connection) -> zbus::Result<Proxy<'_>> {
    zbus::proxy::Builder::new(connection)
        .destination(bus::NAME)?
        .path(bus::PATH)?
        .interface(bus::INTERFACE)?
        // asked once; a cache would listen for changes
        .cache_properties(CacheProperties::No)
        .build()
        .await
}

fn failure(error: &zbus::Error) -> Failure {
    let name = match error {
        zbus::Error::MethodError(name, ..) => name.as_str().to_owned(),
        zbus::Error::FDO(error) => error.name().to_string(),
        _ => String::new(),
    };
    let code = match name.as_str() {
        bus::ERROR_DENIED => Code::Denied,
        bus::ERROR_NOT_GRANTED => Code::NotGranted,
        bus::ERROR_LIMIT => Code::Resources,
        "org.freedesktop.DBus.Error.ServiceUnknown" => Code::HelperMissing,
        name if name.starts_with("org.freedesktop.DBus.Error.Spawn.") => Code::HelperMissing,
        "org.freedesktop.DBus.Error.UnknownMethod" => Code::HelperOld,
        _ => Code::HelperSetup,
    };
    Failure::new(code, SUBJECT, words(error))
}

/// Without the error's name, which is for programs.
fn words(error: &zbus::Error) -> String {
    match error {
        zbus::Error::MethodError(_, Some(words), _) => words.clone(),
        other => other.to_string(),
    }
}

fn timed_out() -> zbus::Error {
    io::Error::from(io::ErrorKind::TimedOut).into()
}

#[cfg(test)]
mod tests;
