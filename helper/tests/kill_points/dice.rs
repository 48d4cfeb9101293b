//! Chance that can be repeated.

/// `SplitMix64`: every seed is a good one.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64, round: u64) -> Self {
        let mut dice = Self(seed);
        Self(dice.next() ^ round)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// 0 and less than `bound`.
    pub fn up_to(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub fn flip(&mut self) -> bool {
        self.up_to(2) == 0
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.up_to(from.len() as u64) as usize]
    }
}
