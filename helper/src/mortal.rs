//! `ropeway-helper` with kill points, see `kill.rs`.

use std::process::ExitCode;

#[path = "main.rs"]
mod program;

fn main() -> ExitCode {
    program::main()
}
