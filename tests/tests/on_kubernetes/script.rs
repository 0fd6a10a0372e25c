//! The script in the undo record, run by somebody who has kubectl and pachctl and not this tool.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use e2e::{RealBench, assert_said};
use k8s_openapi::api::core::v1::ConfigMap;
use sandbox::programs::kubernetes::kubectl;
use tokio::process::Command;

use crate::shared;

/// A pachctl that writes down what it is asked for, and does it only if it is told to.
fn pachctl(folder: &Path, code: u8) {
    let calls = folder.join("calls");
    let script = format!("#!/bin/sh\necho \"$*\" >> '{}'\nexit {code}\n", calls.display());
    let file = folder.join("bin/pachctl");
    std::fs::write(&file, script).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
}

async fn run(folder: &Path) -> (bool, String) {
    let ended = Command::new("sh")
        .arg(folder.join("undo.sh"))
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", folder.join("bin").display()))
        .env("KUBECONFIG", folder.join("kubeconfig"))
        .env("HOME", folder)
        .output()
        .await
        .unwrap();
    (ended.status.success(), String::from_utf8_lossy(&ended.stderr).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_thaws_the_cluster_with_kubectl_and_pachctl_alone() {
    let bench = RealBench::new(shared().await, "undo-script").await;
    let before = bench.picture().await;
    assert_said(&bench.run(&["pause"]).await, 0, &[]);
    let maps = bench.objects::<ConfigMap>();
    let record = maps.get("pachsnap-undo").await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("undo.sh"), &record.data.unwrap()["undo.sh"]).unwrap();
    std::fs::write(folder.join("kubeconfig"), bench.api_server().kubeconfig().unwrap()).unwrap();
    std::fs::create_dir(folder.join("bin")).unwrap();
    symlink(kubectl().unwrap(), folder.join("bin/kubectl")).unwrap();

    // A pachctl that fails: the fence is down all the same, and the record stays.
    pachctl(folder, 1);
    let (ended_well, said) = run(folder).await;
    assert!(!ended_well && said.contains("the undo record stays"), "{said}");
    assert_eq!(bench.picture().await.services, before.services);
    assert!(maps.get_opt("pachsnap-undo").await.unwrap().is_some());

    std::fs::remove_file(folder.join("calls")).unwrap();
    pachctl(folder, 0);
    let (ended_well, said) = run(folder).await;
    assert!(ended_well, "{said}");
    let after = bench.picture().await;
    assert_eq!((&after.services, &after.workloads), (&before.services, &before.workloads));
    assert_eq!(after.leftovers, Vec::<String>::new());

    // Each pipeline that ran is started once, after those whose output it reads.
    let calls = std::fs::read_to_string(folder.join("calls")).unwrap();
    let started: Vec<&str> = calls.lines().map(|call| call.strip_prefix("start pipeline ").unwrap()).collect();
    let ran: Vec<&String> =
        before.pipelines.iter().filter(|(_, (_, stopped, _))| !stopped).map(|(name, _)| name).collect();
    assert_eq!(started.len(), ran.len(), "{started:?}");
    for name in ran {
        let at = |name: &str| started.iter().position(|one| *one == name);
        let own = at(name).unwrap_or_else(|| panic!("{name} is not in {started:?}"));
        for input in &before.pipelines[name].2 {
            let upstream = input.split(['@', '/']).next().unwrap();
            assert!(at(upstream).is_none_or(|upstream| upstream < own), "{name} before {input}: {started:?}");
        }
    }
    let (ended_well, said) = run(folder).await;
    assert!(ended_well, "it may be repeated: {said}");
}
