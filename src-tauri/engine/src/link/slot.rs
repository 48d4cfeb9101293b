//! One stream between its program and the mux.

use std::{
    collections::VecDeque,
    io,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use ropeway_mux::{Reason, Supply};

use super::{program::Program, stream::Cut};

pub(super) struct Slot {
    program: Arc<dyn Program>,
    /// Names this stream to the pump.
    waker: Waker,
    /// What the program has not taken: at most the stream's window. A ring, so that a server that sends single bytes costs no
    /// more than its credit, and nothing is allocated while the program keeps up.
    inbox: VecDeque<u8>,
    opened: bool,
    far: Far,
    /// The program has said everything, and the mux knows.
    near_said_all: bool,
    /// The far end has cut it: known to the program when it has taken what came before.
    cut: Option<Reason>,
    /// How it ended.
    outcome: Option<Result<(), Cut>>,
    /// Who waits for that.
    task: Option<Waker>,
}

/// How far the other direction has come.
#[derive(PartialEq, Eq)]
enum Far {
    Speaks,
    SaidAll,
    /// And the program has it all, and knows.
    Heard,
}

impl Slot {
    pub(super) fn new(program: Arc<dyn Program>, waker: Waker) -> Self {
        Self {
            program,
            waker,
            inbox: VecDeque::new(),
            opened: false,
            far: Far::Speaks,
            near_said_all: false,
            cut: None,
            outcome: None,
            task: None,
        }
    }

    pub(super) fn opened(&mut self) {
        self.opened = true;
        self.program.opened();
    }

    /// Bytes for the program; how many it took at once.
    pub(super) fn deliver(&mut self, data: &[u8]) -> io::Result<usize> {
        let taken = if self.inbox.is_empty() { write(&*self.program, data)? } else { 0 };
        if taken < data.len() {
            keep(&mut self.inbox, &data[taken..]);
            return self.flush().map(|flushed| taken + flushed);
        }
        Ok(taken)
    }

    /// Gives the program what waits for it; how many bytes it took. Where some are left, the pump is woken for the rest.
    pub(super) fn flush(&mut self) -> io::Result<usize> {
        let mut taken = 0;
        while !self.inbox.is_empty() {
            let count = write(&*self.program, self.inbox.as_slices().0)?;
            self.inbox.drain(..count);
            taken += count;
            if count == 0 {
                let mut context = Context::from_waker(&self.waker);
                match self.program.poll_write_ready(&mut context) {
                    Poll::Pending => return Ok(taken),
                    Poll::Ready(ready) => ready?,
                }
            }
        }
        // not `clear`: an idle stream keeps no memory
        self.inbox = VecDeque::new();
        self.settle();
        Ok(taken)
    }

    /// Behind all its bytes.
    pub(super) fn far_said_all(&mut self) {
        self.far = Far::SaidAll;
        if !self.near_said_all {
            self.program.closing();
        }
        self.settle();
    }

    /// Whether the program may have something to say; if not, the pump is woken when it has.
    pub(super) fn is_readable(&self) -> bool {
        let mut context = Context::from_waker(&self.waker);
        !self.near_said_all && self.program.poll_read_ready(&mut context).is_ready()
    }

    /// What the program says next.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Supply {
        if self.near_said_all || self.outcome.is_some() {
            return Supply::Empty;
        }
        loop {
            match self.program.try_read(buffer) {
                Ok(0) => return self.near_said_everything(),
                // one more try costs less than to be woken for it
                Ok(count) => return Supply::Bytes { count, more: true },
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if !self.is_readable() {
                        return Supply::Empty;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => {
                    self.end(Err(Cut::Near));
                    return Supply::Broken(Reason::Reset);
                }
            }
        }
    }

    pub(super) fn end(&mut self, outcome: Result<(), Cut>) {
        self.outcome.get_or_insert(outcome);
        self.task.take().into_iter().for_each(Waker::wake);
    }

    /// The far end refused it or cut it. The program gets what came before the cut.
    pub(super) fn cut(&mut self, reason: Reason) {
        self.cut = Some(reason);
        self.settle();
    }

    pub(super) fn is_over(&self) -> bool {
        self.outcome.is_some()
    }

    pub(super) fn poll_ended(&mut self, context: &Context) -> Poll<Result<(), Cut>> {
        if self.outcome.is_none() {
            self.task = Some(context.waker().clone());
        }
        self.outcome.map_or(Poll::Pending, Poll::Ready)
    }

    fn near_said_everything(&mut self) -> Supply {
        self.near_said_all = true;
        if self.far == Far::Speaks {
            self.program.closing();
        }
        self.settle();
        Supply::End
    }

    /// Once the program has all that came: its end, and the stream's.
    fn settle(&mut self) {
        if !self.inbox.is_empty() {
            return;
        }
        if let Some(reason) = self.cut {
            return self.end(Err(if self.opened { Cut::Far } else { Cut::Refused(reason) }));
        }
        if self.far == Far::SaidAll {
            self.far = Far::Heard;
            self.program.finish();
        }
        if self.far == Far::Heard && self.near_said_all {
            self.end(Ok(()));
        }
    }
}

/// From here on a ring grows by so much and no longer doubles: a window of 2.5 MiB would hold 4, and 6 while it moves.
const STEP: usize = 256 << 10;

fn keep(inbox: &mut VecDeque<u8>, bytes: &[u8]) {
    if inbox.len() >= STEP && inbox.capacity() - inbox.len() < bytes.len() {
        inbox.reserve_exact(STEP.max(bytes.len()));
    }
    inbox.extend(bytes);
}

/// How many bytes the program takes now.
fn write(program: &dyn Program, bytes: &[u8]) -> io::Result<usize> {
    let mut taken = 0;
    while taken < bytes.len() {
        match program.try_write(&bytes[taken..]) {
            Ok(count) => taken += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(taken)
}
