//! The one thread on which the engine runs, whatever its face is built on.
//!
//! Everything of a tunnel happens there: reading the channel, the programs' sockets, the timers. On a pool of threads each frame
//! would wake another one, which costs more than to carry it (a tenth of the processor time of a bulk transfer, measured).

use std::{future::pending, io, thread};

use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
};

use crate::api::{Code, Failure};

/// Lives until it is dropped; what runs on it is dropped with it.
pub struct Thread {
    handle: Handle,
    /// Its end is the sign.
    #[expect(dead_code, reason = "only its end is of interest")]
    end: oneshot::Sender<()>,
}

impl Thread {
    pub fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (end, ended) = oneshot::channel();
        let handle = runtime.handle().clone();
        thread::Builder::new().name("engine".into()).spawn(move || {
            let _ = runtime.block_on(ended);
            // what still waits for a file must not hold up the end
            runtime.shutdown_background();
        })?;
        Ok(Self { handle, end })
    }

    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Does the work there; an Err when it panicked.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Failure> {
        match self.handle.spawn(work).await {
            Ok(done) => Ok(done),
            Err(error) if error.is_cancelled() => pending().await,
            Err(panic) => Err(Failure::new(Code::Internal, "the engine", panic.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_done_there_and_a_panic_is_no_end() {
        let thread = Thread::start().unwrap();
        let here = Builder::new_current_thread().build().unwrap();
        let name = async { std::thread::current().name().map(str::to_owned) };
        assert_eq!(here.block_on(thread.run(name)).unwrap().as_deref(), Some("engine"));
        let failure = here.block_on(thread.run(async { assert_eq!(1, 2) })).unwrap_err();
        assert_eq!(failure.code, Code::Internal);
        assert_eq!(here.block_on(thread.run(async { 7 })).unwrap(), 7);
    }
}
