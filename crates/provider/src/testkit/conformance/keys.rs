//! Keys that stores get wrong.

use crate::KeyRules;

const STRANGE: &[&str] = &[
    "plain",
    "with space",
    " leading space",
    "trailing space ",
    "two  spaces",
    "plus+plus",
    "percent%percent",
    "100%",
    "encoded%20space",
    "encoded%2Fslash",
    "encoded%252Fslash",
    "and&and",
    "&amp;",
    "<tag>",
    "]]>",
    "quote'quote",
    "quote\"quote",
    "question?question",
    "hash#hash",
    "semi;colon",
    "equals=equals",
    "back\\slash",
    "tilde~",
    "star*",
    "comma,comma",
    "colon:colon",
    "at@at",
    "dollar$",
    "bracket[0]",
    "brace{0}",
    "pipe|pipe",
    "caret^",
    "back`tick",
    "round(0)",
    "ex!clamation",
    "UPPER",
    "upper",
    ".hidden",
    "...",
    "dot.",
    "two-byte-é",
    "decomposed-e\u{301}",
    "three-byte-日本",
    "three-byte-\u{ff21}",
    "four-byte-🦀",
    "\u{ff21}",
    "🦀",
    "é/日本/🦀",
    "order-a",
    "order",
    "order.a",
    "order0",
    "order-a-b",
    "folder-a",
    "folder/a",
    "folder.a",
    "folder0",
    "folder/b-b",
    "folder/b/b",
    "folder/b.b",
    "deep/deep/deep/deep/deep",
    "nested",
    "nested/object",
    "nested/object/below",
    "/leading",
    "//leading",
    "mid//double",
    "mid///triple",
    "trailing/",
    "trailing//",
    "/",
    "./dot",
    "mid/./dot",
    "mid/../dots",
    "../dots",
    "..",
    "deep/.",
];

/// The strange keys that a store with these rules holds, all at once, in no order.
pub(super) fn held(rules: &KeyRules) -> Vec<String> {
    let longest = [long(rules, 'k'), long(rules, 'é'), long(rules, '🦀')];
    let mut keys: Vec<String> = STRANGE.iter().map(|key| (*key).to_owned()).chain(longest).collect();
    keys.retain(|key| rules.holds(key));
    if !rules.nested_under_object {
        let below = |key: &str, other: &String| key.strip_prefix(other.as_str()).is_some_and(|s| s.starts_with('/'));
        let all = keys.clone();
        keys.retain(|key| !all.iter().any(|other| below(key, other)));
    }
    keys
}

/// A strange key that a store with these rules must refuse.
pub(super) fn not_held(rules: &KeyRules) -> Vec<String> {
    let too_long = "k/".repeat(rules.max_bytes / 2 + 1) + "k";
    let keys = STRANGE.iter().map(|key| (*key).to_owned()).chain([String::new(), too_long]);
    keys.filter(|key| !rules.holds(key)).collect()
}

/// A key of as many bytes as the rules allow, up to 1,024.
fn long(rules: &KeyRules, character: char) -> String {
    let segment = rules.max_segment_bytes / character.len_utf8();
    let mut key = String::new();
    let mut in_segment = 0;
    while key.len() + character.len_utf8() <= rules.max_bytes.min(1024) {
        if in_segment == segment {
            key.push('/');
            in_segment = 0;
        } else {
            key.push(character);
            in_segment += 1;
        }
    }
    while key.len() < rules.max_bytes.min(1024) && !key.ends_with('/') && in_segment < segment {
        key.push('k');
    }
    key.trim_end_matches('/').to_owned()
}
