//! What every test here starts with: a lab, a desktop on its client, and words for what is looked at.

use std::time::Duration;

use ropeway_lab::{
    Family, Lab, Process,
    harness::{lab_or_skip, wait_until},
    window::{App, Desktop, Visit, visit},
};

/// Longer than anything here takes on a busy machine; nothing waits for it to pass.
pub const SOON: Duration = Duration::from_secs(20);

/// What is left after a crash may take this long to go.
pub const CLEAN: Duration = Duration::from_secs(2);

/// The choice of what the table shows.
pub const CLOSED: &str = "[aria-label=\"Which connections\"] label:last-child";

/// How long curl tries.
const PATIENCE: Duration = Duration::from_secs(5);

/// A lab with a desktop on its client.
pub struct Stage {
    // first, so that its programs end before the network does
    pub desktop: Desktop,
    pub lab: Lab,
}

impl Stage {
    /// None, with a line that says so, where no lab can be made.
    pub fn set(test: &str) -> Option<Self> {
        let lab = lab_or_skip(test)?;
        let desktop = Desktop::start(&lab.client()).expect("a desktop");
        Some(Self { desktop, lab })
    }

    /// Saves the profile "Work" for that host of the lab, as if it had been typed earlier.
    pub fn save_work(&self, server: &str) {
        self.save("Work", server, self.lab.private_net(Family::V4));
    }

    /// Saves a profile with one network; its id is its name in lower case. The lab's public web is a neighbour of the client,
    /// so neighbours are taken, too.
    pub fn save(&self, name: &str, server: &str, subnet: &str) {
        let text = format!(
            "format = 1\nname = \"{name}\"\nserver = \"{server}\"\nssh-command = \"{}\"\nsubnets = [\"{subnet}\"]\n[reach]\nlocal-networks = true\n",
            self.ssh(),
        );
        self.desktop.save_profile(&name.to_lowercase(), &text).expect("a profile");
    }

    /// The ssh command with the lab's hosts.
    pub fn ssh(&self) -> String {
        format!("ssh -F {}", self.lab.ssh_config().display())
    }

    /// What curl gets from the private network.
    pub fn visit(&self) -> Visit {
        visit(&self.lab.client(), &self.lab.web_url(Family::V4, "/"), PATIENCE).expect("curl runs")
    }

    /// Curl gets the page with the lab's word.
    pub fn assert_reached(&self) -> Visit {
        let visit = self.visit();
        assert!(visit.succeeded() && visit.body.contains(self.lab.word()), "{visit:?}");
        visit
    }

    /// Curl gets nothing, and there is no rule.
    pub fn assert_not_reached(&self) {
        let visit = self.visit();
        assert!(!visit.succeeded() && visit.body.is_empty(), "{visit:?}");
        assert_eq!(self.lab.client().nft_tables().expect("nft runs"), Vec::<String>::new());
    }

    /// Opens the app with the profile "Work" and connects it by the window's switch.
    pub fn connected(&self) -> App {
        self.save_work("server");
        let app = self.desktop.open_app().expect("the app opens");
        switch(&app);
        connected(&app);
        app
    }

    /// The one program of that name on the client.
    pub fn process(&self, name: &str) -> Process {
        one(&self.lab.client().processes(), |process| process.name == name)
    }

    /// The login itself; guard and channels are other processes.
    pub fn master(&self) -> Process {
        one(&self.lab.client().processes(), |process| process.name == "ssh" && process.line.contains(" -M "))
    }
}

/// Clicks on the window's own switch.
pub fn switch(app: &App) {
    app.click("connect-switch").expect("the switch");
}

/// Waits until the window says that it is connected.
pub fn connected(app: &App) {
    app.wait_for("profile-row[data-phase=connected]").expect("connected");
    app.wait_for_text("state-words", "Connected", SOON).expect("connected, in words");
}

/// Waits until the window says that it is off.
pub fn off(app: &App) {
    app.wait_for_text("state-words", "Off", SOON).expect("off");
}

/// Waits for a condition, and says which one it was when it does not come.
pub fn until(what: &str, within: Duration, condition: impl FnMut() -> bool) {
    assert!(wait_until(within, condition), "not within {within:?}: {what}");
}

fn one(processes: &[Process], is_it: impl Fn(&Process) -> bool) -> Process {
    let found: Vec<_> = processes.iter().filter(|process| is_it(process)).collect();
    assert_eq!(found.len(), 1, "among {processes:#?}");
    found[0].clone()
}
