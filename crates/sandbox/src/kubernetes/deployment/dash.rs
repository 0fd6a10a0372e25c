//! The dashboard.

use serde_json::{Value, json};

use super::PachydermDeployment;

pub(super) fn objects(deployment: &PachydermDeployment) -> Vec<Value> {
    let labels = json!({"app": "dash", "suite": "pachyderm"});
    let container = |name: &str, image: &str, port_name: &str, port: u16| {
        json!({
            "name": name,
            "image": image,
            "imagePullPolicy": "IfNotPresent",
            "ports": [{"containerPort": port, "name": port_name}],
        })
    };
    vec![
        json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": deployment.metadata("dash", "dash"),
            "spec": {
                "type": "NodePort",
                "selector": labels,
                "ports": [
                    {"name": "dash-http", "port": 8080, "nodePort": 30080},
                    {"name": "grpc-proxy-http", "port": 8081, "nodePort": 30081},
                ],
            },
        }),
        json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": deployment.metadata("dash", "dash"),
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"name": "dash", "labels": labels},
                    "spec": {
                        "containers": [
                            container("dash", "pachyderm/dash:0.5.57", "dash-http", 8080),
                            container("grpc-proxy", "pachyderm/grpc-proxy:0.4.10", "grpc-proxy-http", 8081),
                        ],
                    },
                },
            },
        }),
    ]
}
