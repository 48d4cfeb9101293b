//! Two network namespaces: here, where programs connect, and the world outside, where every address of 10.0.0.0/8 and
//! `fd00::/8` answers. Both vanish with the threads that are in them.

use std::{
    cell::RefCell,
    fmt::Debug,
    io::{BufRead, BufReader, Read, Write, stderr},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    path::PathBuf,
    process::{Command, Output},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use nix::{
    sched::{CloneFlags, unshare},
    unistd::{Uid, gettid},
};
use socket2::SockRef;

/// Nothing in these tests takes a second on an idle machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Ports on which everything outside answers.
const OUTSIDE_PORTS: [u16; 5] = [22, 53, 80, 81, 443];

/// Where datagrams are answered outside: name servers, a port beside them, and a DHCP server.
const NAME_SERVERS: [&str; 6] =
    ["10.0.0.53:53", "10.1.0.53:53", "[fd00::53]:53", "10.0.0.53:54", "[fd00::53]:54", "10.0.0.67:67"];

type Work = Box<dyn FnOnce() + Send>;

thread_local! {
    /// Of the test whose thread it is.
    static OUTSIDE: RefCell<Option<mpsc::Sender<Work>>> = const { RefCell::new(None) };
}

/// Done by somebody outside.
pub fn from_outside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    OUTSIDE.with_borrow(|outside| done_by(outside.as_ref().unwrap(), work))
}

fn done_by<T: Send + 'static>(place: &mpsc::Sender<Work>, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (tell, told) = mpsc::channel();
    place.send(Box::new(move || drop(tell.send(work())))).unwrap();
    told.recv().unwrap()
}

/// Runs the test in a world of its own, on a thread of its own, because a namespace belongs to a thread.
pub fn in_world(test: impl FnOnce() + Send + 'static) {
    if !Uid::effective().is_root() {
        // not captured by the test runner, as eprintln! would be
        let _ = writeln!(stderr(), "\n*** SKIPPED: this test makes network namespaces, which needs root ***");
        return;
    }
    let result = thread::spawn(|| {
        make_world();
        test();
        let _ = std::fs::remove_dir_all(state_folder());
    });
    if let Err(panic) = result.join() {
        std::panic::resume_unwind(panic);
    }
}

/// The helper's own folder in this world.
pub fn state_folder() -> String {
    format!("{}/ropeway-kernel-{}-{}", std::env::temp_dir().display(), std::process::id(), thread_of_world())
}

/// Where the network namespace is the one that the test's first thread made.
fn thread_of_world() -> String {
    let namespace = std::fs::read_link("/proc/thread-self/ns/net").unwrap();
    namespace.display().to_string().chars().filter(char::is_ascii_digit).collect()
}

/// A namespace with nothing in it but its own loopback device, for the time of `body`.
pub fn in_empty_namespace<T: Send>(body: impl FnOnce() -> T + Send) -> T {
    let inside = || {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        let result = body();
        let _ = std::fs::remove_dir_all(state_folder());
        result
    };
    thread::scope(|scope| scope.spawn(inside).join().unwrap())
}

fn make_world() {
    unshare(CloneFlags::CLONE_NEWNET).unwrap();
    run("ip link set lo up");
    let (tell, outside) = mpsc::channel();
    let (join, joined) = mpsc::channel();
    let (open, opened) = mpsc::channel();
    let (work, works) = mpsc::channel::<Work>();
    thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        tell.send(gettid()).unwrap();
        joined.recv().unwrap();
        for command in [
            "ip link set lo up",
            "ip link set far up",
            "ip addr add 192.0.2.2/30 dev far",
            "ip addr add 2001:db8::2/64 dev far nodad",
            "ip route add local 10.0.0.0/8 dev lo",
            "ip -6 route add local fd00::/8 dev lo",
            "ip addr add fd00::53/128 dev lo nodad", // a local route alone cannot be bound to
        ] {
            run(command);
        }
        for port in OUTSIDE_PORTS {
            answer(
                TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap(),
                "outside",
                TcpStream::local_addr,
            );
            let v6 = socket2::Socket::new(socket2::Domain::IPV6, socket2::Type::STREAM, None).unwrap();
            v6.set_only_v6(true).unwrap();
            v6.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)).into()).unwrap();
            v6.listen(1024).unwrap();
            answer(v6.into(), "outside", TcpStream::local_addr);
        }
        for address in NAME_SERVERS {
            tell_asked("outside", address);
        }
        run("ip route add 192.168.50.0/24 via 192.0.2.1");
        open.send(()).unwrap();
        for work in works {
            work();
        }
    });
    OUTSIDE.set(Some(work));
    run(&format!("ip link add near type veth peer name far netns {}", outside.recv().unwrap()));
    run("ip link set near up");
    run("ip addr add 192.0.2.1/30 dev near");
    run("ip addr add 2001:db8::1/64 dev near nodad");
    join.send(()).unwrap();
    opened.recv().unwrap();
    run("ip route add default via 192.0.2.2");
    run("ip -6 route add default via 2001:db8::2");
}

