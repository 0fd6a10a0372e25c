//! Percent-encoding as S3 uses it.

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Percent-encodes all but letters, digits, `-`, `_`, `.`, `~` and `/`.
pub(crate) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 4);
    encode_path(&mut out, text);
    out
}

/// Adds a text to a path: all but letters, digits, `-`, `_`, `.`, `~` and `/` is percent-encoded.
pub(crate) fn encode_path(out: &mut String, text: &str) {
    encode_all_but(out, text, |byte| is_plain(byte) || byte == b'/');
}

/// Adds a text to a query: as in a path, and `/` is percent-encoded too.
pub(crate) fn encode_query(out: &mut String, text: &str) {
    encode_all_but(out, text, is_plain);
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~')
}

fn encode_all_but(out: &mut String, text: &str, plain: impl Fn(u8) -> bool) {
    for byte in text.bytes() {
        if plain(byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

/// Undoes `encoding-type=url`, where `+` is a space. `None` when the text is no such encoding of UTF-8.
pub(crate) fn decode(text: &str) -> Option<String> {
    decode_owned(text.to_owned())
}

/// As [`decode`]; a text that has nothing to undo is given back without a copy.
pub(crate) fn decode_owned(text: String) -> Option<String> {
    if memchr::memchr2(b'%', b'+', text.as_bytes()).is_none() {
        return Some(text);
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'%' => {
                out.extend(hex::decode(bytes.get(at + 1..at + 3)?).ok()?);
                at += 3;
            }
            byte => {
                out.push(if byte == b'+' { b' ' } else { byte });
                at += 1;
            }
        }
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back_as_they_were() {
        for key in ["/lead//x", "a b+c%d&e=f?g#h", "é/日本", "\u{1}\u{7f}\n", "~-_.", "%2B", "a;b:c@d!$'()*,"] {
            assert_eq!(decode(&encode(key)).as_deref(), Some(key));
        }
        assert_eq!(encode("/a b+%é"), "/a%20b%2B%25%C3%A9");
        assert_eq!(decode("a+b%2Bc").as_deref(), Some("a b+c"));
        let mut query = String::new();
        encode_query(&mut query, "a/b c");
        assert_eq!(query, "a%2Fb%20c");
        assert_eq!(decode("bad%2"), None);
        assert_eq!(decode("bad%FF"), None);
    }
}
