//! pachd and its Services.

use serde_json::{Value, json};

use super::{Backend, PachydermDeployment, storage_secret};

/// Ports of Service `pachd` with their node ports.
const PORTS: &[(&str, u16, u16)] = &[
    ("api-grpc-port", 650, 30650),
    ("trace-port", 651, 30651),
    ("api-http-port", 652, 30652),
    ("saml-port", 654, 30654),
    ("oidc-port", 657, 30657),
    ("api-git-port", 655, 30655),
    ("s3gateway-port", 600, 30600),
    ("prom-metrics", 656, 30656),
];

/// Variables that come from the storage secret, all optional.
const FROM_SECRET: &[(&str, &str)] = &[
    ("GOOGLE_BUCKET", "google-bucket"),
    ("GOOGLE_CRED", "google-cred"),
    ("MICROSOFT_CONTAINER", "microsoft-container"),
    ("MICROSOFT_ID", "microsoft-id"),
    ("MICROSOFT_SECRET", "microsoft-secret"),
    ("MINIO_BUCKET", "minio-bucket"),
    ("MINIO_ENDPOINT", "minio-endpoint"),
    ("MINIO_ID", "minio-id"),
    ("MINIO_SECRET", "minio-secret"),
    ("MINIO_SECURE", "minio-secure"),
    ("MINIO_SIGNATURE", "minio-signature"),
    ("AMAZON_REGION", "amazon-region"),
    ("AMAZON_BUCKET", "amazon-bucket"),
    ("AMAZON_ID", "amazon-id"),
    ("AMAZON_SECRET", "amazon-secret"),
    ("AMAZON_TOKEN", "amazon-token"),
    ("AMAZON_VAULT_ADDR", "amazon-vault-addr"),
    ("AMAZON_VAULT_ROLE", "amazon-vault-role"),
    ("AMAZON_VAULT_TOKEN", "amazon-vault-token"),
    ("AMAZON_DISTRIBUTION", "amazon-distribution"),
    ("CUSTOM_ENDPOINT", "custom-endpoint"),
    ("RETRIES", "retries"),
    ("TIMEOUT", "timeout"),
    ("UPLOAD_ACL", "upload-acl"),
    ("REVERSE", "reverse"),
    ("PART_SIZE", "part-size"),
    ("MAX_UPLOAD_PARTS", "max-upload-parts"),
    ("DISABLE_SSL", "disable-ssl"),
    ("NO_VERIFY_SSL", "no-verify-ssl"),
    ("OBJ_LOG_OPTS", "log-options"),
];

pub(super) fn objects(deployment: &PachydermDeployment) -> Vec<Value> {
    let ports: Vec<Value> = PORTS
        .iter()
        .map(|(name, port, node_port)| json!({"name": name, "port": port, "nodePort": node_port}))
        .collect();
    let peer = json!({"name": "api-grpc-peer-port", "port": 30653, "targetPort": 653});
    let mut metadata = deployment.metadata("pachd", "pachd");
    metadata["annotations"] = json!({"prometheus.io/port": "656", "prometheus.io/scrape": "true"});
    vec![
        json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"type": "NodePort", "selector": {"app": "pachd"}, "ports": ports},
        }),
        json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": deployment.metadata("pachd-peer", "pachd"),
            "spec": {"type": "ClusterIP", "selector": {"app": "pachd"}, "ports": [peer]},
        }),
        workload(deployment),
    ]
}

