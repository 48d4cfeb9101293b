//! How long to wait before the next try.

use std::time::Duration;

/// First pause: long enough for a restarted server or a roaming laptop to settle, short enough not to be noticed.
const FIRST: Duration = Duration::from_secs(1);

/// Longest pause: a server that is back is used again within half a minute.
const LONGEST: Duration = Duration::from_secs(30);

/// The pause before try number `attempt` (1 = the first after a loss): doubled each time, and shortened by up to a
/// quarter, so that many clients of one restarted server do not come back in the same instant.
/// `random` is any number, evenly distributed.
pub fn pause(attempt: u32, random: u32) -> Duration {
    let doubled = FIRST.saturating_mul(1 << attempt.saturating_sub(1).min(5)).min(LONGEST);
    let cut = doubled / 4 * (random % 1000) / 1000;
    doubled.saturating_sub(cut)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_to_half_a_minute_and_never_above() {
        let longest: Vec<u64> = (1..=8).map(|n| pause(n, 0).as_secs()).collect();
        assert_eq!(longest, [1, 2, 4, 8, 16, 30, 30, 30]);
    }

    #[test]
    fn jitter_only_shortens_and_by_less_than_a_quarter() {
        for random in 0..2000 {
            let pause = pause(3, random);
            assert!(pause > Duration::from_secs(3) && pause <= Duration::from_secs(4), "{pause:?}");
        }
    }
}
