//! Targets on the loopback, each on a port of its own.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, Type};

pub const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
pub const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// As many as 500 clients of the same instant.
const BACKLOG: i32 = 1024;

/// Serves every connection in a thread of its own; what `serve` returns comes out of the receiver.
pub fn start<T: Send + 'static>(
    ip: IpAddr,
    serve: impl Fn(TcpStream) -> T + Clone + Send + 'static,
) -> (SocketAddr, Receiver<T>) {
    let listener = listen(ip);
    let address = listener.local_addr().expect("bound");
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let (serve, sender) = (serve.clone(), sender.clone());
            thread::spawn(move || sender.send(serve(stream)));
        }
    });
    (address, receiver)
}

/// Sends everything back.
pub fn echo(ip: IpAddr) -> SocketAddr {
    start(ip, |mut stream| {
        let mut reader = stream.try_clone().expect("a descriptor");
        let _ = std::io::copy(&mut reader, &mut stream);
    })
    .0
}

/// Reads so many bytes and then nothing more, but holds the connection; the receiver tells when.
pub fn stops_after(ip: IpAddr, bytes: u64) -> (SocketAddr, Receiver<()>) {
    let (stopped, told) = channel();
    let (address, _) = start(ip, move |stream| {
        std::io::copy(&mut (&stream).take(bytes), &mut std::io::sink()).expect("the agent writes");
        stopped.send(()).expect("the test waits");
        thread::sleep(Duration::from_mins(10));
    });
    (address, told)
}

/// Says as much as is taken, for ever.
pub fn pushes(ip: IpAddr) -> SocketAddr {
    start(ip, |mut stream| {
        let block = vec![5; 1 << 16];
        while stream.write_all(&block).is_ok() {}
    })
    .0
}

/// Accepts and holds connections, for ever.
pub fn idle(ip: IpAddr) -> SocketAddr {
    let listener = listen(ip);
    let address = listener.local_addr().expect("bound");
    thread::spawn(move || listener.incoming().collect::<Vec<_>>());
    address
}

/// Somebody has the port and does not listen; free ports could be taken by another test at any time.
pub fn deaf(ip: IpAddr) -> (SocketAddr, Socket) {
    let socket = bind(ip);
    let address = socket.local_addr().expect("bound").as_socket().expect("internet");
    (address, socket)
}

/// The next close of this connection is a reset.
pub fn reset_on_close(stream: &TcpStream) {
    SockRef::from(stream).set_linger(Some(Duration::ZERO)).expect("an open socket");
}

/// What arrives until the end, and how it ended.
pub fn read_to_end(stream: &mut TcpStream) -> (Vec<u8>, std::io::Result<usize>) {
    let mut received = Vec::new();
    let end = stream.read_to_end(&mut received);
    (received, end)
}

pub fn write(stream: &mut TcpStream, bytes: &[u8]) {
    stream.write_all(bytes).expect("the agent reads");
}

/// Bytes without a pattern that a shifted or repeated piece could match, the same in each run.
pub fn noise(length: usize) -> Vec<u8> {
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.flatten().take(length).collect()
}

fn listen(ip: IpAddr) -> TcpListener {
    let socket = bind(ip);
    socket.listen(BACKLOG).expect("a bound socket");
    socket.into()
}

fn bind(ip: IpAddr) -> Socket {
    let address = SocketAddr::new(ip, 0);
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).expect("a socket");
    socket.bind(&address.into()).expect("a loopback address");
    socket
}
