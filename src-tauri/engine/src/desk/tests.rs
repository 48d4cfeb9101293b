//! Profiles and tunnels together, as far as that goes without a server: no agent is installed here, so every start of
//! "this computer" fails with E-AGENT.

use std::time::Duration;

use tokio::time::timeout;

use super::*;
use crate::{
    agents::Agents,
    api::{Interest, Status},
    helper::Helper,
    hub::Subscription,
    live::Table,
    memory::Memory,
    meters::Meters,
    session::conflicts::Names,
};

/// Long enough for any machine; nothing here takes a second.
const PATIENCE: Duration = Duration::from_secs(20);

struct Setting {
    desk: Desk,
    events: Subscription,
    _runtime: tempfile::TempDir,
}

fn set_up() -> Setting {
    let runtime = tempfile::tempdir().unwrap();
    let hub = Arc::new(Hub::default());
    let helper = Arc::new(Helper::new(runtime.path().join("no-helper")));
    let tools = Tools {
        meters: Arc::new(Meters::new(helper.clone())),
        helper,
        table: Arc::new(Table::default()),
        hosts: Arc::default(),
        agents: Arc::new(Agents::default()),
        ours: Arc::default(),
        names: Names::default(),
        answering: Arc::default(),
        ups: Arc::default(),
        memory: Arc::new(Memory::new(runtime.path())),
        runtime: runtime.path().to_owned(),
    };
    let (events, _) = hub.subscribe(Interest::default());
    Setting { desk: Desk::new(tools, hub), events, _runtime: runtime }
}

fn profile(subnet: &str) -> Profile {
    let id = ProfileId("work".into());
    Profile { id, name: "Work".into(), subnets: vec![subnet.into()], ..Profile::default() }
}

impl Setting {
    /// Waits for a state of which `is_it` is true.
    async fn state(&mut self, is_it: impl Fn(&Status) -> bool) -> Status {
        let wait = async {
            loop {
                match self.events.next().await {
                    Some(Event::Status { status }) if is_it(&status) => return status,
                    Some(_) => {}
                    None => panic!("no more events"),
                }
            }
        };
        timeout(PATIENCE, wait).await.expect("the state comes")
    }
}

#[tokio::test]
async fn a_failure_is_told_and_forgotten_when_the_profile_changes() {
    let mut setting = set_up();
    setting.desk.lay_out(vec![profile("10/8")], vec![]);
    setting.desk.connect(&ProfileId("work".into())).unwrap();
    let failed = setting.state(|status| status.phase == Phase::Error).await;
    assert_eq!(failed.failure.unwrap().code, Code::Agent);
    setting.desk.lay_out(vec![profile("10/8")], vec![]);
    assert!(setting.desk.state().tunnels.values().all(|it| it.status(|status| status.phase == Phase::Error)));
    setting.desk.lay_out(vec![profile("10.1/16")], vec![]);
    let off = setting.state(|status| status.phase == Phase::Off && status.failure.is_none()).await;
    assert!(off.sentence.contains("10.1.0.0/16"), "{}", off.sentence);
}

#[tokio::test]
async fn whoever_waits_for_the_end_hears_it_though_a_new_start_follows() {
    let setting = set_up();
    setting.desk.lay_out(vec![profile("10/8")], vec![]);
    let id = ProfileId("work".into());
    for _ in 0..20 {
        setting.desk.connect(&id).unwrap();
        let gone = setting.desk.disconnect(&id);
        let again = async { setting.desk.connect(&id) };
        let (gone, again) =
            timeout(PATIENCE, async { tokio::join!(gone, again) }).await.expect("it is heard");
        gone.and(again).unwrap();
    }
    timeout(PATIENCE, setting.desk.disconnect_all()).await.expect("all end");
}

#[tokio::test]
async fn a_profile_that_is_gone_has_no_tunnel() {
    let setting = set_up();
    setting.desk.lay_out(vec![profile("10/8")], vec![]);
    setting.desk.lay_out(vec![], vec![]);
    let id = ProfileId("work".into());
    assert_eq!(setting.desk.connect(&id).unwrap_err().code, Code::ProfileMissing);
    assert_eq!(setting.desk.disconnect(&id).await.unwrap_err().code, Code::ProfileMissing);
}

#[tokio::test]
async fn a_profile_in_no_file_survives_changes_of_the_files() {
    let setting = set_up();
    let id = setting.desk.run(profile("10/8")).unwrap();
    setting.desk.lay_out(vec![profile("10/8")], vec![]);
    assert!(id.is_unsaved() && setting.desk.state().tunnels.contains_key(&id));
}

#[tokio::test]
async fn nothing_begins_on_a_closed_desk() {
    let setting = set_up();
    setting.desk.lay_out(vec![profile("10/8")], vec![]);
    setting.desk.close();
    assert_eq!(setting.desk.connect(&ProfileId("work".into())).unwrap_err().code, Code::Internal);
}

#[tokio::test]
async fn what_cannot_be_used_says_why_when_it_is_connected() {
    let mut setting = set_up();
    setting.desk.lay_out(vec![profile("10/40")], vec![]);
    setting.desk.toggle(&ProfileId("work".into())).await.unwrap();
    let failure = setting.state(|status| status.phase == Phase::Error).await.failure.unwrap();
    assert_eq!(failure.code, Code::ProfileInvalid);
    assert!(failure.detail.starts_with("10/40: "), "{}", failure.detail);
}
