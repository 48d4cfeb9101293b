//! What ssh's last words mean. The words are OpenSSH's own (5.x to 10.x); ssh never translates them.

use crate::api::{Code, Failure};

/// Bytes of ssh's words kept for `Failure::detail`: the changed-host-key warning is 1 kB.
const DETAIL: usize = 4096;

/// Phrase and meaning; the first that occurs decides. Those that other lines may follow come first.
const PHRASES: &[(&str, Code)] = &[
    ("REMOTE HOST IDENTIFICATION HAS CHANGED", Code::HostKeyChanged),
    ("differs from the key for the IP address", Code::HostKeyChanged),
    ("marked as revoked", Code::HostKeyChanged),
    ("Host key verification failed", Code::HostKeyNew),
    ("Permission denied (", Code::AuthKey),
    ("Too many authentication failures", Code::AuthKey),
    ("No more authentication methods", Code::AuthKey),
    ("Could not resolve hostname", Code::ServerName),
    ("Name or service not known", Code::ServerName),
    ("nodename nor servname provided", Code::ServerName),
    ("Temporary failure in name resolution", Code::ServerName),
    ("Connection refused", Code::ServerUnreachable),
    ("Connection timed out", Code::ServerUnreachable),
    ("Operation timed out", Code::ServerUnreachable),
    ("No route to host", Code::ServerUnreachable),
    ("Network is unreachable", Code::ServerUnreachable),
    ("Connection closed by", Code::ServerUnreachable),
    ("Connection reset by", Code::ServerUnreachable),
    ("kex_exchange_identification", Code::ServerUnreachable),
];

/// Why a login did not come about, by what ssh wrote to stderr.
pub fn of_login(server: &str, stderr: &str) -> Failure {
    let code =
        PHRASES.iter().find(|(phrase, _)| stderr.contains(phrase)).map_or(Code::Ssh, |(_, code)| *code);
    Failure::new(code, server, tail(stderr))
}

/// Why a login that was up ended.
pub fn of_loss(server: &str, stderr: &str) -> Failure {
    Failure::new(Code::SshEnded, server, tail(stderr))
}

/// The end of the text, cut at a character.
pub fn tail(text: &str) -> String {
    let text = text.trim();
    let mut start = text.len().saturating_sub(DETAIL);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    text[start..].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openssh_words_become_codes() {
        for (words, code) in [
            ("dev@bastion: Permission denied (publickey,password).", Code::AuthKey),
            (
                "No ED25519 host key is known for bastion and you have requested strict checking.\nHost key verification failed.",
                Code::HostKeyNew,
            ),
            (
                "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\n...\nHost key verification failed.",
                Code::HostKeyChanged,
            ),
            ("ssh: Could not resolve hostname nope: Name or service not known", Code::ServerName),
            ("ssh: connect to host 192.0.2.1 port 22: Connection refused", Code::ServerUnreachable),
            ("kex_exchange_identification: Connection closed by remote host", Code::ServerUnreachable),
            ("command-line: line 0: Bad configuration option: foo", Code::Ssh),
        ] {
            assert_eq!(of_login("bastion", words).code, code, "{words}");
        }
    }

    #[test]
    fn long_output_keeps_its_end() {
        let text = format!("{}é{}", "x".repeat(10_000), "y".repeat(4095));
        assert_eq!(tail(&text).len(), 4095);
    }
}
