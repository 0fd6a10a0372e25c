//! See `pachyderm_fuzz::hashtree`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    pachyderm_fuzz::hashtree::check(bytes);
});
