//! The binary as a pod of the cluster runs it, and the manifests that let it.

use std::path::{Path, PathBuf};

use e2e::{RealBench, assert_as_before, assert_said, pachsnap};
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{ConfigMap, PodTemplateSpec};
use tokio::process::Command;

use crate::{service_account, shared};

const ACCOUNT_FOLDER: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

fn deploy_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_needs_no_kubeconfig_and_dials_pods_directly() {
    let bench = RealBench::new(shared().await, "in-the-cluster").await;
    let before = bench.picture().await;
    let (token, _) = service_account::make(&bench, "snapshot").await;
    let files = bench.folder().join("account");
    std::fs::create_dir(&files).unwrap();
    std::fs::write(files.join("token"), token).unwrap();
    std::fs::write(files.join("ca.crt"), service_account::certificate(&bench)).unwrap();
    std::fs::write(files.join("namespace"), bench.namespace()).unwrap();
    let config = bench.folder().join("pachsnap.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let text: Vec<&str> =
        text.lines().filter(|line| !line.starts_with("kubeconfig") && !line.starts_with("pod-access")).collect();
    std::fs::write(&config, text.join("\n")).unwrap();

    let port = bench.api_server().url().rsplit(':').next().unwrap().to_owned();
    // The kubelet's part: the account's files at their place, in a mount namespace of this process alone.
    let script = format!(
        "mount -t tmpfs none /var/run && mkdir -p {ACCOUNT_FOLDER} && cp {}/* {ACCOUNT_FOLDER} && exec {} snapshot --config {}",
        files.display(),
        pachsnap().display(),
        config.display()
    );
    let ended = Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", &script])
        .env_clear()
        .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
        .env("HOME", bench.folder())
        .env("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        .env("KUBERNETES_SERVICE_PORT", port)
        .output()
        .await
        .unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    assert_as_before(&before, &bench.picture().await);
    let verified = bench.run(&["verify", "latest"]).await;
    assert_said(&verified, 0, &[]);
}

/// The command of the only container.
fn command(template: &PodTemplateSpec) -> Vec<String> {
    template.spec.as_ref().unwrap().containers[0].command.clone().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_manifests_are_taken_and_their_commands_are_ours() {
    let bench = RealBench::new(shared().await, "example-manifests").await;
    for entry in std::fs::read_dir(deploy_folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            service_account::apply(&bench, &std::fs::read_to_string(path).unwrap()).await;
        }
    }
    let cron_job = bench.objects::<CronJob>().get("pachsnap-snapshot").await.unwrap().spec;
    assert_eq!(cron_job.concurrency_policy.as_deref(), Some("Forbid"));
    let mut commands = vec![command(&cron_job.job_template.spec.unwrap().template)];
    for name in ["pachsnap-snapshot", "pachsnap-resume"] {
        let job = bench.objects::<Job>().get(name).await.unwrap().spec.unwrap();
        assert_eq!(job.backoff_limit, Some(0), "{name}");
        commands.push(command(&job.template));
    }
    // The configuration is one that we take, and the words are those of our command line.
    let config = bench.objects::<ConfigMap>().get("pachsnap").await.unwrap().data.unwrap()["pachsnap.toml"].clone();
    std::fs::write(bench.folder().join("pachsnap.toml"), config).unwrap();
    assert_said(&bench.run(&["config", "show"]).await, 0, &[]);
    for words in commands {
        assert_eq!(words[0], "pachsnap");
        let help = Command::new(pachsnap()).args(&words[1..]).arg("--help").output().await.unwrap();
        assert!(help.status.success(), "{words:?}: {}", String::from_utf8_lossy(&help.stderr));
    }
}
