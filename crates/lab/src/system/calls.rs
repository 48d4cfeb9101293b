//! What a [`Caller`](super::Caller) does inside the computer: orders come in on standard input, one JSON line each,
//! and each gets one line back. No decisions, so that tests say what happens in which order.

use std::{
    collections::VecDeque,
    io::{self, BufRead, Read, Write},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream},
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};
use ropeway_helper_api::{Grant, Message, Notice, Reply, Request, bus, wire};
use serde::{Deserialize, Serialize};
use zbus::{blocking::Connection, zvariant};

/// What listeners say to whoever is sent to them.
const CAPTURED: &[u8] = b"captured";
const NEIGHBOUR: &[u8] = b"neighbour";

/// The neighbour's.
const PORT: u16 = 80;

/// A neighbour in the same kernel answers in microseconds.
const REACH: Duration = Duration::from_secs(10);

/// One thing to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Order {
    /// The helper's `Open()`, in place of a connection that was open.
    Open,
    /// `SetUp()`.
    SetUp(Grant),
    /// `Grants()`.
    Grants,
    /// `Revoke()`.
    Revoke(u32),
    /// `Restore()`.
    Restore,
    /// On the open connection, and wait for the reply.
    Ask(#[serde(with = "request")] Request),
    /// Wait for a notice on the open connection, or its end.
    Hear,
    /// Close the connection.
    Hangup,
    /// Make a listener on loopback, of both families.
    Listen,
    /// Connect there.
    Reach(SocketAddr),
    /// Wait at that path for another program and hand it the connection.
    Give(PathBuf),
    /// Get a connection from the program that waits there.
    Take(PathBuf),
}

/// A request as its text: as a value of its own it is only ever read by the helper.
mod request {
    use ropeway_helper_api::{Request, wire::Json};
    use serde::{Deserialize, Deserializer, Serializer, de, ser};

    pub fn serialize<S: Serializer>(request: &Request, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&serde_json::to_string(request).map_err(ser::Error::custom)?)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Request, D::Error> {
        let text = String::deserialize(from)?;
        Request::from_json(text.as_bytes()).map_err(de::Error::custom)
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Answer {
    /// It is done.
    Done,
    /// The name of a D-Bus error, or the words of another one.
    Failed(String),
    /// The helper's reply.
    Reply(Reply),
    /// The helper's notice.
    Notice(Notice),
    /// The helper has closed the connection.
    Ended,
    /// User and the name of a grant.
    Grants(Vec<(u32, String)>),
    /// How many.
    Count(u32),
    /// The listener's.
    Port(u16),
    /// Who answered there.
    Reached(Reached),
}

/// Where a connection to the neighbour went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reached {
    /// To a listener of a caller.
    Captured,
    /// Where it wanted to go.
    Neighbour,
    /// Nowhere: somebody refused it.
    Refused,
}

/// Until standard input ends.
pub fn run() -> Result<()> {
    let mut program = Program { bus: None, connection: None, notices: VecDeque::new() };
    for line in io::stdin().lock().lines() {
        let answer = program.follow(serde_json::from_str(&line?)?);
        let answer = answer.unwrap_or_else(|error| Answer::Failed(name_of(&error)));
        let mut stdout = io::stdout().lock();
        serde_json::to_writer(&mut stdout, &answer)?;
        writeln!(stdout)?;
        stdout.flush()?;
    }
    Ok(())
}

struct Program {
    bus: Option<Connection>,
    connection: Option<UnixStream>,
    notices: VecDeque<Notice>,
}

impl Program {
    fn follow(&mut self, order: Order) -> Result<Answer> {
        match order {
            Order::Open => self.open(),
            Order::SetUp(grant) => self.call(bus::SET_UP, &grant.name()).map(|_| Answer::Done),
            Order::Grants => Ok(Answer::Grants(self.call(bus::GRANTS, &())?.body().deserialize()?)),
            Order::Revoke(uid) => self.call(bus::REVOKE, &uid).map(|_| Answer::Done),
            Order::Restore => Ok(Answer::Count(self.call(bus::RESTORE, &())?.body().deserialize()?)),
            Order::Ask(request) => self.ask(&request),
            Order::Hear => self.hear(),
            Order::Hangup => {
                self.connection = None;
                Ok(Answer::Done)
            }
            Order::Listen => listen().map(Answer::Port),
            Order::Reach(address) => reach(address).map(Answer::Reached),
            Order::Give(path) => self.give(&path),
            Order::Take(path) => self.take(&path),
        }
    }

    fn call(
        &mut self,
        method: &str,
        body: &(impl Serialize + zvariant::DynamicType),
    ) -> Result<zbus::Message> {
        if self.bus.is_none() {
            self.bus = Some(Connection::system()?);
        }
        let connection = self.bus.as_ref().context("no bus")?;
        Ok(connection.call_method(Some(bus::NAME), bus::PATH, Some(bus::INTERFACE), method, body)?)
    }

