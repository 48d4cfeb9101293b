//! The least value of the last seconds.

use crate::Micros;

/// How long a value counts: long enough to see an empty queue now and then, short enough to follow a new path
/// (BBR uses the same 10 s for its least round trip).
const MEMORY: u64 = 10;

/// In pieces of this.
const SECOND: u64 = 1_000_000;

/// A least value for each of the last seconds.
#[derive(Debug)]
pub(crate) struct Least {
    seconds: [Option<(u64, i64)>; MEMORY as usize],
}

impl Default for Least {
    fn default() -> Self {
        Self { seconds: [None; MEMORY as usize] }
    }
}

impl Least {
    pub(crate) fn add(&mut self, now: Micros, value: i64) {
        let second = now.0 / SECOND;
        let slot = &mut self.seconds[(second % MEMORY) as usize];
        *slot = match *slot {
            Some((at, least)) if at == second => Some((at, least.min(value))),
            _ => Some((second, value)),
        };
    }

    /// Of the last 9 to 10 s; `None` without any value in that time.
    pub(crate) fn value(&self, now: Micros) -> Option<i64> {
        let oldest = (now.0 / SECOND).saturating_sub(MEMORY - 1);
        self.seconds.iter().flatten().filter(|(second, _)| *second >= oldest).map(|(_, least)| *least).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_counts_for_nine_to_ten_seconds() {
        let mut least = Least::default();
        least.add(Micros(1_500_000), 7);
        least.add(Micros(1_600_000), 9);
        least.add(Micros(5_000_000), 20);
        assert_eq!(least.value(Micros(5_000_000)), Some(7));
        assert_eq!(least.value(Micros(10_999_999)), Some(7));
        assert_eq!(least.value(Micros(11_000_000)), Some(20));
        assert_eq!(least.value(Micros(30_000_000)), None);
    }
}
