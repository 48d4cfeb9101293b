//! The system log, by the socket that every system has for it (syslog(3)).

use std::{
    io,
    os::unix::net::UnixDatagram,
    process,
    sync::{OnceLock, atomic::AtomicBool, atomic::Ordering::Relaxed},
};

/// glibc's `_PATH_LOG`; the BSDs and macOS have the second.
const SOCKETS: [&str; 2] = ["/dev/log", "/var/run/syslog"];

/// `LOG_DAEMON | LOG_INFO` (RFC 3164, 4.1.1: facility 3 times 8, severity 6).
const PRIORITY: u32 = 3 * 8 + 6;

/// What is said goes there, and not to the terminal.
static ON: AtomicBool = AtomicBool::new(false);

static SOCKET: OnceLock<Option<UnixDatagram>> = OnceLock::new();

pub fn switch_on() {
    ON.store(true, Relaxed);
}

pub fn is_on() -> bool {
    ON.load(Relaxed)
}

/// One line; lost where there is no log, as every program's is.
pub fn say(line: &str) {
    let socket = SOCKET.get_or_init(|| {
        let socket = UnixDatagram::unbound().ok()?;
        SOCKETS.iter().any(|path| socket.connect(path).is_ok()).then_some(socket)
    });
    if let Some(socket) = socket {
        let _ = socket.send(format!("<{PRIORITY}>ropeway[{}]: {line}", process::id()).as_bytes());
    }
}

/// For what is traced: a line for each event.
#[derive(Default)]
pub struct Writer(Vec<u8>);

impl io::Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        String::from_utf8_lossy(&self.0).lines().filter(|line| !line.is_empty()).for_each(say);
    }
}
