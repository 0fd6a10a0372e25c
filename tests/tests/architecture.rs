//! Which crate may use which, and what every crate has in common.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Every edge that the design allows between our crates.
const EDGES: &[(&str, &[&str])] = &[
    ("provider", &[]),
    ("pachyderm", &[]),
    ("s3", &["provider"]),
    ("provider-aws", &["provider", "s3"]),
    ("provider-gcp", &["provider"]),
    ("provider-azure", &["provider"]),
    ("provider-onprem", &["provider", "s3"]),
    ("sandbox", &["pachyderm"]),
    ("orchestrator", &["pachyderm", "provider"]),
    (
        "pachsnap",
        &["orchestrator", "pachyderm", "provider", "provider-aws", "provider-gcp", "provider-onprem", "s3", "sandbox"],
    ),
    ("e2e", &["pachyderm", "sandbox"]),
];

/// What tests may use beyond that. `sandbox` and the test kit of `provider` are servers and fixtures.
const FOR_TESTS: &[&str] = &["provider", "pachyderm", "sandbox"];

/// Our own crates behind a cargo feature, wherever they are used.
const OPTIONAL: &[(&str, &str)] = &[
    ("pachsnap", "provider-aws"),
    ("pachsnap", "provider-gcp"),
    ("pachsnap", "provider-onprem"),
    ("pachsnap", "s3"),
    ("pachsnap", "sandbox"),
];

/// Clouds and printing that the library must not know of.
const KEPT_OUT: &[(&str, &[&str])] = &[
    ("provider", &["kube", "aws-config", "aws-sdk-ec2", "aws-sdk-s3", "tonic", "clap", "indicatif"]),
    ("pachyderm", &["kube", "k8s-openapi", "aws-config", "aws-sdk-ec2", "aws-sdk-s3", "clap", "indicatif"]),
    ("orchestrator", &["aws-config", "aws-sdk-ec2", "aws-sdk-s3", "clap", "indicatif", "tracing-subscriber"]),
    ("pachsnap", &["aws-config", "aws-sdk-ec2", "aws-sdk-s3"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Our packages, by name.
fn packages() -> BTreeMap<String, Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages.map(|package| (package["name"].as_str().unwrap().to_owned(), package.clone())).collect()
}

/// Dependencies of a package: name, kind (`null` is normal), optional.
fn dependencies(package: &Value) -> Vec<(String, Option<String>, bool)> {
    let dependencies = package["dependencies"].as_array().unwrap().iter();
    dependencies
        .map(|dependency| {
            let name = dependency["name"].as_str().unwrap().to_owned();
            (name, dependency["kind"].as_str().map(str::to_owned), dependency["optional"].as_bool().unwrap())
        })
        .collect()
}

#[test]
fn crates_use_only_what_the_design_allows() {
    let packages = packages();
    let allowed: BTreeMap<&str, &[&str]> = EDGES.iter().copied().collect();
    let mut wrong = Vec::new();
    for (name, package) in &packages {
        let Some(allowed) = allowed.get(name.as_str()) else {
            wrong.push(format!("{name} is not in the design"));
            continue;
        };
        for (used, kind, _) in dependencies(package) {
            let ours = packages.contains_key(&used);
            let for_tests = kind.as_deref() == Some("dev") && FOR_TESTS.contains(&used.as_str());
            if ours && !for_tests && !allowed.contains(&used.as_str()) {
                wrong.push(format!("{name} -> {used} ({})", kind.as_deref().unwrap_or("normal")));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn providers_and_sandbox_are_optional_in_the_binary() {
    let packages = packages();
    for (name, used) in OPTIONAL {
        let found = dependencies(&packages[*name]).into_iter().find(|(found, kind, _)| found == used && kind.is_none());
        if let Some((.., optional)) = found {
            assert!(optional, "{name} -> {used} must be behind a cargo feature");
        }
    }
}

#[test]
fn libraries_do_not_know_what_they_must_not() {
    let packages = packages();
    for (name, kept_out) in KEPT_OUT {
        let normal: BTreeSet<String> = dependencies(&packages[*name])
            .into_iter()
            .filter_map(|(used, kind, _)| kind.is_none().then_some(used))
            .collect();
        for used in *kept_out {
            assert!(!normal.contains(*used), "{name} must not use {used}");
        }
    }
}

#[test]
fn every_crate_has_the_workspaces_lints_licence_and_version() {
    for (name, package) in packages() {
        let manifest = std::fs::read_to_string(package["manifest_path"].as_str().unwrap()).unwrap();
        assert!(manifest.contains("[lints]\nworkspace = true"), "{name} has lints of its own");
        for inherited in ["version", "edition", "license", "publish", "rust-version"] {
            assert!(manifest.contains(&format!("{inherited}.workspace = true")), "{name}: {inherited}");
        }
        assert_eq!(package["license"].as_str(), Some("Apache-2.0"), "{name}");
        assert!(package["description"].is_string(), "{name} has no description");
    }
}

#[test]
fn versions_of_external_crates_are_written_once() {
    for (name, package) in packages() {
        let text = std::fs::read_to_string(package["manifest_path"].as_str().unwrap()).unwrap();
        let mut section = String::new();
        for line in text.lines() {
            if line.starts_with('[') {
                line.clone_into(&mut section);
            } else if section.ends_with("dependencies]")
                && !line.trim().is_empty()
                && !line.trim_start().starts_with('#')
            {
                assert!(line.contains("workspace = true") || line.contains("path = \"../"), "{name}: {line}");
            }
        }
    }
}

#[test]
fn files_are_not_named_for_nothing() {
    let vague = ["util.rs", "utils.rs", "helper.rs", "helpers.rs", "common.rs", "misc.rs", "manager.rs"];
    let mut folders = vec![root().join("crates"), root().join("tests")];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" {
                folders.push(path);
            } else if vague.contains(&name.as_str()) {
                found.push(path);
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}
