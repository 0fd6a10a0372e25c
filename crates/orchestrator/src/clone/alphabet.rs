//! Which bytes keys are made of where they differ. A range is cut where keys can be: half of the way from `0` to the end of all
//! bytes lies behind every hexadecimal key.

use provider::ObjectMeta;

/// Keys of a page that are looked at.
const LOOKS: usize = 64;
/// Bytes that are looked at behind what the page's keys have in common.
const DEPTH: usize = 16;
/// Bytes behind what two keys have in common that their distance is told by.
pub(super) const DIGITS: usize = 8;

/// Bytes in their order, as the digits of a number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Alphabet(Vec<u8>);

impl Alphabet {
    /// Every byte.
    pub(super) fn whole() -> Self {
        Self((0..=u8::MAX).collect())
    }

    /// Adds what the keys of a page are made of.
    pub(super) fn learn(&mut self, page: &[ObjectMeta]) {
        let (Some(first), Some(last)) = (page.first(), page.last()) else { return };
        let shared = common(first.key.as_str().as_bytes(), last.key.as_str().as_bytes());
        for object in page.iter().step_by(page.len().div_ceil(LOOKS)) {
            for byte in object.key.as_str().bytes().skip(shared).take(DEPTH) {
                if let Err(at) = self.0.binary_search(&byte) {
                    self.0.insert(at, byte);
                }
            }
        }
    }

    /// Whether keys that go on so are spelled with it.
    pub(super) fn spells(&self, rest: &[u8]) -> bool {
        self.0.len() > 1 && rest.first().is_none_or(|byte| self.has(*byte))
    }

    /// The text without the letters that it ends in.
    pub(super) fn beginning<'a>(&self, text: &'a [u8]) -> &'a [u8] {
        let end = text.iter().rposition(|byte| !self.has(*byte)).map_or(0, |last| last + 1);
        &text[..end]
    }

    fn has(&self, byte: u8) -> bool {
        self.0.binary_search(&byte).is_ok()
    }

    /// The first bytes as the digits of a number. What lies between two of its letters is the upper one.
    pub(super) fn number(&self, bytes: &[u8]) -> u128 {
        let base = self.0.len() as u128;
        let (mut number, mut exact) = (0, true);
        for at in 0..DIGITS {
            let digit = match bytes.get(at).filter(|_| exact) {
                None => 0,
                Some(byte) => {
                    let below = self.0.partition_point(|letter| letter < byte);
                    exact = self.0.get(below) == Some(byte);
                    below as u128
                }
            };
            number = number * base + digit;
        }
        number
    }

    /// The digits of a number as letters.
    pub(super) fn letters(&self, mut number: u128) -> [u8; DIGITS] {
        let mut letters = [0; DIGITS];
        let base = (self.0.len() as u128).max(1);
        for letter in letters.iter_mut().rev() {
            *letter = self.0.get((number % base) as usize).copied().unwrap_or_default();
            number /= base;
        }
        letters
    }
}

/// Length of what two texts begin with alike.
pub(super) fn common(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).take_while(|(one, other)| one == other).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hexadecimal() -> Alphabet {
        Alphabet(b"0123456789abcdef".to_vec())
    }

    #[test]
    fn numbers_are_in_the_order_of_their_texts() {
        let texts: [&[u8]; 9] = [b"", b"0", b"00ff", b"1", b"9", b"a0", b"aa", b"f", b"\xff"];
        for alphabet in [hexadecimal(), Alphabet::whole()] {
            let numbers = texts.map(|text| alphabet.number(text));
            assert!(numbers.is_sorted(), "{numbers:?}");
        }
    }

    #[test]
    fn letters_are_the_number() {
        let alphabet = hexadecimal();
        assert_eq!(alphabet.letters(alphabet.number(b"0123abcd")), *b"0123abcd");
        let middle = alphabet.number(b"\xff") / 2;
        assert_eq!(alphabet.letters(middle), *b"80000000");
        assert_eq!(Alphabet::whole().letters(Alphabet::whole().number(b"\xff\0\x01")), *b"\xff\0\x01\0\0\0\0\0");
    }

    #[test]
    fn only_what_begins_with_a_letter_is_spelled_with_it() {
        let alphabet = hexadecimal();
        assert!(alphabet.spells(b"a/") && alphabet.spells(b"") && !alphabet.spells(b"/a"));
        assert!(!Alphabet::default().spells(b""));
        assert_eq!(alphabet.beginning(b"pach/block/00"), b"pach/block/");
        assert_eq!(alphabet.beginning(b"00"), b"");
    }
}
