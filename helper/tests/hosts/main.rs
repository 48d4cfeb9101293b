//! Host names: what may stand in the file, and that it is exactly as it was when they are gone. Real file systems in
//! mount namespaces, with `CAP_NET_ADMIN` and no other capability, as the helper runs. Those tests need root and say so.
#![allow(clippy::unwrap_used)]

#[cfg(target_os = "linux")]
mod files;
mod names;
mod text;
#[cfg(target_os = "linux")]
mod together;
#[cfg(target_os = "linux")]
mod world;
