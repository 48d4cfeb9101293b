//! Netlink messages and the socket for them. Knows attributes, batches and answers, nothing of tables and rules.
//!
//! [`Batch`] collects messages that succeed or fail together; [`Socket::commit`] is the transaction, [`Socket::get`] a
//! question.

use std::{
    io::{self, IoSlice},
    os::fd::{AsRawFd, OwnedFd},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

use nix::{
    errno::Errno,
    sys::socket::{
        AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, getsockname, recv, sendmsg,
        setsockopt, socket, sockopt,
    },
};

use super::numbers::{INET, SUBSYSTEM};

/// Bytes of `nlmsghdr` and `nfgenmsg` (netlink.h, nfnetlink.h).
const HEADER: usize = 16 + 4;
/// Attributes and messages begin at multiples of this.
const ALIGNMENT: usize = 4;
/// `NLA_F_NESTED` (netlink.h)
const NESTED: u16 = 0x8000;
/// `NLA_TYPE_MASK` (netlink.h): an attribute's kind without `NESTED` and `NLA_F_NET_BYTEORDER`.
const KIND: u16 = 0x3fff;
/// `NLM_F_*` (netlink.h)
const REQUEST: u16 = 1;
const ACKNOWLEDGE: u16 = 4;
const DUMP: u16 = 0x300;
pub const REPLACE: u16 = 0x100;
pub const CREATE: u16 = 0x400;
const APPEND: u16 = 0x800;
const DUMP_INTERRUPTED: u16 = 0x10;
/// `NLMSG_ERROR`, `NLMSG_DONE` (netlink.h)
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// `NFNL_MSG_BATCH_BEGIN`, `NFNL_MSG_BATCH_END` (nfnetlink.h)
const BEGIN: u16 = 16;
const END: u16 = 17;
/// One answer of the kernel: a dump's is at most 32 KiB (`netlink_dump` in `net/netlink/af_netlink.c`).
const ANSWER: usize = 64 << 10;
/// Bytes of answers that may wait: an error repeats the message that it is about, and a large batch has many.
const ANSWERS: usize = 8 << 20;
/// Messages of a batch are counted from 0, questions from here, so that neither is taken for the other.
const FIRST_QUESTION: u32 = 1 << 31;

/// A growing list of attributes. Numbers are big-endian, as all of `nf_tables` wants them.
#[derive(Default)]
pub struct Attributes(Vec<u8>);

impl Attributes {
    pub fn bytes(&mut self, kind: u16, value: &[u8]) -> &mut Self {
        self.framed(kind, |inner| inner.0.extend(value))
    }

    pub fn u32(&mut self, kind: u16, value: u32) -> &mut Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    /// Ends with a zero byte.
    pub fn text(&mut self, kind: u16, value: &str) -> &mut Self {
        self.framed(kind, |inner| {
            inner.0.extend(value.as_bytes());
            inner.0.push(0);
        })
    }

    /// A list that the kernel made.
    pub fn raw(&mut self, attributes: &[u8]) {
        self.0.extend(attributes);
    }

    pub fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) -> &mut Self {
        self.framed(kind | NESTED, fill)
    }

    fn framed(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) -> &mut Self {
        let start = self.0.len();
        self.0.extend([0; 2]);
        self.0.extend(kind.to_ne_bytes());
        fill(self);
        let length = self.0.len() - start;
        debug_assert!(
            u16::try_from(length).is_ok(),
            "an attribute of {length} bytes: its list was not split"
        );
        self.0[start..start + 2].copy_from_slice(&(length as u16).to_ne_bytes());
        self.0.resize(self.0.len().next_multiple_of(ALIGNMENT), 0);
        self
    }
}

/// What a message is, among those of all of netfilter's subsystems.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    pub subsystem: u16,
    pub number: u16,
    /// That of the objects.
    pub family: u8,
}

/// One of `nf_tables`, for our tables' family.
impl From<u16> for Kind {
    fn from(number: u16) -> Self {
        Self { subsystem: SUBSYSTEM, number, family: INET }
    }
}

