//! What a store or a snapshot service can do, as data: plans read it, the conformance suite selects by it.

use serde::{Deserialize, Serialize};

/// What a [`Bucket`](crate::Bucket) can do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketCapabilities {
    /// Where a listing may begin.
    pub listing_start: ListingStart,
    /// Largest number of keys in one page of a listing.
    pub page_keys: usize,
    /// Largest object, in bytes, that one copy call finishes. Larger ones answer with a token.
    pub single_copy_bytes: u64,
    /// Whether `PutMode::CreateOnly` is atomic: of two writers exactly one succeeds.
    pub create_only_put: bool,
    /// Whether a copy can be made to fail when its source has changed.
    pub conditional_copy: bool,
    /// Whether the store verifies a checksum that came with a write.
    pub checked_put: bool,
    /// Whether user metadata and content headers are kept.
    pub metadata: bool,
    /// Largest number of keys in one delete call.
    pub delete_keys: usize,
    /// Which keys the store holds exactly as written.
    pub keys: KeyRules,
    /// How slowly writes have to begin, where the store says so.
    pub write_ramp: Option<WriteRamp>,
}

/// How many writes a second a bucket takes at first, and how soon it takes more: it has to spread its keys over more servers meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteRamp {
    /// Writes a second at the beginning; at least 1.
    pub per_second: u32,
    /// After so many seconds it takes twice as many; at least 1.
    pub doubles_every_seconds: u32,
}

impl WriteRamp {
    /// Writes a second, so many seconds after the first one.
    #[must_use]
    pub fn rate_after(&self, seconds: f64) -> f64 {
        let doublings = seconds.max(0.0) / f64::from(self.doubles_every_seconds.max(1));
        // Beyond that nobody asks for so much.
        f64::from(self.per_second.max(1)) * doublings.min(20.0).exp2()
    }

    /// Seconds that so many writes take at least.
    #[must_use]
    pub fn seconds_for(&self, writes: f64) -> f64 {
        let doubling = f64::from(self.doubles_every_seconds.max(1));
        let first = f64::from(self.per_second.max(1)) * doubling / std::f64::consts::LN_2;
        doubling * (writes.max(0.0) / first).ln_1p() / std::f64::consts::LN_2
    }
}

/// Where a listing may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ListingStart {
    /// After any key: ranges can be listed side by side.
    AfterAnyKey,
    /// Only at the start of a prefix.
    AtPrefix,
}

/// Which keys a store holds exactly as they were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRules {
    /// A leading `/` and empty segments (`a//b`) are kept.
    pub empty_segments: bool,
    /// Segments `.` and `..` are names like any other.
    pub dot_segments: bool,
    /// A key may end in `/` and hold data.
    pub trailing_slash: bool,
    /// `a` and `a/b` may both be objects.
    pub nested_under_object: bool,
    /// Largest key, in bytes.
    pub max_bytes: usize,
    /// Largest part between two slashes, in bytes.
    pub max_segment_bytes: usize,
}

impl KeyRules {
    /// Every key of up to 1,024 bytes, raw.
    pub const RAW: Self = Self {
        empty_segments: true,
        dot_segments: true,
        trailing_slash: true,
        nested_under_object: true,
        max_bytes: 1024,
        max_segment_bytes: 1024,
    };

    /// Whether the store would hold `key` exactly as written (as far as one key alone can tell).
    #[must_use]
    pub fn holds(&self, key: &str) -> bool {
        if key.is_empty() || key.len() > self.max_bytes {
            return false;
        }
        let body = match key.strip_suffix('/') {
            Some(body) if self.trailing_slash => body,
            Some(_) => return false,
            None => key,
        };
        // Each key of a listing comes through here, so byte by byte and once.
        let (mut length, mut dots) = (0, 0);
        for byte in body.bytes() {
            if byte != b'/' {
                length += 1;
                dots += usize::from(byte == b'.');
            } else if self.holds_segment(length, dots) {
                (length, dots) = (0, 0);
            } else {
                return false;
            }
        }
        self.holds_segment(length, dots)
    }

