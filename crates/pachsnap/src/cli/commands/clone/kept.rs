//! The name of what is kept of a clone.

use orchestrator::clone::CloneIdentity;

/// Longest part of the name that is for people.
const READABLE: usize = 60;

/// A name for what is kept of a clone: another one for each other clone.
pub(super) fn name_of(identity: &CloneIdentity) -> String {
    let plain = |character: char| if character.is_ascii_alphanumeric() { character } else { '-' };
    let mut name: String = identity.destination.chars().map(plain).take(READABLE).collect();
    let text = format!("{}\n{}\n{}\n{:?}", identity.source, identity.destination, identity.key_map, identity.filter);
    name.push_str(&format!("-{:016x}", fnv(text.as_bytes())));
    name
}

/// FNV-1a: no more than a short name is wanted, and what is kept says itself what it is of.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn names_are_of_one_clone_each() {
        let one = CloneIdentity {
            source: "s3://a".to_owned(),
            destination: "s3://b/c".to_owned(),
            key_map: "reverse".parse().unwrap(),
            filter: Vec::new(),
        };
        let other = CloneIdentity { key_map: "".parse().unwrap(), ..one.clone() };
        assert!(name_of(&one).starts_with("s3---b-c-"));
        assert_ne!(name_of(&one), name_of(&other));
    }
}
