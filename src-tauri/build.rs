//! Refuses to build a program without a window, then lets Tauri embed it.

use std::{env, path::Path};

const WINDOW: &str = "../ui/dist";

fn main() {
    // The window is built by other tools: notice when it has changed, so that a plain build embeds the new one.
    println!("cargo::rerun-if-changed={WINDOW}");
    if embeds_window() && !Path::new(WINDOW).join("index.html").is_file() {
        println!("cargo::error=ui/dist is missing: build the window first (in ui/: npm ci && npm run build)");
        return;
    }
    tauri_build::build();
}

fn embeds_window() -> bool {
    env::var_os("CARGO_FEATURE_CUSTOM_PROTOCOL").is_some()
}
