//! Bodies of the type `multipart/related` (RFC 2387).

use bytes::Bytes;
use memchr::memmem;

use super::failure::Failure;

/// A part of a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) content_type: Option<String>,
    pub(super) body: Bytes,
}

fn wrong(what: &str) -> Failure {
    Failure::invalid(format!("Malformed multipart body: {what}."))
}

/// Cuts a body into its parts, without copying them.
pub(super) fn parts(content_type: &str, body: &Bytes) -> Result<Vec<Part>, Failure> {
    let boundary = boundary(content_type).ok_or_else(|| wrong("the content type names no boundary"))?;
    let first = format!("--{boundary}");
    let between = format!("\r\n--{boundary}");
    let mut rest = body.clone();
    if !rest.starts_with(first.as_bytes()) {
        return Err(wrong("it does not begin with the boundary"));
    }
    rest = rest.slice(first.len()..);
    let finder = memmem::Finder::new(&between);
    let mut parts = Vec::new();
    while !rest.starts_with(b"--") {
        if !rest.starts_with(b"\r\n") {
            return Err(wrong("a boundary is not followed by a line's end"));
        }
        let end = finder.find(&rest).ok_or_else(|| wrong("the last boundary is missing"))?;
        parts.push(part(&rest.slice(..end))?);
        rest = rest.slice(end + between.len()..);
    }
    Ok(parts)
}

fn boundary(content_type: &str) -> Option<&str> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/related") {
        return None;
    }
    let mut parameters = parameters.split(';').filter_map(|parameter| parameter.trim().split_once('='));
    let (_, boundary) = parameters.find(|(name, _)| name.eq_ignore_ascii_case("boundary"))?;
    Some(boundary.trim_matches(['"', '\'']))
}

/// Reads a part: what follows its boundary, from the end of that line on.
fn part(bytes: &Bytes) -> Result<Part, Failure> {
    let end = memmem::find(bytes, b"\r\n\r\n").ok_or_else(|| wrong("a part's headers do not end"))?;
    let headers = String::from_utf8_lossy(&bytes[..end]);
    let named = |line: &str| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-type").then(|| value.trim().to_owned())
    };
    Ok(Part { content_type: headers.split("\r\n").find_map(named), body: bytes.slice(end + 4..) })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const KIND: &str = "multipart/related; boundary=\"B\"";

    #[test]
    fn content_may_be_anything() {
        let body = Bytes::from_static(
            b"--B\r\nContent-Type: application/json\r\n\r\n{}\r\n--B\r\nX: y\r\n\r\n\r\n--\r\n\r\nB\r\n--B\r\n\r\n\r\n--B--\r\n",
        );
        let read = parts(KIND, &body).unwrap();
        let bodies: Vec<&[u8]> = read.iter().map(|part| &*part.body).collect();
        assert_eq!(bodies, [&b"{}"[..], b"\r\n--\r\n\r\nB", b""]);
        assert_eq!(read[0].content_type.as_deref(), Some("application/json"));
        assert_eq!(read[1].content_type, None);
    }

    #[test]
    fn what_is_cut_off_is_refused() {
        for body in ["", "--B\r\n\r\n{}", "--B\r\nX: y\r\n--B--", "x--B\r\n\r\n{}\r\n--B--"] {
            assert!(parts(KIND, &Bytes::from(body)).is_err(), "{body:?}");
        }
        assert!(parts("multipart/form-data; boundary=B", &Bytes::new()).is_err());
        assert!(parts("multipart/related", &Bytes::new()).is_err());
    }
}
