//! The user's own ssh: one login as our private master, the agent as a channel of it.
//!
//! `command` says what is run and with which environment, `bootstrap` what the server is told to do and what it
//! answers, `failure` what ssh's words mean (all three pure); `login` and `channel` run it.

pub mod bootstrap;
pub mod channel;
pub mod cipher;
pub mod command;
pub mod environment;
pub mod failure;
pub mod hops;
pub mod login;
