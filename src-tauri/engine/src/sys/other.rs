//! Systems whose own way is not written yet: everything compiles, nothing is captured. macOS's way (pf, asked of
//! the helper) has the same signatures.

pub mod identity {
    //! Which machine and network this process is on.

    use std::os::unix::net::UnixStream;

    /// Unknown.
    pub fn of_this_process() -> Option<(String, String)> {
        None
    }

    /// There is only one.
    pub fn shares_network(_: &UnixStream) -> bool {
        true
    }
}

pub mod redirect {
    //! Where a redirected connection wanted to go.

    use std::{io, net::SocketAddr};

    use tokio::net::TcpStream;

    use crate::listen::destination::OriginalDestination;

    /// Nobody to ask.
    #[derive(Debug, Default)]
    pub struct Kernel;

    impl OriginalDestination for Kernel {
        async fn original(&self, _: &TcpStream) -> io::Result<SocketAddr> {
            Err(io::ErrorKind::Unsupported.into())
        }
    }
}

pub mod appearance {
    //! A file that another program makes, noticed when it is there.

    use std::{io, path::Path};

    /// Nobody tells.
    pub struct Appearance(());

    impl Appearance {
        pub fn of(_: &Path) -> io::Result<Self> {
            Err(io::ErrorKind::Unsupported.into())
        }

        pub async fn here(&self) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }
    }
}

pub mod descriptors {
    //! Descriptors: how many we may have, how much a pipe holds.

    use std::{os::fd::AsFd, os::unix::process::CommandExt, process::Command, sync::OnceLock};

    use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};

    /// macOS refuses more than its `OPEN_MAX`, whatever the hard limit says (setrlimit(2)).
    const MOST: rlim_t = 10_240;

    /// The soft limit that we were started with.
    static BEFORE: OnceLock<rlim_t> = OnceLock::new();

    /// Raises the soft limit as far as it goes, and says which that is.
    pub fn raise_limit() -> Option<u64> {
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
        BEFORE.get_or_init(|| soft);
        if soft < hard.min(MOST) {
            let _ = setrlimit(Resource::RLIMIT_NOFILE, hard.min(MOST), hard);
        }
        limit()
    }

    /// How many files we may have open.
    pub fn limit() -> Option<u64> {
        getrlimit(Resource::RLIMIT_NOFILE).ok().map(|(soft, _)| soft)
    }

    /// Gives a child the soft limit that we were started with: programs that use `select` break above 1024.
    pub fn as_before(command: &mut Command) {
        let Some(&before) = BEFORE.get() else { return };
        let restore = move || {
            let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
            Ok(setrlimit(Resource::RLIMIT_NOFILE, before.min(hard), hard)?)
        };
        // SAFETY: between fork and exec this only makes two system calls
        unsafe { command.pre_exec(restore) };
    }

    /// A pipe grows by itself here.
    pub fn enlarge_pipe(_: impl AsFd) {}
}

pub mod cgroup {
    //! There are none.

    use std::{
        fs::File,
        io,
        os::fd::{AsFd, BorrowedFd, OwnedFd},
        path::{Path, PathBuf},
    };

    use nix::unistd::Pid;

    /// Makes none.
    #[derive(Debug, Default)]
    pub struct Cgroups(());

    /// Cannot be made.
    #[derive(Debug)]
    pub struct Cgroup {
        folder: PathBuf,
        handle: OwnedFd,
    }

    impl Cgroups {
        pub fn create(&self) -> io::Result<Cgroup> {
            Err(io::ErrorKind::Unsupported.into())
        }
    }

    impl Cgroup {
        pub fn folder(&self) -> &Path {
            &self.folder
        }

        pub fn handle(&self) -> BorrowedFd<'_> {
            self.handle.as_fd()
        }
    }

    pub fn open(_: &Path) -> io::Result<OwnedFd> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub fn join(_: &File) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// # Safety
    ///
    /// None is needed: it does nothing.
    pub unsafe fn fork_into(_: &Path) -> io::Result<Option<Pid>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub fn open_procs(_: &Path) -> io::Result<File> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub fn remove(_: &Path) {}
}

pub mod owner {
    //! Whose a captured connection is.

    use std::{io, net::SocketAddr};

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Owner {
        pub inode: u32,
        pub uid: u32,
    }

    /// Nobody to ask.
    #[derive(Debug)]
    pub struct Diagnostics(());

    impl Diagnostics {
        pub fn open() -> io::Result<Self> {
            Err(io::ErrorKind::Unsupported.into())
        }

        pub fn tcp(&self, _: SocketAddr, _: SocketAddr) -> io::Result<Owner> {
            Err(io::ErrorKind::Unsupported.into())
        }
    }
}

pub mod apps {
    //! Which program holds a socket.

    use std::collections::{HashMap, HashSet};

    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct App {
        pub pid: u32,
        pub name: String,
    }

    pub fn holders(_: &HashSet<u32>) -> HashMap<u32, App> {
        HashMap::new()
    }

    pub fn family_holds(_: &[u32], _: u32) -> bool {
        false
    }

    pub fn children(_: u32) -> Vec<u32> {
        vec![]
    }
}

pub mod interfaces {
    //! The interfaces of this computer.

    use std::io;

    use crate::share::Interface;

    pub fn all() -> io::Result<Vec<Interface>> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
