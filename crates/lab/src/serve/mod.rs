//! The services in the private network and on the hub, so that the lab needs no web server of the machine's:
//! plain threads, one for each connection. Web pages are in `web`, names in
//! `dns`, the small protocols here.

pub(crate) mod dns;
mod web;

use std::{
    io::{self, Read, Write},
    net::{Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use socket2::{Domain, Socket, Type};

use crate::network::ports;

/// As many as the kernel lets wait; std's own 128 would make the 500 connections of a test wait for a repeated SYN.
const BACKLOG: i32 = 4096;

/// What the farewell service says.
pub const FAREWELL: &str = "goodbye\n";

/// What services know of each other.
#[derive(Default)]
struct Shared {
    word: String,
    /// What the last visitor of the farewell service said after it.
    last_words: Mutex<Vec<u8>>,
}

/// Serves for ever. `word` is on the first page; `zone` is the file of a name server.
pub fn run(word: &str, zone: Option<&Path>) -> io::Result<()> {
    if let Some(zone) = zone {
        dns::spawn(zone)?;
    }
    let shared = Arc::new(Shared { word: word.to_owned(), ..Shared::default() });
    spawn(ports::ECHO, Arc::clone(&shared), |stream, _| echo(stream))?;
    spawn_datagrams(ports::ECHO)?;
    spawn(ports::FAREWELL, Arc::clone(&shared), farewell)?;
    accept(&listen(ports::WEB)?, &shared, web::serve);
    Ok(())
}

type Service = fn(&TcpStream, &Shared) -> io::Result<()>;

fn spawn(port: u16, shared: Arc<Shared>, service: Service) -> io::Result<()> {
    let listener = listen(port)?;
    thread::spawn(move || accept(&listener, &shared, service));
    Ok(())
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>, service: Service) {
    for stream in listener.incoming().flatten() {
        let shared = Arc::clone(shared);
        thread::spawn(move || {
            // a visitor who goes away early is not our trouble
            let _ = stream.set_nodelay(true);
            let _ = service(&stream, &shared);
        });
    }
}

/// IPv4 and IPv6 on one socket.
fn listen(port: u16) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV6, Type::STREAM, None)?;
    socket.set_only_v6(false)?;
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)).into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Sends every datagram back.
fn spawn_datagrams(port: u16) -> io::Result<()> {
    let socket = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, port))?;
    thread::spawn(move || {
        let mut datagram = vec![0; 1 << 16];
        loop {
            let Ok((length, from)) = socket.recv_from(&mut datagram) else { continue };
            let _ = socket.send_to(&datagram[..length], from);
        }
    });
    Ok(())
}

/// Ends its direction only after the visitor has ended theirs, and everything is sent back.
fn echo(stream: &TcpStream) -> io::Result<()> {
    io::copy(&mut &*stream, &mut &*stream)?;
    stream.shutdown(Shutdown::Write)
}

fn farewell(mut stream: &TcpStream, shared: &Shared) -> io::Result<()> {
    stream.write_all(FAREWELL.as_bytes())?;
    stream.shutdown(Shutdown::Write)?;
    let mut words = Vec::new();
    stream.read_to_end(&mut words)?;
    *shared.last_words.lock().unwrap_or_else(PoisonError::into_inner) = words;
    Ok(())
}
