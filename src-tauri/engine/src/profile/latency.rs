//! What is done against latency, as typed: nothing or `adaptive`, a number of bytes, `unlimited`.

use std::ops::RangeInclusive;

use ropeway_mux::Latency;

use crate::spelling::{Mistake, Part, decimal};

/// Bytes that a fixed limit may be. Below it not even a frame is under way at once; above it the limit is ssh's own
/// (2 MiB for a channel, which it begins to slow down for 128 KiB earlier), so a greater number would do nothing.
pub const BYTES: RangeInclusive<u32> = 4096..=(2 << 20) - (128 << 10);

/// The word for no limit, as a profile has it.
pub const UNLIMITED: &str = "unlimited";

/// What was typed, understood.
pub fn parse(text: &str) -> Result<Latency, Mistake> {
    let whole = Part::new(text);
    match (text, decimal(text)) {
        ("" | "adaptive", _) => Ok(Latency::Adaptive),
        (UNLIMITED, _) => Ok(Latency::Unlimited),
        (_, Some(bytes)) if BYTES.contains(&bytes) => Ok(Latency::Fixed(bytes)),
        (_, Some(bytes)) if bytes < *BYTES.start() => Err(too_few(whole)),
        (_, Some(_)) => Err(too_many(whole)),
        ("fixed", None) => {
            Err(whole.mistake("How many bytes? 32768 is what sshuttle takes.").suggest("32768"))
        }
        (_, None) => Err(whole
            .mistake("Write a number of bytes, unlimited, or adaptive; leave it empty to follow the link.")),
    }
}

fn too_few(number: Part) -> Mistake {
    let least = BYTES.start();
    number.mistake(format!("At least {least} bytes are needed.")).suggest(least.to_string())
}

fn too_many(number: Part) -> Mistake {
    let words =
        format!("More than {} bytes make no difference, because ssh lets no more through.", BYTES.end());
    number.mistake(words).suggest(UNLIMITED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_understood() {
        for (text, expected) in [
            ("", Latency::Adaptive),
            ("adaptive", Latency::Adaptive),
            ("unlimited", Latency::Unlimited),
            ("4096", Latency::Fixed(4096)),
            ("32768", Latency::Fixed(32_768)),
            ("1966080", Latency::Fixed(1_966_080)),
        ] {
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn mistakes_say_what_is_possible() {
        for (text, words, suggestion) in [
            ("4095", "At least 4096", Some("4096")),
            ("0", "At least 4096", Some("4096")),
            ("1966081", "More than 1966080", Some("unlimited")),
            ("99999999999999999999", "More than 1966080", Some("unlimited")),
            ("fixed", "How many", Some("32768")),
            ("-1", "Write a number", None),
            ("32k", "Write a number", None),
            ("Unlimited", "Write a number", None),
        ] {
            let mistake = parse(text).unwrap_err();
            assert_eq!(mistake.span, (0, text.len() as u32), "{text}");
            assert!(mistake.message.contains(words), "{text}: {}", mistake.message);
            assert_eq!(mistake.suggestion.as_deref(), suggestion, "{text}");
            assert!(mistake.suggestion.is_none_or(|text| parse(&text).is_ok()), "{text}");
        }
    }
}
