//! The tray's menu as a value. Each system's leaf renders it item by item and decides nothing.

use ropeway_engine::api::{Phase, Profile, ProfileId, Status};

use super::look::in_sentence;
use crate::picture::{self, Picture};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Menu {
    pub items: Vec<Item>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// Only to be read.
    Line(String),
    Separator,
    /// Can be chosen; `checked` is None where a tick makes no sense.
    Entry {
        label: String,
        checked: Option<bool>,
        action: Action,
    },
}

/// What a click asks of the app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    Toggle(ProfileId),
    /// Explains set-up in the window, which then connects the profile.
    SetUp(ProfileId),
    DisconnectAll,
    RestoreNetwork,
    ShowWindow,
    ShowSettings,
    Quit,
}

impl Menu {
    pub fn of(picture: &Picture) -> Self {
        let up = picture.anything_up();
        Self::from_sections([
            picture.active().filter_map(|(profile, status)| connected_line(profile, status)).collect(),
            picture
                .profiles
                .iter()
                .map(|profile| profile_entry(profile, picture.status_of(profile)))
                .collect(),
            if up { vec![entry("Disconnect All", Action::DisconnectAll)] } else { vec![] },
            window_section(picture),
            vec![
                entry("Settings…", Action::ShowSettings),
                entry(if up { "Disconnect and Quit" } else { "Quit" }, Action::Quit),
            ],
        ])
    }

    /// Separators stand only between sections that have something to say.
    fn from_sections<const N: usize>(sections: [Vec<Item>; N]) -> Self {
        let mut items = Vec::new();
        for section in sections.into_iter().filter(|section| !section.is_empty()) {
            if !items.is_empty() {
                items.push(Item::Separator);
            }
            items.extend(section);
        }
        Self { items }
    }
}

fn window_section(picture: &Picture) -> Vec<Item> {
    let mut section = vec![entry("Show Window", Action::ShowWindow)];
    // Offered only where there is something to restore: it is no cure for anything else.
    if picture.left_over() {
        section.push(entry("Restore Network…", Action::RestoreNetwork));
    }
    section
}

fn connected_line(profile: &Profile, status: &Status) -> Option<Item> {
    let connected = status.phase == Phase::Connected;
    connected.then(|| Item::Line(format!("{} — {}", profile.name, in_sentence(&status.words))))
}

/// A click connects, disconnects or cancels. Only where an answer is wanted it shows the window, which asks.
fn profile_entry(profile: &Profile, status: Option<&Status>) -> Item {
    let phase = status.map_or(Phase::Off, picture::phase);
    let words = status.map(|status| in_sentence(&picture::words(status))).unwrap_or_default();
    let name = &profile.name;
    let label = match phase {
        Phase::Off | Phase::Connected => name.clone(),
        Phase::NeedsYou | Phase::SetUp => format!("! {name} — {words}…"),
        Phase::Error => format!("! {name} — {words}"),
        Phase::Connecting | Phase::Reconnecting | Phase::Waiting | Phase::Paused => {
            format!("{name} — {words}")
        }
    };
    let action = match phase {
        Phase::NeedsYou => Action::ShowWindow,
        Phase::SetUp => Action::SetUp(profile.id.clone()),
        _ => Action::Toggle(profile.id.clone()),
    };
    Item::Entry { label, checked: Some(phase == Phase::Connected), action }
}

fn entry(label: &str, action: Action) -> Item {
    Item::Entry { label: label.into(), checked: None, action }
}

#[cfg(test)]
mod tests {
    use ropeway_engine::api::{Code, Failure};

    use super::*;
    use crate::picture::tests::{leftovers, profile, status};

    /// As a panel shows it: `✓` for a tick, `(…)` for a line that cannot be chosen.
    fn shown(statuses: Vec<Status>) -> Vec<String> {
        menu(statuses).items.iter().map(text).collect()
    }

    fn menu(statuses: Vec<Status>) -> Menu {
        Menu::of(&Picture { profiles: vec![profile("Work"), profile("Lab")], statuses, ..Picture::default() })
    }

    fn text(item: &Item) -> String {
        match item {
            Item::Line(line) => format!("({line})"),
            Item::Separator => "──".into(),
            Item::Entry { label, checked: Some(true), .. } => format!("✓ {label}"),
            Item::Entry { label, .. } => label.clone(),
        }
    }

    fn action_of(menu: &Menu, wanted: &str) -> Action {
        let found = menu.items.iter().find_map(|item| match item {
            Item::Entry { label, action, .. } if label.contains(wanted) => Some(action.clone()),
            _ => None,
        });
        found.expect("the entry is there")
    }

