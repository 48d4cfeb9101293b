//! What a name that was found is called here. Pure.

use ropeway_helper_api::hosts::{is_suffix, limit};

use crate::profile::Hosts;

/// Whether it can be shown to people as it is. A server says what it likes, and a terminal obeys more than letters.
pub fn is_plain(found: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=limit::NAME).contains(&found.len()) && found.bytes().all(plain) && !found.starts_with('.')
}

/// `db.corp.example` is `db`; with the suffix `work`, `db.work`; with the suffix `corp.example`, itself. Whoever asked for a name
/// with a dot gets it as they wrote it, too.
pub fn here(found: &str, wanted: &Hosts) -> Vec<String> {
    let short = found.split('.').next().unwrap_or(found);
    let suffix = &wanted.suffix;
    let usual = if suffix.is_empty() {
        short.to_owned()
    } else if found.strip_suffix(suffix.as_str()).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')) {
        found.to_owned()
    } else {
        format!("{short}.{suffix}")
    };
    let asked_for = wanted.seeds.iter().find(|seed| *seed == found && seed.contains('.') && **seed != usual);
    let asked_for = asked_for.cloned();
    [usual].into_iter().chain(asked_for).collect()
}

/// What names with a dot may end in: the profile's suffix, and the domains of what it asks for by name.
pub fn suffixes(wanted: &Hosts) -> Vec<String> {
    let domains = wanted.seeds.iter().filter_map(|seed| Some(seed.split_once('.')?.1.to_owned()));
    let mut suffixes: Vec<String> = [wanted.suffix.clone()].into_iter().chain(domains).collect();
    suffixes.retain(|suffix| is_suffix(suffix));
    let mut seen = std::collections::HashSet::new();
    suffixes.retain(|suffix| seen.insert(suffix.clone()));
    suffixes.truncate(limit::SUFFIXES);
    suffixes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(suffix: &str, seeds: &[&str]) -> Hosts {
        Hosts { seeds: seeds.iter().map(ToString::to_string).collect(), auto: true, suffix: suffix.into() }
    }

    #[test]
    fn a_name_is_short_or_has_the_suffix() {
        for (found, suffix, name) in [
            ("db", "", "db"),
            ("db.corp.example", "", "db"),
            ("db", "work", "db.work"),
            ("db.corp.example", "work", "db.work"),
            ("db.corp.example", "corp.example", "db.corp.example"),
            ("db.eu.corp.example", "corp.example", "db.eu.corp.example"),
            ("db.notcorp.example", "corp.example", "db.corp.example"),
            ("corp.example", "corp.example", "corp.corp.example"),
        ] {
            assert_eq!(here(found, &wanted(suffix, &[])), [name], "{found} {suffix}");
        }
    }

    #[test]
    fn what_a_terminal_would_obey_is_no_name() {
        assert!(is_plain("db-1.corp_x.example"));
        for text in ["", ".", "a b", "a\x1b[2J", "a,b", "a\nb", "ü", &"a".repeat(254)] {
            assert!(!is_plain(text), "{text:?}");
        }
    }

    #[test]
    fn who_asks_for_a_long_name_gets_it() {
        let wanted = wanted("work", &["db.corp.example", "web", "x.com", "y.corp.example"]);
        assert_eq!(here("db.corp.example", &wanted), ["db.work", "db.corp.example"]);
        assert_eq!(here("web", &wanted), ["web.work"]);
        assert_eq!(here("other.corp.example", &wanted), ["other.work"]);
        assert_eq!(suffixes(&wanted), ["work", "corp.example"]);
    }
}
