//! Systems where nothing can be set up yet.

pub mod bus {
    //! No service that could be asked.

    use ropeway_helper_api::Grant;

    use crate::{api::Failure, setup_helper::facts::Facts};

    #[derive(Debug, Clone, Default)]
    pub struct Bus;

    // the signatures are those of the system that has it
    #[allow(clippy::unused_async)]
    impl Bus {
        pub async fn look(&self, uid: u32) -> Facts {
            Facts { uid, ..Facts::default() }
        }

        pub async fn set_up(&self, _: Grant) -> Result<(), Failure> {
            Err(super::not_yet())
        }

        pub async fn revoke(&self, _: u32) -> Result<(), Failure> {
            Err(super::not_yet())
        }

        pub async fn restore(&self) -> Result<u32, Failure> {
            Err(super::not_yet())
        }
    }
}

pub mod as_root {
    //! Nothing to put in its place.

    use std::path::Path;

    use ropeway_helper_api::Grant;

    use crate::api::Failure;

    #[allow(clippy::unused_async)]
    pub async fn install(_: &Path, _: Grant) -> Result<(), Failure> {
        Err(super::not_yet())
    }

    #[allow(clippy::unused_async)]
    pub async fn remove() -> Result<(), Failure> {
        Err(super::not_yet())
    }

    pub fn is_installed() -> bool {
        false
    }
}

fn not_yet() -> crate::api::Failure {
    crate::api::Failure::new(
        crate::api::Code::Unsupported,
        super::SUBJECT,
        "setting up is not done for this system yet",
    )
}
