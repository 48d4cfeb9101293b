//! One end alone, by hand.

use ropeway_mux::{Connection, Error, Event, Micros, Source, StreamId, Supply};

/// Nobody has anything to send.
pub struct Nobody;

impl Source for Nobody {
    fn read(&mut self, id: StreamId, _: &mut [u8]) -> Supply {
        panic!("stream {} was not said to be ready", id.0)
    }
}

/// Every stream that is asked has as much as is wanted of this.
pub struct Endless(pub u8);

impl Source for Endless {
    fn read(&mut self, _: StreamId, buffer: &mut [u8]) -> Supply {
        buffer.fill(self.0);
        Supply::Bytes { count: buffer.len(), more: true }
    }
}

/// Everything that comes of `bytes`.
pub fn receive<'a>(mux: &mut Connection, mut bytes: &'a [u8], now: Micros) -> Result<Vec<Event<'a>>, Error> {
    let mut events = Vec::new();
    while let Some(event) = mux.receive(&mut bytes, now)? {
        events.push(event);
    }
    assert!(bytes.is_empty(), "all is taken");
    Ok(events)
}

/// What `mux` writes now, but for streams.
pub fn transmitted(mux: &mut Connection) -> Vec<u8> {
    transmit(mux, Micros(0), &mut Nobody)
}

/// What `mux` writes now.
pub fn transmit(mux: &mut Connection, now: Micros, source: &mut impl Source) -> Vec<u8> {
    let (mut out, mut space) = (Vec::new(), vec![0; 1 << 20]);
    loop {
        let count = mux.transmit(&mut space, now, source);
        if count == 0 {
            return out;
        }
        out.extend_from_slice(&space[..count]);
    }
}
