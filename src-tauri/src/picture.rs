//! What the shell knows of the engine: the profiles and their states. Menu, icon, titles and the close button are
//! computed from this and nothing else.

use ropeway_engine::{
    Engine,
    api::{Code, Event, HelperState, Interest, Phase, Profile, Status},
};
use tokio::sync::watch;

/// The latest of everything that the engine has told.
#[derive(Debug, Clone, Default)]
pub struct Picture {
    pub profiles: Vec<Profile>,
    pub statuses: Vec<Status>,
    pub helper: Option<HelperState>,
}

impl Picture {
    pub fn apply(&mut self, event: Event) {
        match event {
            Event::Profiles { profiles, .. } => {
                self.statuses.retain(|status| profiles.iter().any(|profile| profile.id == status.profile));
                self.profiles = profiles;
            }
            Event::Status { status } => {
                match self.statuses.iter_mut().find(|known| known.profile == status.profile) {
                    Some(known) => *known = status,
                    None => self.statuses.push(status),
                }
            }
            Event::Helper { helper } => self.helper = Some(helper),
            Event::Connections { .. } | Event::Hosts { .. } | Event::Leaks { .. } => {}
        }
    }

    pub fn status_of(&self, profile: &Profile) -> Option<&Status> {
        self.statuses.iter().find(|status| status.profile == profile.id)
    }

    /// Profiles in the list's order with their states, leaving out those that are off.
    pub fn active(&self) -> impl Iterator<Item = (&Profile, &Status)> {
        self.profiles
            .iter()
            .filter_map(|profile| Some((profile, self.status_of(profile)?)))
            .filter(|(_, status)| status.phase != Phase::Off)
    }

    /// Whether there is anything to disconnect: a tunnel, an attempt at one, or networks that are held.
    pub fn anything_up(&self) -> bool {
        self.statuses.iter().any(|status| {
            status.blocking || !matches!(status.phase, Phase::Off | Phase::Error | Phase::SetUp)
        })
    }

    /// Whether a crash left networks of this user closed.
    pub fn left_over(&self) -> bool {
        self.helper.as_ref().is_some_and(|helper| helper.leftovers.mine > 0)
    }
}

/// The phase to show: not set up is no error, whether the engine tells it as one or as a state of its own.
pub fn phase(status: &Status) -> Phase {
    let mended_by_set_up = |code| {
        matches!(
            code,
            Code::HelperMissing | Code::HelperOld | Code::NotGranted | Code::Denied | Code::HelperSetup
        )
    };
    match &status.failure {
        Some(failure) if status.phase == Phase::Error && mended_by_set_up(failure.code) => Phase::SetUp,
        _ => status.phase,
    }
}

/// The state in a few words, to go with [`phase`].
pub fn words(status: &Status) -> String {
    match phase(status) {
        Phase::SetUp => ropeway_engine::words::state(Phase::SetUp, None, 0, None, None),
        _ => status.words.clone(),
    }
}

/// A picture that is kept up to date as long as the engine runs. Readers see the newest, not every step.
pub fn of(engine: &Engine) -> watch::Receiver<Picture> {
    let mut events = engine.subscribe(Interest::default());
    let (sender, receiver) = watch::channel(Picture::default());
    tauri::async_runtime::spawn(async move {
        while let Some(event) = events.next().await {
            sender.send_modify(|picture| picture.apply(event));
        }
    });
    receiver
}

#[cfg(test)]
pub mod tests {
    use ropeway_engine::api::{Failure, HelperSetup, Leftovers, ProfileId};

    use super::*;

    pub fn profile(name: &str) -> Profile {
        Profile { id: ProfileId(name.to_lowercase()), name: name.into(), ..Profile::default() }
    }

    pub fn status(name: &str, phase: Phase, words: &str) -> Status {
        Status {
            profile: ProfileId(name.to_lowercase()),
            phase,
            degraded: false,
            unverified: false,
            blocking: false,
            outdated: false,
            words: words.into(),
            sentence: String::new(),
            since: 0,
            attempt: 0,
            next_retry: None,
            failure: None,
            conflicts: vec![],
            round_trip: None,
        }
    }

    pub fn leftovers(mine: u32, others: u32) -> HelperState {
        HelperState {
            setup: HelperSetup::Packaged,
            version: None,
            grant: None,
            grants: vec![],
            leftovers: Leftovers { mine, others },
        }
    }

    fn profiles(names: &[&str]) -> Event {
        Event::Profiles { profiles: names.iter().map(|name| profile(name)).collect(), broken: vec![] }
    }

    #[test]
    fn a_new_state_replaces_the_old_one_of_its_profile_only() {
        let mut picture = Picture::default();
        picture.apply(profiles(&["Work", "Lab"]));
        picture.apply(Event::Status { status: status("Work", Phase::Connecting, "") });
        picture.apply(Event::Status { status: status("Lab", Phase::Off, "") });
        picture.apply(Event::Status { status: status("Work", Phase::Connected, "") });
        let phases: Vec<_> = picture.statuses.iter().map(|status| status.phase).collect();
        assert_eq!(phases, [Phase::Connected, Phase::Off]);
    }

    #[test]
    fn the_state_of_a_deleted_profile_is_forgotten() {
        let mut picture = Picture::default();
        picture.apply(profiles(&["Work", "Lab"]));
        picture.apply(Event::Status { status: status("Lab", Phase::Connected, "") });
        picture.apply(profiles(&["Work"]));
        assert!(picture.statuses.is_empty());
        assert!(!picture.anything_up());
    }

    #[test]
    fn held_networks_count_as_up_after_the_tunnel_gave_up() {
        let mut picture = Picture::default();
        picture.apply(profiles(&["Work"]));
        picture.apply(Event::Status { status: status("Work", Phase::Error, "") });
        assert!(!picture.anything_up());
        picture
            .apply(Event::Status { status: Status { blocking: true, ..status("Work", Phase::Error, "") } });
        assert!(picture.anything_up());
    }

    #[test]
    fn what_set_up_mends_is_no_error_and_other_failures_stay_what_they_are() {
        let failed = |code| {
            let failure = Failure::new(code, "this computer", "");
            let words = failure.title.clone();
            Status { failure: Some(failure), ..status("Work", Phase::Error, &words) }
        };
        let not_granted = failed(Code::NotGranted);
        assert_eq!(
            (phase(&not_granted), words(&not_granted).as_str()),
            (Phase::SetUp, "Set-up not finished")
        );
        let refused = failed(Code::AuthKey);
        assert_eq!((phase(&refused), words(&refused)), (Phase::Error, refused.words.clone()));
        let put_back = Status { phase: Phase::Connected, ..failed(Code::FirewallGone) };
        assert_eq!(phase(&put_back), Phase::Connected);
    }

    #[test]
    fn only_what_is_left_of_this_user_counts() {
        let mut picture = Picture::default();
        assert!(!picture.left_over());
        picture.apply(Event::Helper { helper: leftovers(0, 3) });
        assert!(!picture.left_over());
        picture.apply(Event::Helper { helper: leftovers(1, 0) });
        assert!(picture.left_over());
    }
}
