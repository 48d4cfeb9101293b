//! Looks after what is in force, as long as something is: another program may flush our rules, and what could not be
//! undone is tried again.

use std::{sync::Arc, thread, time::Duration};

use crate::{rules::Firewall, server::Server};

/// How long captured traffic may go elsewhere before anybody notices. One question to the kernel each time.
const PERIOD: Duration = Duration::from_secs(2);

/// For as long as the process lives. Sleeps without a clock while nothing is in force.
pub fn start<F: Firewall + Send + 'static>(server: &Arc<Server<F>>) -> std::io::Result<()> {
    let server = Arc::clone(server);
    let watch = move || {
        loop {
            server.wait_until_something_is_in_force();
            thread::sleep(PERIOD);
            server.look_after();
        }
    };
    thread::Builder::new().name("watch".into()).spawn(watch).map(drop)
}
