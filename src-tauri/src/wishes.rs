//! What a click outside of the window wants to see in it. The page may not be there yet, or just be loading again: the
//! last wish waits for it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use ropeway_engine::api::ProfileId;
use serde::Serialize;
use tauri::{State, ipc::Channel};

/// `Wish` of the page's `backend.ts`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Wish {
    Settings,
    SetUp { profile: ProfileId },
}

/// Tells the page what is wished for, until it is gone or another page attends.
#[tauri::command]
// Tauri hands state over by value.
#[allow(clippy::needless_pass_by_value)]
pub fn attend(wishes: State<'_, Wishes>, channel: Channel<Wish>) {
    wishes.attend(move |wish| channel.send(wish).is_ok());
}

type Page = Box<dyn Fn(Wish) -> bool + Send>;

#[derive(Default)]
pub struct Wishes(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    page: Option<Page>,
    waiting: Option<Wish>,
}

impl Wishes {
    pub fn make(&self, wish: Wish) {
        let mut inner = self.lock();
        let heard = inner.page.as_ref().is_some_and(|page| page(wish.clone()));
        if !heard {
            inner.page = None;
            inner.waiting = Some(wish);
        }
    }

    /// The page that was there is gone; what is wished for now waits for the next one.
    pub fn page_gone(&self) {
        self.lock().page = None;
    }

    /// `page` says whether it could be told.
    fn attend(&self, page: impl Fn(Wish) -> bool + Send + 'static) {
        let mut inner = self.lock();
        if let Some(wish) = inner.waiting.take() {
            page(wish);
        }
        inner.page = Some(Box::new(page));
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every step under this lock leaves the value whole, so it stays good when a holder panics.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    fn page(wishes: &Wishes) -> Receiver<Wish> {
        let (sender, receiver) = channel();
        wishes.attend(move |wish| sender.send(wish).is_ok());
        receiver
    }

    fn set_up(profile: &str) -> Wish {
        Wish::SetUp { profile: ProfileId(profile.into()) }
    }

    #[test]
    fn a_page_that_is_there_is_told_at_once() {
        let wishes = Wishes::default();
        let page = page(&wishes);
        wishes.make(Wish::Settings);
        assert_eq!(page.try_recv(), Ok(Wish::Settings));
    }

    #[test]
    fn the_last_wish_waits_for_a_page_and_is_told_once() {
        let wishes = Wishes::default();
        wishes.make(Wish::Settings);
        wishes.make(set_up("work"));
        assert_eq!(page(&wishes).try_iter().collect::<Vec<_>>(), [set_up("work")]);
        assert_eq!(page(&wishes).try_iter().count(), 0);
    }

    #[test]
    fn what_a_dead_page_did_not_hear_the_next_one_does() {
        let wishes = Wishes::default();
        drop(page(&wishes));
        wishes.make(Wish::Settings);
        assert_eq!(page(&wishes).try_recv(), Ok(Wish::Settings));
        let old = page(&wishes);
        wishes.page_gone();
        wishes.make(Wish::Settings);
        assert_eq!((old.try_iter().count(), page(&wishes).try_iter().count()), (0, 1));
    }

    #[test]
    fn it_reads_as_the_page_expects_it() {
        let json = |wish: &Wish| serde_json::to_string(wish).expect("plain data");
        assert_eq!(json(&Wish::Settings), r#"{"type":"settings"}"#);
        assert_eq!(json(&set_up("work")), r#"{"type":"setUp","profile":"work"}"#);
    }
}
