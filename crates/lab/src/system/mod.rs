//! A computer of its own inside this one, for what needs more than a network: real systemd as first process (or the
//! system bus without it), polkit, accounts, and a disk that is this machine's until something writes to it.
//!
//! Start at [`System`]. [`Caller`] is an ordinary program of one user that talks to the helper; [`Terminal`] is one where
//! a person answers polkit's question. What a tunnel is, nothing here knows.

mod accounts;
mod caller;
mod calls;
mod computer;
mod terminal;

pub use accounts::{PASSWORD, User};
pub use caller::Caller;
pub use calls::{Answer, Order, Reached, neighbours, run as run_caller, run_neighbour};
pub use computer::{HELPER, Init, PROGRAMS, System, lay, put_program};
pub use terminal::Terminal;
