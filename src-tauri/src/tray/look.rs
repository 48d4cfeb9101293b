//! Everything that the tray item shows, and the words of the window's title.

use ropeway_engine::api::{Profile, Status};

use super::{menu::Menu, shape::Shape};
use crate::picture::{self, Picture};

pub const APP_NAME: &str = "Ropeway";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    pub shape: Shape,
    /// The state in a few words, for screen readers and panels that show text.
    pub title: String,
    /// One line for each profile that is not off.
    pub lines: Vec<String>,
    pub menu: Menu,
}

impl Look {
    pub fn of(picture: &Picture) -> Self {
        Self {
            shape: Shape::most_urgent(picture),
            title: title(picture),
            lines: lines(picture),
            menu: Menu::of(picture),
        }
    }
}

/// "Ropeway", "Ropeway — Work: connected", "Ropeway — Work: connected, Lab: connecting".
pub fn title(picture: &Picture) -> String {
    match lines(picture).as_slice() {
        [] => APP_NAME.into(),
        [only] => format!("{APP_NAME} — {only}"),
        several => format!("{APP_NAME} — {}", several.join(", ")),
    }
}

fn lines(picture: &Picture) -> Vec<String> {
    let line = |(profile, status): (&Profile, &Status)| {
        format!("{}: {}", profile.name, in_sentence(&picture::words(status)))
    };
    picture.active().map(line).collect()
}

/// Words of a state, as they stand inside a sentence; what is spelt in capitals stays.
pub fn in_sentence(words: &str) -> String {
    let mut rest = words.chars();
    match (rest.next(), rest.clone().next()) {
        (Some(first), Some(second)) if second.is_lowercase() => first.to_lowercase().chain(rest).collect(),
        _ => words.into(),
    }
}

#[cfg(test)]
mod tests {
    use ropeway_engine::api::Phase;

    use super::*;
    use crate::picture::tests::{profile, status};

    fn picture(phases: &[(&str, Phase, &str)]) -> Picture {
        Picture {
            profiles: phases.iter().map(|(name, ..)| profile(name)).collect(),
            statuses: phases.iter().map(|(name, phase, words)| status(name, *phase, words)).collect(),
            ..Picture::default()
        }
    }

    #[test]
    fn the_title_says_what_is_not_off() {
        assert_eq!(title(&picture(&[("Work", Phase::Off, "Off")])), "Ropeway");
        let one = [("Work", Phase::Connected, "Connected"), ("Lab", Phase::Off, "Off")];
        assert_eq!(title(&picture(&one)), "Ropeway — Work: connected");
        let two = [("Work", Phase::Connected, "Connected"), ("Lab", Phase::Error, "DNS not answering")];
        assert_eq!(title(&picture(&two)), "Ropeway — Work: connected, Lab: DNS not answering");
    }

    #[test]
    fn words_become_part_of_a_sentence() {
        assert_eq!(in_sentence("Connected — not verified"), "connected — not verified");
        assert_eq!(in_sentence("DNS not answering"), "DNS not answering");
        assert_eq!(in_sentence(""), "");
    }

    #[test]
    fn a_look_changes_only_when_something_shown_does() {
        let before = picture(&[("Work", Phase::Connected, "Connected")]);
        let mut after = before.clone();
        after.statuses[0].round_trip = Some(900_000);
        assert_eq!(Look::of(&before), Look::of(&after));
        after.statuses[0].words = "Slow: 900 ms".into();
        assert_ne!(Look::of(&before), Look::of(&after));
    }
}