    #[test]
    fn with_everything_off_it_offers_the_profiles() {
        let off = vec![status("Work", Phase::Off, "Off"), status("Lab", Phase::Off, "Off")];
        assert_eq!(shown(off), ["Work", "Lab", "──", "Show Window", "──", "Settings…", "Quit"]);
    }

    #[test]
    fn before_the_first_state_it_is_the_same() {
        assert_eq!(shown(vec![]), ["Work", "Lab", "──", "Show Window", "──", "Settings…", "Quit"]);
    }

    #[test]
    fn a_connected_profile_is_told_ticked_and_can_be_ended() {
        let expected = [
            "(Work — connected)",
            "──",
            "✓ Work",
            "Lab",
            "──",
            "Disconnect All",
            "──",
            "Show Window",
            "──",
            "Settings…",
            "Disconnect and Quit",
        ];
        assert_eq!(shown(vec![status("Work", Phase::Connected, "Connected")]), expected);
    }

    #[test]
    fn a_profile_under_way_says_so_in_its_own_line() {
        let items = shown(vec![status("Work", Phase::Connecting, "Connecting — signing in")]);
        assert_eq!(items[0], "Work — connecting — signing in");
    }

    #[test]
    fn a_failed_profile_is_marked_and_leaves_nothing_to_disconnect() {
        let items = shown(vec![status("Lab", Phase::Error, "Server refused the key")]);
        assert_eq!(
            items,
            ["Work", "! Lab — server refused the key", "──", "Show Window", "──", "Settings…", "Quit"]
        );
    }

    #[test]
    fn a_profile_that_needs_an_answer_opens_the_window() {
        let menu = menu(vec![status("Lab", Phase::NeedsYou, "Needs your code")]);
        assert_eq!(text(&menu.items[1]), "! Lab — needs your code…");
        assert_eq!(action_of(&menu, "Lab"), Action::ShowWindow);
    }

    #[test]
    fn a_click_toggles_in_every_other_state() {
        for phase in [Phase::Off, Phase::Connecting, Phase::Connected, Phase::Error, Phase::Paused] {
            let menu = menu(vec![status("Work", phase, "Words")]);
            assert_eq!(action_of(&menu, "Work"), Action::Toggle(ProfileId("work".into())), "{phase:?}");
        }
    }

    #[test]
    fn unfinished_set_up_leads_to_its_explanation_however_the_engine_tells_it() {
        let told = |phase, code| {
            let failure = Some(Failure::new(code, "this computer", ""));
            Status { failure, ..status("Lab", phase, "You may not send traffic through a tunnel yet") }
        };
        for code in [Code::HelperMissing, Code::HelperOld, Code::NotGranted, Code::Denied, Code::HelperSetup]
        {
            for phase in [Phase::Error, Phase::SetUp] {
                let menu = menu(vec![told(phase, code)]);
                assert_eq!(text(&menu.items[1]), "! Lab — set-up not finished…", "{code:?}");
                assert_eq!(action_of(&menu, "Lab"), Action::SetUp(ProfileId("lab".into())));
            }
        }
        let other = menu(vec![told(Phase::Error, Code::AuthKey)]);
        assert_eq!(action_of(&other, "Lab"), Action::Toggle(ProfileId("lab".into())));
    }

    #[test]
    fn restoring_is_offered_only_for_what_is_left_of_this_user() {
        let labels = |mine, others| -> Vec<String> {
            let picture = Picture { helper: Some(leftovers(mine, others)), ..Picture::default() };
            Menu::of(&picture).items.iter().map(text).collect()
        };
        let plain = ["Show Window", "──", "Settings…", "Quit"];
        assert_eq!(labels(0, 0), plain);
        assert_eq!(labels(0, 2), plain);
        assert_eq!(labels(1, 0), ["Show Window", "Restore Network…", "──", "Settings…", "Quit"]);
    }

    #[test]
    fn held_networks_can_be_let_go_after_the_tunnel_gave_up() {
        let held = Status { blocking: true, ..status("Lab", Phase::Error, "Server refused the key") };
        assert_eq!(action_of(&menu(vec![held]), "Disconnect All"), Action::DisconnectAll);
    }

    #[test]
    fn without_profiles_the_window_can_still_be_reached() {
        let labels: Vec<_> = Menu::of(&Picture::default()).items.iter().map(text).collect();
        assert_eq!(labels, ["Show Window", "──", "Settings…", "Quit"]);
    }
}
