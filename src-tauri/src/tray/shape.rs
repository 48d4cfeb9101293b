//! Which drawing says a state. They differ in shape, colour is never needed.

use ropeway_engine::api::{Phase, Status};

use crate::picture::{self, Picture};

/// In the order of urgency: of several profiles, the greatest is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shape {
    Off,
    Connected,
    Paused,
    Unverified,
    Degraded,
    Connecting,
    Waiting,
    Blocking,
    SetUp,
    Error,
    NeedsYou,
}

impl Shape {
    #[cfg(test)]
    pub const ALL: [Self; 11] = [
        Self::Off,
        Self::Connected,
        Self::Paused,
        Self::Unverified,
        Self::Degraded,
        Self::Connecting,
        Self::Waiting,
        Self::Blocking,
        Self::SetUp,
        Self::Error,
        Self::NeedsYou,
    ];

    pub fn most_urgent(picture: &Picture) -> Self {
        let left_over = if picture.left_over() { Self::Blocking } else { Self::Off };
        picture.statuses.iter().map(Self::of).max().unwrap_or(Self::Off).max(left_over)
    }

    /// Held traffic is more urgent than whatever is tried meanwhile, less than what only a person can mend.
    fn of(status: &Status) -> Self {
        let base = Self::of_phase(status);
        if status.blocking { base.max(Self::Blocking) } else { base }
    }

    fn of_phase(status: &Status) -> Self {
        match picture::phase(status) {
            Phase::Off => Self::Off,
            Phase::Connecting | Phase::Reconnecting => Self::Connecting,
            Phase::Waiting => Self::Waiting,
            Phase::Connected if status.degraded => Self::Degraded,
            Phase::Connected if status.unverified => Self::Unverified,
            Phase::Connected => Self::Connected,
            Phase::Paused => Self::Paused,
            Phase::NeedsYou => Self::NeedsYou,
            Phase::Error => Self::Error,
            Phase::SetUp => Self::SetUp,
        }
    }
}

#[cfg(test)]
mod tests {
    use ropeway_engine::api::{Code, Failure};

    use super::*;
    use crate::picture::tests::{leftovers, status};

    fn shape_of(statuses: Vec<Status>) -> Shape {
        Shape::most_urgent(&Picture { statuses, ..Picture::default() })
    }

    #[test]
    fn without_profiles_the_cable_is_empty() {
        assert_eq!(shape_of(vec![]), Shape::Off);
    }

    #[test]
    fn one_that_needs_a_person_hides_all_others() {
        let phases =
            [Phase::Connected, Phase::NeedsYou, Phase::Error, Phase::SetUp, Phase::Connecting, Phase::Off];
        assert_eq!(shape_of(phases.map(|phase| status("Work", phase, "")).to_vec()), Shape::NeedsYou);
    }

    #[test]
    fn a_tunnel_under_way_shows_beside_one_that_is_up() {
        for phase in [Phase::Connecting, Phase::Reconnecting] {
            let both = vec![status("Work", Phase::Connected, ""), status("Lab", phase, "")];
            assert_eq!(shape_of(both), Shape::Connecting);
        }
    }

    #[test]
    fn flags_refine_connected() {
        let connected = status("Work", Phase::Connected, "");
        let unverified = Status { unverified: true, ..connected.clone() };
        let degraded = Status { degraded: true, ..unverified.clone() };
        assert_eq!(shape_of(vec![connected]), Shape::Connected);
        assert_eq!(shape_of(vec![unverified]), Shape::Unverified);
        assert_eq!(shape_of(vec![degraded]), Shape::Degraded);
    }

    #[test]
    fn held_traffic_shows_unless_a_person_is_needed() {
        let held = |phase| shape_of(vec![Status { blocking: true, ..status("Work", phase, "") }]);
        assert_eq!(held(Phase::Reconnecting), Shape::Blocking);
        assert_eq!(held(Phase::Waiting), Shape::Blocking);
        assert_eq!(held(Phase::NeedsYou), Shape::NeedsYou);
        assert_eq!(held(Phase::Error), Shape::Error);
    }

    #[test]
    fn unfinished_set_up_is_a_wrench_and_no_error() {
        let failure = Some(Failure::new(Code::HelperMissing, "this computer", ""));
        assert_eq!(shape_of(vec![Status { failure, ..status("Work", Phase::Error, "") }]), Shape::SetUp);
    }

    #[test]
    fn what_a_crash_left_closed_shows_beside_tunnels_that_are_up() {
        let helper = Some(leftovers(1, 0));
        let statuses = vec![status("Work", Phase::Connected, "")];
        let shape = Shape::most_urgent(&Picture { statuses, helper, ..Picture::default() });
        assert_eq!(shape, Shape::Blocking);
    }
}
