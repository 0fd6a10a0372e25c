//! See `pachyderm_fuzz::stream`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    pachyderm_fuzz::stream::check(bytes);
});
