//! Words for a terminal.

use std::io::{self, Write};

use ropeway_engine::api::{Code, Failure};

use crate::syslog;

/// What went wrong: code and title, then the cause and the raw words.
pub fn tell(failure: &Failure) {
    let code = serde_json::to_value(failure.code).unwrap_or_default();
    print(io::stderr(), &format!("{}: {}", code.as_str().unwrap_or("E-INTERNAL"), failure.title));
    for line in [&failure.cause, &failure.detail].into_iter().filter(|line| !line.is_empty()) {
        print(io::stderr(), &format!("  {}", line.trim().replace('\n', "\n  ")));
    }
}

/// A reader who has gone ends nothing, as `println!` would.
pub fn print(mut to: impl Write, line: &str) {
    if syslog::is_on() {
        line.lines().for_each(syslog::say);
    } else {
        let _ = writeln!(to, "{line}");
    }
}

pub fn internal(error: impl std::fmt::Display) -> Failure {
    Failure::new(Code::Internal, "ropeway", error.to_string())
}
