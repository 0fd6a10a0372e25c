//! Protobuf at the level of single fields: a strict walker over bytes, and the few writers needed to build messages from
//! raw fields.
//!
//! Used where a message is only looked at, or copied field by field, so that fields nobody here knows survive untouched.

use std::str::Utf8Error;

/// Why bytes are no protobuf message. Offsets count from the start of the message that was walked. A retry never helps.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The bytes end inside a tag, a number, or a length-delimited value.
    #[error("message ends inside the field at byte {offset}")]
    Truncated {
        /// Where the unfinished field begins.
        offset: usize,
    },
    /// A varint longer than ten bytes or above 64 bits.
    #[error("varint at byte {offset} exceeds 64 bits")]
    VarintTooLong {
        /// Where the varint begins.
        offset: usize,
    },
    /// A field number of zero or above the 29 bits that protobuf allows.
    #[error("field number {number} at byte {offset} is outside of protobuf's range")]
    BadFieldNumber {
        /// Where the field begins.
        offset: usize,
        /// The number found.
        number: u64,
    },
    /// A wire type other than varint, 64-bit, length-delimited and 32-bit (groups do not occur in proto3).
    #[error("field {number} at byte {offset} has unsupported wire type {wire_type}")]
    BadWireType {
        /// Where the field begins.
        offset: usize,
        /// The field number.
        number: u32,
        /// The wire type found.
        wire_type: u8,
    },
    /// A known field carries another wire type than its declaration says.
    #[error("field {number} has another type than declared: expected {expected}")]
    UnexpectedType {
        /// The field number.
        number: u32,
        /// What the field should be.
        expected: &'static str,
    },
    /// A string field that is not UTF-8.
    #[error("field {number} is not UTF-8")]
    NotUtf8 {
        /// The field number.
        number: u32,
        /// Where the text breaks.
        #[source]
        source: Utf8Error,
    },
}

/// The value of one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// Wire type 0: integers, booleans, enums.
    Varint(u64),
    /// Wire type 1, little-endian.
    Fixed64(u64),
    /// Wire type 2: strings, bytes, messages, packed lists.
    Bytes(&'a [u8]),
    /// Wire type 5, little-endian.
    Fixed32(u32),
}

/// One field of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// Field number.
    pub number: u32,
    /// Decoded value.
    pub value: Value<'a>,
    /// The value as it was written, without its tag: a copy under another field number keeps every byte.
    pub raw: &'a [u8],
}

impl<'a> Field<'a> {
    /// The value of a string, bytes or message field.
    pub fn bytes(&self) -> Result<&'a [u8], WireError> {
        match self.value {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(WireError::UnexpectedType { number: self.number, expected: "length-delimited" }),
        }
    }

    /// The value of a string field.
    pub fn text(&self) -> Result<&'a str, WireError> {
        std::str::from_utf8(self.bytes()?).map_err(|source| WireError::NotUtf8 { number: self.number, source })
    }

    /// The value of an integer, boolean or enum field. Negative numbers come as their two's complement.
    pub fn varint(&self) -> Result<u64, WireError> {
        match self.value {
            Value::Varint(number) => Ok(number),
            _ => Err(WireError::UnexpectedType { number: self.number, expected: "varint" }),
        }
    }

    /// The varint of a signed field.
    pub fn signed(&self) -> Result<i64, WireError> {
        self.varint().map(u64::cast_signed)
    }
}

/// The fields of a message in the order they were written. Ends after the first error.
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    message: &'a [u8],
    at: usize,
}

/// Walks the fields of `message`.
pub fn fields(message: &[u8]) -> Fields<'_> {
    Fields { message, at: 0 }
}

impl<'a> Fields<'a> {
    fn varint(&mut self) -> Result<u64, WireError> {
        let start = self.at;
        let mut number = 0u64;
        for shift in (0..70).step_by(7) {
            let byte = *self.message.get(self.at).ok_or(WireError::Truncated { offset: start })?;
            self.at += 1;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(WireError::VarintTooLong { offset: start })
    }

    fn take(&mut self, length: usize, field_start: usize) -> Result<&'a [u8], WireError> {
        let end = self.at.checked_add(length).ok_or(WireError::Truncated { offset: field_start })?;
        let bytes = self.message.get(self.at..end).ok_or(WireError::Truncated { offset: field_start })?;
        self.at = end;
        Ok(bytes)
    }

    fn field(&mut self) -> Result<Field<'a>, WireError> {
        let start = self.at;
        let tag = self.varint()?;
        let wire_type = (tag & 7) as u8;
        let number = match u32::try_from(tag >> 3) {
            Ok(number) if number > 0 && number < 1 << 29 => number,
            _ => return Err(WireError::BadFieldNumber { offset: start, number: tag >> 3 }),
        };
        let value_start = self.at;
        let value = match wire_type {
            0 => Value::Varint(self.varint()?),
            1 => {
                Value::Fixed64(self.take(8, start)?.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
            }
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| WireError::Truncated { offset: start })?;
                Value::Bytes(self.take(length, start)?)
            }
            5 => {
                Value::Fixed32(self.take(4, start)?.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte)))
            }
            _ => return Err(WireError::BadWireType { offset: start, number, wire_type }),
        };
        Ok(Field { number, value, raw: &self.message[value_start..self.at] })
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.message.len() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.at = self.message.len();
        }
        Some(field)
    }
}

