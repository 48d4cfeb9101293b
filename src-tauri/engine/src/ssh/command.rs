//! The command lines of ssh.

use std::{ffi::OsString, path::Path};

use crate::profile::Server;

/// Seconds that ssh may take to connect one TCP address. Its own default is the kernel's two minutes, in which a
/// person gives up; a satellite link needs two seconds. The profile's own `-o ConnectTimeout` comes first and wins.
const CONNECT_TIMEOUT: u32 = 20;

/// Our private master: signs in and carries channels, nothing else. What the user's configuration would make it
/// do besides (forwards, commands, a terminal, another master) is switched off.
///
/// `wish` comes last: whatever the profile's own options say to the same thing, ssh takes the first.
pub fn master(program: &[String], server: &Server, socket: &Path, wish: Option<&str>) -> Vec<OsString> {
    let mut args = strings(program);
    args.extend(login(server, socket, wish));
    args
}

/// Asks ssh what the configuration of that login is. Only what is called ssh can be asked: nobody knows what a wrapper
/// does with an option that it has never seen.
pub fn configuration(program: &[String], server: &Server, socket: &Path) -> Option<Vec<OsString>> {
    ssh(program)?;
    let mut args = strings(program);
    args.push("-G".into());
    args.extend(login(server, socket, None));
    Some(args)
}

/// The same where nobody has configured anything.
pub fn defaults(program: &[String]) -> Option<Vec<OsString>> {
    Some(strings(&[ssh(program)?, "-G", "-F", "/dev/null", "--", "ropeway"]))
}

fn login(server: &Server, socket: &Path, wish: Option<&str>) -> Vec<OsString> {
    let mut args = vec![];
    args.extend(strings(&["-M", "-N", "-n", "-T", "-S"]));
    args.push(socket.into());
    for option in [
        "ControlPersist=no",
        "BatchMode=yes",
        "ClearAllForwardings=yes",
        "PermitLocalCommand=no",
        "RemoteCommand=none",
        "ForkAfterAuthentication=no",
        "LogLevel=INFO",
    ] {
        args.extend(strings(&["-o", option]));
    }
    args.extend(strings(&["-o", &format!("ConnectTimeout={CONNECT_TIMEOUT}")]));
    args.extend(wish.into_iter().flat_map(|wish| strings(&["-o", wish])));
    if let Some(port) = server.port {
        args.extend(strings(&["-p", &port.to_string()]));
    }
    args.extend(strings(&["--", &server.destination]));
    args
}

/// A channel of that master that runs `remote`. It reads no configuration (a `Match exec` would run again) and can
/// reach nothing but the socket: without it there is no way to connect.
pub fn channel(program: &[String], socket: &Path, remote: &str) -> Vec<OsString> {
    let mut args = strings(&[ssh(program).unwrap_or("ssh"), "-F", "/dev/null", "-T", "-S"]);
    args.push(socket.into());
    for option in ["ControlMaster=no", "ProxyCommand=false", "BatchMode=yes", "LogLevel=ERROR"] {
        args.extend(strings(&["-o", option]));
    }
    args.extend(strings(&["--", "ropeway", remote]));
    args
}

/// The program, where it is ssh itself.
fn ssh(program: &[String]) -> Option<&str> {
    let name = program.first()?;
    Path::new(name).file_name().is_some_and(|name| name == "ssh").then_some(name)
}

fn strings<S: AsRef<str>>(words: &[S]) -> Vec<OsString> {
    words.iter().map(|word| word.as_ref().into()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(args: &[OsString]) -> String {
        args.iter().map(|arg| arg.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_users_options_come_first_and_win() {
        let program = ["ssh", "-F", "my.conf", "-o", "ConnectTimeout=3"].map(String::from);
        let server = Server { destination: "dev@bastion".into(), port: Some(2222) };
        let line = line(&master(&program, &server, Path::new("/run/s"), Some("ConnectTimeout=9")));
        assert!(line.starts_with("ssh -F my.conf -o ConnectTimeout=3 -M -N "), "{line}");
        assert!(line.ends_with("-o ConnectTimeout=9 -p 2222 -- dev@bastion"), "{line}");
    }

    #[test]
    fn the_configuration_that_is_asked_for_is_the_logins() {
        let program = ["/opt/bin/ssh", "-F", "my.conf"].map(String::from);
        let server = Server { destination: "dev@bastion".into(), port: Some(2222) };
        let login = line(&master(&program, &server, Path::new("/run/s"), None));
        let asked = line(&configuration(&program, &server, Path::new("/run/s")).unwrap());
        assert_eq!(asked, login.replacen("my.conf ", "my.conf -G ", 1));
        assert_eq!(line(&defaults(&program).unwrap()), "/opt/bin/ssh -G -F /dev/null -- ropeway");
        assert_eq!(configuration(&["my-wrapper".into(), "ssh".into()], &server, Path::new("/run/s")), None);
    }

    #[test]
    fn a_channel_can_only_reach_the_masters_socket() {
        let line = line(&channel(&["/opt/bin/ssh".into(), "-v".into()], Path::new("/run/s"), "true"));
        assert!(line.starts_with("/opt/bin/ssh -F /dev/null -T -S /run/s "), "{line}");
        assert!(line.contains("-o ProxyCommand=false"), "{line}");
    }

    #[test]
    fn a_wrapper_is_used_for_the_login_only() {
        let program = ["my-wrapper", "ssh"].map(String::from);
        assert!(line(&channel(&program, Path::new("/run/s"), "true")).starts_with("ssh "));
    }
}
