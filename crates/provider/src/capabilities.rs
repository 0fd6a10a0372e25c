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
        body.split('/').all(|segment| {
            (self.empty_segments || !segment.is_empty())
                && (self.dot_segments || (segment != "." && segment != ".."))
                && segment.len() <= self.max_segment_bytes
        })
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
    use super::KeyRules;

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
