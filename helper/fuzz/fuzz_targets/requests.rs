#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ropeway_helper_fuzz::requests(bytes));
