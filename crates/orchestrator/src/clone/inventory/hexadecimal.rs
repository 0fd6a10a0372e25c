//! Versions of 32 hexadecimal digits as bytes and back: twice for each object of each pass.

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// The bytes of 32 digits in lower case; nothing for any other text.
pub(super) fn digest(text: &str) -> Option<[u8; 16]> {
    let digits: &[u8; 32] = text.as_bytes().try_into().ok()?;
    let mut digest = [0; 16];
    for (byte, pair) in digest.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = (value(pair[0])? << 4) | value(pair[1])?;
    }
    Some(digest)
}

fn value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// Bytes as digits in lower case.
pub(super) fn text(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from(DIGITS[usize::from(value)]);
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 0xf));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_become_bytes_and_digits_again() {
        let etag = "00ff0123456789abcdef9e107d9d372b";
        assert_eq!(digest(etag).map(|digest| text(&digest)).as_deref(), Some(etag));
        for other in [
            "",
            "00",
            "00FF0123456789ABCDEF9E107D9D372B",
            "00ff0123456789abcdef9e107d9d372b-3",
            "é".repeat(16).as_str(),
        ] {
            assert_eq!(digest(other), None, "{other}");
        }
    }
}
