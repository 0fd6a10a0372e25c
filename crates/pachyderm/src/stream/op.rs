//! One op, kept as the bytes it came in.

use bytes::Bytes;

use super::{MAX_OP_BYTES, OpError, OpKind, OpVersion};
use crate::wire;

/// One op of a stream: its bytes, untouched, and what they say at first sight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawOp {
    /// The encoded `Op` message, as it was received.
    pub bytes: Bytes,
    /// Which version's field is set.
    pub version: OpVersion,
    /// Which kind's field is set within it.
    pub kind: OpKind,
}

impl RawOp {
    /// Looks at the bytes of one `Op` message and keeps them as they are. Fields of the inner message that no release
    /// declares are kept as [`OpKind::Unknown`]; only the outermost two levels are walked.
    pub fn parse(bytes: impl Into<Bytes>) -> Result<Self, OpError> {
        let bytes = bytes.into();
        let (version, kind) = inspect(&bytes)?;
        Ok(Self { bytes, version, kind })
    }

    /// The request inside: the message of the kind's field, or nothing for [`OpKind::Empty`].
    pub fn request(&self) -> &[u8] {
        wire::descend(&self.bytes, &[self.version.field(), self.kind.field()]).ok().flatten().unwrap_or(&[])
    }
}

/// Version and kind of the op in `bytes`.
pub(super) fn inspect(bytes: &[u8]) -> Result<(OpVersion, OpKind), OpError> {
    if bytes.is_empty() {
        return Err(OpError::ZeroLength);
    }
    if bytes.len() > MAX_OP_BYTES {
        return Err(OpError::TooLarge { length: bytes.len(), limit: MAX_OP_BYTES });
    }
    let mut found: Option<(OpVersion, &[u8])> = None;
    let mut unknown = None;
    for field in wire::fields(bytes) {
        let field = field?;
        match (OpVersion::from_field(field.number), found) {
            (Some(second), Some((first, _))) => return Err(OpError::SeveralVersions { first, second }),
            (Some(version), None) => found = Some((version, field.bytes()?)),
            (None, _) => unknown = unknown.or(Some(field.number)),
        }
    }
    match (found, unknown) {
        (Some((version, inner)), _) => Ok((version, kind_of(inner)?)),
        (None, Some(field)) => Err(OpError::UnknownVersion { field }),
        (None, None) => Err(OpError::ZeroLength),
    }
}

fn kind_of(inner: &[u8]) -> Result<OpKind, OpError> {
    let mut declared = None;
    let mut unknown = OpKind::Empty;
    for field in wire::fields(inner) {
        let field = field?;
        match (OpKind::from_field(field.number), declared) {
            (kind @ OpKind::Unknown(_), _) => unknown = kind,
            (second, Some(first)) => {
                let first: OpKind = first;
                return Err(OpError::SeveralKinds { first: first.field(), second: second.field() });
            }
            (kind, None) => {
                field.bytes()?;
                declared = Some(kind);
            }
        }
    }
    Ok(declared.unwrap_or(unknown))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::wire::WireError;

    #[test]
    fn version_and_kind_are_field_numbers() {
        for version in OpVersion::ALL {
            for kind in OpKind::DECLARED {
                let (mut inner, mut op) = (Vec::new(), Vec::new());
                wire::put_bytes(&mut inner, kind.field(), b"\x0a\x00");
                wire::put_bytes(&mut op, version.field(), &inner);
                let parsed = RawOp::parse(op.clone()).unwrap();
                assert_eq!((parsed.version, parsed.kind), (version, *kind));
                assert_eq!(parsed.request(), b"\x0a\x00");
                assert_eq!(parsed.bytes, op);
            }
        }
    }

    #[test]
    fn an_empty_sub_message_counts_as_present() {
        let op = RawOp::parse(&b"\x3a\x03\x8a\x01\x00"[..]).unwrap();
        assert_eq!((op.version, op.kind), (OpVersion::V1_13, OpKind::CheckAuthToken));
    }

    #[test]
    fn unknown_kinds_are_kept() {
        assert_eq!(RawOp::parse(&b"\x3a\x03\xa2\x06\x00"[..]).unwrap().kind, OpKind::Unknown(100));
        assert_eq!(RawOp::parse(&b"\x3a\x00"[..]).unwrap().kind, OpKind::Empty);
        assert_eq!(RawOp::parse(&b"\x3a\x05\xa2\x06\x00\x22\x00"[..]).unwrap().kind, OpKind::Repo);
    }

    #[test]
    fn each_defect_has_its_error() {
        let error = |bytes: &'static [u8]| RawOp::parse(bytes).unwrap_err();
        assert_eq!(error(b""), OpError::ZeroLength);
        assert_eq!(error(b"\x42\x00"), OpError::UnknownVersion { field: 8 });
        assert_eq!(
            error(b"\x32\x00\x3a\x00"),
            OpError::SeveralVersions { first: OpVersion::V1_12, second: OpVersion::V1_13 }
        );
        assert_eq!(error(b"\x3a\x04\x22\x00\x2a\x00"), OpError::SeveralKinds { first: 4, second: 5 });
        assert_eq!(error(b"\x3a\x05\x22"), OpError::Wire(WireError::Truncated { offset: 0 }));
        assert_eq!(
            error(b"\x38\x05"),
            OpError::Wire(WireError::UnexpectedType { number: 7, expected: "length-delimited" })
        );
        let large = RawOp::parse(vec![0; MAX_OP_BYTES + 1]).unwrap_err();
        assert_eq!(large, OpError::TooLarge { length: MAX_OP_BYTES + 1, limit: MAX_OP_BYTES });
    }
}
