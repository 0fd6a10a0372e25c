//! A run of keys in byte order, and where to cut it.

use provider::Key;
use serde::{Deserialize, Serialize};

use super::alphabet::{Alphabet, DIGITS, common};

/// Longest key that a cut may have, in bytes.
const LONGEST: usize = 1024;
/// Bytes that keys have more in common with one another than with the end of their range, so that halving the way to it,
/// bit by bit, would take long.
const MUCH: usize = 4;

/// The keys that begin with `prefix`, come after `after`, and not after `through`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRange {
    /// What every key begins with; empty for all keys.
    #[serde(default)]
    pub prefix: String,
    /// The last key before the range; absent when it begins with its prefix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Key>,
    /// The last key that may be in the range; absent when it ends with its prefix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub through: Option<Key>,
}

impl KeyRange {
    /// Every key that begins with a prefix.
    pub fn with_prefix(prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into(), after: None, through: None }
    }

    /// Whether a key lies in the range.
    #[must_use]
    pub fn contains(&self, key: &str) -> bool {
        key.starts_with(&self.prefix)
            && self.after.as_ref().is_none_or(|after| key > after.as_str())
            && self.through.as_ref().is_none_or(|through| key <= through.as_str())
    }

    /// Whether no key can be in the range.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!((&self.after, &self.through), (Some(after), Some(through)) if after >= through)
    }

    /// What is left of the range when parts of it, of the same prefix, are taken out.
    #[must_use]
    pub fn without(&self, parts: &[Self]) -> Vec<Self> {
        let mut parts: Vec<&Self> = parts.iter().filter(|part| part.prefix == self.prefix).collect();
        parts.sort_by(|one, other| one.after.cmp(&other.after));
        let mut left = Vec::new();
        let mut from = self.after.clone();
        for part in parts {
            let gap = Self { prefix: self.prefix.clone(), after: from.clone(), through: part.after.clone() };
            // Without a beginning, a part begins where the prefix does, and nothing comes before it.
            if part.after.is_some() && !gap.is_empty() {
                left.push(gap.within(self));
            }
            match &part.through {
                Some(through) => from = from.max(Some(through.clone())),
                None => return left.into_iter().filter(|gap| !gap.is_empty()).collect(),
            }
        }
        left.push(Self { prefix: self.prefix.clone(), after: from, through: self.through.clone() });
        left.into_iter().filter(|gap| !gap.is_empty()).collect()
    }

    /// What of the range lies in another one of the same prefix, or of none.
    pub(super) fn within(self, outer: &Self) -> Self {
        let through = match (&self.through, &outer.through) {
            (Some(own), Some(outer)) => Some(own.min(outer).clone()),
            (own, outer) => own.clone().or_else(|| outer.clone()),
        };
        let after = self.after.max(outer.after.clone());
        Self { prefix: self.prefix, after, through }
    }

    /// A key in the middle of what comes after `cursor`, by the value of the bytes; `None` when nothing fits between. With an
    /// alphabet that keys are known to be made of, the middle of what it can spell.
    ///
    /// What it answers lies after the cursor and before the range's end, so both halves can hold keys. It brings no control
    /// character that the keys around it don't have: some stores refuse them.
    pub(super) fn middle(&self, cursor: Option<&Key>, alphabet: &Alphabet) -> Option<Key> {
        let low = self.low(cursor);
        let shared = common(low, &self.high());
        let learned = alphabet.spells(&low[shared..]).then(|| self.middle_in(low, alphabet)).flatten();
        learned.or_else(|| self.middle_in(low, &Alphabet::whole()))
    }

    fn middle_in(&self, low: &[u8], alphabet: &Alphabet) -> Option<Key> {
        let high = self.high();
        let shared = common(low, &high);
        let (from, to) = (alphabet.number(&low[shared..]), alphabet.number(&high[shared..]));
        let digits = alphabet.letters(from + to.saturating_sub(from) / 2);
        (1..=DIGITS).find_map(|length| {
            let mut bytes = low[..shared].to_vec();
            bytes.extend(&digits[..length]);
            let cut = least_text_from(&bytes)?;
            let inside = cut.as_bytes() > low && cut.as_bytes() < high.as_slice() && cut.len() <= LONGEST;
            let sendable = !cut.as_bytes()[shared..].iter().any(u8::is_ascii_control);
            (inside && sendable).then(|| Key::new(cut))
        })
    }

    /// The end of all keys that begin as those from `first` to `cursor` do, up to where they are spelled with their alphabet,
    /// if that is much more than what they have in common with the end of the range; `None` elsewhere. What comes behind it
    /// are other kinds of keys, if any.
    pub(super) fn end_of_alike(&self, first: &Key, cursor: &Key, alphabet: &Alphabet) -> Option<Key> {
        let (low, high) = (cursor.as_str(), self.high());
        let alike = common(first.as_str().as_bytes(), low.as_bytes());
        let alike = alphabet.beginning(&low.as_bytes()[..alike]).len();
        if alike <= common(low.as_bytes(), &high) + MUCH {
            return None;
        }
        let alike = (0..=alike).rev().find(|at| low.is_char_boundary(*at))?;
        self.inside(cursor, format!("{}{}", &low[..alike], char::MAX))
    }

    fn inside(&self, low: &Key, cut: String) -> Option<Key> {
        let fits = cut.as_str() > low.as_str() && cut.as_bytes() < self.high().as_slice() && cut.len() <= LONGEST;
        fits.then(|| Key::new(cut))
    }

    /// How many times longer the way from `cursor` to the end is than the one from `first` to `cursor`, for keys that are made
    /// of an alphabet.
    pub(super) fn times_left(&self, first: &Key, cursor: &Key, alphabet: &Alphabet) -> f64 {
        let high = self.high();
        let (first, cursor) = (first.as_str().as_bytes(), cursor.as_str().as_bytes());
        let shared = common(first, &high).min(cursor.len());
        let whole = Alphabet::whole();
        let alphabet = if alphabet.spells(&first[shared..]) { alphabet } else { &whole };
        let number = |key: &[u8]| alphabet.number(&key[shared..]);
        let (from, at, to) = (number(first), number(cursor), number(&high));
        to.saturating_sub(at) as f64 / (at.saturating_sub(from).max(1)) as f64
    }

    fn low<'a>(&'a self, cursor: Option<&'a Key>) -> &'a [u8] {
        cursor.or(self.after.as_ref()).map_or(self.prefix.as_str(), Key::as_str).as_bytes()
    }

    /// Bytes that no key of the range reaches.
    fn high(&self) -> Vec<u8> {
        match &self.through {
            Some(through) => through.as_str().as_bytes().to_vec(),
            None => [self.prefix.as_bytes(), &[0xff; DIGITS]].concat(),
        }
    }
}

