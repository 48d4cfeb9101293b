//! The engine as its faces see it: one command in, one reply out, and events.

use std::sync::Arc;

use tokio::task::{JoinHandle, spawn_blocking};

use crate::{
    agents::Agents,
    api::{Code, Command, Event, Failure, Interest, Profile, ProfileId, Reply},
    control::Control,
    desk::Desk,
    explain::explain,
    helper::Helper,
    hosts,
    hub::{Hub, Subscription},
    import,
    live::{Feed, Table},
    memory::Memory,
    meters::Meters,
    profile::{self, Store},
    runtime::Runtime,
    session::{conflicts::Names, up::Tools, ups::Ups},
    setup::Setup,
    setup_helper::Caretaker,
    sys::descriptors,
    thread::Thread,
};

/// With fewer a web browser alone can run into the limit.
const ENOUGH_FILES: u64 = 4096;

/// A running engine; clones are the same one. It brings its own thread, and may be used from any.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
    thread: Arc<Thread>,
}

struct Inner {
    store: Store,
    desk: Desk,
    hub: Arc<Hub>,
    table: Arc<Table>,
    meters: Arc<Meters>,
    helper: Arc<Helper>,
    ups: Arc<Ups>,
    caretaker: Caretaker,
    runtime: Runtime,
    hosts: Arc<hosts::Table>,
    feeds: [JoinHandle<()>; 2],
}

impl Engine {
    /// Reads the profiles; connects nothing. Never fails because of a bad file: that becomes a `BrokenProfile`.
    pub fn start(setup: Setup) -> Result<Self, Failure> {
        let thread = Thread::start()
            .map_err(|error| Failure::new(Code::Resources, "this computer", error.to_string()))?;
        let inside = thread.handle().enter();
        tell_limit(descriptors::raise_limit());
        let runtime = Runtime::make(&setup.runtime).map_err(|error| {
            Failure::new(Code::Resources, setup.runtime.display().to_string(), error.to_string())
        })?;
        let (hub, table) = (Arc::new(Hub::default()), Arc::new(Table::default()));
        let hosts = Arc::new(hosts::Table::default());
        let names = hosts::Feed { table: hosts.clone(), hub: hub.clone(), watched: hub.watched() };
        let helper = Arc::new(Helper::new(setup.helper.clone()));
        let ups: Arc<Ups> = Arc::default();
        let meters = Arc::new(Meters::new(helper.clone()));
        let feed =
            Feed { table: table.clone(), hub: hub.clone(), meters: meters.clone(), watched: hub.watched() };
        let tools = Tools {
            helper: helper.clone(),
            table: table.clone(),
            meters: meters.clone(),
            hosts: hosts.clone(),
            agents: Arc::new(Agents::find(&setup.agents)),
            ours: Arc::default(),
            names: Names::default(),
            answering: Arc::default(),
            ups: ups.clone(),
            memory: Arc::new(Memory::new(&setup.state)),
            runtime: runtime.folder().to_owned(),
        };
        let inner = Inner {
            store: Store::new(setup.profiles),
            desk: Desk::new(tools, hub.clone()),
            caretaker: Caretaker::new(setup.helper, helper.clone(), hub.clone()),
            hub,
            table,
            meters,
            helper,
            ups,
            runtime,
            hosts,
            feeds: [tokio::spawn(feed.run()), tokio::spawn(names.run())],
        };
        inner.reload();
        let inner = Arc::new(inner);
        inner.listen();
        drop(inside);
        Ok(Self { inner, thread: Arc::new(thread) })
    }

    /// Does what a face asks.
    pub async fn command(&self, command: Command) -> Result<Reply, Failure> {
        let inner = self.inner.clone();
        self.thread.run(inner.command(command)).await?
    }

    /// Everything that happens from now on, after a first full picture.
    pub fn subscribe(&self, interest: Interest) -> Subscription {
        let (subscription, face) = self.inner.hub.subscribe(interest);
        let tell = |event| drop(face.try_send(event));
        self.inner.desk.tell_all(tell);
        if let Some(helper) = self.inner.caretaker.known() {
            tell(Event::Helper { helper });
        }
        if interest.connections {
            tell(Event::Connections { delta: self.inner.table.snapshot() });
        }
        if interest.hosts {
            tell(Event::Hosts { delta: self.inner.hosts.snapshot() });
        }
        subscription
    }

    /// Ends all tunnels in order: no rule, no ssh stays. Nothing connects afterwards. False when something stays closed
    /// all the same, because the helper could not be asked to open it.
    pub async fn shutdown(&self) -> bool {
        let inner = self.inner.clone();
        self.thread.run(async move { inner.shutdown().await }).await.unwrap_or(false)
    }
}

fn tell_limit(files: Option<u64>) {
    match files {
        Some(few) if few < ENOUGH_FILES => tracing::warn!(
            "only {few} files may be open, and every connection is one; more are allowed by \u{201c}nofile\u{201d} in \
             /etc/security/limits.conf, or by LimitNOFILE= of a service"
        ),
        files => tracing::info!(?files, "may be open; every connection is one"),
    }
}

