//! Which keys a clone is made of, by patterns.

use std::sync::Arc;

use orchestrator::clone::KeyFilter;

/// The keys that match one of `include` (all without any) and none of `exclude`; nothing when that is all keys.
pub(super) fn of(include: &[String], exclude: &[String]) -> Option<KeyFilter> {
    if include.is_empty() && exclude.is_empty() {
        return None;
    }
    let (include, exclude) = (include.to_vec(), exclude.to_vec());
    let filter = move |key: &str| {
        (include.is_empty() || include.iter().any(|pattern| matches(pattern, key)))
            && !exclude.iter().any(|pattern| matches(pattern, key))
    };
    Some(Arc::new(filter))
}

/// The patterns as they are recorded.
pub(super) fn texts(include: &[String], exclude: &[String]) -> Vec<String> {
    let include = include.iter().map(|pattern| format!("include {pattern}"));
    include.chain(exclude.iter().map(|pattern| format!("exclude {pattern}"))).collect()
}

/// Whether a whole key matches: `*` stands for any text, slashes included, `?` for one character.
fn matches(pattern: &str, key: &str) -> bool {
    let (mut pattern, mut key) = (pattern.chars(), key.chars());
    // Where the last star was, and from where in the key it may swallow one more character.
    let mut star = None;
    loop {
        let (rest_of_pattern, rest_of_key) = (pattern.clone(), key.clone());
        match (pattern.next(), key.next()) {
            (None, None) => return true,
            (Some('*'), _) => {
                star = Some((pattern.clone(), rest_of_key.clone()));
                key = rest_of_key;
            }
            (Some('?'), Some(_)) => {}
            (Some(expected), Some(found)) if expected == found => {}
            _ => {
                let Some((after_star, mut from)) = star.take() else { return false };
                if from.next().is_none() {
                    // Stars at the pattern's end match nothing more.
                    return rest_of_key.as_str().is_empty() && rest_of_pattern.clone().all(|rest| rest == '*');
                }
                pattern = after_star.clone();
                key = from.clone();
                star = Some((after_star, from));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_keys() {
        for (pattern, key, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "a/b", true),
            ("pach/block/*", "pach/block/x/y", true),
            ("pach/block/*", "pach/object/x", false),
            ("*-index", "pach/block/a-index", true),
            ("*-index", "pach/block/a-index-b", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b*", "xxbxxaxx", false),
            ("a*a*a", "aaaa", true),
            ("a*a*a", "aa", false),
            ("é*", "éa", true),
            ("a**", "a", true),
            ("*?", "", false),
            ("*?", "x", true),
        ] {
            assert_eq!(matches(pattern, key), expected, "{pattern} {key}");
        }
        let filter = of(&["a*".to_owned()], &["*z".to_owned()]);
        assert!(filter.is_some_and(|filter| filter("ab") && !filter("b") && !filter("az")));
        assert!(of(&[], &[]).is_none());
    }
}
