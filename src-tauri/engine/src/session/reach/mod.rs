//! What goes through a tunnel while it is up: what was typed, and what became known since.
//!
//! ```text
//! effective  the whole of it as one value (pure)       follow    keeps it right while the tunnel is up
//! plan       that value as the helper's plan (pure)    current   what it is now, for those who need it
//! named      the addresses of a name, by their life    wild      names below a domain, learned from answers (pure)
//! files      networks that stand in a file             local     the networks that this computer is in
//! ```

mod current;
mod effective;
mod files;
mod follow;
mod local;
mod named;
mod plan;
mod wild;

pub use current::{Current, Version};
pub use effective::Effective;
pub use follow::{Follower, Learned, first};
pub use local::networks as local_networks;
pub use plan::Shape;
