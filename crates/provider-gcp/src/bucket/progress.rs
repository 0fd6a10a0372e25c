//! Where a rewrite goes on: the store's token, and what else its next call must repeat.

use provider::CopyToken;
use serde::{Deserialize, Serialize};

use super::described::Described;

/// Where a rewrite goes on. Google takes its token only with the first call's request, whatever is configured by now.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Progress {
    /// Google's token; none before the first call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) rewrite: Option<String>,
    /// The class that the copy is to have; none where Google chooses it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) class: Option<String>,
    /// The copy's class, headers and metadata, where they are said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) described: Option<Described>,
    /// The source's generation, where they were read of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) generation: Option<i64>,
    /// The copy's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) kms_key: Option<String>,
    /// Most bytes of a call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) step: Option<i64>,
}

impl Progress {
    pub(super) fn token(&self) -> serde_json::Result<CopyToken> {
        serde_json::to_string(self).map(CopyToken)
    }

    pub(super) fn parse(token: &CopyToken) -> serde_json::Result<Self> {
        let progress: Self = serde_json::from_str(&token.0)?;
        if progress.rewrite.is_none() {
            return Err(serde::de::Error::custom("the token is not one of a rewrite that was begun"));
        }
        Ok(progress)
    }
}

#[cfg(test)]
mod tests {
    use google_cloud_storage::model::Object;

    use super::*;

    #[test]
    fn a_token_is_read_back_and_others_are_refused() {
        let described = Some(Described::of(&Object::new(), "NEARLINE"));
        let progress =
            Progress { rewrite: Some("t".to_owned()), described, step: Some(1 << 20), ..Progress::default() };
        assert_eq!(Progress::parse(&progress.token().unwrap()).unwrap(), progress);
        for wrong in ["", "{}", "{\"upload_id\":\"x\"}", "{\"step\":1}"] {
            assert!(Progress::parse(&CopyToken(wrong.to_owned())).is_err(), "{wrong}");
        }
    }
}
