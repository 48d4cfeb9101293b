//! What the close button does. The window must not vanish into nothing: it hides only where a tray item can bring
//! it back. Should the panel end while the window is hidden, starting the app again shows it.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closing {
    /// Tunnels stay up; the tray shows the window again.
    Hide,
    /// No tray, but tunnels that nobody asked to end.
    Minimise,
    /// Nothing left to look after.
    Quit,
}

pub fn on_close(has_tray: bool, anything_up: bool) -> Closing {
    match (has_tray, anything_up) {
        (true, _) => Closing::Hide,
        (false, true) => Closing::Minimise,
        (false, false) => Closing::Quit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_never_ends_a_tunnel() {
        for has_tray in [true, false] {
            assert_ne!(on_close(has_tray, true), Closing::Quit);
        }
    }

    #[test]
    fn without_a_tray_the_window_never_hides() {
        for anything_up in [true, false] {
            assert_ne!(on_close(false, anything_up), Closing::Hide);
        }
    }

    #[test]
    fn an_idle_app_without_a_tray_quits() {
        assert_eq!(on_close(false, false), Closing::Quit);
    }
}
