//! The key that signs service account tokens, and the tokens of users.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::programs::ProgramError;

/// The user in the group `system:masters`, who may do everything.
pub(super) const ADMIN: &str = "admin";

/// A key pair in PEM.
pub(super) struct SigningKey {
    pub(super) private: String,
    pub(super) public: String,
}

impl SigningKey {
    /// A new one, of a kind that kube-apiserver takes for service account tokens.
    pub(super) fn generate() -> Result<Self, ProgramError> {
        let failed = |error: Unspecified| ProgramError::io("a key can't be made")(std::io::Error::other(error));
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(failed)?;
        Ok(Self {
            private: pem("PRIVATE KEY", pair.to_pkcs8v1().map_err(failed)?.as_ref()),
            public: pem("PUBLIC KEY", pair.public_key().as_der().map_err(failed)?.as_ref()),
        })
    }
}

fn pem(label: &str, content: &[u8]) -> String {
    let text = STANDARD.encode(content);
    let lines: Vec<&str> = text.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// Users with a new token for each: the admin first.
pub(super) fn users(names: &[String]) -> Vec<(String, String)> {
    let all = std::iter::once(ADMIN.to_owned()).chain(names.iter().cloned());
    all.map(|name| (name, uuid::Uuid::new_v4().simple().to_string())).collect()
}

/// The file that tells the API server of them. A trailing comma would make a group with an empty name.
pub(super) fn token_file(users: &[(String, String)]) -> String {
    let line = |(name, token): &(String, String)| {
        let groups = if name == ADMIN { ",\"system:masters\"" } else { "" };
        format!("{token},{name},{name}{groups}\n")
    };
    users.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::{token_file, users};

    #[test]
    fn only_the_admin_has_a_group() {
        let users = users(&["limited".to_owned()]);
        let file = token_file(&users);
        let lines: Vec<Vec<&str>> = file.lines().map(|line| line.split(',').collect()).collect();
        assert_eq!(lines[0][1..], ["admin", "admin", "\"system:masters\""]);
        assert_eq!(lines[1][1..], ["limited", "limited"]);
        assert_ne!(lines[0][0], lines[1][0]);
    }
}
