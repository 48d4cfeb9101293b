//! Ids of profiles: `[a-z0-9-]{1,64}`, made from the name when it is first saved.

/// Of an id; with `.toml` behind it, it is a file name everywhere.
const MAX_LENGTH: usize = 64;

/// Of the part that comes from the name: leaves room for a number behind it.
const MAX_FROM_NAME: usize = 48;

/// Whether it can name a file in the folder, and nothing outside of it.
pub fn is_valid(id: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=MAX_LENGTH).contains(&id.len()) && id.chars().all(plain)
}

/// Ids to try for a name, best first: `work`, `work-2`, `work-3` …
pub fn candidates(name: &str) -> impl Iterator<Item = String> {
    let stem = stem(name);
    std::iter::once(stem.clone()).chain((2_u32..).map(move |number| format!("{stem}-{number}")))
}

/// The letters and digits of the name, small, everything else as single dashes.
fn stem(name: &str) -> String {
    let lower = name.to_lowercase();
    let words: Vec<&str> =
        lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let mut stem = words.join("-");
    stem.truncate(MAX_FROM_NAME);
    let stem = stem.trim_end_matches('-');
    if stem.is_empty() { "profile".into() } else { stem.into() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn first(name: &str) -> String {
        candidates(name).next().unwrap()
    }

    #[test]
    fn come_from_the_letters_of_the_name() {
        assert_eq!(first("Work"), "work");
        assert_eq!(first("  Acme: Staging (EU) "), "acme-staging-eu");
        assert_eq!(first("../../etc/passwd"), "etc-passwd");
        assert_eq!(first("東京"), "profile");
        assert_eq!(candidates("Work").nth(2).unwrap(), "work-3");
    }

    #[test]
    fn name_nothing_outside_of_the_folder() {
        for bad in ["", "..", "a/b", "A", "a.toml", "a b", &"a".repeat(65)] {
            assert!(!is_valid(bad), "{bad}");
        }
        assert!(is_valid(&"a".repeat(64)));
    }

    proptest! {
        #![proptest_config(crate::testing::rounds(64))]
        #[test]
        fn are_valid_whatever_the_name(name in any::<String>(), tries in 0_usize..50) {
            let id = candidates(&name).nth(tries).unwrap();
            prop_assert!(is_valid(&id), "{}", id);
        }
    }
}
