//! How the ends and failures of a target reach the program on this side.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use ropeway_lab::{
    Family, Lab,
    harness::{lab_or_skip, wait_until},
    serve::FAREWELL,
};

use crate::{SOON, first_byte, listeners_of_ours, tunnel, tunnel_for};

/// A target's refusal is one round trip away; the rest is for a busy machine.
const AT_ONCE: Duration = Duration::from_secs(1);

/// The lab's own kernel takes a second to hear that an IPv6 host cannot be reached.
const AFTER_A_SECOND: Duration = Duration::from_secs(3);

#[test]
fn a_refused_connection_is_reset_without_a_byte() {
    let Some(lab) = lab_or_skip("refused") else { return };
    let _tunnel = tunnel(&lab);
    for family in Family::BOTH {
        assert_reset(&lab, lab.refuses(family), AT_ONCE);
    }
}

#[test]
fn an_unreachable_target_is_reset_without_a_byte() {
    let Some(lab) = lab_or_skip("unreachable") else { return };
    let _tunnel = tunnel(&lab);
    assert_reset(&lab, lab.unreachable(Family::V4), AT_ONCE);
    assert_reset(&lab, lab.unreachable(Family::V6), AFTER_A_SECOND);
}

#[test]
fn the_program_may_end_its_direction_first() {
    let Some(lab) = lab_or_skip("ends-first") else { return };
    let _tunnel = tunnel(&lab);
    for family in Family::BOTH {
        let answer = on_client(&lab, lab.echo(family), |mut stream| {
            stream.write_all(b"before the end")?;
            stream.shutdown(Shutdown::Write)?;
            io::read_to_string(stream)
        });
        assert_eq!(answer.expect("the echo comes after the end"), "before the end");
    }
}

#[test]
fn the_target_may_end_its_direction_first() {
    let Some(lab) = lab_or_skip("target-ends") else { return };
    let _tunnel = tunnel(&lab);
    for family in Family::BOTH {
        let words = format!("still talking over {family:?}");
        let goodbye = on_client(&lab, lab.farewell(family), |mut stream| {
            let mut goodbye = String::new();
            stream.read_to_string(&mut goodbye)?;
            stream.write_all(words.as_bytes())?;
            Ok(goodbye)
        });
        assert_eq!(goodbye.expect("the end of one direction is no error"), FAREWELL);
        let url = lab.web_url(family, "/last-words");
        let heard = || lab.server().fetch(&url, SOON).is_ok_and(|page| page.body == words);
        assert!(wait_until(SOON, heard), "what was said after the target's end did not arrive");
    }
}

#[test]
fn a_stopped_reader_stalls_nobody_else() {
    let Some(lab) = lab_or_skip("stopped") else { return };
    let _tunnel = tunnel(&lab);
    let web = SocketAddr::new(lab.private().address(Family::V4), ropeway_lab::ports::WEB);
    let _stopped = on_client(&lab, web, |mut stream| {
        stream.write_all(b"GET /big HTTP/1.1\r\nHost: lab\r\n\r\n")?;
        Ok(stream)
    })
    .expect("the request is sent, and the answer never read");
    for _ in 0..20 {
        crate::assert_works(&lab, Family::V4);
    }
}

#[test]
fn a_connection_to_the_listener_itself_is_reset() {
    let Some(lab) = lab_or_skip("listener") else { return };
    let _tunnel = tunnel_for(&lab, &["0/0", "::/0", "--local-networks"]);
    let listeners = listeners_of_ours(&lab);
    assert!(
        listeners.iter().any(SocketAddr::is_ipv4) && listeners.iter().any(SocketAddr::is_ipv6),
        "{listeners:?}"
    );
    for listener in listeners {
        let error = first_byte(&lab.client(), listener).expect_err("there is nobody behind the listener");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{listener}");
    }
}

/// `connect` succeeds, because the kernel sent it to us; the read after it says that the far end failed. curl calls
/// that 56 (or 7, when it was kept from looking until the reset was there), and never 52, a tidy end without a byte.
fn assert_reset(lab: &Lab, to: SocketAddr, within: Duration) {
    let started = Instant::now();
    let error = first_byte(&lab.client(), to).expect_err("nobody can be there");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{to}");
    assert!(started.elapsed() < within, "{to}: {:?}", started.elapsed());
    let page = lab.client().fetch(&format!("http://{to}/"), SOON).expect("curl runs");
    assert!(matches!(page.code, 56 | 7) && page.body.is_empty(), "{to}: {page:?}");
}

fn on_client<T: Send>(
    lab: &Lab,
    to: SocketAddr,
    talk: impl FnOnce(TcpStream) -> io::Result<T> + Send,
) -> io::Result<T> {
    let client = lab.client();
    client.run(|| talk(TcpStream::connect_timeout(&to, SOON)?)).expect("the client is up")
}