/// Messages of one transaction.
pub struct Batch {
    bytes: Attributes,
    /// What each message is about, for the log; its index is the sequence number.
    subjects: Vec<String>,
}

impl Batch {
    pub fn new() -> Self {
        let mut batch = Self { bytes: Attributes::default(), subjects: vec![] };
        batch.mark(BEGIN);
        batch
    }

    pub fn is_empty(&self) -> bool {
        self.subjects.len() == 1 // the begin
    }

    /// `subject` is named when the kernel refuses this message.
    pub fn push(&mut self, kind: u16, subject: impl Into<String>, content: impl FnOnce(&mut Attributes)) {
        let flags = REQUEST | CREATE | APPEND;
        self.message(SUBSYSTEM << 8 | kind, flags, (INET, 0), subject.into(), content);
    }

    fn mark(&mut self, kind: u16) {
        self.message(kind, REQUEST, (0, SUBSYSTEM), "the batch".into(), |_| {});
    }

    fn message(
        &mut self,
        kind: u16,
        flags: u16,
        family: (u8, u16),
        subject: String,
        content: impl FnOnce(&mut Attributes),
    ) {
        push_message(&mut self.bytes, kind, flags, self.subjects.len() as u32, &netfilter(family), content);
        self.subjects.push(subject);
    }
}

/// `nfgenmsg`: the family of the objects, and the resource id (the subsystem, for the ends of a batch).
fn netfilter((family, resource): (u8, u16)) -> [u8; 4] {
    let [high, low] = resource.to_be_bytes();
    [family, 0, high, low]
}

fn push_message(
    out: &mut Attributes,
    kind: u16,
    flags: u16,
    sequence: u32,
    header: &[u8],
    content: impl FnOnce(&mut Attributes),
) {
    let start = out.0.len();
    out.0.extend([0; 4]);
    out.0.extend(kind.to_ne_bytes());
    out.0.extend(flags.to_ne_bytes());
    out.0.extend(sequence.to_ne_bytes());
    out.0.extend([0; 4]); // from us
    out.0.extend(header);
    content(out);
    let length = (out.0.len() - start) as u32;
    out.0[start..start + 4].copy_from_slice(&length.to_ne_bytes());
}

/// Close-on-exec: a copy in a child would keep the table alive.
pub struct Socket {
    fd: OwnedFd,
    /// Of the next question; answers to an earlier one are not for it.
    question: AtomicU32,
}

impl Socket {
    /// For netfilter.
    pub fn open() -> io::Result<Self> {
        Self::of(SockProtocol::NetlinkNetFilter)
    }

    /// For links, routes and rules of routing.
    pub fn route() -> io::Result<Self> {
        Self::of(SockProtocol::NetlinkRoute)
    }

