//! What property tests have in common.

use proptest::test_runner::{Config, RngSeed};

/// The same rounds on every run and every machine, and no file of old failures: what fails becomes a test with a
/// name.
pub fn rounds(cases: u32) -> Config {
    Config {
        cases,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(0x0072_6f70_6577_6179),
        ..Config::default()
    }
}
