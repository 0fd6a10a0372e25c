//! The IAM permissions that pachsnap needs of Google Cloud, for each of its jobs, and the custom roles that hold them.
//!
//! What each call needs is told by Google's reference of Cloud Storage ("IAM permissions for JSON methods"; gRPC calls need the same)
//! and of Compute Engine.

use provider::Purpose;

use crate::PdPurpose;

/// What a role is granted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The cluster's bucket.
    DataBucket,
    /// The buckets of vault and clones.
    Stores,
    /// The project of the disks.
    Disks,
    /// The project that pays for requests to buckets whose requesters pay.
    Payer,
}

/// Looking at a bucket and reading what is in it.
const READ: &[&str] = &["storage.buckets.get", "storage.objects.get", "storage.objects.list"];

/// The same, and writing. Writing over an object needs the right to delete it.
const WRITE: &[&str] = &[
    "storage.buckets.get",
    "storage.objects.create",
    "storage.objects.delete",
    "storage.objects.get",
    "storage.objects.list",
];

impl Place {
    /// The permissions that are needed at this place, each of them, sorted; none where nothing is asked.
    #[must_use]
    pub fn permissions(self, purpose: Purpose) -> Vec<&'static str> {
        match (self, purpose) {
            (Self::DataBucket, Purpose::Snapshot) => READ.to_vec(),
            (Self::DataBucket, Purpose::Restore) | (Self::Stores, _) => WRITE.to_vec(),
            (Self::DataBucket, Purpose::Drill | Purpose::Prune) => Vec::new(),
            (Self::Disks, _) => of_disks(purpose),
            (Self::Payer, _) => vec!["serviceusage.services.use"],
        }
    }
}

fn of_disks(purpose: Purpose) -> Vec<&'static str> {
    let purposes: &[PdPurpose] = match purpose {
        Purpose::Snapshot => &[PdPurpose::Snapshot],
        Purpose::Restore | Purpose::Drill => &[PdPurpose::Restore, PdPurpose::Verify],
        Purpose::Prune => &[PdPurpose::Prune],
    };
    let mut all: Vec<_> = purposes.iter().flat_map(|purpose| purpose.permissions()).copied().collect();
    all.sort_unstable();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_only_reads_the_data_bucket() {
        let data = Place::DataBucket.permissions(Purpose::Snapshot);
        assert!(
            data.iter().all(|permission| permission.ends_with(".get") || permission.ends_with(".list")),
            "{data:?}"
        );
    }

    #[test]
    fn permissions_are_sorted_and_named_once() {
        for purpose in [Purpose::Snapshot, Purpose::Restore, Purpose::Drill, Purpose::Prune] {
            for place in [Place::DataBucket, Place::Stores, Place::Disks, Place::Payer] {
                let found = place.permissions(purpose);
                assert!(found.windows(2).all(|pair| pair[0] < pair[1]), "{purpose:?} {place:?} {found:?}");
            }
        }
    }
}
