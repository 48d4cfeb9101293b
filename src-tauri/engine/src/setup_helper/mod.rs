//! Sets up the privileged helper for a user and says how it is set up; its tunnels are `helper`'s business.
//!
//! [`facts`] decides, `linux/` asks the system: `bus` the helper itself, `as_root` the administrator by pkexec, with
//! the two scripts here as all that is ever run as root from this side. Nothing here polls: somebody asks, or
//! something was done.

mod facts;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
use linux as system;

#[cfg(not(target_os = "linux"))]
mod other;
#[cfg(not(target_os = "linux"))]
use other as system;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use nix::unistd::geteuid;

use self::{
    facts::{Facts, Way},
    system::{as_root, bus::Bus},
};
use crate::{
    api::{Code, Event, Failure, GrantScope, HelperState, Leftovers},
    helper::Helper,
    hub::Hub,
    users::Users,
};

/// Who failures here are about.
const SUBJECT: &str = "this computer";

/// Does what faces ask about the helper, and tells all of them what came of it.
pub struct Caretaker {
    /// The helper beside the app.
    program: PathBuf,
    helper: Arc<Helper>,
    hub: Arc<Hub>,
    bus: Bus,
    users: Users,
    /// What faces were told last.
    told: Mutex<Option<HelperState>>,
    /// Held by what changes something: two questions at once would confuse the administrator.
    changing: tokio::sync::Mutex<()>,
}

impl Caretaker {
    pub fn new(program: PathBuf, helper: Arc<Helper>, hub: Arc<Hub>) -> Self {
        Self {
            program,
            helper,
            hub,
            bus: Bus::default(),
            users: Users::default(),
            told: Mutex::default(),
            changing: tokio::sync::Mutex::default(),
        }
    }

    /// What faces were told last, if anything was ever asked.
    pub fn known(&self) -> Option<HelperState> {
        self.told().clone()
    }

    /// Asks the helper, which starts it.
    pub async fn look(&self) -> HelperState {
        let state = self.state().await;
        if self.known().as_ref() != Some(&state) {
            self.tell(&state);
        }
        state
    }

    pub async fn set_up(&self, scope: GrantScope) -> Result<(), Failure> {
        self.change(self.try_set_up(scope)).await
    }

    pub async fn revoke(&self, uid: u32) -> Result<(), Failure> {
        self.change(self.bus.revoke(uid)).await
    }

    pub async fn remove(&self) -> Result<(), Failure> {
        self.change(self.try_remove()).await
    }

    /// How many were opened.
    pub async fn restore(&self, everybody: bool) -> Result<u32, Failure> {
        self.change(self.try_restore(everybody)).await
    }

    /// Faces hear how things are afterwards, also when it failed: it may have come half-way.
    async fn change<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let _one_at_a_time = self.changing.lock().await;
        let result = work.await;
        let state = self.state().await;
        self.tell(&state);
        result
    }

    async fn try_set_up(&self, scope: GrantScope) -> Result<(), Failure> {
        match self.facts().await {
            facts if facts.way() == Way::Package => Err(Failure::new(
                Code::HelperOld,
                SUBJECT,
                "it came with a package: the package manager has to update it",
            )),
            facts if facts.way() == Way::Install => {
                as_root::install(&self.program, scope.into()).await?;
                self.facts().await.there.then_some(()).ok_or_else(|| {
                    Failure::new(
                        Code::HelperSetup,
                        SUBJECT,
                        "the system's message bus does not know the helper",
                    )
                })
            }
            // it may do everything already
            Facts { uid: 0, .. } => Ok(()),
            _ => self.bus.set_up(scope.into()).await,
        }
    }

    async fn try_remove(&self) -> Result<(), Failure> {
        let facts = self.facts().await;
        if facts.there && !facts.ours {
            let way_out = "it came with a package: removing Ropeway's package removes it";
            return Err(Failure::new(Code::Unsupported, SUBJECT, way_out));
        }
        if !facts.there && !as_root::is_installed() {
            return Ok(());
        }
        // it ends the helper itself, once an administrator has agreed
        as_root::remove().await
    }

    /// Root's word counts on the line, whether a helper is set up or not. Others ask on the bus for what is not theirs.
    async fn try_restore(&self, everybody: bool) -> Result<u32, Failure> {
        let facts = self.facts().await;
        if facts.uid == 0 || (facts.grant().is_some() && !everybody) {
            return self.helper.restore(everybody).await;
        }
        if !facts.there {
            let way_out = "what crashed tunnels left closed can be opened again once this computer is set up";
            return Err(Failure::new(Code::HelperMissing, SUBJECT, way_out));
        }
        self.bus.restore().await
    }

    async fn state(&self) -> HelperState {
        let facts = self.facts().await;
        let leftovers = self.leftovers(&facts).await;
        facts.state(leftovers, |uid| self.users.name(uid))
    }

    async fn facts(&self) -> Facts {
        self.bus.look(geteuid().as_raw()).await
    }

    /// Only who may use the helper gets a line to it, on which it tells.
    async fn leftovers(&self, facts: &Facts) -> Leftovers {
        if facts.grant().is_none() {
            return Leftovers::default();
        }
        self.helper.leftovers().await.unwrap_or_else(|failure| {
            tracing::warn!(?failure.code, failure.detail, "nobody knows what is left closed");
            Leftovers::default()
        })
    }

    fn tell(&self, state: &HelperState) {
        *self.told() = Some(state.clone());
        self.hub.send(&Event::Helper { helper: state.clone() });
    }

    fn told(&self) -> MutexGuard<'_, Option<HelperState>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
