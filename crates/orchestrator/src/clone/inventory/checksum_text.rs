//! Checksums as text: the algorithm's name, a colon, and hexadecimal digits.

use provider::Checksum;

pub(super) fn to_text(checksum: &Checksum) -> String {
    match checksum {
        Checksum::Md5(md5) => format!("md5:{}", hex::encode(md5)),
        Checksum::Crc32c(crc) => format!("crc32c:{crc:08x}"),
        Checksum::Crc64Nvme(crc) => format!("crc64nvme:{crc:016x}"),
        Checksum::Sha256(sha256) => format!("sha256:{}", hex::encode(sha256)),
    }
}

pub(super) fn from_text(text: &str) -> Option<Checksum> {
    let (algorithm, digits) = text.split_once(':')?;
    let bytes = hex::decode(digits).ok()?;
    match algorithm {
        "md5" => bytes.try_into().ok().map(Checksum::Md5),
        "crc32c" => bytes.try_into().ok().map(u32::from_be_bytes).map(Checksum::Crc32c),
        "crc64nvme" => bytes.try_into().ok().map(u64::from_be_bytes).map(Checksum::Crc64Nvme),
        "sha256" => bytes.try_into().ok().map(Checksum::Sha256),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_algorithm_round_trips() {
        for (checksum, text) in [
            (Checksum::Md5([0xab; 16]), "md5:abababababababababababababababab".to_owned()),
            (Checksum::Crc32c(0x1f), "crc32c:0000001f".to_owned()),
            (Checksum::Crc64Nvme(0x1f), "crc64nvme:000000000000001f".to_owned()),
            (Checksum::Sha256([1; 32]), format!("sha256:{}", "01".repeat(32))),
        ] {
            assert_eq!(to_text(&checksum), text);
            assert_eq!(from_text(&text), Some(checksum));
        }
    }

    #[test]
    fn anything_else_is_none() {
        for text in ["", "md5", "md5:ab", "sha256:zz", "sha1:ab", "crc32c:1f"] {
            assert_eq!(from_text(text), None, "{text}");
        }
    }
}
