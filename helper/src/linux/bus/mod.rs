//! The helper on the system bus: hands out connections, records grants, and ends when nobody needs it.
//!
//! `call` reads what is asked, `service` answers, `authority` knows who asks and whether an administrator agrees,
//! `activity` when nothing goes on. Start with [`serve`].
//!
//! One loop takes the calls in the order in which the bus delivers them. That is what makes the end free of races:
//! first the name is given up, so the bus starts a new helper for whoever calls now; then we send ourselves a message,
//! and when it comes around, every call that was delivered before has been answered. If one of them began something, the
//! name is taken again.
//!
//! When the program is replaced on the disk (`replaced`), there are never two helpers: a second one could not touch the
//! table of the first, so it would be of no use to anybody, and under systemd, giving up the name means being ended.
//! So the old one tells its clients and serves as before while somebody has something in force. Then it lets nobody in
//! any more, takes back its questions and gives up the name, and only after that ends its connections: who sees the end
//! of one gets the new helper. An `Open` that arrives in between has no answer: the bus gives one when we end, the
//! caller asks again, and no caller gets a connection that is about to end.

mod activity;
mod authority;
mod call;
mod replaced;
mod service;

use std::{
    io,
    sync::{
        Arc, Mutex,
        mpsc::{self, Sender},
    },
    thread,
    time::Duration,
};

use ropeway_helper_api::bus;
use zbus::{
    Message,
    blocking::{Connection, MessageIterator, connection},
    message,
};

use self::{activity::Activity, authority::Authority, service::Service};
use crate::{rules::Firewall, server::Server};

const BUS: &str = "org.freedesktop.DBus";
const BUS_PATH: &str = "/org/freedesktop/DBus";

/// How long callers whose question was taken back may wait for our words; afterwards the bus has words of its own.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The message to ourselves.
const LAST_CALLS: &str = "LastCalls";

/// `DBUS_NAME_FLAG_DO_NOT_QUEUE`.
const DO_NOT_QUEUE: u32 = 4;
/// `DBUS_REQUEST_NAME_REPLY_PRIMARY_OWNER` and `..._ALREADY_OWNER`.
const OWNER: [u32; 2] = [1, 4];

/// Why there is no service.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    #[error(transparent)]
    Bus(#[from] zbus::Error),
    #[error("another helper has the name {} already", bus::NAME)]
    Taken,
    #[error("no thread: {0}")]
    Thread(#[from] io::Error),
}

/// Until nothing was going on for `idle`, or the bus is gone.
pub fn serve<F>(server: &Arc<Server<F>>, idle: Duration) -> Result<(), BusError>
where
    F: Firewall + Send + 'static,
{
    let connection = connection::Builder::system()?.build()?;
    let calls = MessageIterator::from(&connection);
    let activity = Activity::default();
    let authority = Authority::connect()?;
    let service = Arc::new(Service {
        connection: connection.clone(),
        authority: authority.clone(),
        server: Arc::clone(server),
        grants: server.state().grants.clone(),
        activity: activity.clone(),
        asked: Mutex::default(),
    });
    make_way_for_update(server, &activity, &authority);
    let (news, turn) = mpsc::channel();
    let keeper = Keeper { connection: connection.clone(), activity: activity.clone(), idle, news };
    let verdicts = keeper.start()?;
    for message in calls {
        let message = message?;
        match message.message_type() {
            message::Type::MethodCall => service.answer(&message),
            message::Type::Signal if is_from(&connection, &message) => {
                turn.try_recv().unwrap_or(Ok(()))?;
                if server.is_ending() {
                    server.end_all();
                    activity.is_idle_within(LAST_WORDS);
                    return Ok(());
                }
                if activity.is_idle() {
                    return Ok(());
                }
                let _ = verdicts.send(()); // without a keeper there is no name
            }
            _ => {}
        }
    }
    Ok(())
}

fn make_way_for_update<F>(server: &Arc<Server<F>>, activity: &Activity, authority: &Authority)
where
    F: Firewall + Send + 'static,
{
    let (server, activity, authority) = (Arc::clone(server), activity.clone(), authority.clone());
    let make_way = move || {
        tracing::info!("a newer program is in our place");
        server.make_way();
        activity.end();
        authority.end();
    };
    if let Err(error) = replaced::watch(make_way) {
        tracing::error!(%error, "an update of this program will not be noticed");
    }
}

/// Takes the name and gives it up. On a thread of its own, because it waits for the bus's answers, and those
/// come behind calls: who waited for them in the loop that takes the calls could wait forever.
struct Keeper {
    connection: Connection,
    activity: Activity,
    idle: Duration,
    /// How it went, before each message to ourselves.
    news: Sender<Result<(), BusError>>,
}

impl Keeper {
    /// It goes on after each verdict that the end has to wait.
    fn start(self) -> io::Result<Sender<()>> {
        let (sender, verdicts) = mpsc::channel();
        let keep = move || {
            loop {
                let turn = self.keep();
                let failed = turn.is_err();
                let _ = self.news.send(turn);
                let connection = &self.connection;
                let sent = connection.emit_signal(
                    connection.unique_name(),
                    bus::PATH,
                    bus::INTERFACE,
                    LAST_CALLS,
                    &(),
                );
                if failed || sent.is_err() || verdicts.recv().is_err() {
                    return;
                }
            }
        };
        thread::Builder::new().name("name".into()).spawn(keep)?;
        Ok(sender)
    }

    /// Has the name from the beginning until nothing went on for a while.
    fn keep(&self) -> Result<(), BusError> {
        take_name(&self.connection)?;
        self.activity.wait_idle(self.idle);
        drop_name(&self.connection)?;
        Ok(())
    }
}

fn take_name(connection: &Connection) -> Result<(), BusError> {
    let asked = (bus::NAME, DO_NOT_QUEUE);
    let reply = connection.call_method(Some(BUS), BUS_PATH, Some(BUS), "RequestName", &asked)?;
    if OWNER.contains(&reply.body().deserialize()?) { Ok(()) } else { Err(BusError::Taken) }
}

fn drop_name(connection: &Connection) -> zbus::Result<()> {
    connection.call_method(Some(BUS), BUS_PATH, Some(BUS), "ReleaseName", &bus::NAME).map(drop)
}

fn is_from(connection: &Connection, message: &Message) -> bool {
    let ourselves = connection.unique_name();
    message
        .header()
        .sender()
        .is_some_and(|sender| ourselves.is_some_and(|name| name.as_str() == sender.as_str()))
}
