//! What Kubernetes says of where a Persistent Disk is.

use serde_json::{Map, Value, json};

use super::EtcdVolume;

/// Google's CSI driver for Persistent Disks.
const PD_DRIVER: &str = "pd.csi.storage.gke.io";
/// The key under which that driver has the zone of a node.
const CSI_ZONE: &str = "topology.gke.io/zone";
/// What a label holds between the zones of a regional disk.
const BETWEEN_ZONES: &str = "__";

/// The names of the labels with zone and region that Kubernetes puts on the PersistentVolume of an in-tree disk, and asks of
/// nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopologyLabels {
    /// `failure-domain.beta.kubernetes.io/zone` and `…/region`, on volumes from before Kubernetes 1.20 or so, which keep them.
    Beta,
    /// `topology.kubernetes.io/zone` and `…/region`.
    Stable,
}

impl TopologyLabels {
    /// The keys of zone and region.
    fn keys(self) -> [&'static str; 2] {
        match self {
            Self::Beta => ["failure-domain.beta.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/region"],
            Self::Stable => ["topology.kubernetes.io/zone", "topology.kubernetes.io/region"],
        }
    }
}

/// The provisioner and type of the class of a disk; `None` for another volume.
pub(super) fn class_of(volume: &EtcdVolume) -> Option<(&'static str, &'static str)> {
    match volume {
        EtcdVolume::GcePersistentDisk { .. } => Some(("kubernetes.io/gce-pd", "pd-ssd")),
        EtcdVolume::Csi { driver, .. } if driver == PD_DRIVER => Some((PD_DRIVER, "pd-ssd")),
        _ => None,
    }
}

/// Puts into a PersistentVolume's metadata and spec where the disk is, and which nodes can have it. Other volumes stay as they are.
pub(super) fn tell_place(volume: &EtcdVolume, metadata: &mut Value, spec: &mut Value) {
    match volume {
        EtcdVolume::GcePersistentDisk { zone, labels, .. } => {
            let zones: Vec<&str> = zone.split(BETWEEN_ZONES).collect();
            let region = zones.first().and_then(|zone| zone.rsplit_once('-')).map_or("", |(region, _)| region);
            let [zone_key, region_key] = labels.keys();
            metadata["labels"][zone_key] = json!(zone);
            metadata["labels"][region_key] = json!(region);
            let wanted = [requirement(zone_key, &zones), requirement(region_key, &[region])];
            spec["nodeAffinity"] = json!({"required": {"nodeSelectorTerms": [{"matchExpressions": wanted}]}});
        }
        EtcdVolume::Csi { driver, handle } if driver == PD_DRIVER => {
            metadata["annotations"] = json!({"pv.kubernetes.io/provisioned-by": PD_DRIVER});
            let terms = zones_of(handle).into_iter();
            let terms = terms.map(|zone| json!({"matchExpressions": [requirement(CSI_ZONE, &[&zone])]}));
            spec["nodeAffinity"] = json!({"required": {"nodeSelectorTerms": terms.collect::<Vec<_>>()}});
            spec["csi"]["volumeAttributes"] = Value::Object(Map::from_iter([(
                "storage.kubernetes.io/csiProvisionerIdentity".to_owned(),
                json!(format!("1700000000000-8081-{PD_DRIVER}")),
            )]));
        }
        _ => {}
    }
}

fn requirement(key: &str, values: &[&str]) -> Value {
    json!({"key": key, "operator": "In", "values": values})
}

/// The zones of a handle: `projects/P/zones/Z/disks/D`, or `projects/P/regions/R/disks/D` whose replicas are in the zones `a` and
/// `b`, as the sandbox's Compute Engine has them.
fn zones_of(handle: &str) -> Vec<String> {
    match handle.split('/').collect::<Vec<_>>().as_slice() {
        ["projects", _, "zones", zone, "disks", _] => vec![(*zone).to_owned()],
        ["projects", _, "regions", region, "disks", _] => vec![format!("{region}-a"), format!("{region}-b")],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(volume: &EtcdVolume) -> (Value, Value) {
        let (mut metadata, mut spec) = (json!({"labels": {"app": "etcd"}}), json!({"csi": {}}));
        tell_place(volume, &mut metadata, &mut spec);
        let terms = spec["nodeAffinity"]["required"]["nodeSelectorTerms"].take();
        (metadata, terms)
    }

    #[test]
    fn a_disk_of_two_zones_is_where_both_are() {
        let (name, zone) = ("etcd".to_owned(), "us-central1-a__us-central1-b".to_owned());
        let disk = EtcdVolume::GcePersistentDisk { name, zone, labels: TopologyLabels::Beta };
        let (metadata, terms) = told(&disk);
        let prefix = "failure-domain.beta.kubernetes.io";
        assert_eq!(metadata["labels"][format!("{prefix}/zone")], "us-central1-a__us-central1-b");
        assert_eq!(metadata["labels"][format!("{prefix}/region")], "us-central1");
        let wanted = json!([
            {"key": format!("{prefix}/zone"), "operator": "In", "values": ["us-central1-a", "us-central1-b"]},
            {"key": format!("{prefix}/region"), "operator": "In", "values": ["us-central1"]},
        ]);
        assert_eq!(terms, json!([{"matchExpressions": wanted}]));
    }

    #[test]
    fn a_handle_tells_its_zones() {
        let csi = |handle: &str| EtcdVolume::Csi { driver: PD_DRIVER.to_owned(), handle: handle.to_owned() };
        let term = |zone| json!({"matchExpressions": [{"key": CSI_ZONE, "operator": "In", "values": [zone]}]});
        let (metadata, terms) = told(&csi("projects/p/zones/us-east1-c/disks/d"));
        assert_eq!(metadata["labels"], json!({"app": "etcd"}));
        assert_eq!(terms, json!([term("us-east1-c")]));
        assert_eq!(
            told(&csi("projects/p/regions/us-east1/disks/d")).1,
            json!([term("us-east1-a"), term("us-east1-b")])
        );
    }
}
