//! Whether two places lie in one another.

/// Schemes of locations whose path is a raw prefix of keys.
const OBJECT_STORES: [&str; 3] = ["s3", "gs", "az"];

/// Whether one of two locations ([`Bucket::location`](provider::Bucket::location)) is the other one or lies in it.
///
/// Below a bucket, a location is a raw prefix, so `s3://bucket/clone-1` also holds `s3://bucket/clone-10`; in a file
/// system it is a folder.
#[must_use]
pub fn overlap(one: &str, other: &str) -> bool {
    let (one, other) = (without_query(one), without_query(other));
    holds(one, other) || holds(other, one)
}

fn without_query(location: &str) -> &str {
    location.split(['?', '#']).next().unwrap_or(location)
}

fn holds(outer: &str, inner: &str) -> bool {
    let (scheme, place) = outer.split_once("://").unwrap_or_default();
    // Without a closing slash, a prefix in an object store also holds its longer namesakes.
    let raw_prefix = OBJECT_STORES.contains(&scheme) && place.contains('/') && !place.ends_with('/');
    if raw_prefix {
        return inner.starts_with(outer);
    }
    let outer = outer.trim_end_matches('/');
    inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::overlap;

    #[test]
    fn places_in_one_another_are_found() {
        for (one, other) in [
            ("s3://data", "s3://data"),
            ("s3://data", "s3://data/"),
            ("s3://data", "s3://data/clone"),
            ("s3://data/clone/", "s3://data"),
            ("s3://data/clone-1", "s3://data/clone-10"),
            ("file:///pach", "file:///pach/clone"),
            ("file:///", "file:///pach"),
            ("s3://data/clone/", "s3://data/clone/"),
            ("memory://0/data", "memory://0/data"),
            ("s3://data?region=one", "s3://data"),
        ] {
            assert!(overlap(one, other), "{one} {other}");
            assert!(overlap(other, one), "{other} {one}");
        }
    }

    #[test]
    fn neighbours_are_not() {
        for (one, other) in [
            ("s3://data", "s3://data-clone"),
            ("s3://data/a/", "s3://data/b/"),
            ("s3://data/clone-1/", "s3://data/clone-10/"),
            ("memory://0/data", "memory://0/data-clone"),
            ("s3://data", "gs://data"),
            ("file:///pach", "file:///pach-clone"),
        ] {
            assert!(!overlap(one, other), "{one} {other}");
        }
    }
}
