//! Names of the files in a vault.

/// Which cluster a name in the vault belongs to; beside the runs.
pub const CLUSTER: &str = "cluster.json";
/// The metadata stream, as `pachctl restore` reads it (snappy-framed).
pub const METADATA: &str = "metadata.pachd";
/// etcd's own snapshot, as etcd wrote it.
pub const ETCD_SNAPSHOT: &str = "etcd.snapshot.db";
/// The Kubernetes objects of the cluster, without secret values.
pub const CLUSTER_OBJECTS: &str = "cluster-objects.yaml";
/// What was captured; from it a run is finished on any machine.
pub const CAPTURED: &str = "captured.json";
/// The manifest: with it, the run is a recovery point.
pub const MANIFEST: &str = "manifest.json";
/// Another run writes to the recovery point's clone: it is none any more.
pub const SUPERSEDED: &str = "superseded.json";
/// The run is being removed: what is left of it to remove.
pub const DELETING: &str = "deleting.json";
/// The folder of the inventory's parts.
pub const INVENTORY: &str = "inventory/";

/// Name of the inventory's part with this number, counted from 0.
#[must_use]
pub fn inventory_part(number: usize) -> String {
    format!("{INVENTORY}part-{number:05}.parquet")
}

#[cfg(test)]
mod tests {
    #[test]
    fn parts_are_named_with_five_digits() {
        assert_eq!(super::inventory_part(7), "inventory/part-00007.parquet");
    }
}
