//! A real bus daemon of the test's own, with a small service in the helper's place.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
};

use ropeway_helper_api::EPOCH;
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::*;

/// How long a test waits for what should happen at once.
const SOON: Duration = Duration::from_secs(20);

struct Daemon {
    process: Child,
    bus: Bus,
    folder: TempDir,
}

impl Daemon {
    /// `services` are files by which it starts others.
    fn start(services: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in services {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let here = folder.path().display();
        let config = format!(
            "<busconfig><type>session</type><listen>unix:path={here}/bus</listen><servicedir>{here}</servicedir>\
             <policy context='default'><allow send_destination='*'/><allow receive_sender='*'/><allow own='*'/></policy></busconfig>"
        );
        let file = folder.path().join("bus.conf");
        fs::write(&file, config).unwrap();
        let mut process = Command::new("dbus-daemon")
            .args(["--nofork", "--print-address", "--config-file"])
            .arg(&file)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut address = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut address).unwrap();
        Self { process, bus: Bus { address: Some(address.trim().to_owned()) }, folder }
    }

    async fn serve(&self, helper: Fake) -> Connection {
        let address = self.bus.address.as_deref().unwrap();
        let builder = Builder::address(address).unwrap().serve_at(bus::PATH, helper).unwrap();
        builder.name(bus::NAME).unwrap().build().await.unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What a helper says, and how it was called.
#[derive(Clone, Default)]
struct Fake {
    epoch: u16,
    grants: Arc<Mutex<Vec<(u32, String)>>>,
    denies: bool,
    /// Its questions are never answered; who asks is told here.
    asking: Option<mpsc::UnboundedSender<String>>,
}

#[derive(Debug, zbus::DBusError)]
#[zbus(prefix = "org.ropeway.Helper1.Error")]
enum Refusal {
    #[zbus(error)]
    ZBus(zbus::Error),
    Denied(String),
    Invalid(String),
}

// the interface macro wants methods
#[allow(clippy::unused_self)]
#[zbus::interface(name = "org.ropeway.Helper1")]
impl Fake {
    async fn set_up(
        &self,
        grant: String,
        #[zbus(header)] header: zbus::message::Header<'_>,
    ) -> Result<(), Refusal> {
        if let Some(asking) = &self.asking {
            asking.send(header.sender().unwrap().to_string()).unwrap();
            std::future::pending::<()>().await;
        }
        if self.denies {
            return Err(Refusal::Denied("the question was closed".into()));
        }
        if !header.primary().flags().contains(zbus::message::Flags::AllowInteractiveAuth) {
            return Err(Refusal::Invalid("polkit may not ask".into()));
        }
        self.grants.lock().unwrap().push((4711, grant));
        Ok(())
    }

    fn grants(&self) -> Vec<(u32, String)> {
        self.grants.lock().unwrap().clone()
    }

    fn revoke(&self, uid: u32) {
        self.grants.lock().unwrap().retain(|(of, _)| *of != uid);
    }

    fn restore(&self) -> u32 {
        3
    }

    #[zbus(property)]
    fn epoch(&self) -> u16 {
        self.epoch
    }

    #[zbus(property)]
    fn version(&self) -> String {
        "1.2.3".into()
    }
}

#[tokio::test]
async fn without_a_bus_or_a_helper_nothing_is_there() {
    let nothing = Facts { uid: 7, ..Facts::default() };
    let daemon = Daemon::start(&[]);
    assert_eq!(daemon.bus.look(7).await, nothing);
    assert_eq!(daemon.bus.restore().await.unwrap_err().code, Code::HelperMissing);
    let gone = Bus { address: Some(format!("unix:path={}/nowhere", daemon.folder.path().display())) };
    assert_eq!(gone.look(7).await, nothing);
}

#[tokio::test]
async fn a_helper_tells_everybody_what_it_is() {
    let daemon = Daemon::start(&[]);
    let fake = Fake { epoch: 9, ..Fake::default() };
    // "some" is a grant that only a newer helper knows
    *fake.grants.lock().unwrap() = vec![(1000, "own".into()), (1001, "all".into()), (1002, "some".into())];
    let _service = daemon.serve(fake).await;
    let facts = daemon.bus.look(1001).await;
    let grants = vec![(1000, Grant::Own), (1001, Grant::All)];
    assert_eq!((facts.uid, facts.there), (1001, true));
    assert_eq!(facts.answer, Some(Answer { epoch: 9, version: "1.2.3".into(), grants }));
}

#[tokio::test]
async fn what_is_asked_arrives_and_polkit_may_ask_on() {
    let daemon = Daemon::start(&[]);
    let fake = Fake { epoch: EPOCH, ..Fake::default() };
    let _service = daemon.serve(fake.clone()).await;
    daemon.bus.set_up(Grant::All).await.unwrap();
    assert_eq!(*fake.grants.lock().unwrap(), [(4711, "all".to_owned())]);
    daemon.bus.revoke(4711).await.unwrap();
    assert!(fake.grants.lock().unwrap().is_empty());
    assert_eq!(daemon.bus.restore().await.unwrap(), 3);
}

#[tokio::test]
async fn a_refusal_keeps_its_reason() {
    let daemon = Daemon::start(&[]);
    let _service = daemon.serve(Fake { denies: true, ..Fake::default() }).await;
    let failure = daemon.bus.set_up(Grant::Own).await.unwrap_err();
    assert_eq!((failure.code, failure.detail.as_str()), (Code::Denied, "the question was closed"));
}

#[tokio::test]
async fn a_helper_that_does_not_start_is_there_and_silent() {
    let service = format!("[D-BUS Service]\nName={}\nExec=/bin/false\n", bus::NAME);
    let daemon = Daemon::start(&[("helper.service", &service)]);
    let facts = daemon.bus.look(7).await;
    assert_eq!((facts.there, facts.answer), (true, None));
    assert_eq!(daemon.bus.set_up(Grant::Own).await.unwrap_err().code, Code::HelperMissing);
}

/// The helper, and polkit behind it, can tell that nobody waits any more.
#[tokio::test]
async fn a_question_that_is_given_up_leaves_the_bus() {
    let daemon = Daemon::start(&[]);
    let (asking, mut asked) = mpsc::unbounded_channel();
    let service = daemon.serve(Fake { asking: Some(asking), ..Fake::default() }).await;
    let who = tokio::select! {
        who = asked.recv() => who.unwrap(),
        answer = daemon.bus.set_up(Grant::Own) => panic!("{answer:?}"),
    };
    let names = DBusProxy::new(&service).await.unwrap();
    let left = timeout(SOON, async {
        while names.name_has_owner(BusName::try_from(who.as_str()).unwrap()).await.unwrap() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    left.await.unwrap();
}

mod caretaker {
    //! What faces hear.

    use super::*;
    use crate::{
        api::{Event, HelperState, Interest},
        helper::Helper,
        hub::{Hub, Subscription},
        setup_helper::Caretaker,
    };

    async fn heard(events: &mut Subscription) -> HelperState {
        match timeout(SOON, events.next()).await.unwrap() {
            Some(Event::Helper { helper }) => helper,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn faces_hear_of_a_change_and_of_what_was_done() {
        let daemon = Daemon::start(&[]);
        let fake = Fake { epoch: EPOCH, ..Fake::default() };
        // nobody has this uid: whether there is a line to the real helper does not matter
        *fake.grants.lock().unwrap() = vec![(3_999_999_999, "own".into())];
        let _service = daemon.serve(fake).await;
        let (hub, nowhere) = (Arc::new(Hub::default()), daemon.folder.path().join("nothing"));
        let helper = Arc::new(Helper::new(nowhere.clone()));
        let bus = daemon.bus.clone();
        let caretaker = Caretaker { bus, ..Caretaker::new(nowhere, helper, hub.clone()) };
        let mut events = hub.subscribe(Interest::default()).0;

        assert_eq!(caretaker.known(), None);
        let state = caretaker.look().await;
        assert_eq!(state.grants.len(), 1);
        assert_eq!(caretaker.look().await, state);
        caretaker.revoke(3_999_999_999).await.unwrap();
        caretaker.revoke(3_999_999_999).await.unwrap();

        assert_eq!(heard(&mut events).await, state, "once, although it was asked twice");
        let after = heard(&mut events).await;
        assert!(after.grants.is_empty());
        assert_eq!(heard(&mut events).await, after, "what was done is told, changed or not");
        assert_eq!(caretaker.known(), Some(after));
    }

    /// Removing the helper of a package is the package manager's business, and nothing is run for it.
    #[tokio::test]
    async fn what_a_package_brought_is_not_removed() {
        let daemon = Daemon::start(&[]);
        let _service = daemon.serve(Fake { epoch: EPOCH + 1, ..Fake::default() }).await;
        let nowhere = daemon.folder.path().join("nothing");
        let helper = Arc::new(Helper::new(nowhere.clone()));
        let bus = daemon.bus.clone();
        let caretaker = Caretaker { bus, ..Caretaker::new(nowhere, helper, Arc::default()) };
        assert_eq!(caretaker.remove().await.unwrap_err().code, Code::Unsupported);
        let own = crate::api::GrantScope::Own;
        assert_eq!(caretaker.set_up(own).await.unwrap_err().code, Code::HelperOld);
    }
}
