//! Every message reads back as it was, and no bytes do harm.
#![allow(clippy::unwrap_used)]

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use ipnet::IpNet;
use proptest::prelude::*;
use ropeway_agent_api::{
    Answer, Datagram, FoundHost, NoAnswer, Question, Report, Request, Routes, Source, Transport, Undelivered,
    answers, resolv_conf::ResolvConf,
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
    let watch = (prop::collection::vec("[a-z.ü]{0,30}", 0..20), any::<bool>())
        .prop_map(|(seeds, auto)| Request::WatchHosts { seeds, auto });
    prop_oneof![Just(Request::Routes), look_up, watch]
}

fn found() -> impl Strategy<Value = FoundHost> {
    let source =
        [Source::HostsFile, Source::Seed, Source::ReverseDns, Source::NetBios, Source::Cache].map(Just);
    (".{0,60}", any::<IpAddr>(), proptest::strategy::Union::new(source))
        .prop_map(|(name, address, source)| FoundHost { name, address, source })
}

fn report() -> impl Strategy<Value = Report> {
    let looked_up = (any::<u32>(), prop::collection::vec(any::<IpAddr>(), 0..20))
        .prop_map(|(id, addresses)| Report::LookedUp { id, addresses });
    let hosts = prop::collection::vec(found(), 0..20).prop_map(Report::Hosts);
    prop_oneof![routes().prop_map(Report::Routes), looked_up, hosts]
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
        let _ = (Request::decode(kind, bytes.clone()), Report::decode(kind, bytes.clone()));
        let _ = (answers(&bytes, &bytes[bytes.len() / 2..]), answers(&bytes[bytes.len() / 2..], &bytes));
        let _ = ResolvConf::parse(&String::from_utf8_lossy(&bytes), |_| None);
        let _ = Datagram::decode(bytes.clone());
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

#[test]
fn the_longest_lists_of_names_fit_into_a_message() {
    let found =
        FoundHost { name: "ä".repeat(200), address: "2001:db8::1".parse().unwrap(), source: Source::Cache };
    let (kind, bytes) = Report::Hosts(vec![found; 9999]).encode();
    assert!(bytes.len() <= 65_536, "{}", bytes.len());
    let Ok(Some(Report::Hosts(read))) = Report::decode(kind, bytes) else { panic!("not read") };
    assert_eq!(read.len(), Report::MAX_HOSTS);
    let (kind, bytes) = Request::WatchHosts { seeds: vec!["ä".repeat(200); 9999], auto: true }.encode();
    assert!(bytes.len() <= 65_536, "{}", bytes.len());
    let Ok(Some(Request::WatchHosts { seeds, .. })) = Request::decode(kind, bytes) else {
        panic!("not read")
    };
    assert_eq!(seeds.len(), Request::MAX_SEEDS);
}
