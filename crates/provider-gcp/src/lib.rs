//! The Google Cloud provider: snapshots of Persistent Disks, buckets of Cloud Storage.
