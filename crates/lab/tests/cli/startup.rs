//! The order of a start: rules are there as soon as the agent is being started, and it is connected when both are.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

use ropeway_lab::{
    Family,
    harness::{Ropeway, lab_or_skip, wait_until},
    ports,
};

use crate::{
    PRIVATE, SOON, assert_nothing_stays,
    login::assert_ends,
    other::{put_agent_on_server, with_agent},
};

#[test]
fn what_is_opened_before_the_agents_first_word_is_answered_after_it() {
    let Some(lab) = lab_or_skip("early") else { return };
    let home = lab.server().home_of_lab_user();
    put_agent_on_server(&lab);
    let program = with_agent(&lab, "until test -e $HOME/go; do sleep 0.05; done; exec $HOME/agent");
    let ropeway = Ropeway::start_program(&lab, &program, Some("server"), PRIVATE).expect("it starts");
    let loaded = || lab.client().nft_tables().expect("nft runs").contains(&"inet ropeway".to_owned());
    assert!(wait_until(SOON, loaded), "{:#?}", ropeway.lines());
    let web = SocketAddr::new(lab.private().address(Family::V4), ports::WEB);
    let ask = || {
        let mut socket = TcpStream::connect_timeout(&web, SOON)?;
        socket.set_read_timeout(Some(SOON))?;
        socket.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
        Ok::<_, std::io::Error>(socket)
    };
    let mut socket = lab.client().run(ask).expect("the client is up").expect("it is captured");
    assert!(!ropeway.lines().iter().any(|line| line.starts_with("Connected")), "the agent has said nothing");
    fs::write(home.join("go"), "").expect("the agent may go on");
    let mut page = String::new();
    socket.read_to_string(&mut page).expect("an answer");
    assert!(page.contains(lab.word()), "{page}");
    ropeway.wait_for_line("Connected", SOON).expect("now it is");
}

#[test]
fn rules_go_away_with_an_agent_that_never_spoke() {
    let Some(lab) = lab_or_skip("mute") else { return };
    let program = with_agent(&lab, "exit 1");
    let ropeway = Ropeway::start_program(&lab, &program, Some("server"), PRIVATE).expect("it starts");
    assert_ends(ropeway, "E-AGENT-ENDED");
    assert_nothing_stays(&lab);
}
