//! What kind of operation an [`Op`] is, and who wrote it.

use super::admin::{Op, OpBody};
pub use crate::stream::{OpKind, OpVersion};

impl Op {
    /// An operation as a release line writes it.
    #[must_use]
    pub fn new(version: OpVersion, body: OpBody) -> Self {
        let mut op = Self::default();
        let body = Some(Box::new(body));
        match version {
            OpVersion::V1_7 => op.op1_7 = body,
            OpVersion::V1_8 => op.op1_8 = body,
            OpVersion::V1_9 => op.op1_9 = body,
            OpVersion::V1_10 => op.op1_10 = body,
            OpVersion::V1_11 => op.op1_11 = body,
            OpVersion::V1_12 => op.op1_12 = body,
            OpVersion::V1_13 => op.op1_13 = body,
        }
        op
    }

    /// The release line that wrote it with its content; `None` if no known line is set. Where several are set, which no
    /// pachd does, the oldest, so that it is always the same one.
    #[must_use]
    pub fn versioned_body(&self) -> Option<(OpVersion, &OpBody)> {
        let bodies = [&self.op1_7, &self.op1_8, &self.op1_9, &self.op1_10, &self.op1_11, &self.op1_12, &self.op1_13];
        OpVersion::ALL.into_iter().zip(bodies).find_map(|(version, body)| Some((version, body.as_deref()?)))
    }

    /// The release line that wrote it; `None` if no known line is set.
    #[must_use]
    pub fn version(&self) -> Option<OpVersion> {
        self.versioned_body().map(|(version, _)| version)
    }

    /// Its content; `None` if no known release line is set.
    #[must_use]
    pub fn body(&self) -> Option<&OpBody> {
        self.versioned_body().map(|(_, body)| body)
    }

    /// What it does; `None` if that is not known.
    #[must_use]
    pub fn kind(&self) -> Option<OpKind> {
        self.body()?.kind()
    }
}

impl OpBody {
    /// What it does; `None` if no known field is set.
    #[must_use]
    pub fn kind(&self) -> Option<OpKind> {
        let set = [
            self.object.is_some(),
            self.tag.is_some(),
            self.repo.is_some(),
            self.commit.is_some(),
            self.branch.is_some(),
            self.pipeline.is_some(),
            self.job.is_some(),
            self.create_object.is_some(),
            self.block.is_some(),
            self.set_acl.is_some(),
            self.set_cluster_role_binding.is_some(),
            self.set_auth_config.is_some(),
            self.activate_auth.is_some(),
            self.restore_auth_token.is_some(),
            self.activate_enterprise.is_some(),
            self.check_auth_token.is_some(),
        ];
        OpKind::DECLARED.iter().copied().zip(set).find_map(|(kind, set)| set.then_some(kind))
    }
}
