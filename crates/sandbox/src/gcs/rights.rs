//! Which permissions an account has, and which it was asked for.
//!
//! What each call needs is written where it is made, as Google's page "IAM permissions for JSON methods" lists it.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Permissions of a custom role, and which of them were needed.
#[derive(Debug, Default)]
pub struct Permissions {
    grants: Vec<Grant>,
    /// By grant and permission.
    used: Mutex<BTreeSet<(usize, String)>>,
    refused: Mutex<BTreeSet<String>>,
}

#[derive(Debug)]
struct Grant {
    /// `None`: on the project, so on each of its buckets.
    bucket: Option<String>,
    permissions: BTreeSet<String>,
}

impl Permissions {
    /// Permissions granted on the project: they hold for every bucket.
    #[must_use]
    pub fn of<T: Into<String>>(permissions: impl IntoIterator<Item = T>) -> Self {
        let permissions = permissions.into_iter().map(Into::into).collect();
        Self { grants: vec![Grant { bucket: None, permissions }], ..Self::default() }
    }

    /// The same with permissions granted on one bucket.
    #[must_use]
    pub fn on<T: Into<String>>(mut self, bucket: &str, permissions: impl IntoIterator<Item = T>) -> Self {
        let permissions = permissions.into_iter().map(Into::into).collect();
        self.grants.push(Grant { bucket: Some(bucket.to_owned()), permissions });
        self
    }

    /// Whether a permission is granted; does not keep that it was asked for. A bucket's name is empty for what is the
    /// project's.
    #[must_use]
    pub fn grants(&self, permission: &str, bucket: &str) -> bool {
        self.granting(permission, bucket).is_some()
    }

    fn granting(&self, permission: &str, bucket: &str) -> Option<usize> {
        let fits = |grant: &Grant| {
            grant.permissions.contains(permission) && grant.bucket.as_deref().is_none_or(|granted| granted == bucket)
        };
        self.grants.iter().position(fits)
    }

    /// Whether a call may be made that needs a permission; keeps that it was needed.
    pub(super) fn allows(&self, permission: &str, bucket: &str) -> bool {
        let Some(number) = self.granting(permission, bucket) else {
            kept(&self.refused).insert(format!("{permission} on {bucket}"));
            return false;
        };
        kept(&self.used).insert((number, permission.to_owned()));
        true
    }

    /// The permissions that were needed and granted.
    #[must_use]
    pub fn used(&self) -> BTreeSet<String> {
        kept(&self.used).iter().map(|(_, permission)| permission.clone()).collect()
    }

    /// The permissions that were needed and not granted, each with the bucket: `storage.objects.get on data`.
    #[must_use]
    pub fn refused(&self) -> BTreeSet<String> {
        kept(&self.refused).clone()
    }

    /// The granted permissions that no call has needed so far; those of a bucket with its name, as [`Permissions::refused`]
    /// has it.
    #[must_use]
    pub fn unused(&self) -> Vec<String> {
        let used = kept(&self.used);
        let all = self.grants.iter().enumerate().flat_map(|(number, grant)| {
            grant.permissions.iter().map(move |permission| (number, &grant.bucket, permission))
        });
        all.filter(|(number, _, permission)| !used.contains(&(*number, (*permission).clone())))
            .map(|(_, bucket, permission)| match bucket {
                Some(bucket) => format!("{permission} on {bucket}"),
                None => permission.clone(),
            })
            .collect()
    }
}

fn kept<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_needed_is_kept() {
        let permissions = Permissions::of(["storage.objects.get", "storage.objects.list"])
            .on("clone", ["storage.objects.create", "storage.objects.delete"]);
        assert!(permissions.allows("storage.objects.get", "data"));
        assert!(permissions.allows("storage.objects.create", "clone"));
        assert!(!permissions.allows("storage.objects.create", "data"));
        assert!(permissions.grants("storage.objects.delete", "clone"));
        assert!(!permissions.grants("storage.buckets.get", "clone"));
        assert_eq!(permissions.used(), ["storage.objects.create", "storage.objects.get"].map(str::to_owned).into());
        assert_eq!(permissions.refused(), ["storage.objects.create on data".to_owned()].into());
        assert_eq!(permissions.unused(), ["storage.objects.list", "storage.objects.delete on clone"]);
    }
}
