//! The test network.
