//! The three calls of the page. They carry the engine's own types, so what the page can do, every other face can.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use ropeway_engine::{
    Subscription,
    api::{Command, Event, Failure, Interest, Reply},
};
use tauri::{
    State,
    async_runtime::{self, JoinHandle},
    ipc::Channel,
};

use crate::app::Shell;

#[tauri::command]
pub async fn command(shell: State<'_, Shell>, command: Command) -> Result<Reply, Failure> {
    shell.engine()?.command(command).await
}

/// Sends events to the page until it says `unsubscribe` or is gone.
#[tauri::command]
pub async fn subscribe(
    shell: State<'_, Shell>,
    subscriptions: State<'_, Subscriptions>,
    interest: Interest,
    channel: Channel<Event>,
) -> Result<u32, Failure> {
    let subscription = shell.engine()?.subscribe(interest);
    Ok(subscriptions.forward(subscription, move |event| channel.send(event).is_ok()))
}

#[tauri::command]
// Tauri hands state over by value.
#[allow(clippy::needless_pass_by_value)]
pub fn unsubscribe(subscriptions: State<'_, Subscriptions>, subscription: u32) {
    subscriptions.end(subscription);
}

/// The page's running subscriptions, each a task of its own.
#[derive(Clone, Default)]
pub struct Subscriptions(Arc<Inner>);

#[derive(Default)]
struct Inner {
    last: AtomicU32,
    running: Mutex<HashMap<u32, JoinHandle<()>>>,
}

impl Subscriptions {
    /// Ends all: the page that asked for them is gone or about to go.
    pub fn end_all(&self) {
        for (_, task) in self.running().drain() {
            task.abort();
        }
    }

    fn end(&self, number: u32) {
        if let Some(task) = self.running().remove(&number) {
            task.abort();
        }
    }

    /// Hands events to `send` until it says no.
    fn forward(&self, mut events: Subscription, send: impl Fn(Event) -> bool + Send + 'static) -> u32 {
        let number = self.0.last.fetch_add(1, Ordering::Relaxed);
        let all = self.clone();
        // The task removes itself when it is done, so it must not run before it is in the table.
        let mut running = self.running();
        let task = async_runtime::spawn(async move {
            while let Some(event) = events.next().await {
                if !send(event) {
                    break;
                }
            }
            all.running().remove(&number);
        });
        running.insert(number, task);
        number
    }

    fn running(&self) -> MutexGuard<'_, HashMap<u32, JoinHandle<()>>> {
        // Every step under this lock leaves the table whole, so it stays good when a holder panics.
        self.0.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
