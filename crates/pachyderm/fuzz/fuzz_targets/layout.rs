//! See `pachyderm_fuzz::layout`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: (u8, u8, &str, &[u8])| {
    let (from, to, key, value) = input;
    pachyderm_fuzz::layout::check(from, to, key, value);
});