    fn of(protocol: SockProtocol) -> io::Result<Self> {
        let protocol = Some(protocol);
        let fd = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)?;
        nix::sys::socket::bind(fd.as_raw_fd(), &NetlinkAddr::new(0, 0))?; // the kernel chooses the number
        // best effort: where it is refused, a lost answer is an error of the transaction
        let _ = setsockopt(&fd, sockopt::RcvBufForce, &ANSWERS);
        Ok(Self { fd, question: AtomicU32::new(FIRST_QUESTION) })
    }

    /// The number by which the kernel calls this socket.
    pub fn port(&self) -> io::Result<u32> {
        Ok(getsockname::<NetlinkAddr>(self.fd.as_raw_fd())?.pid())
    }

    /// All or nothing; the first refusal comes back, with the subject of the message that it is about.
    pub fn commit(&self, mut batch: Batch) -> Result<(), CommitError> {
        batch.mark(END);
        self.reserve(batch.bytes.0.len())?;
        self.send(&batch.bytes.0)?;
        // the kernel has put all its answers here before the call above returned
        while let Some(answers) = self.answers_of_batch()? {
            if let Some((errno, sequence)) =
                messages(&answers).find_map(|answer| Some((answer.error()?, answer.sequence)))
            {
                self.discard_answers();
                let subject = batch.subjects.get(sequence as usize).cloned().unwrap_or_default();
                return Err(CommitError { errno, subject });
            }
        }
        Ok(())
    }

    /// One object. ENOENT when there is none.
    pub fn get(
        &self,
        kind: impl Into<Kind>,
        content: impl FnOnce(&mut Attributes),
        each: impl FnMut(&Message),
    ) -> io::Result<()> {
        self.ask(kind.into(), ACKNOWLEDGE, content, each)
    }

    /// One change outside of a transaction.
    pub fn act(&self, kind: impl Into<Kind>, content: impl FnOnce(&mut Attributes)) -> io::Result<()> {
        self.ask(kind.into(), ACKNOWLEDGE, content, |_| {})
    }

    /// All objects that match. `Interrupted` when something changed meanwhile, so that the list may be wrong.
    pub fn dump(
        &self,
        kind: impl Into<Kind>,
        content: impl FnOnce(&mut Attributes),
        each: impl FnMut(&Message),
    ) -> io::Result<()> {
        self.ask(kind.into(), DUMP, content, each)
    }

    fn ask(
        &self,
        kind: Kind,
        flags: u16,
        content: impl FnOnce(&mut Attributes),
        each: impl FnMut(&Message),
    ) -> io::Result<()> {
        let full = kind.subsystem << 8 | kind.number;
        self.exchange(full, flags, &netfilter((kind.family, 0)), content, each)
    }

    /// A change of links or routes; `header` is what stands before the attributes.
    pub fn change(
        &self,
        kind: u16,
        flags: u16,
        header: &[u8],
        content: impl FnOnce(&mut Attributes),
    ) -> io::Result<()> {
        self.exchange(kind, ACKNOWLEDGE | flags, header, content, |_| {})
    }

    /// All of them; `Interrupted` as in [`Socket::dump`].
    pub fn list(&self, kind: u16, header: &[u8], each: impl FnMut(&Message)) -> io::Result<()> {
        self.exchange(kind, DUMP, header, |_| {}, each)
    }

    /// One of them.
    pub fn one(
        &self,
        kind: u16,
        header: &[u8],
        content: impl FnOnce(&mut Attributes),
        each: impl FnMut(&Message),
    ) -> io::Result<()> {
        self.exchange(kind, ACKNOWLEDGE, header, content, each)
    }

    fn exchange(
        &self,
        kind: u16,
        flags: u16,
        header: &[u8],
        content: impl FnOnce(&mut Attributes),
        mut each: impl FnMut(&Message),
    ) -> io::Result<()> {
        let mut question = Attributes::default();
        let number = self.question.fetch_add(1, Relaxed) | FIRST_QUESTION;
        push_message(&mut question, kind, REQUEST | flags, number, header, content);
        self.send(&question.0)?;
        let mut interrupted = false;
        loop {
            let answers = self.receive(MsgFlags::empty())?.unwrap_or_default();
            for answer in messages(&answers).filter(|answer| answer.sequence == number) {
                interrupted |= answer.flags & DUMP_INTERRUPTED != 0;
                match answer.kind {
                    ERROR => return answer.error().map_or(Ok(()), |errno| Err(errno.into())),
                    DONE if interrupted => return Err(io::ErrorKind::Interrupted.into()),
                    DONE => return answer.error().map_or(Ok(()), |errno| Err(errno.into())),
                    _ => each(&answer),
                }
            }
        }
    }

    /// A transaction is one datagram, however large.
    fn reserve(&self, bytes: usize) -> Result<(), Errno> {
        let wanted = 2 * bytes; // the kernel counts its own bookkeeping too
        setsockopt(&self.fd, sockopt::SndBufForce, &wanted)
            .or_else(|_| setsockopt(&self.fd, sockopt::SndBuf, &wanted))
    }

    fn send(&self, bytes: &[u8]) -> Result<(), Errno> {
        let to_the_kernel = NetlinkAddr::new(0, 0);
        let parts = [IoSlice::new(bytes)];
        sendmsg(self.fd.as_raw_fd(), &parts, &[], MsgFlags::empty(), Some(&to_the_kernel)).map(drop)
    }

    /// Answers that did not fit are lost; what is left must not be taken for the next batch's.
    fn answers_of_batch(&self) -> Result<Option<Vec<u8>>, Errno> {
        self.receive(MsgFlags::MSG_DONTWAIT).inspect_err(|_| self.discard_answers())
    }

    fn discard_answers(&self) {
        while matches!(self.receive(MsgFlags::MSG_DONTWAIT), Ok(Some(_)) | Err(Errno::ENOBUFS)) {}
    }

    /// One datagram; None when there is none and we don't wait.
    fn receive(&self, flags: MsgFlags) -> Result<Option<Vec<u8>>, Errno> {
        let mut buffer = vec![0; ANSWER];
        match recv(self.fd.as_raw_fd(), &mut buffer, flags) {
            Ok(length) => {
                buffer.truncate(length);
                Ok(Some(buffer))
            }
            Err(Errno::EAGAIN) => Ok(None),
            Err(errno) => Err(errno),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{subject}: {}", errno.desc())]
pub struct CommitError {
    pub errno: Errno,
    subject: String,
}

impl From<Errno> for CommitError {
    fn from(errno: Errno) -> Self {
        Self { errno, subject: "netlink".into() }
    }
}

/// One message of the kernel.
pub struct Message<'a> {
    kind: u16,
    flags: u16,
    sequence: u32,
    body: &'a [u8],
}

impl<'a> Message<'a> {
    /// What went wrong, in an error message or at the end of a list; an acknowledgement has nothing.
    fn error(&self) -> Option<Errno> {
        let code = i32::from_ne_bytes(self.body.first_chunk().copied()?);
        ([ERROR, DONE].contains(&self.kind) && code < 0).then(|| Errno::from_raw(-code))
    }

    /// That of the object.
    pub fn family(&self) -> u8 {
        self.body.first().copied().unwrap_or_default()
    }

    /// Everything behind `nlmsghdr`.
    pub fn body(&self) -> &'a [u8] {
        self.body
    }

    /// All of them, as they came.
    pub fn attributes(&self) -> &'a [u8] {
        self.body.get(HEADER - 16..).unwrap_or_default()
    }

    pub fn attribute(&self, kind: u16) -> Option<&'a [u8]> {
        find(self.attributes(), kind)
    }

    pub fn u64(&self, kind: u16) -> Option<u64> {
        Some(u64::from_be_bytes(self.attribute(kind)?.try_into().ok()?))
    }

    pub fn u32(&self, kind: u16) -> Option<u32> {
        Some(u32::from_be_bytes(self.attribute(kind)?.try_into().ok()?))
    }

    pub fn text(&self, kind: u16) -> Option<&'a str> {
        std::str::from_utf8(self.attribute(kind)?.strip_suffix(&[0])?).ok()
    }
}