/// The bytes as text; where they are none, the least text that is not below them. Ends in no control character.
fn least_text_from(bytes: &[u8]) -> Option<String> {
    let (text, rest) = match std::str::from_utf8(bytes) {
        Ok(text) => (text, &[][..]),
        Err(error) => {
            let (valid, rest) = bytes.split_at(error.valid_up_to());
            (std::str::from_utf8(valid).ok()?, rest)
        }
    };
    let mut text = text.to_owned();
    if !rest.is_empty() {
        text.push(least_character_from(rest)?);
    }
    if text.ends_with(char::is_control) {
        let last = text.pop()?;
        text.push(if last < ' ' { ' ' } else { '\u{a0}' });
    }
    Some(text)
}

/// The least character whose bytes are not below these.
fn least_character_from(bytes: &[u8]) -> Option<char> {
    let reaches = |character: char| character.encode_utf8(&mut [0; 4]).as_bytes() >= bytes;
    let (mut below, mut found) = (0, u32::from(char::MAX));
    if !reaches(char::MAX) {
        return None;
    }
    while below < found {
        let middle = below + (found - below) / 2;
        // No character has a surrogate's number; the next one after them stands for all.
        let character = char::from_u32(middle).unwrap_or('\u{e000}');
        if reaches(character) { found = middle } else { below = middle + 1 }
    }
    Some(char::from_u32(found).unwrap_or('\u{e000}'))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::ranges::tests::page;
    use super::*;

    fn range(after: Option<&str>, through: Option<&str>) -> KeyRange {
        KeyRange { prefix: String::new(), after: after.map(Key::from), through: through.map(Key::from) }
    }

    #[test]
    fn a_cut_lies_strictly_inside() {
        let keys = [
            "",
            "a",
            "a/",
            "a/b",
            "a/b0",
            "a/\u{10FFFF}",
            "b",
            "pach/block/00",
            "pach/block/ff",
            "é",
            "日",
            "~",
            "\u{10FFFF}",
        ];
        for low in keys {
            for high in keys.iter().map(|key| Some(*key)).chain([None]) {
                if high.is_some_and(|high| high <= low) {
                    continue;
                }
                let after = (!low.is_empty()).then_some(low);
                let Some(cut) = range(after, high).middle(None, &Alphabet::default()) else { continue };
                assert!(cut.as_str() > low && high.is_none_or(|high| cut.as_str() < high), "{low:?} {cut} {high:?}");
            }
        }
    }

    #[test]
    fn digits_are_cut_in_half() {
        let blocks = KeyRange::with_prefix("pach/block/");
        let cut = |cursor: &str| blocks.middle(Some(&Key::from(cursor)), &Alphabet::default()).unwrap().into_string();
        assert_eq!(cut("pach/block/00"), "pach/block/\u{a0}");
        let hex = KeyRange { through: Some("pach/block/g".into()), ..blocks.clone() };
        let first = Key::from("pach/block/0");
        assert_eq!(hex.middle(Some(&first), &Alphabet::default()).unwrap().as_str(), "pach/block/K");
        let mut hexadecimal = Alphabet::default();
        hexadecimal.learn(&page(&["pach/block/0123", "pach/block/4567", "pach/block/89ab", "pach/block/cdef"]));
        assert_eq!(blocks.middle(Some(&first), &hexadecimal).unwrap().as_str(), "pach/block/8");
        assert_eq!(blocks.times_left(&first, &"pach/block/4".into(), &hexadecimal), 3.0);
    }

    #[test]
    fn what_is_alike_is_told_from_what_may_come_behind_it() {
        let all = range(None, None);
        let mut hexadecimal = Alphabet::default();
        hexadecimal.learn(&page(&["pach/block/0000", "pach/block/0def"]));
        for (alphabet, end) in
            [(&Alphabet::default(), "pach/block/0\u{10FFFF}"), (&hexadecimal, "pach/block/\u{10FFFF}")]
        {
            let alike = all.end_of_alike(&"pach/block/000".into(), &"pach/block/0fe".into(), alphabet);
            assert_eq!(alike.unwrap().as_str(), end);
        }
        let blocks = KeyRange::with_prefix("pach/block/");
        for range in [blocks, range(None, Some("pach/block/1"))] {
            let alike = range.end_of_alike(&"pach/block/000".into(), &"pach/block/0fe".into(), &Alphabet::default());
            assert_eq!(alike, None);
        }
    }

    #[test]
    fn nothing_lies_between_neighbours() {
        assert_eq!(range(Some("a"), Some("a\u{1}")).middle(None, &Alphabet::default()), None);
        assert_eq!(range(Some("a"), Some("a")).middle(None, &Alphabet::default()), None);
    }

    #[test]
    fn what_is_left_after_finished_parts() {
        let whole = range(None, None);
        assert_eq!(whole.without(&[]), std::slice::from_ref(&whole));
        assert_eq!(whole.without(std::slice::from_ref(&whole)), []);
        let parts = [range(Some("m"), Some("p")), range(None, Some("c")), range(Some("p"), Some("t"))];
        assert_eq!(whole.without(&parts), [range(Some("c"), Some("m")), range(Some("t"), None)]);
        let end = range(Some("c"), None);
        assert_eq!(whole.without(&[end]), [range(None, Some("c"))]);
        let shard = range(Some("d"), Some("k"));
        assert_eq!(shard.without(&parts), std::slice::from_ref(&shard));
        assert_eq!(shard.without(&[range(Some("d"), Some("f"))]), [range(Some("f"), Some("k"))]);
        let other = KeyRange::with_prefix("x");
        assert_eq!(whole.without(&[other]), [whole]);
    }

    #[test]
    fn an_even_spread_is_told_from_what_was_seen() {
        let blocks = KeyRange { through: Some("pach/block/\u{90}".into()), ..KeyRange::with_prefix("pach/block/") };
        let left = blocks.times_left(&"pach/block/0".into(), &"pach/block/8".into(), &Alphabet::default());
        assert!(left > 1.0 && left < 40.0, "{left}");
        let close = blocks.times_left(&"pach/block/00".into(), &"pach/block/0000001".into(), &Alphabet::default());
        assert!(close > 1000.0, "{close}");
    }
}
