//! The helper as a service of a real system: systemd, the system bus and polkit boot in namespaces of their own, and
//! ordinary users call it. Tests need root, and are skipped with a line that says so elsewhere.

mod unit;