/// Every datagram is told who answers.
fn tell_asked(name: &'static str, address: &str) {
    let socket = UdpSocket::bind(address).unwrap();
    thread::spawn(move || {
        let mut question = [0; 64];
        while let Ok((_, from)) = socket.recv_from(&mut question) {
            let _ = socket.send_to(name.as_bytes(), from);
        }
    });
}

/// Listens where captured questions go.
pub fn names(name: &'static str, port: u16) {
    tell_asked(name, &format!("127.0.0.1:{port}"));
    tell_asked(name, &format!("[::1]:{port}"));
}

/// Who answers a datagram to this address; what the system says when it refuses.
pub fn asked(to: &str) -> String {
    let any = if to.starts_with('[') { "[::]:0" } else { "0.0.0.0:0" };
    Asker::new(any).ask(to)
}

/// One socket, so one flow to each server.
pub struct Asker(UdpSocket);

impl Asker {
    pub fn new(from: &str) -> Self {
        Self::of(UdpSocket::bind(from).unwrap())
    }

    pub fn of(socket: UdpSocket) -> Self {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(socket)
    }

    pub fn ask(&self, to: &str) -> String {
        let mut answer = [0; 64];
        match self.0.send_to(b"?", to).and_then(|_| self.0.recv_from(&mut answer)) {
            Ok((length, from)) => {
                assert_eq!(from, to.parse().unwrap(), "the answer comes from who was asked");
                String::from_utf8(answer[..length].to_vec()).unwrap()
            }
            Err(error) => format!("{:?}", error.kind()),
        }
    }
}

/// Listens where captured connections of a session go: eight ports on both loopback addresses.
pub fn listen(name: &'static str, first: u16) {
    listen_on(Ipv4Addr::LOCALHOST, name, first);
}

/// The same with another IPv4 address.
pub fn listen_on(address: Ipv4Addr, name: &'static str, first: u16) {
    for port in first..first + 8 {
        answer(TcpListener::bind((address, port)).unwrap(), name, |stream| {
            Ok(SockRef::from(stream).original_dst_v4()?.as_socket().unwrap())
        });
        answer(TcpListener::bind((Ipv6Addr::LOCALHOST, port)).unwrap(), name, |stream| {
            Ok(SockRef::from(stream).original_dst_v6()?.as_socket().unwrap())
        });
    }
}

/// Every connection is told who answers and where it wanted to go; then comes an echo.
fn answer(listener: TcpListener, name: &'static str, wanted: fn(&TcpStream) -> std::io::Result<SocketAddr>) {
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            thread::spawn(move || {
                let wanted = wanted(&stream).map_or_else(|e| e.to_string(), |address| address.to_string());
                let _ = writeln!(stream, "{name} {wanted}");
                let _ = std::io::copy(&mut stream.try_clone().unwrap(), &mut stream);
            });
        }
    });
}

/// An open connection to whoever took it.
pub struct Connection {
    stream: BufReader<TcpStream>,
    pub greeting: String,
}

impl Connection {
    pub fn open(to: &str) -> Self {
        Self::adopt(TcpStream::connect_timeout(&to.parse().unwrap(), PATIENCE).unwrap())
    }

    pub fn adopt(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut stream = BufReader::new(stream);
        let mut greeting = String::new();
        stream.read_line(&mut greeting).unwrap();
        Self { stream, greeting: greeting.trim_end().into() }
    }

