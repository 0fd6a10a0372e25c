//! See `pachyderm_fuzz::snapshot_file`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    pachyderm_fuzz::snapshot_file::check(bytes);
});
