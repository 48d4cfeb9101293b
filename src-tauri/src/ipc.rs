//! The three calls of the page. They carry the engine's own types, so what the page can do, every other face can.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use ropeway_engine::api::{Command, Event, Failure, Interest, Reply};
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
    let mut events = shell.engine()?.subscribe(interest);
    Ok(subscriptions.start(async move {
        while let Some(event) = events.next().await {
            if channel.send(event).is_err() {
                break;
            }
        }
    }))
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

    fn start(&self, forwarding: impl Future<Output = ()> + Send + 'static) -> u32 {
        let number = self.0.last.fetch_add(1, Ordering::Relaxed);
        let all = self.clone();
        // The task removes itself when it is done, so it must not get there before it is in the table.
        let mut running = self.running();
        let task = async_runtime::spawn(async move {
            forwarding.await;
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::oneshot;

    use super::*;

    /// A subscription that runs until it is ended; the receiver hears of its end.
    fn endless(subscriptions: &Subscriptions) -> (u32, oneshot::Receiver<()>) {
        let (alive, ended) = oneshot::channel::<()>();
        let number = subscriptions.start(async move {
            let _alive = alive;
            std::future::pending::<()>().await;
        });
        (number, ended)
    }

    fn wait_for_end(ended: oneshot::Receiver<()>) {
        assert!(async_runtime::block_on(ended).is_err(), "the sender is dropped, nothing is sent");
    }

    #[test]
    fn unsubscribing_ends_that_one_only() {
        let subscriptions = Subscriptions::default();
        let (first, first_ended) = endless(&subscriptions);
        let (second, mut second_ended) = endless(&subscriptions);
        subscriptions.end(first);
        wait_for_end(first_ended);
        assert_eq!(second_ended.try_recv(), Err(oneshot::error::TryRecvError::Empty));
        assert_eq!(subscriptions.running().keys().collect::<Vec<_>>(), [&second]);
    }

    #[test]
    fn nothing_of_a_page_outlives_it() {
        let subscriptions = Subscriptions::default();
        let ends = [endless(&subscriptions).1, endless(&subscriptions).1];
        subscriptions.end_all();
        ends.into_iter().for_each(wait_for_end);
        assert!(subscriptions.running().is_empty());
    }

    #[test]
    fn a_subscription_that_ends_by_itself_is_forgotten() {
        let subscriptions = Subscriptions::default();
        subscriptions.start(async {});
        let forgotten = async {
            while !subscriptions.running().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        let in_time = async { tokio::time::timeout(Duration::from_secs(5), forgotten).await };
        assert!(async_runtime::block_on(in_time).is_ok());
    }
}
