//! pachd's Deployment in the scratch namespace.

use k8s_openapi::api::core::v1::{EnvVar, EnvVarSource, SecretKeySelector};
use pachyderm::layout::{Backend, Layout};
use serde_json::{Value, json};

use super::blueprint::{Blueprint, is_pachd};
use super::storage_secret;

/// The recorded Deployment with one pod, in front of the scratch bucket. No Service leads to it.
pub(super) fn workload(blueprint: &Blueprint, layout: &Layout) -> Value {
    let mut deployment = blueprint.pachd.clone();
    deployment.spec.replicas = Some(1);
    let pod = deployment.spec.template.spec.iter_mut();
    for container in pod.flat_map(|pod| &mut pod.containers).filter(|container| is_pachd(container)) {
        let variables = container.env.get_or_insert_default();
        let own = [
            ("STORAGE_BACKEND", if layout.backend == Backend::Minio { "MINIO" } else { "AMAZON" }),
            ("PACH_ROOT", layout.root.as_str()),
            // A rehearsal is nobody's usage.
            ("METRICS", "false"),
        ];
        let from_secret = storage_secret::VARIABLES;
        let is_own = |name: &str| {
            let mut names = own.iter().map(|(name, _)| *name).chain(from_secret.iter().map(|(name, _)| *name));
            name == "STORAGE_HOST_PATH" || names.any(|own| own == name)
        };
        variables.retain(|variable| !is_own(&variable.name));
        variables.extend(own.map(|(name, value)| EnvVar {
            name: name.to_owned(),
            value: Some(value.to_owned()),
            ..EnvVar::default()
        }));
        variables.extend(from_secret.iter().map(|(name, key)| EnvVar {
            name: (*name).to_owned(),
            value_from: Some(EnvVarSource {
                secret_key_ref: Some(SecretKeySelector {
                    key: (*key).to_owned(),
                    name: storage_secret::NAME.to_owned(),
                    optional: Some(true),
                }),
                ..EnvVarSource::default()
            }),
            ..EnvVar::default()
        }));
    }
    json!({
        "metadata": {"name": "pachd", "labels": {"app": "pachd", "suite": "pachyderm"}},
        "spec": deployment.spec,
    })
}
