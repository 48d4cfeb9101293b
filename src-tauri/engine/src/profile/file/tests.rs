#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

fn work() -> Profile {
    Profile {
        id: ProfileId("work".into()),
        name: "Work".into(),
        server: "me@bastion".into(),
        ssh_command: String::new(),
        subnets: vec!["10/8".into()],
        excludes: vec![],
        capture: String::new(),
        while_down: WhileDown::Open,
        latency: String::new(),
        ..Profile::default()
    }
}

fn read_work(text: &str) -> Result<Profile, FileError> {
    read(text, ProfileId("work".into()))
}

#[test]
fn a_new_file_is_short() {
    assert_eq!(
        write("", &work()).unwrap(),
        "format = 1\nname = \"Work\"\nserver = \"me@bastion\"\nsubnets = [\"10/8\"]\n"
    );
}

#[test]
fn long_lists_have_a_line_for_each_entry() {
    let profile = Profile { subnets: vec!["10/8".into(), "::/0".into()], ..work() };
    let text = write("", &profile).unwrap();
    assert!(text.ends_with("subnets = [\n    \"10/8\",\n    \"::/0\",\n]\n"), "{text}");
    assert_eq!(read_work(&text), Ok(profile));
}

const COMMENTED: &str = r#"# my tunnel
format = 1
name = "Work" # the office
colour = "red" # of a newer version
server = 'old'

subnets = [
    # offices
    "10/8", # Berlin
    "172.16/12",  # Paris
    # last
]

[future]
key = { a = 1 }
"#;

#[test]
fn comments_and_unknown_keys_stay() {
    let profile = Profile { subnets: vec!["172.16/12".into(), "192.168/16".into()], ..work() };
    let text = write(COMMENTED, &profile).unwrap();
    assert_eq!(read_work(&text), Ok(profile));
    for kept in
        ["# my tunnel", "\"Work\" # the office", "colour = \"red\" # of a newer version", "key = { a = 1 }"]
    {
        assert!(text.contains(kept), "{kept} is gone:\n{text}");
    }
    for comment in ["# offices", "# Berlin", "# Paris", "# last"] {
        assert!(text.contains(comment), "{comment} is gone:\n{text}");
    }
}

#[test]
fn saving_what_is_there_changes_no_byte() {
    let profile = read_work(COMMENTED).unwrap();
    assert_eq!(write(COMMENTED, &profile).unwrap(), COMMENTED);
}

#[test]
fn an_emptied_value_keeps_its_line() {
    let old = "format = 1\nname = \"a\"\nserver = \"x\" # main\nsubnets = []\n";
    let text = write(old, &Profile { server: String::new(), ..work() }).unwrap();
    assert!(text.contains("server = \"\" # main"), "{text}");
}

#[test]
fn latency_is_a_number_or_a_word() {
    for (line, text) in
        [("latency = 65536", "65536"), ("latency = \"unlimited\"", "unlimited"), ("latency = -1", "-1")]
    {
        let file =
            format!("format = 1\nname = \"Work\"\nserver = \"me@bastion\"\nsubnets = [\"10/8\"]\n{line}\n");
        let profile = read_work(&file).unwrap();
        assert_eq!(profile.latency, text);
        assert_eq!(write("", &profile).unwrap(), file);
    }
    let quoted =
        "format = 1\nname = \"Work\"\nserver = \"me@bastion\"\nsubnets = []\nlatency = \"65536\" # mine\n";
    assert_eq!(write(quoted, &read_work(quoted).unwrap()).unwrap(), quoted, "as it was written");
    let text = write(quoted, &Profile { subnets: vec![], ..work() }).unwrap();
    assert!(text.ends_with("latency = \"\" # mine\n"), "{text}");
    assert!(read_work("format = 1\nname = \"a\"\nlatency = [1]\n").is_err());
}

#[test]
fn mistakes_name_their_line() {
    let refused = |text: &str| read_work(text).unwrap_err().to_string();
    assert!(refused("format = 1\nname = \"a\nserver = 1").starts_with("line 2: "));
    assert!(refused("format = 1\nname = \"a\"\n\nsubnets = [1]\n").starts_with("line 4: "));
    assert!(refused("format = 1\n").contains("name"));
    assert_eq!(refused("name = \"a\"\n"), "the line “format = 1” is missing");
    assert!(refused("format = 2\nname = 7\n").starts_with("it is written in format 2;"));
    assert!(refused("format = \"1\"\nname = \"a\"\n").starts_with("it is written in format \"1\";"));
}

fn any_profile() -> impl Strategy<Value = Profile> {
    let texts = || prop::collection::vec(any::<String>(), 0..4);
    let while_down = prop::sample::select(vec![WhileDown::Open, WhileDown::Networks, WhileDown::Everything]);
    let latency = prop_oneof![any::<String>(), any::<i64>().prop_map(|number| number.to_string())];
    let names = (any::<bool>(), texts(), texts(), texts(), any::<bool>(), any::<String>()).prop_map(
        |(dns, domains, name_servers, seed_hosts, auto_hosts, suffix)| Names {
            dns,
            domains,
            name_servers,
            ns_hosts: vec![],
            auto_hosts,
            seed_hosts,
            suffix,
        },
    );
    let reach = (any::<bool>(), any::<bool>(), any::<bool>(), texts())
        .prop_map(|(auto_nets, local_networks, udp, share)| Reach { auto_nets, local_networks, udp, share });
    let words = (any::<String>(), any::<String>(), any::<String>(), any::<String>());
    (words, texts(), texts(), while_down, latency, names, reach).prop_map(
        |((name, server, ssh_command, capture), subnets, excludes, while_down, latency, names, reach)| {
            let (id, built_in) = (ProfileId("work".into()), false);
            Profile {
                id,
                name,
                server,
                ssh_command,
                subnets,
                excludes,
                capture,
                while_down,
                latency,
                names,
                reach,
                built_in,
            }
        },
    )
}

proptest! {
    #![proptest_config(crate::testing::rounds(128))]

    #[test]
    fn what_is_written_reads_back(first in any_profile(), second in any_profile()) {
        let text = write("", &first).unwrap();
        prop_assert_eq!(read_work(&text), Ok(first));
        let text = write(&text, &second).unwrap();
        prop_assert_eq!(read_work(&text), Ok(second));
    }

    #[test]
    fn edits_of_a_list_keep_every_comment(keep in prop::collection::vec("10/8|172\\.16/12|[0-9]/8", 0..5)) {
        let text = write(COMMENTED, &Profile { subnets: keep.clone(), ..work() }).unwrap();
        prop_assert_eq!(read_work(&text).map(|profile| profile.subnets), Ok(keep));
        prop_assert_eq!(text.matches('#').count(), COMMENTED.matches('#').count());
    }

    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        let _ = read_work(&text);
        let _ = write(&text, &work());
    }
}