    /// Whether a segment of so many bytes, so many of them dots, is held.
    fn holds_segment(&self, length: usize, dots: usize) -> bool {
        let is_dots = dots == length && (length == 1 || length == 2);
        (self.empty_segments || length > 0) && (self.dot_segments || !is_dots) && length <= self.max_segment_bytes
    }
}

/// What a [`VolumeSnapshots`](crate::VolumeSnapshots) can do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeCapabilities {
    /// Whether a repeated cut with the same identity is answered by the service itself with the first result.
    pub cut_identity: bool,
    /// Whether a snapshot outlives the storage system that holds its volume.
    pub independent_of_source: bool,
    /// Whether progress is reported in percent.
    pub progress: bool,
}

#[cfg(test)]
mod tests {
    use super::{KeyRules, WriteRamp};

    #[test]
    fn a_ramp_doubles_and_tells_how_long_writes_take() {
        let ramp = WriteRamp { per_second: 1000, doubles_every_seconds: 1200 };
        assert_eq!((ramp.rate_after(0.0), ramp.rate_after(1200.0), ramp.rate_after(3600.0)), (1000.0, 2000.0, 8000.0));
        assert!((ramp.seconds_for(10_000.0) - 10.0).abs() < 0.1);
        // The mean of a doubling is 1 / ln 2 of its beginning.
        let in_one = 1000.0 * 1200.0 / std::f64::consts::LN_2;
        assert!((ramp.seconds_for(in_one) - 1200.0).abs() < 1e-6);
        assert!((ramp.seconds_for(3.0 * in_one) - 2400.0).abs() < 1e-6);
        assert_eq!(ramp.seconds_for(0.0), 0.0);
    }

    const STRICT: KeyRules = KeyRules {
        empty_segments: false,
        dot_segments: false,
        trailing_slash: false,
        nested_under_object: false,
        max_bytes: 20,
        max_segment_bytes: 8,
    };

    #[test]
    fn raw_rules_hold_every_key_of_up_to_1024_bytes() {
        for key in ["a", "/", "//", "/a", "a//b", "a/", "a//", ".", "..", "a/../b", " ", "é"] {
            assert!(KeyRules::RAW.holds(key), "{key:?}");
        }
        assert!(KeyRules::RAW.holds(&"k".repeat(1024)));
        assert!(KeyRules::RAW.holds(&"é".repeat(512)));
        assert!(!KeyRules::RAW.holds(&"é".repeat(513)));
        assert!(!KeyRules::RAW.holds(""));
    }

    #[test]
    fn each_rule_refuses_its_own_keys() {
        for key in ["a", "a/b", "a b", "...", ".a", "..a/b.", "12345678/12345678"] {
            assert!(STRICT.holds(key), "{key:?}");
        }
        for key in ["", "/", "/a", "a//b", "a/", "a//", ".", "..", "a/./b", "../b", "a/.."] {
            assert!(!STRICT.holds(key), "{key:?}");
        }
        assert!(!STRICT.holds("123456789"));
        assert!(!STRICT.holds("a/123456789/b"));
        assert!(!STRICT.holds("12345678/12345678/123"));
        assert!(KeyRules { trailing_slash: true, ..STRICT }.holds("a/"));
        assert!(!KeyRules { trailing_slash: true, ..STRICT }.holds("/"), "its only segment is empty");
        assert!(!KeyRules { trailing_slash: true, ..STRICT }.holds("a//"));
        assert!(KeyRules { empty_segments: true, ..STRICT }.holds("//a"));
        assert!(!KeyRules { empty_segments: true, ..STRICT }.holds("a/"));
        assert!(KeyRules { dot_segments: true, ..STRICT }.holds("../a"));
        assert!(!KeyRules { dot_segments: true, trailing_slash: true, ..STRICT }.holds("/"));
    }
}
