//! One end of the pipe.

/// One end of the pipe.
pub struct Connection;
