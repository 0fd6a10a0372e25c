//! What stores that speak S3 do differently, as data.

use provider::{BucketCapabilities, KeyRules, ListingStart};
use serde::{Deserialize, Serialize};

const MIB: u64 = 1 << 20;

/// Which S3 a store speaks: a preset of [`Quirks`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StoreKind {
    /// Amazon S3.
    #[default]
    Aws,
    /// MinIO.
    Minio,
    /// Anything else: conditions, checksums and bulk deletes, which stores commonly lack or get wrong, are not relied
    /// upon. The rest is assumed to be as on Amazon, see [`Quirks::other`]; single fields set it right.
    Other,
}

/// What a store can do, and its limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quirks {
    /// `If-None-Match: *` on `PutObject` and `CompleteMultipartUpload` is honoured.
    pub create_only_put: bool,
    /// `x-amz-copy-source-if-match` is honoured.
    pub conditional_copy: bool,
    /// `x-amz-checksum-*` is verified and kept.
    pub checksums: bool,
    /// `DeleteObjects` works with the checksum that the SDK sends; otherwise keys are deleted one by one.
    pub bulk_delete: bool,
    /// `start-after` is honoured.
    pub start_after: bool,
    /// `ListMultipartUploads` tells all uploads under a prefix.
    pub list_uploads: bool,
    /// `GetBucketPolicyStatus` tells whether everybody may read; otherwise the policy itself is looked at.
    pub policy_status: bool,
    /// Largest object that one `CopyObject` copies, in bytes.
    pub single_copy_bytes: u64,
    /// Size of the parts of a copy above that, in bytes; 5 MiB to 5 GiB. Huge objects get larger parts.
    pub copy_part_bytes: u64,
    /// Size of the parts of an upload, in bytes; at least 5 MiB. An upload holds three of them in memory.
    pub part_bytes: u64,
    /// Largest number of keys in a page or a delete call.
    pub page_keys: usize,
    /// Which keys the store holds exactly as written.
    pub keys: KeyRules,
}

impl Quirks {
    /// Amazon S3.
    #[must_use]
    pub fn aws() -> Self {
        Self {
            create_only_put: true,
            conditional_copy: true,
            checksums: true,
            bulk_delete: true,
            start_after: true,
            list_uploads: true,
            policy_status: true,
            single_copy_bytes: 5 << 30,
            copy_part_bytes: 256 * MIB,
            part_bytes: 8 * MIB,
            page_keys: 1000,
            keys: KeyRules::RAW,
        }
    }

    /// MinIO: it strips a leading `/`, collapses `//`, refuses `.` and `..` components and segments above 255 bytes,
    /// lists the multipart uploads of one exact key only, and calls a bucket public only when everybody may write too.
    #[must_use]
    pub fn minio() -> Self {
        let keys = KeyRules {
            empty_segments: false,
            dot_segments: false,
            trailing_slash: false,
            nested_under_object: false,
            max_segment_bytes: 255,
            ..KeyRules::RAW
        };
        Self { list_uploads: false, policy_status: false, keys, ..Self::aws() }
    }

    /// A store of which nothing is known.
    ///
    /// Not relied upon: conditions on writes and copies, checksums, `DeleteObjects`, `GetBucketPolicyStatus`.
    ///
    /// Assumed without a look, because nothing at run time would tell: keys are held exactly as written, up to 1024 bytes
    /// ([`KeyRules::RAW`]); `start-after` is honoured; `ListMultipartUploads` tells all uploads under a prefix;
    /// `CopyObject` takes 5 GiB and pages hold 1000 keys. A store for which one of these doesn't hold needs that field
    /// set.
    #[must_use]
    pub fn other() -> Self {
        Self {
            create_only_put: false,
            conditional_copy: false,
            checksums: false,
            bulk_delete: false,
            policy_status: false,
            ..Self::aws()
        }
    }

    /// The preset of a kind of store.
    #[must_use]
    pub fn of(store: StoreKind) -> Self {
        match store {
            StoreKind::Aws => Self::aws(),
            StoreKind::Minio => Self::minio(),
            StoreKind::Other => Self::other(),
        }
    }

    /// What a bucket on this store can do. `prefix` is the bucket's own: it takes room in each key.
    #[must_use]
    pub(crate) fn capabilities(&self, prefix: &str) -> BucketCapabilities {
        let keys = KeyRules { max_bytes: self.keys.max_bytes.saturating_sub(prefix.len()), ..self.keys };
        BucketCapabilities {
            listing_start: if self.start_after { ListingStart::AfterAnyKey } else { ListingStart::AtPrefix },
            page_keys: self.page_keys,
            single_copy_bytes: self.single_copy_bytes,
            create_only_put: self.create_only_put,
            conditional_copy: self.conditional_copy,
            checked_put: self.checksums,
            metadata: true,
            delete_keys: 1000,
            write_ramp: None,
            keys,
        }
    }
}

/// Fields of [`Quirks`] that the configuration sets over the preset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct QuirkOverrides {
    /// See [`Quirks::create_only_put`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub create_only_put: Option<bool>,
    /// See [`Quirks::conditional_copy`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conditional_copy: Option<bool>,
    /// See [`Quirks::checksums`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checksums: Option<bool>,
    /// See [`Quirks::bulk_delete`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bulk_delete: Option<bool>,
    /// See [`Quirks::start_after`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_after: Option<bool>,
    /// See [`Quirks::list_uploads`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub list_uploads: Option<bool>,
    /// See [`Quirks::policy_status`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_status: Option<bool>,
    /// See [`Quirks::single_copy_bytes`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub single_copy_bytes: Option<u64>,
    /// See [`Quirks::copy_part_bytes`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub copy_part_bytes: Option<u64>,
    /// See [`Quirks::part_bytes`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part_bytes: Option<u64>,
    /// See [`Quirks::page_keys`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_keys: Option<usize>,
    /// See [`Quirks::keys`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<KeyRules>,
}

impl QuirkOverrides {
    /// The preset with these fields set.
    #[must_use]
    pub fn over(&self, preset: Quirks) -> Quirks {
        Quirks {
            create_only_put: self.create_only_put.unwrap_or(preset.create_only_put),
            conditional_copy: self.conditional_copy.unwrap_or(preset.conditional_copy),
            checksums: self.checksums.unwrap_or(preset.checksums),
            bulk_delete: self.bulk_delete.unwrap_or(preset.bulk_delete),
            start_after: self.start_after.unwrap_or(preset.start_after),
            list_uploads: self.list_uploads.unwrap_or(preset.list_uploads),
            policy_status: self.policy_status.unwrap_or(preset.policy_status),
            single_copy_bytes: self.single_copy_bytes.unwrap_or(preset.single_copy_bytes),
            copy_part_bytes: self.copy_part_bytes.unwrap_or(preset.copy_part_bytes),
            part_bytes: self.part_bytes.unwrap_or(preset.part_bytes),
            page_keys: self.page_keys.unwrap_or(preset.page_keys),
            keys: self.keys.unwrap_or(preset.keys),
        }
    }
}
