//! What a client asks for until the helper is dead, and what the machine must look like after that.

use std::{collections::BTreeSet, process::Stdio};

use ropeway_helper_api::{
    Block, BlockId, Capture, HostEntry, Hosts, ListenerPorts, Plan, Ports, Reject, Reply, Request, SessionId,
};

use crate::{
    dice::Dice,
    machine::{Machine, is_closed},
    mortal::{Death, Mortal, points},
};

/// One request; variants differ in what they ask for.
#[derive(Debug, Clone, Copy)]
pub enum Step {
    Load {
        session: u32,
        variant: u8,
    },
    Block {
        session: u32,
        variant: u8,
    },
    /// Variant 0 has no names.
    Names {
        session: u32,
        variant: u8,
    },
    Hold {
        session: u32,
    },
    Unload {
        session: u32,
    },
}

/// A life, and what is known of it.
pub struct Story<'a> {
    steps: &'a [Step],
    /// Sessions whose profile keeps something closed.
    closed: BTreeSet<u32>,
    /// What the helper was asked for when it died.
    pub last: Option<Step>,
    pub died: bool,
}

impl<'a> Story<'a> {
    pub fn new(steps: &'a [Step]) -> Self {
        Self { steps, closed: BTreeSet::new(), last: None, died: false }
    }

    /// The kill points of an undisturbed life.
    pub fn points(self, machine: &Machine) -> Vec<String> {
        let mortal = Mortal::start(machine, Death::Never, Stdio::piped());
        assert!(matches!(mortal.greet(), Some(Reply::Hello { .. })));
        for step in self.steps {
            let reply = mortal.ask(&step.request()).unwrap();
            assert!(!matches!(reply, Reply::Error(_)), "{step:?}: {reply:?}");
        }
        let (log, killed) = mortal.end();
        assert!(!killed);
        machine.assert_nothing_at_all("an undisturbed life");
        points(&log)
    }

    pub fn play(mut self, machine: &Machine, death: Death) -> Self {
        let mortal = Mortal::start(machine, death, Stdio::null());
        if mortal.greet().is_some() {
            self.ask_all(&mortal);
        }
        if death == Death::AtTheEnd {
            mortal.kill();
            self.died = true;
        } else {
            self.died = mortal.end().1;
        }
        self
    }

    fn ask_all(&mut self, mortal: &Mortal) {
        for step in self.steps {
            self.last = Some(*step);
            let Some(reply) = mortal.ask(&step.request()) else { return };
            match step {
                _ if matches!(reply, Reply::Error(_)) => {}
                Step::Block { session, .. } => drop(self.closed.insert(*session)),
                Step::Unload { session } => drop(self.closed.remove(session)),
                _ => {}
            }
        }
        self.last = None;
    }

    /// After recovery. Whether a request is fulfilled in whose middle the helper died, nobody can expect.
    pub fn check(&self, machine: &Machine, round: &str) {
        machine.assert_as_it_was(round);
        let in_between = match self.last {
            Some(Step::Block { .. }) => true,
            Some(Step::Unload { session }) => self.closed.contains(&session),
            _ => false,
        };
        if !in_between {
            assert_eq!(is_closed(), !self.closed.is_empty(), "{round}: ropeway_ks");
        }
        restore_network(machine);
        machine.assert_nothing_at_all(round);
    }
}

/// What "Restore network" does.
fn restore_network(machine: &Machine) {
    let mortal = Mortal::start(machine, Death::Never, Stdio::null());
    mortal.greet();
    assert_eq!(mortal.ask(&Request::Restore { everybody: true }), Some(Reply::Done));
    mortal.end();
}

impl Step {
    pub fn any(dice: &mut Dice) -> Self {
        let session = 1 + dice.up_to(2) as u32;
        let variant = dice.up_to(3) as u8;
        match dice.up_to(8) {
            0 | 1 => Self::Load { session, variant },
            2 => Self::Block { session, variant },
            3..6 => Self::Names { session, variant },
            6 => Self::Hold { session },
            _ => Self::Unload { session },
        }
    }

    fn request(self) -> Request {
        match self {
            Self::Load { session, variant } => {
                Request::Load { session: SessionId(session), plan: plan(variant) }
            }
            Self::Block { session, variant } => {
                Request::Block { session: SessionId(session), block: block(session, variant) }
            }
            Self::Names { session, variant } => {
                Request::SetHosts { session: SessionId(session), hosts: names(session, variant) }
            }
            Self::Hold { session } => Request::Hold { session: SessionId(session) },
            Self::Unload { session } => Request::Unload { session: SessionId(session) },
        }
    }
}

fn plan(variant: u8) -> Plan {
    let listener = Some(Ports { first: 12_300, last: 12_307 });
    let nets = ["10.0.0.0/8".to_string(), format!("172.16.{variant}.0/24")];
    Plan {
        include: nets.iter().map(|net| net.parse::<ipnet::IpNet>().unwrap().into()).collect(),
        exclude: vec![],
        listeners: ListenerPorts { v4: listener, v6: listener },
        capture: Capture::Everyone,
        endpoints: vec![],
        direct_cgroup: false,
        dns: None,
        forwarded: vec![],
        method: None,
        reject: Reject::default(),
        meter: false,
    }
}

fn block(session: u32, variant: u8) -> Block {
    let net: ipnet::IpNet = format!("172.16.{variant}.0/24").parse().unwrap();
    Block {
        id: BlockId(session.into()),
        include: vec![net.into()],
        exclude: vec![],
        capture: Capture::Everyone,
        endpoints: vec![],
        dns: false,
        direct_cgroup: false,
    }
}

fn names(session: u32, variant: u8) -> Hosts {
    let entry = |number| HostEntry {
        name: format!("host-{session}-{number}"),
        address: format!("10.{variant}.{session}.{number}").parse().unwrap(),
    };
    Hosts { suffixes: vec![], entries: (0..u32::from(variant) * 2).map(entry).collect() }
}
