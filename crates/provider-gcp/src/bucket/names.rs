//! Which names objects may have. From the public page "About Cloud Storage objects".

use provider::KeyRules;

/// Whether Google has objects of this name.
pub(super) fn is_name(full: &str) -> bool {
    !full.is_empty()
        && full.len() <= 1024
        && !full.contains(['\r', '\n'])
        && !matches!(full, "." | "..")
        && !full.starts_with(".well-known/acme-challenge/")
}

/// What a bucket opened at a prefix holds. The names `.` and `..` don't exist, and no rule says that of whole keys alone: so at
/// the root of a bucket no key is written with such a segment. Those that are there are listed and read.
pub(super) fn rules(prefix: &str) -> KeyRules {
    let room = 1024_usize.saturating_sub(prefix.len());
    KeyRules { dot_segments: !prefix.is_empty(), max_bytes: room, max_segment_bytes: room, ..KeyRules::RAW }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_googles() {
        for name in ["a", "/", "//double//slash", "a/../b", "./x", "%2F", &"n".repeat(1024)] {
            assert!(is_name(name), "{name:?}");
        }
        for name in ["", ".", "..", "a\nb", "a\rb", ".well-known/acme-challenge/x", &"é".repeat(513)] {
            assert!(!is_name(name), "{name:?}");
        }
        assert!(rules("p/").holds("..") && !rules("").holds("a/../b"));
        assert!(!rules("p/").holds(&"k".repeat(1023)) && rules("p/").holds(&"k".repeat(1022)));
    }
}
