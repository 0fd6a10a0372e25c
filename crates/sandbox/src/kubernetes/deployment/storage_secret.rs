//! The Secret that names the object store.

use serde_json::{Map, Value, json};

use super::{Backend, PachydermDeployment};

/// The name of the Secret.
pub(super) const NAME: &str = "pachyderm-storage-secret";

pub(super) fn object(deployment: &PachydermDeployment) -> Value {
    let mut secret = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": deployment.metadata(NAME, NAME),
        "type": "Opaque",
    });
    let data = data(&deployment.backend);
    if !data.is_empty() {
        secret["stringData"] = Value::Object(data);
    }
    secret
}

fn data(backend: &Backend) -> Map<String, Value> {
    let pairs: Vec<(&str, String)> = match backend.clone() {
        Backend::Minio { endpoint, bucket, id, secret, secure } => vec![
            ("minio-bucket", bucket),
            ("minio-id", id),
            ("minio-secret", secret),
            ("minio-endpoint", endpoint),
            ("minio-secure", if secure { "1" } else { "0" }.to_owned()),
            ("minio-signature", "0".to_owned()),
        ],
        Backend::Amazon { bucket, region, id, secret, custom_endpoint, reverse } => vec![
            ("amazon-region", region),
            ("amazon-bucket", bucket),
            ("amazon-id", id),
            ("amazon-secret", secret),
            ("amazon-token", String::new()),
            ("amazon-distribution", String::new()),
            ("custom-endpoint", custom_endpoint),
            ("retries", "10".to_owned()),
            ("timeout", "5m".to_owned()),
            ("upload-acl", "bucket-owner-full-control".to_owned()),
            ("reverse", reverse.to_string()),
            ("part-size", "5242880".to_owned()),
            ("max-upload-parts", "10000".to_owned()),
            ("disable-ssl", "false".to_owned()),
            ("no-verify-ssl", "false".to_owned()),
            ("log-options", String::new()),
        ],
        Backend::Google { bucket, credentials } => vec![("google-bucket", bucket), ("google-cred", credentials)],
        Backend::Microsoft { container, id, secret } => {
            vec![("microsoft-container", container), ("microsoft-id", id), ("microsoft-secret", secret)]
        }
        Backend::Local { .. } => Vec::new(),
    };
    pairs.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect()
}