/// The last field `number` of `message`, which is the one that counts in protobuf. Walks the whole message.
pub fn last(message: &[u8], number: u32) -> Result<Option<Field<'_>>, WireError> {
    let mut found = None;
    for field in fields(message) {
        let field = field?;
        if field.number == number {
            found = Some(field);
        }
    }
    Ok(found)
}

/// The string, bytes or message field `number`, or nothing when it is absent.
pub fn bytes_of(message: &[u8], number: u32) -> Result<Option<&[u8]>, WireError> {
    last(message, number)?.map(|field| field.bytes()).transpose()
}

/// The string field `number`; empty when absent, as protobuf means it.
pub fn text_of(message: &[u8], number: u32) -> Result<&str, WireError> {
    Ok(last(message, number)?.map(|field| field.text()).transpose()?.unwrap_or(""))
}

/// The integer field `number`; zero when absent, as protobuf means it.
pub fn varint_of(message: &[u8], number: u32) -> Result<u64, WireError> {
    Ok(last(message, number)?.map(|field| field.varint()).transpose()?.unwrap_or(0))
}

/// Follows message fields downwards, `path` being their numbers. Nothing when one of them is absent.
pub fn descend<'a>(message: &'a [u8], path: &[u32]) -> Result<Option<&'a [u8]>, WireError> {
    let mut message = message;
    for number in path {
        match bytes_of(message, *number)? {
            Some(inner) => message = inner,
            None => return Ok(None),
        }
    }
    Ok(Some(message))
}

/// Appends a varint.
pub fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Appends a copy of `field` under another number, byte for byte.
pub fn put_renumbered(out: &mut Vec<u8>, number: u32, field: &Field<'_>) {
    let wire_type = match field.value {
        Value::Varint(_) => 0,
        Value::Fixed64(_) => 1,
        Value::Bytes(_) => 2,
        Value::Fixed32(_) => 5,
    };
    put_varint(out, u64::from(number) << 3 | wire_type);
    out.extend_from_slice(field.raw);
}

/// Appends a string, bytes or message field, also when it is empty.
pub fn put_bytes(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    put_varint(out, u64::from(number) << 3 | 2);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends an integer, boolean or enum field; a zero is left out, as proto3 writers do.
pub fn put_number(out: &mut Vec<u8>, number: u32, value: u64) {
    if value != 0 {
        put_varint(out, u64::from(number) << 3);
        put_varint(out, value);
    }
}

/// Appends a string field; an empty one is left out, as proto3 writers do.
pub fn put_text(out: &mut Vec<u8>, number: u32, text: &str) {
    if !text.is_empty() {
        put_bytes(out, number, text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_each_wire_type() {
        let message = [0x08, 0x96, 0x01, 0x11, 1, 0, 0, 0, 0, 0, 0, 0x80, 0x1a, 2, b'h', b'i', 0x25, 2, 0, 0, 0];
        let found: Vec<_> = fields(&message).map(|field| field.unwrap().value).collect();
        assert_eq!(found, [Value::Varint(150), Value::Fixed64(1 << 63 | 1), Value::Bytes(b"hi"), Value::Fixed32(2)]);
    }

    #[test]
    fn tells_defects_apart() {
        let error = |message: &[u8]| fields(message).find_map(Result::err).unwrap();
        assert_eq!(error(&[0x08]), WireError::Truncated { offset: 1 });
        assert_eq!(error(&[0x12, 5, 1]), WireError::Truncated { offset: 0 });
        assert_eq!(
            error(&[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02]),
            WireError::VarintTooLong { offset: 1 }
        );
        assert_eq!(error(&[0x00, 0]), WireError::BadFieldNumber { offset: 0, number: 0 });
        assert_eq!(error(&[0x0b]), WireError::BadWireType { offset: 0, number: 1, wire_type: 3 });
        assert_eq!(
            last(&[0x08, 1], 1).unwrap().unwrap().bytes(),
            Err(WireError::UnexpectedType { number: 1, expected: "length-delimited" })
        );
        assert!(matches!(text_of(&[0x0a, 1, 0xff], 1), Err(WireError::NotUtf8 { number: 1, .. })));
    }

    #[test]
    fn largest_varint_is_read() {
        let mut out = Vec::new();
        put_number(&mut out, 1, u64::MAX);
        assert_eq!(varint_of(&out, 1), Ok(u64::MAX));
    }

    proptest! {
        #[test]
        fn never_panics(message: Vec<u8>) {
            for field in fields(&message) {
                let _ = field;
            }
        }

        #[test]
        fn a_renumbered_copy_keeps_values(numbers in prop::collection::vec((1u32..1 << 29, any::<u64>()), 0..20)) {
            let mut out = Vec::new();
            for (number, value) in &numbers {
                put_bytes(&mut out, *number, &value.to_le_bytes());
            }
            let mut copy = Vec::new();
            for field in fields(&out) {
                let field = field.unwrap();
                put_renumbered(&mut copy, field.number, &field);
            }
            prop_assert_eq!(out, copy);
        }
    }
}
