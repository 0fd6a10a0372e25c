//! A message put together from copied and new fields, written in the order of field numbers as Pachyderm does.

use jiff::Timestamp;

use crate::wire::{self, WireError};

#[derive(Default)]
pub(super) struct Message {
    /// Field number and the whole field, tag included.
    fields: Vec<(u32, Vec<u8>)>,
}

impl Message {
    /// Copies fields of `source`; `numbers` are pairs of its number there and its number here.
    pub(super) fn copy(mut self, source: &[u8], numbers: &[(u32, u32)]) -> Result<Self, WireError> {
        for field in wire::fields(source) {
            let field = field?;
            if let Some((_, to)) = numbers.iter().find(|(from, _)| *from == field.number) {
                let mut out = Vec::new();
                wire::put_renumbered(&mut out, *to, &field);
                self.fields.push((*to, out));
            }
        }
        Ok(self)
    }

    /// Adds a string, bytes or message field, also an empty one.
    pub(super) fn bytes(mut self, number: u32, bytes: &[u8]) -> Self {
        let mut out = Vec::new();
        wire::put_bytes(&mut out, number, bytes);
        self.fields.push((number, out));
        self
    }

    /// Adds a string field unless it is empty.
    pub(super) fn text(self, number: u32, text: &str) -> Self {
        if text.is_empty() { self } else { self.bytes(number, text.as_bytes()) }
    }

    /// Adds an integer field unless it is zero.
    pub(super) fn number(mut self, number: u32, value: u64) -> Self {
        let mut out = Vec::new();
        wire::put_number(&mut out, number, value);
        self.fields.push((number, out));
        self
    }

    /// Adds a message field.
    pub(super) fn message(self, number: u32, message: Self) -> Self {
        self.bytes(number, &message.encode())
    }

    /// Adds a Timestamp field.
    pub(super) fn timestamp(self, number: u32, at: Timestamp) -> Self {
        // Protobuf counts nanoseconds upwards from the second below, jiff towards zero.
        let (mut seconds, mut nanos) = (at.as_second(), i64::from(at.subsec_nanosecond()));
        if nanos < 0 {
            (seconds, nanos) = (seconds - 1, nanos + 1_000_000_000);
        }
        self.message(number, Self::default().number(1, seconds.cast_unsigned()).number(2, nanos.cast_unsigned()))
    }

    /// Whether a field of this number was added.
    pub(super) fn has(&self, number: u32) -> bool {
        self.fields.iter().any(|(present, _)| *present == number)
    }

    /// The encoded message: in the order of field numbers, repeated fields in the order they were added.
    pub(super) fn encode(mut self) -> Vec<u8> {
        self.fields.sort_by_key(|(number, _)| *number);
        self.fields.into_iter().flat_map(|(_, field)| field).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn fields_come_in_order_and_keep_their_bytes() {
        let source = b"\x0a\x01a\x0a\x01b\x18\x07\x20\x01";
        let message = Message::default().text(9, "z").copy(source, &[(1, 12), (3, 2)]).unwrap();
        assert!(message.has(12) && !message.has(4));
        assert_eq!(message.encode(), b"\x10\x07\x4a\x01z\x62\x01a\x62\x01b");
    }

    #[test]
    fn instants_before_1970_count_upwards() {
        let at = |nanosecond| Message::default().timestamp(1, Timestamp::from_nanosecond(nanosecond).unwrap()).encode();
        assert_eq!(at(0), b"\x0a\x00");
        assert_eq!(at(1_000_000_002), b"\x0a\x04\x08\x01\x10\x02");
        assert_eq!(at(-1_999_999_999), [b"\x0a\x0d\x08".as_slice(), &[0xfe], &[0xff; 8], b"\x01\x10\x01"].concat());
    }
}