    pub fn is_alive(&mut self) -> bool {
        let mut echo = [0; 4];
        self.stream.get_mut().write_all(b"ping").is_ok()
            && self.stream.read_exact(&mut echo).is_ok()
            && echo == *b"ping"
    }
}

/// How a connection fails that must not be.
pub fn try_to_reach(to: &str) -> Result<String, std::io::ErrorKind> {
    match TcpStream::connect_timeout(&to.parse().unwrap(), PATIENCE) {
        Ok(stream) => Ok(Connection::adopt(stream).greeting),
        Err(error) => Err(error.kind()),
    }
}

/// A network behind this machine, which is its router: 192.168.50.2 is somebody there.
pub struct Lan(mpsc::Sender<Work>);

impl Lan {
    pub fn new() -> Self {
        let (work, works) = mpsc::channel::<Work>();
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            tell.send(gettid()).unwrap();
            for work in works {
                work();
            }
        });
        run(&format!("ip link add lan type veth peer name router netns {}", told.recv().unwrap()));
        run("ip link set lan up");
        run("ip addr add 192.168.50.1/24 dev lan");
        std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
        let lan = Self(work);
        lan.there(|| {
            run("ip link set lo up");
            run("ip addr add 192.168.50.2/24 dev router");
            run("ip link set router up");
            run("ip route add default via 192.168.50.1");
        });
        lan
    }

    pub fn there<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        done_by(&self.0, work)
    }

    /// As this machine sees it.
    pub fn interface() -> u32 {
        let line = run("ip -o link show lan");
        line.split(':').next().unwrap().parse().unwrap()
    }
}

/// Who takes a connection to this address, and where it wanted to go.
pub fn reached(to: &str) -> String {
    Connection::open(to).greeting
}

/// `reached` by another program, prepared by a line of shell, and then given up to `setpriv` (another user, another
/// group), because only root may enter cgroups.
pub fn reached_by_shell(become_: &[&str], prepare: &str, to: &str) -> String {
    let (host, port) = to.rsplit_once(':').unwrap();
    let connect = format!("exec 3<>/dev/tcp/{host}/{port} && read -r line <&3 && echo \"$line\"");
    let script = format!("{prepare}\nexec setpriv {} bash -c '{connect}'", become_.join(" "));
    let output = Command::new("bash").args(["-c", &script]).current_dir("/").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim_end().into()
}

pub fn run(command: &str) -> String {
    let output = try_run(command);
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

pub fn try_run(command: &str) -> Output {
    let mut words = command.split(' ');
    Command::new(words.next().unwrap()).args(words).output().unwrap()
}

/// Waits until `probe` gives the expected value.
pub fn eventually<T: PartialEq + Debug>(expected: &T, within: Duration, mut probe: impl FnMut() -> T) {
    let deadline = Instant::now() + within;
    loop {
        let now = probe();
        if now == *expected {
            return;
        }
        assert!(Instant::now() < deadline, "still {now:?} instead of {expected:?} after {within:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A cgroup (v2) for the time of a test.
pub struct TemporaryCgroup(pub PathBuf);

impl TemporaryCgroup {
    /// With a folder inside, so that its level is not the smallest there is.
    pub fn new(name: &str) -> Self {
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        let mount = mounts.lines().find(|line| line.contains(" - cgroup2 ")).expect("a cgroup v2 mount");
        let root = PathBuf::from(mount.split(' ').nth(4).unwrap());
        let path = root.join(format!("ropeway-test-{}-{name}", std::process::id()));
        std::fs::create_dir_all(path.join("inner")).unwrap();
        Self(path)
    }

    /// A line of shell by which a process enters.
    pub fn enter(&self, folder: &str) -> String {
        format!("echo $$ > {}/cgroup.procs", self.0.join(folder).display())
    }
}

impl Drop for TemporaryCgroup {
    /// The kernel lets the last process go a moment after it was waited for.
    fn drop(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        for path in [self.0.join("inner"), self.0.clone()] {
            while std::fs::remove_dir(&path).is_err() && Instant::now() < deadline {
                thread::sleep(Duration::from_millis(5));
            }
        }
    }
}
