//! A name server, over UDP and TCP. What it knows is a file like `/etc/hosts`, read anew for each question: a name can move
//! while somebody has it open. Answers say that they are not to be kept. What does not fit into a datagram is cut off,
//! and `broken.…` is a name for which it fails.

use std::{
    fs,
    io::{self, Read, Write},
    net::{IpAddr, Ipv6Addr, TcpStream, UdpSocket},
    path::{Path, PathBuf},
    thread,
};

use anyhow::Result;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QTYPE, RCODE, ResourceRecord, TYPE, rdata::RData};

use crate::network::ports;

/// Bytes of a question, with room to spare.
const QUESTION: usize = 1500;

/// Writes what the name server knows from now on. A question in between finds the old or the new.
pub fn write_zone(file: &Path, names: &[(&str, IpAddr)]) -> Result<()> {
    let lines = names.iter().map(|(name, address)| format!("{address} {name}\n"));
    let new = file.with_extension("new");
    fs::write(&new, lines.collect::<String>())?;
    Ok(fs::rename(new, file)?)
}

/// Bytes of an answer over UDP when the asker says nothing of more (RFC 1035, 2.3.4).
const DATAGRAM: u16 = 512;

/// Answers questions over UDP and TCP from the file, for ever.
pub fn spawn(zone: &Path) -> io::Result<()> {
    let listener = super::listen(ports::DNS)?;
    let file = PathBuf::from(zone);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let file = file.clone();
            thread::spawn(move || over_tcp(&stream, &file));
        }
    });
    let (socket, zone) = (UdpSocket::bind((Ipv6Addr::UNSPECIFIED, ports::DNS))?, PathBuf::from(zone));
    thread::spawn(move || {
        let mut question = [0; QUESTION];
        loop {
            let Ok((length, from)) = socket.recv_from(&mut question) else { continue };
            let zone = fs::read_to_string(&zone).unwrap_or_default();
            let Ok(mut answer) = answer(&question[..length], &zone) else { continue };
            if answer.len() > room(&question[..length]) {
                answer = cut_off(&question[..length]).unwrap_or_default();
            }
            let _ = socket.send_to(&answer, from);
        }
    });
    Ok(())
}

fn over_tcp(mut stream: &TcpStream, zone: &Path) -> io::Result<()> {
    loop {
        let mut length = [0; 2];
        stream.read_exact(&mut length)?;
        let mut question = vec![0; u16::from_be_bytes(length).into()];
        stream.read_exact(&mut question)?;
        let zone = fs::read_to_string(zone).unwrap_or_default();
        let answer = answer(&question, &zone).map_err(|_| io::ErrorKind::InvalidData)?;
        let length = u16::try_from(answer.len()).map_err(|_| io::ErrorKind::InvalidData)?;
        stream.write_all(&[&length.to_be_bytes()[..], &answer].concat())?;
    }
}

/// What the asker takes (RFC 6891).
fn room(question: &[u8]) -> usize {
    let packet = Packet::parse(question).ok();
    let size = packet.as_ref().and_then(|packet| packet.opt()).map_or(DATAGRAM, |opt| opt.udp_packet_size);
    size.max(DATAGRAM).into()
}

fn cut_off(question: &[u8]) -> Result<Vec<u8>, simple_dns::SimpleDnsError> {
    let question = Packet::parse(question)?;
    let mut reply = Packet::new_reply(question.id());
    reply.set_flags(PacketFlag::AUTHORITATIVE_ANSWER | PacketFlag::TRUNCATION);
    reply.questions = question.questions;
    reply.build_bytes_vec()
}

fn answer(question: &[u8], zone: &str) -> Result<Vec<u8>, simple_dns::SimpleDnsError> {
    let question = Packet::parse(question)?;
    let mut reply = Packet::new_reply(question.id());
    reply.set_flags(PacketFlag::AUTHORITATIVE_ANSWER);
    let mut known = false;
    for asked in &question.questions {
        let asked_for = asked.qname.to_string();
        for name in names(zone, &asked_for) {
            known = true;
            if asked.qtype == QTYPE::TYPE(TYPE::PTR) {
                let data = RData::PTR(Name::new(name)?.into_owned().into());
                reply.answers.push(ResourceRecord::new(asked.qname.clone(), CLASS::IN, 0, data));
            }
        }
        for address in addresses(zone, &asked_for) {
            known = true;
            if asked.qtype == QTYPE::TYPE(kind(address)) {
                reply.answers.push(ResourceRecord::new(asked.qname.clone(), CLASS::IN, 0, data(address)));
            }
        }
    }
    let broken = question.questions.iter().any(|asked| asked.qname.to_string().starts_with("broken."));
    *reply.rcode_mut() = match known {
        _ if broken => RCODE::ServerFailure,
        true => RCODE::NoError,
        false => RCODE::NameError,
    };
    reply.questions = question.questions;
    reply.build_bytes_vec()
}

/// Of an address that is written as a name, backwards; an address has the first of its names.
fn names<'a>(zone: &'a str, reversed: &'a str) -> impl Iterator<Item = &'a str> {
    let named = zone.lines().filter_map(move |line| {
        let (address, name) = line.split_once(' ')?;
        reversed.eq_ignore_ascii_case(&backwards(address.parse().ok()?)).then_some(name)
    });
    named.take(1)
}

fn backwards(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(v6) => {
            let digits = format!("{:032x}", v6.to_bits());
            let backwards: Vec<String> = digits.chars().rev().map(String::from).collect();
            format!("{}.ip6.arpa", backwards.join("."))
        }
    }
}

fn kind(address: IpAddr) -> TYPE {
    if address.is_ipv4() { TYPE::A } else { TYPE::AAAA }
}

fn data(address: IpAddr) -> RData<'static> {
    match address {
        IpAddr::V4(address) => RData::A(address.into()),
        IpAddr::V6(address) => RData::AAAA(address.into()),
    }
}

fn addresses<'a>(zone: &'a str, name: &'a str) -> impl Iterator<Item = IpAddr> + 'a {
    zone.lines().filter_map(move |line| {
        let (address, known) = line.split_once(' ')?;
        known.eq_ignore_ascii_case(name).then(|| address.parse().ok())?
    })
}
