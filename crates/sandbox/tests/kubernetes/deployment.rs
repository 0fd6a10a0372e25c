//! The objects of a Pachyderm deployment.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod, Secret, Service};
use kube::Api;
use kube::config::Kubeconfig;

use crate::cases;
use crate::place::{Place, until};

cases! {
    both: [a_deployment_is_what_pachctl_makes on bench],
    sandbox: [a_kubeconfig_is_written because "its starter returns the text"],
}

async fn a_deployment_is_what_pachctl_makes(place: Place) {
    place.deploy(&place.namespace, true).await.unwrap();
    let pachd = place.api::<Deployment>().get("pachd").await.unwrap();
    let container = &pachd.spec.template.spec.unwrap().containers[0];
    assert_eq!(container.image.as_deref(), Some("pachyderm/pachd:1.13.4"));
    let variables = container.env.as_ref().unwrap();
    let variable = |name: &str| variables.iter().find(|it| it.name == name).unwrap();
    assert_eq!(variable("STORAGE_BACKEND").value.as_deref(), Some("MINIO"));
    assert_eq!(variable("PACH_ROOT").value.as_deref(), Some("/pach"));
    let source = variable("MINIO_SECRET").value_from.clone().unwrap().secret_key_ref.unwrap();
    assert_eq!((source.name.as_str(), source.key.as_str()), ("pachyderm-storage-secret", "minio-secret"));
    let secret = place.api::<Secret>().get("pachyderm-storage-secret").await.unwrap().data.unwrap();
    assert_eq!((&secret["minio-bucket"].0[..], &secret["minio-secure"].0[..]), (&b"pach-bucket"[..], &b"0"[..]));

    let ports = place.api::<Service>().get("pachd").await.unwrap().spec.unwrap().ports.unwrap();
    let numbers: Vec<_> =
        ports.iter().map(|it| (it.name.as_deref().unwrap(), it.port, it.node_port.unwrap())).collect();
    assert_eq!(numbers[0], ("api-grpc-port", 650, 30650));
    assert_eq!(numbers.iter().find(|it| it.0 == "s3gateway-port"), Some(&("s3gateway-port", 600, 30600)));

    until(|| async { place.api::<Pod>().get_opt("etcd-0").await.unwrap().is_some() }).await;
    let etcd = place.api::<Pod>().get("etcd-0").await.unwrap();
    let claim = etcd.spec.unwrap().volumes.unwrap()[0].persistent_volume_claim.clone().unwrap().claim_name;
    let claims = place.api::<PersistentVolumeClaim>();
    let phase = async || claims.get(&claim).await.unwrap().status.and_then(|status| status.phase);
    until(|| async { phase().await.as_deref() == Some("Bound") }).await;
    let volume = claims.get(&claim).await.unwrap().spec.unwrap().volume_name.unwrap();
    let volume = Api::<PersistentVolume>::all(place.client.clone()).get(&volume).await.unwrap();
    assert_eq!(volume.spec.unwrap().host_path.unwrap().path, "/var/pachyderm/etcd");
    assert_eq!(volume.status.unwrap().phase.as_deref(), Some("Bound"));

    let other = format!("{}-other", place.namespace);
    place.create_namespace(&other).await;
    let refused = place.deploy(&other, true).await;
    assert_eq!(refused, Err(422), "the documented node ports can be had only once");
}

async fn a_kubeconfig_is_written(place: Place) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config");
    place.sandbox_server().write_kubeconfig(&path).unwrap();
    assert_eq!(Kubeconfig::read_from(&path).unwrap().current_context.as_deref(), Some("admin"));
}