impl Inner {
    /// Other processes of this user may ask as well. Where they cannot, everything else works.
    fn listen(self: &Arc<Self>) {
        match Control::make(self.runtime.folder()) {
            Ok(control) => {
                let weak = Arc::downgrade(self);
                drop(tokio::spawn(control.run(move |command| {
                    let inner = weak.upgrade();
                    async move {
                        let gone = || Failure::new(Code::Internal, "Ropeway", "it is closing");
                        inner.ok_or_else(gone)?.command(command).await
                    }
                })));
            }
            Err(error) => tracing::warn!(%error, "no control socket"),
        }
    }

    async fn command(self: Arc<Self>, command: Command) -> Result<Reply, Failure> {
        match command {
            Command::Connect { profile } => self.desk.connect(&profile)?,
            Command::Disconnect { profile } => self.desk.disconnect(&profile).await?,
            Command::DisconnectAll => self.desk.disconnect_all().await,
            Command::Toggle { profile } => self.desk.toggle(&profile).await?,
            Command::Reconnect { profile } => {
                self.desk.disconnect(&profile).await?;
                self.desk.connect(&profile)?;
            }
            Command::Run { profile } => return self.run(profile),
            Command::Check { profile } => return Ok(Reply::Checked { checked: profile::check(&profile) }),
            Command::Save { profile } => return self.with_files(move |inner| inner.save(&profile)).await,
            Command::Delete { profile } => {
                self.desk.disconnect(&profile).await?;
                return self.with_files(move |inner| inner.delete(&profile)).await;
            }
            Command::PreviewImport { text } => {
                return import::preview(&text).map(|preview| Reply::Preview { preview });
            }
            Command::Import { text } => return self.with_files(move |inner| inner.import(&text)).await,
            Command::CloseConnection { connection } => drop(self.table.close(connection)),
            Command::Explain { what } => {
                let explained = explain(&what, self.ups.all()).await?;
                return Ok(Reply::Explained { explained });
            }
            Command::Status => {
                let (profiles, statuses) = self.desk.all();
                return Ok(Reply::Statuses { profiles, statuses });
            }
            Command::Leaks { profile } => {
                return Ok(Reply::Leaks { leaks: self.meters.read(&profile).await });
            }
            Command::Helper => return Ok(Reply::Helper { helper: self.caretaker.look().await }),
            Command::SetUpHelper { grant } => self.caretaker.set_up(grant).await?,
            Command::RevokeGrant { uid } => self.caretaker.revoke(uid).await?,
            Command::RemoveHelper => self.caretaker.remove().await?,
            Command::RestoreNetwork { everybody } => {
                return Ok(Reply::Restored { count: self.caretaker.restore(everybody).await? });
            }
        }
        Ok(Reply::Done)
    }

    /// A home on a network may let its files wait; tunnels must not wait with them.
    async fn with_files(
        self: &Arc<Self>,
        work: impl FnOnce(&Inner) -> Result<Reply, Failure> + Send + 'static,
    ) -> Result<Reply, Failure> {
        let inner = self.clone();
        let done = spawn_blocking(move || work(&inner)).await;
        done.unwrap_or_else(|panic| Err(Failure::new(Code::Internal, "the profiles", panic.to_string())))
    }

    async fn shutdown(&self) -> bool {
        self.desk.close();
        self.desk.disconnect_all().await;
        let open = !self.desk.holds_anything();
        self.helper.end().await;
        self.feeds.iter().for_each(JoinHandle::abort);
        self.hub.close();
        self.runtime.remove();
        open
    }

    fn run(&self, profile: Profile) -> Result<Reply, Failure> {
        if let Err(problems) = profile::parse(&profile) {
            return Err(profile::invalid(&profile, &problems));
        }
        self.desk.run(profile).map(|profile| Reply::Running { profile })
    }

    fn save(&self, profile: &Profile) -> Result<Reply, Failure> {
        let checked = profile::check(profile);
        if !checked.problems.is_empty() {
            return Ok(Reply::Checked { checked });
        }
        let id = self.store.save(profile)?;
        self.reload();
        Ok(Reply::Saved { profile: id })
    }

    fn delete(&self, id: &ProfileId) -> Result<Reply, Failure> {
        self.store.delete(id)?;
        self.reload();
        Ok(Reply::Done)
    }

    fn import(&self, text: &str) -> Result<Reply, Failure> {
        let preview = import::preview(text)?;
        let good = preview.profiles.iter().filter(|it| it.checked.problems.is_empty());
        let profiles = good.map(|it| self.store.save(&it.profile)).collect::<Result<Vec<_>, _>>();
        self.reload();
        profiles.map(|profiles| Reply::Imported { profiles })
    }

    /// Reads the folder again and tells everybody.
    fn reload(&self) {
        let (profiles, broken) = self.store.load_all();
        self.desk.lay_out(profiles, broken);
    }
}