fn environment(deployment: &PachydermDeployment) -> Vec<Value> {
    let (backend, host_path) = match &deployment.backend {
        Backend::Minio { .. } => ("MINIO", String::new()),
        Backend::Amazon { .. } => ("AMAZON", String::new()),
        Backend::Google { .. } => ("GOOGLE", String::new()),
        Backend::Microsoft { .. } => ("MICROSOFT", String::new()),
        Backend::Local { host_path } => ("LOCAL", format!("{host_path}/pachd")),
    };
    let version = &deployment.pachd_version;
    let (worker, sidecar) = (format!("pachyderm/worker:{version}"), format!("pachyderm/pachd:{version}"));
    let storage_v2 = deployment.storage_v2.to_string();
    let literals: &[(&str, &str)] = &[
        ("PACH_ROOT", &deployment.storage_root),
        ("ETCD_PREFIX", ""),
        ("NUM_SHARDS", "16"),
        ("STORAGE_BACKEND", backend),
        ("STORAGE_HOST_PATH", &host_path),
        ("WORKER_IMAGE", &worker),
        ("IMAGE_PULL_SECRET", ""),
        ("WORKER_SIDECAR_IMAGE", &sidecar),
        ("WORKER_IMAGE_PULL_POLICY", "IfNotPresent"),
        ("WORKER_SERVICE_ACCOUNT", "pachyderm-worker"),
        ("PACHD_VERSION", version),
        ("METRICS", "false"),
        ("LOG_LEVEL", "info"),
        ("BLOCK_CACHE_BYTES", "1G"),
        ("IAM_ROLE", ""),
        ("NO_EXPOSE_DOCKER_SOCKET", "false"),
        ("PACHYDERM_AUTHENTICATION_DISABLED_FOR_TESTING", "false"),
        ("EXPOSE_OBJECT_API", "false"),
        ("CLUSTER_DEPLOYMENT_ID", &deployment.deployment_id),
        ("REQUIRE_CRITICAL_SERVERS_ONLY", "false"),
        ("PPS_WORKER_GRPC_PORT", "80"),
        ("STORAGE_UPLOAD_CONCURRENCY_LIMIT", "100"),
        ("STORAGE_PUT_FILE_CONCURRENCY_LIMIT", "100"),
        ("STORAGE_V2", &storage_v2),
    ];
    let mut environment: Vec<Value> = literals
        .iter()
        .map(
            |(name, value)| {
                if value.is_empty() { json!({"name": name}) } else { json!({"name": name, "value": value}) }
            },
        )
        .collect();
    for (name, path) in [("PACH_NAMESPACE", "metadata.namespace"), ("PACHD_POD_NAME", "metadata.name")] {
        environment.push(json!({"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}}));
    }
    environment.push(json!({
        "name": "PACHD_MEMORY_REQUEST",
        "valueFrom": {"resourceFieldRef": {"containerName": "pachd", "divisor": "0", "resource": "requests.memory"}},
    }));
    for (name, key) in FROM_SECRET {
        let reference = json!({"key": key, "name": storage_secret::NAME, "optional": true});
        environment.push(json!({"name": name, "valueFrom": {"secretKeyRef": reference}}));
    }
    environment
}

fn workload(deployment: &PachydermDeployment) -> Value {
    let labels = json!({"app": "pachd", "suite": "pachyderm"});
    let mut container_ports: Vec<Value> =
        PORTS.iter().map(|(name, port, _)| json!({"name": name, "containerPort": port, "protocol": "TCP"})).collect();
    container_ports.push(json!({"name": "peer-port", "containerPort": 653, "protocol": "TCP"}));
    let disk = match &deployment.backend {
        Backend::Local { host_path } => {
            json!({"name": "pach-disk", "hostPath": {"path": format!("{host_path}/pachd")}})
        }
        _ => json!({"name": "pach-disk", "emptyDir": {}}),
    };
    let secret = storage_secret::NAME;
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": deployment.metadata("pachd", "pachd"),
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "strategy": {"type": "RollingUpdate"},
            "template": {
                "metadata": {
                    "name": "pachd",
                    "labels": labels,
                    "annotations": {"iam.amazonaws.com/role": ""},
                },
                "spec": {
                    "containers": [{
                        "name": "pachd",
                        "image": format!("pachyderm/pachd:{}", deployment.pachd_version),
                        "imagePullPolicy": "IfNotPresent",
                        "command": ["/pachd"],
                        "env": environment(deployment),
                        "ports": container_ports,
                        "readinessProbe": {"exec": {"command": ["/pachd", "--readiness"]}},
                        "resources": {
                            "limits": {"cpu": "1", "memory": "3G"}, "requests": {"cpu": "1", "memory": "3G"},
                        },
                        "volumeMounts": [
                            {"mountPath": "/pach", "name": "pach-disk"},
                            {"mountPath": format!("/{secret}"), "name": secret},
                        ],
                    }],
                    "serviceAccountName": "pachyderm",
                    "volumes": [disk, {"name": secret, "secret": {"secretName": secret}}],
                },
            },
        },
    })
}
