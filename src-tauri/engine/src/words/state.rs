//! A state in a few words, the same for window, tray, command line and notifications.

use crate::api::{Failure, Phase};

/// Up to here a wait is told in seconds, then in minutes.
const SECONDS_UP_TO: u64 = 90;

/// "Connecting — signing in", "Reconnecting (2nd try, in 8 s)", "Paused, 7 min left".
///
/// `stage` refines the phase: how far connecting has come, what is waited for or needed, what is held meanwhile, what is
/// wrong with "Connected". `remaining` is the time in seconds to the next try or the end of the pause.
pub fn state(
    phase: Phase,
    stage: Option<&str>,
    attempt: u32,
    remaining: Option<u64>,
    failure: Option<&Failure>,
) -> String {
    match phase {
        Phase::Off => "Off".into(),
        Phase::Connecting => dashed("Connecting".into(), stage),
        Phase::Reconnecting => dashed(format!("Reconnecting{}", tries(attempt, remaining)), stage),
        Phase::Waiting => format!("Waiting for {}", stage.unwrap_or("network")),
        Phase::Connected => dashed("Connected".into(), stage),
        Phase::Paused => {
            remaining.map_or_else(|| "Paused".into(), |left| format!("Paused, {} left", time(left)))
        }
        Phase::NeedsYou => format!("Needs {}", stage.unwrap_or("you")),
        Phase::Error => {
            let title = failure.map_or("Error", |failure| failure.title.trim_end_matches('.'));
            dashed(title.into(), stage)
        }
        Phase::SetUp => "Set-up not finished".into(),
    }
}

fn dashed(state: String, more: Option<&str>) -> String {
    match more {
        Some(more) => format!("{state} \u{2014} {more}"),
        None => state,
    }
}

/// " (2nd try, in 8 s)"
fn tries(attempt: u32, remaining: Option<u64>) -> String {
    let attempt = (attempt > 0).then(|| format!("{} try", ordinal(attempt)));
    let pause = remaining.filter(|&seconds| seconds > 0).map(|seconds| format!("in {}", time(seconds)));
    match (attempt, pause) {
        (Some(attempt), Some(pause)) => format!(" ({attempt}, {pause})"),
        (Some(one), None) | (None, Some(one)) => format!(" ({one})"),
        (None, None) => String::new(),
    }
}

fn ordinal(number: u32) -> String {
    let ending = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

/// Minutes are rounded up: "1 min left" is there until it is over.
fn time(seconds: u64) -> String {
    if seconds <= SECONDS_UP_TO { format!("{seconds} s") } else { format!("{} min", seconds.div_ceil(60)) }
}