    fn open(&mut self) -> Result<Answer> {
        let fd: zvariant::OwnedFd = self.call(bus::OPEN, &())?.body().deserialize()?;
        self.connection = Some(std::os::fd::OwnedFd::from(fd).into());
        self.notices.clear();
        Ok(Answer::Done)
    }

    fn ask(&mut self, request: &Request) -> Result<Answer> {
        let connection = self.connection.as_ref().context("no connection")?;
        wire::send(connection, request, &[])?;
        loop {
            match next(connection)? {
                None => return Ok(Answer::Ended),
                Some(Message::Reply { reply }) => return Ok(Answer::Reply(reply)),
                Some(Message::Notice { notice }) => self.notices.push_back(notice),
            }
        }
    }

    fn hear(&mut self) -> Result<Answer> {
        if let Some(notice) = self.notices.pop_front() {
            return Ok(Answer::Notice(notice));
        }
        match next(self.connection.as_ref().context("no connection")?)? {
            None => Ok(Answer::Ended),
            Some(Message::Notice { notice }) => Ok(Answer::Notice(notice)),
            Some(Message::Reply { reply }) => Ok(Answer::Reply(reply)),
        }
    }

    fn give(&mut self, path: &Path) -> Result<Answer> {
        use std::os::{fd::AsRawFd, unix::fs::PermissionsExt};
        let connection = self.connection.as_ref().context("no connection")?;
        let door = UnixListener::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666))?;
        let (visitor, _) = door.accept()?;
        let rights = [ControlMessage::ScmRights(&[connection.as_raw_fd()])];
        sendmsg::<()>(visitor.as_raw_fd(), &[io::IoSlice::new(b"x")], &rights, MsgFlags::empty(), None)?;
        Ok(Answer::Done)
    }

    fn take(&mut self, path: &Path) -> Result<Answer> {
        use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
        let giver = UnixStream::connect(path)?;
        let (mut byte, mut control) = ([0], nix::cmsg_space!([i32; 1]));
        let mut iov = [io::IoSliceMut::new(&mut byte)];
        let got = recvmsg::<()>(giver.as_raw_fd(), &mut iov, Some(&mut control), MsgFlags::MSG_CMSG_CLOEXEC)?;
        for item in got.cmsgs()? {
            if let ControlMessageOwned::ScmRights(fds) = item {
                // SAFETY: the kernel has just made it for us; nobody else knows it
                let mut fds = fds.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
                self.connection = fds.next().map(UnixStream::from);
            }
        }
        Ok(Answer::Done)
    }
}

/// A reset by the helper is an end as well.
fn next(connection: &UnixStream) -> Result<Option<Message>> {
    match wire::receive(connection) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(None),
        other => Ok(other?.map(|received| received.message)),
    }
}

/// The neighbour itself: it says who it is to whoever comes.
pub fn run_neighbour() -> Result<()> {
    let [_, v6] = neighbours();
    let all = TcpListener::bind((Ipv6Addr::UNSPECIFIED, v6.port()))?;
    println!("ready");
    for mut guest in all.incoming().flatten() {
        let _ = guest.write_all(NEIGHBOUR);
    }
    Ok(())
}

fn listen() -> Result<u16> {
    let v4 = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = v4.local_addr()?.port();
    let v6 = TcpListener::bind((Ipv6Addr::LOCALHOST, port))?;
    for listener in [v4, v6] {
        thread::spawn(move || {
            for mut guest in listener.incoming().flatten() {
                let _ = guest.write_all(CAPTURED);
            }
        });
    }
    Ok(port)
}

fn reach(address: SocketAddr) -> Result<Reached> {
    let mut stream = match TcpStream::connect_timeout(&address, REACH) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => return Ok(Reached::Refused),
        stream => stream?,
    };
    stream.set_read_timeout(Some(REACH))?;
    let mut said = vec![];
    stream.read_to_end(&mut said)?;
    match &said[..] {
        CAPTURED => Ok(Reached::Captured),
        NEIGHBOUR => Ok(Reached::Neighbour),
        _ => bail!("{address} said {said:?}"),
    }
}

fn name_of(error: &anyhow::Error) -> String {
    match error.downcast_ref::<zbus::Error>() {
        Some(zbus::Error::MethodError(name, _, _)) => name.to_string(),
        _ => format!("{error:#}"),
    }
}

/// A computer behind a cable of this one, by both families.
pub fn neighbours() -> [SocketAddr; 2] {
    [(Ipv4Addr::new(10, 20, 0, 2), PORT).into(), (Ipv6Addr::new(0xfd20, 0, 0, 0, 0, 0, 0, 2), PORT).into()]
}