/// The messages of a datagram; stops at the first that does not fit.
fn messages(mut bytes: &[u8]) -> impl Iterator<Item = Message<'_>> {
    std::iter::from_fn(move || {
        let length = u32::from_ne_bytes(bytes.first_chunk().copied()?) as usize;
        let message = bytes.get(..length)?;
        let body = message.get(16..)?;
        bytes = bytes.get(length.next_multiple_of(ALIGNMENT)..).unwrap_or_default();
        let kind = u16::from_ne_bytes([message[4], message[5]]);
        let flags = u16::from_ne_bytes([message[6], message[7]]);
        let sequence = u32::from_ne_bytes([message[8], message[9], message[10], message[11]]);
        Some(Message { kind, flags, sequence, body })
    })
}

/// Kind and value of each attribute; stops at the first that does not fit.
pub fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = u16::from_ne_bytes(bytes.first_chunk().copied()?) as usize;
        let value = bytes.get(4..length)?;
        let kind = u16::from_ne_bytes([bytes[2], bytes[3]]) & KIND;
        bytes = bytes.get(length.next_multiple_of(ALIGNMENT)..).unwrap_or_default();
        Some((kind, value))
    })
}

pub fn find(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    attributes(bytes).find(|(other, _)| *other == kind).map(|(_, value)| value)
}
