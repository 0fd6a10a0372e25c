//! The IAM actions that snapshots of EBS volumes need.

/// What rights are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EbsPurpose {
    /// Looking at a volume, cutting it, waiting for its snapshot, and deleting what a run that failed has cut.
    Snapshot,
    /// Making a volume of a snapshot.
    Restore,
    /// Asking whether a snapshot can be used.
    Verify,
    /// Finding and deleting snapshots.
    Prune,
}

impl EbsPurpose {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Snapshot, Self::Restore, Self::Verify, Self::Prune];

    /// The actions that are needed, each of them, sorted. Volumes and snapshots that are encrypted need [`KMS_ACTIONS`] on their key
    /// besides.
    #[must_use]
    pub fn iam_actions(self) -> &'static [&'static str] {
        match self {
            Self::Snapshot => &[
                "ec2:CreateSnapshot",
                "ec2:CreateTags",
                "ec2:DeleteSnapshot",
                "ec2:DescribeSnapshots",
                "ec2:DescribeVolumes",
            ],
            Self::Restore => &["ec2:CreateTags", "ec2:CreateVolume", "ec2:DescribeSnapshots", "ec2:DescribeVolumes"],
            Self::Verify => &["ec2:DescribeSnapshots"],
            Self::Prune => &["ec2:DeleteSnapshot", "ec2:DescribeSnapshots"],
        }
    }
}

/// The actions on a KMS key that EBS needs of whoever snapshots or restores an encrypted volume. From the EBS user guide,
/// "How Amazon EBS encryption works".
pub const KMS_ACTIONS: &[&str] =
    &["kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncrypt*"];
