//! The kubeconfig text by which real clients find the server.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A kubeconfig with one context for each user, named like the user, and the certificate of a server that speaks TLS. Texts
/// are JSON strings, which YAML reads too.
pub(crate) fn text(
    url: &str,
    certificate: Option<&[u8]>,
    users: &[(String, String)],
    current: &str,
    namespace: Option<&str>,
) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let mut yaml =
        String::from("apiVersion: v1\nkind: Config\npreferences: {}\nclusters:\n- name: sandbox\n  cluster:\n");
    // Writing to a String cannot fail.
    let _ = writeln!(yaml, "    server: {}", quoted(url));
    if let Some(certificate) = certificate {
        let _ = writeln!(yaml, "    certificate-authority-data: {}", STANDARD.encode(certificate));
    }
    yaml.push_str("users:\n");
    for (name, token) in users {
        let _ = writeln!(yaml, "- name: {}\n  user:\n    token: {}", quoted(name), quoted(token));
    }
    yaml.push_str("contexts:\n");
    for (name, _) in users {
        let name = quoted(name);
        let _ = writeln!(yaml, "- name: {name}\n  context:\n    cluster: sandbox\n    user: {name}");
        if let Some(namespace) = namespace {
            let _ = writeln!(yaml, "    namespace: {}", quoted(namespace));
        }
    }
    let _ = writeln!(yaml, "current-context: {}", quoted(current));
    yaml
}
