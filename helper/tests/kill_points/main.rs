//! The helper is killed before and after every system call that changes the machine, and then what runs after a crash
//! runs. The machine must be as it was: no table, no line in the hosts file, no journal; only `ropeway_ks` stays where a
//! profile asked for it. Needs root and nft; says so and passes without root.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod dice;
mod machine;
mod mortal;
mod story;

use std::{env, thread};

use dice::Dice;
use machine::{Kind, Machine, in_machine};
use mortal::{Death, points_of_undo, undo};
use nix::unistd::Uid;
use story::{Step, Story};

/// Of the random rounds, unless `ROPEWAY_SEED` says otherwise.
const SEED: u64 = 4;
const ROUNDS: u64 = 200;

/// Rounds wait more for processes than they compute.
const AT_ONCE: u64 = 4;

const WHOLE_LIFE: [Step; 9] = [
    Step::Load { session: 1, variant: 0 },
    Step::Load { session: 1, variant: 1 },
    Step::Block { session: 1, variant: 0 },
    Step::Names { session: 1, variant: 1 },
    Step::Names { session: 1, variant: 2 },
    Step::Names { session: 1, variant: 0 },
    Step::Names { session: 1, variant: 1 },
    Step::Hold { session: 1 },
    Step::Unload { session: 1 },
];

/// Ends with everything in force, so the end of the connection has all of it to undo.
const CUT_SHORT: [Step; 4] = [
    Step::Load { session: 1, variant: 0 },
    Step::Names { session: 1, variant: 1 },
    Step::Load { session: 2, variant: 1 },
    Step::Names { session: 2, variant: 2 },
];

#[test]
fn at_every_point_of_a_life_with_a_file_that_is_replaced() {
    dies_everywhere(Kind::Plain, &WHOLE_LIFE);
}

#[test]
fn at_every_point_of_a_life_with_a_file_that_is_written_in_place() {
    dies_everywhere(Kind::Bound, &WHOLE_LIFE);
}

#[test]
fn at_every_point_of_undoing_what_a_client_left() {
    for kind in [Kind::Plain, Kind::Bound] {
        dies_everywhere(kind, &CUT_SHORT);
    }
}

#[test]
fn at_every_point_of_undoing_what_a_helper_left() {
    for kind in Kind::ALL {
        in_machine(kind, |machine| {
            let leave = || Story::new(&CUT_SHORT).play(machine, Death::AtTheEnd);
            leave();
            let points = points_of_undo(machine);
            assert!(points >= 8, "{points} points");
            for point in 1..=points {
                leave();
                undo(machine, Death::At(point));
                undo(machine, Death::Never);
                machine.assert_as_it_was(&format!("{kind:?}: undo died at {point} of {points}"));
            }
        });
    }
}

#[test]
fn at_random_points_of_random_lives() {
    let seed = env::var("ROPEWAY_SEED").map_or(SEED, |text| text.parse().expect("a number in ROPEWAY_SEED"));
    println!("ROPEWAY_SEED={seed}");
    let died = |worker: u64| {
        let rounds = (worker..ROUNDS).step_by(AT_ONCE as usize);
        rounds
            .filter(|round| dies(&mut Dice::new(seed, *round), &format!("seed {seed}, round {round}")))
            .count()
    };
    let deaths: usize = thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE).map(|worker| scope.spawn(move || died(worker))).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).sum()
    });
    println!("{deaths} of {ROUNDS} died before their end");
    assert!(deaths as u64 > ROUNDS / 4 || !Uid::effective().is_root(), "the rounds say little");
}

fn dies_everywhere(kind: Kind, steps: &'static [Step]) {
    in_machine(kind, |machine| {
        let points = Story::new(steps).points(machine);
        assert!(points.len() >= 40, "{points:?}");
        for (point, name) in (1..).zip(&points) {
            let story = Story::new(steps).play(machine, Death::At(point));
            let round =
                format!("{kind:?}, point {point} of {}: {name}, during {:?}", points.len(), story.last);
            assert!(story.died, "{round}: it lives");
            recover(machine, point % 2 == 0);
            story.check(machine, &round);
        }
    });
}

/// As systemd does after a crash, or as the next helper does where there is no systemd.
fn recover(machine: &Machine, by_undo: bool) {
    if by_undo { undo(machine, Death::Never) } else { mortal::start_and_end(machine) }
}

/// One random round, and whether the helper met its kill point.
fn dies(dice: &mut Dice, round: &str) -> bool {
    let kind = dice.pick(&Kind::ALL);
    let original = machine::any_text(dice);
    let steps: Vec<Step> = (0..dice.up_to(12)).map(|_| Step::any(dice)).collect();
    let death = Death::At(1 + dice.up_to(70));
    let round = format!("{round}: {kind:?}, {death:?}, {steps:?}");
    let mut died = false;
    in_machine(kind, |machine| {
        machine.write_hosts(&original);
        let story = Story::new(&steps).play(machine, death);
        for _ in 0..dice.up_to(3) {
            undo(machine, Death::At(1 + dice.up_to(10)));
        }
        recover(machine, dice.flip());
        story.check(machine, &round);
        died = story.died;
    });
    died
}
