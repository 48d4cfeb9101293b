//! Where captured connections arrive: the ports ([`ports`]), what becomes of each connection ([`captured`]), and
//! the task that carries one ([`relay`]).

pub mod captured;
pub mod destination;
pub mod ports;
mod relay;
pub mod shortage;
