//! A ServiceAccount with the rights that the binary itself prints.

use std::process::Stdio;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use e2e::{RealBench, assert_said};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::PostParams;
use sandbox::programs::kubernetes::kubectl;
use serde_json::json;
use serde_yaml_ng::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// Name of the account.
const NAME: &str = "pachsnap";

/// The user that the API server takes the account for.
pub(crate) fn user(bench: &RealBench<'_>) -> String {
    format!("system:serviceaccount:{}:{NAME}", bench.namespace())
}

/// Makes the account, gives it what `pachsnap rbac` prints for the configuration, and answers with a token of it and the printed YAML.
pub(crate) async fn make(bench: &RealBench<'_>, purpose: &str) -> (String, String) {
    let accounts = bench.objects::<ServiceAccount>();
    let account = serde_json::from_value(json!({"metadata": {"name": NAME}})).unwrap();
    accounts.create(&PostParams::default(), &account).await.unwrap();
    let printed = bench.run(&["rbac", "--for", purpose]).await;
    assert_said(&printed, 0, &[]);
    apply(bench, &printed.stdout).await;
    let spec = TokenRequestSpec { expiration_seconds: Some(7200), ..Default::default() };
    let request = TokenRequest { spec: Some(spec), ..TokenRequest::default() };
    let token = accounts.create_token_request(NAME, &PostParams::default(), &request).await.unwrap();
    (token.status.unwrap().token.unwrap(), printed.stdout)
}

/// `kubectl apply -f -` of the administrator.
pub(crate) async fn apply(bench: &RealBench<'_>, yaml: &str) {
    let kubeconfig = bench.folder().join("admin.kubeconfig");
    std::fs::write(&kubeconfig, bench.api_server().kubeconfig().unwrap()).unwrap();
    let mut running = Command::new(kubectl().unwrap())
        .args(["apply", "-n", bench.namespace(), "-f", "-", "--kubeconfig"])
        .arg(kubeconfig)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    running.stdin.take().unwrap().write_all(yaml.as_bytes()).await.unwrap();
    let ended = running.wait_with_output().await.unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
}

/// The kubeconfig with this token in place of the administrator's.
pub(crate) fn kubeconfig(bench: &RealBench<'_>, token: &str) -> String {
    let mut kubeconfig: Value = serde_yaml_ng::from_str(&bench.api_server().kubeconfig().unwrap()).unwrap();
    for user in kubeconfig["users"].as_sequence_mut().unwrap() {
        user["user"]["token"] = token.into();
    }
    serde_yaml_ng::to_string(&kubeconfig).unwrap()
}

/// The certificate of the API server.
pub(crate) fn certificate(bench: &RealBench<'_>) -> Vec<u8> {
    let kubeconfig: Value = serde_yaml_ng::from_str(&bench.api_server().kubeconfig().unwrap()).unwrap();
    let data = kubeconfig["clusters"][0]["cluster"]["certificate-authority-data"].as_str().unwrap();
    BASE64_STANDARD.decode(data).unwrap()
}
