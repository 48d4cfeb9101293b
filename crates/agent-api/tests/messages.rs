//! Every message reads back as it was, and no bytes do harm.
#![allow(clippy::unwrap_used)]

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use ipnet::IpNet;
use proptest::prelude::*;
use ropeway_agent_api::{
    Answer, Datagram, NoAnswer, Question, Report, Request, Routes, Transport, Undelivered,
};

fn message() -> impl Strategy<Value = Bytes> {
    prop::collection::vec(any::<u8>(), 0..600).prop_map(Bytes::from)
}

fn question() -> impl Strategy<Value = Question> {
    let over = prop_oneof![Just(Transport::Udp), Just(Transport::Tcp)];
    let to = prop::option::of((any::<IpAddr>(), any::<u16>()).prop_map(SocketAddr::from));
    (any::<u32>(), over, to, message()).prop_map(|(id, over, to, message)| Question { id, over, to, message })
}

fn answer() -> impl Strategy<Value = Answer> {
    let none = prop_oneof![Just(NoAnswer::Silence), Just(NoAnswer::NoServer), Just(NoAnswer::Failed)];
    let message = prop_oneof![message().prop_map(Ok), none.prop_map(Err)];
    (any::<u32>(), message).prop_map(|(id, message)| Answer { id, message })
}

fn datagram() -> impl Strategy<Value = Datagram> {
    let lost = prop_oneof![
        Just(Undelivered::Refused),
        Just(Undelivered::Unreachable),
        Just(Undelivered::Prohibited)
    ];
    let payload = prop_oneof![message().prop_map(Ok), lost.prop_map(Err)];
    let remote = (any::<IpAddr>(), any::<u16>()).prop_map(SocketAddr::from);
    (any::<u32>(), remote, payload).prop_map(|(id, remote, payload)| Datagram { id, remote, payload })
}

fn net() -> impl Strategy<Value = IpNet> {
    (any::<IpAddr>(), any::<u8>())
        .prop_map(|(ip, width)| IpNet::new(ip, width % if ip.is_ipv4() { 33 } else { 129 }).unwrap().trunc())
}

fn routes() -> impl Strategy<Value = Routes> {
    let networks = prop::collection::vec(net(), 0..50);
    let search = prop::collection::vec("[a-z.ü]{0,30}", 0..Routes::MAX_SEARCH);
    (any::<bool>(), any::<bool>(), networks, search).prop_map(|(default_v4, default_v6, networks, search)| {
        Routes { default_v4, default_v6, networks, search }
    })
}

fn request() -> impl Strategy<Value = Request> {
    let look_up = (any::<u32>(), ".{0,60}").prop_map(|(id, name)| Request::LookUp { id, name });
    prop_oneof![Just(Request::Routes), look_up]
}

fn report() -> impl Strategy<Value = Report> {
    let looked_up = (any::<u32>(), prop::collection::vec(any::<IpAddr>(), 0..20))
        .prop_map(|(id, addresses)| Report::LookedUp { id, addresses });
    prop_oneof![routes().prop_map(Report::Routes), looked_up]
}

proptest! {
    #[test]
    fn what_was_written_is_read(
        question in question(), answer in answer(), datagram in datagram(), request in request(), report in report(),
    ) {
        prop_assert_eq!(Question::decode(question.encode()), Ok(question));
        prop_assert_eq!(Answer::decode(answer.encode()), Ok(answer));
        prop_assert_eq!(Datagram::decode(datagram.encode()), Ok(datagram));
        let (kind, bytes) = request.encode();
        prop_assert_eq!(Request::decode(kind, bytes), Ok(Some(request)));
        let (kind, bytes) = report.encode();
        prop_assert_eq!(Report::decode(kind, bytes), Ok(Some(report)));
    }

    #[test]
    fn any_bytes_are_a_message_or_none(kind in 0..8_u8, bytes in message()) {
        let _ = (Question::decode(bytes.clone()), Answer::decode(bytes.clone()));
        let _ = Datagram::decode(bytes.clone());
        let _ = (Request::decode(kind, bytes.clone()), Report::decode(kind, bytes));
    }
}

#[test]
fn what_is_too_long_is_cut_and_still_read() {
    let net: IpNet = "2001:db8::/64".parse().unwrap();
    let routes =
        Routes { networks: vec![net; 9999], search: vec!["ä".repeat(200); 99], ..Routes::default() };
    let (kind, bytes) = Report::Routes(routes).encode();
    assert!(bytes.len() <= 65_536, "{}", bytes.len());
    let Ok(Some(Report::Routes(read))) = Report::decode(kind, bytes) else { panic!("not read") };
    assert_eq!((read.networks.len(), read.search.len()), (Routes::MAX, Routes::MAX_SEARCH));
}
