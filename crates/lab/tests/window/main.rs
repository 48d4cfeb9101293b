//! The real window and the real tray item, used as people use them, on a network that only a tunnel reaches.
//! `WebDriver` clicks and types; a panel on the session bus clicks in the tray's menu; curl says what is true.

mod crashes;
mod demo;
mod editing;
mod failing;
mod importing;
mod looks;
mod stage;
mod tray;
mod two;
