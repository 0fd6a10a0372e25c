//! Rehearsals of a restore: what they find, and that nothing of them is left however they end.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::path::Path;
use std::time::Duration;

use e2e::{Bench, Ended, Running, assert_as_before, assert_said, files_under};
use sandbox::cluster::{BUCKET, ClusterOptions, NAMESPACE, Storage};
use sandbox::kubernetes::{Fault, FaultAction, Rule};
use sandbox::pachd::{AuthOptions, AuthToken};
use serde_json::{Value, json};

const SCRATCH: &str = "pachyderm-drill";

/// A cluster with a recovery point, and a bucket for drills.
struct Rehearsed(Bench);

impl Rehearsed {
    async fn new() -> Self {
        Self::of(Bench::new().await).await
    }

    async fn of(bench: Bench) -> Self {
        let rehearsed = Self(bench);
        assert_said(&rehearsed.0.run(&["snapshot"]).await, 0, &[]);
        rehearsed.configure("");
        rehearsed
    }

    /// Adds the section of drills, with more lines in it.
    fn configure(&self, more: &str) {
        let Self(bench) = self;
        let path = bench.folder().join("pachsnap.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        let (before, _) = text.split_once("\n[drill]").unwrap_or((&text, ""));
        let section = format!(
            "\n[drill]\nurl = \"s3://{SCRATCH}\"\nendpoint = \"{}\"\nstore = \"minio\"\n\
             access-key-id-env = \"DRILL_ID\"\nsecret-access-key-env = \"DRILL_SECRET\"\n{more}",
            bench.cluster.s3.endpoint()
        );
        std::fs::write(&path, format!("{before}{section}")).unwrap();
        bench.set_environment(&[("DRILL_ID", "sandbox"), ("DRILL_SECRET", "sandbox-secret-key")]);
        drop(bench.cluster.s3.bucket(SCRATCH));
    }

    async fn drill(&self, more: &[&str]) -> (Ended, Option<Value>) {
        let report = self.0.folder().join("report.html");
        let words = [&["drill", "latest", "--report", report.to_str().unwrap()], more].concat();
        let ended = self.0.run(&words).await;
        let json = std::fs::read_to_string(report.with_extension("json")).ok();
        (ended, json.map(|json| serde_json::from_str(&json).unwrap()))
    }

    fn start(&self) -> Running {
        self.0.start(&["drill", "latest", "--output", "json", "--report", "report.html"])
    }

    fn keys(&self) -> Vec<String> {
        self.0.cluster.s3.bucket(SCRATCH).keys()
    }

    /// Namespaces that drills have made.
    fn namespaces(&self) -> Vec<String> {
        let all = self.0.cluster.kubernetes.objects("namespaces", None);
        let names = all.iter().map(|one| one["metadata"]["name"].as_str().unwrap().to_owned());
        names.filter(|name| name.starts_with("pachsnap-drill")).collect()
    }

    fn vault_files(&self) -> Vec<String> {
        let files = files_under(&self.0.vault().join("drills"));
        files.into_iter().map(|file| file.display().to_string()).collect()
    }

    /// The drill whose record is in the vault.
    fn left(&self) -> Option<String> {
        let entry = std::fs::read_dir(self.0.vault().join("drills")).ok()?.next()?.unwrap();
        Some(entry.file_name().to_string_lossy().into_owned())
    }

    fn assert_nothing_left(&self) {
        let imported = self.0.cluster.kubernetes.objects("volumesnapshotcontents", None);
        let imported = imported.iter().filter(|one| one["metadata"]["name"].as_str().unwrap().contains("-in-pachsnap"));
        assert_eq!(imported.count(), 0);
        assert_eq!(self.namespaces(), Vec::<String>::new());
        assert_eq!(self.keys(), Vec::<String>::new());
        assert_eq!(self.vault_files(), Vec::<String>::new());
        let staging = self.0.folder().join("staging/drills");
        assert_eq!(files_under(&staging), Vec::<std::path::PathBuf>::new());
    }
}

fn check<'a>(report: &'a Value, name: &str) -> &'a Value {
    let checks = report["checks"].as_array().unwrap();
    checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("no check {name:?} in {report:#}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn both_paths_are_rehearsed_and_nothing_is_left() {
    let rehearsed = Rehearsed::new().await;
    let Rehearsed(bench) = &rehearsed;
    let before = bench.picture().await;
    let planned = bench.run(&["drill", "latest", "--dry-run"]).await;
    assert_said(&planned, 0, &[]);
    for words in ["scratch    namespace pachsnap-drill-", "pachyderm/pachd:1.13.4", "taken away in the end"] {
        assert!(planned.stdout.contains(words), "{words}: {}", planned.stdout);
    }
    rehearsed.assert_nothing_left();
    let volumes = bench.cluster.kubernetes.objects("persistentvolumes", None).len();
    for from in ["etcd", "metadata", "volume"] {
        let (ended, report) = rehearsed.drill(&["--from", from, "--max-rto", "10m", "--max-rpo", "1h"]).await;
        assert_said(&ended, 0, &["report: "]);
        let report = report.unwrap();
        assert_eq!((&report["passed"], &report["left"]), (&json!(true), &json!(false)), "{report:#}");
        for name in ["data loss", "restore", "recovery time", "source", "files", "contents", "teardown"] {
            assert_eq!(check(&report, name)["verdict"], "ok", "{from} {name}: {report:#}");
        }
        let source = check(&report, "source")["detail"].as_str().unwrap();
        assert!(source.contains("commits have the trees") && !source.contains("gone"), "{source}");
        let steps: Vec<&str> =
            report["steps"].as_array().unwrap().iter().map(|step| step["step"].as_str().unwrap()).collect();
        for step in ["scratch-cluster", "fill-bucket", "check-target", "compare-source", "verify", "tear-down"] {
            assert!(steps.contains(&step), "{step} is not in {steps:?}");
        }
        assert!(report["recovery_time"]["seconds"].as_f64().unwrap() > 0.0);
        rehearsed.assert_nothing_left();
        let page = std::fs::read_to_string(bench.folder().join("report.html")).unwrap();
        for words in ["<span class=\"ok\">passed</span>", "Recovery time (RTO)", "scratch-cluster", "</html>"] {
            assert!(page.contains(words), "{words}");
        }
        let loaded = ["<script", "src=", "href=", "url(", "@import"].iter().find(|word| page.contains(**word));
        assert_eq!(loaded, None, "it needs nothing from elsewhere");
        assert!(!page.contains("sandbox-secret-key") && !report.to_string().contains("sandbox-secret-key"));
    }
    assert_as_before(&before, &bench.picture().await);
    for _ in 0..200 {
        // They go with their claims, a moment later.
        if bench.cluster.kubernetes.objects("persistentvolumes", None).len() == volumes {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("a disk is left: {:?}", bench.cluster.kubernetes.objects("persistentvolumes", None));
}

#[tokio::test(flavor = "multi_thread")]
async fn objectives_that_are_missed_and_damage_do_not_pass() {
    let rehearsed = Rehearsed::new().await;
    let Rehearsed(bench) = &rehearsed;
    let (ended, report) = rehearsed.drill(&["--max-rto", "10ms", "--max-rpo", "10ms", "--contents", "none"]).await;
    assert_said(&ended, 26, &[]);
    let report = report.unwrap();
    assert_eq!(check(&report, "recovery time")["verdict"], "failed");
    assert_eq!(check(&report, "data loss")["verdict"], "failed");
    assert_eq!(check(&report, "source")["verdict"], "ok");
    assert!(ended.stdout.contains("NOT PASSED") && ended.stdout.contains("FAIL recovery time"), "{}", ended.stdout);
    rehearsed.assert_nothing_left();

    let clone = files_under(&bench.clones());
    let lost = clone.iter().find(|file| file.display().to_string().contains("/block/")).unwrap();
    std::fs::remove_file(lost).unwrap();
    let (ended, report) = rehearsed.drill(&[]).await;
    assert_said(&ended, 26, &[]);
    let report = report.unwrap();
    assert!(check(&report, "drill")["detail"].as_str().unwrap().contains("1 missing"), "{report:#}");
    assert_eq!(report["passed"], false);
    rehearsed.assert_nothing_left();
}

/// Keys are renamed for the scratch bucket where the source's own names can't be.
#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_source() {
    let amazon = ClusterOptions { storage: Storage::AmazonReversed, ..ClusterOptions::default() };
    let rehearsed = Rehearsed::of(Bench::with(amazon).await).await;
    let (ended, report) = rehearsed.drill(&[]).await;
    assert_said(&ended, 0, &[]);
    assert_eq!(report.unwrap()["passed"], true);
    rehearsed.assert_nothing_left();

    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::Local(folder.path().to_owned());
    let bench = Bench::with(ClusterOptions { storage, ..ClusterOptions::default() }).await;
    bench.change_config("[vault]", &format!("[bucket]\npath = \"{}/pachd\"\n\n[vault]", folder.path().display()));
    let rehearsed = Rehearsed::of(bench).await;
    let (ended, report) = rehearsed.drill(&["--from", "metadata"]).await;
    assert_said(&ended, 0, &[]);
    assert_eq!(report.unwrap()["passed"], true);
    rehearsed.assert_nothing_left();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_with_auth() {
    let subject = "robot:backup".to_owned();
    let token = AuthToken { token: "a-token".to_owned(), subject: subject.clone() };
    let auth = AuthOptions { root_token: "of-root".to_owned(), admins: vec![subject], tokens: vec![token] };
    let bench = Bench::with(ClusterOptions { auth: Some(auth), ..ClusterOptions::default() }).await;
    bench.set_environment(&[("PACHSNAP_TOKEN", "a-token")]);
    let rehearsed = Rehearsed::of(bench).await;
    let (ended, report) = rehearsed.drill(&[]).await;
    assert_said(&ended, 0, &[]);
    let report = report.unwrap();
    assert_eq!(check(&report, "source")["verdict"], "ok", "{report:#}");
    assert!(!report.to_string().contains("a-token"));
    rehearsed.assert_nothing_left();

    // A stream that turns auth on needs a licence, which a cluster that was just made has not.
    let (ended, report) = rehearsed.drill(&["--from", "metadata"]).await;
    assert_said(&ended, 26, &[]);
    let why = check(report.as_ref().unwrap(), "drill")["detail"].as_str().unwrap().to_owned();
    assert!(why.contains("licence") && why.contains("pachctl enterprise activate"), "{why}");
    rehearsed.assert_nothing_left();
}

/// A source that is gone is no reason to fail: that is what a drill is for.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_source() {
    let rehearsed = Rehearsed::new().await;
    let Rehearsed(bench) = &rehearsed;
    bench.cluster.kubernetes.delete("namespaces", "", NAMESPACE).unwrap();
    let (ended, report) = rehearsed.drill(&[]).await;
    assert_said(&ended, 0, &[]);
    let report = report.unwrap();
    assert_eq!(check(&report, "source")["verdict"], "warning", "{report:#}");
    assert_eq!(report["passed"], true);
    rehearsed.assert_nothing_left();
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_each_step_cleanup_leaves_nothing() {
    let rehearsed = Rehearsed::new().await;
    let Rehearsed(bench) = &rehearsed;
    let steps = [
        "scratch-cluster",
        "fill-bucket",
        "check-bucket",
        "stop-pachd",
        "fill-etcd",
        "start-pachd",
        "check-target",
        "compare-source",
        "tear-down",
    ];
    for step in steps {
        bench.cluster.s3.set_latency(None, Duration::from_millis(5));
        let mut running = rehearsed.start();
        running.wait_for_step(step).await;
        if step == "fill-bucket" {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        running.signal("KILL").await;
        assert_eq!(running.end().await.code, None, "{step}");
        bench.cluster.s3.set_latency(None, Duration::ZERO);
        let Some(left) = rehearsed.left() else {
            assert_eq!(step, "tear-down", "what is begun is recorded");
            rehearsed.assert_nothing_left();
            continue;
        };
        // From another folder, where no state of this machine is found.
        let elsewhere = tempfile::tempdir().unwrap();
        let cleaned = bench.start_in(elsewhere.path(), &["drill", "--cleanup", &left]).end().await;
        assert_said(&cleaned, 0, &[]);
        rehearsed.assert_nothing_left();
        let again = bench.run(&["drill", "--cleanup", &left]).await;
        assert_said(&again, 12, &["nothing is left of a drill"]);
    }
    let (ended, _) = rehearsed.drill(&[]).await;
    assert_said(&ended, 0, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_takes_everything_away() {
    let rehearsed = Rehearsed::new().await;
    for (step, signal) in [("scratch-cluster", "INT"), ("fill-bucket", "TERM"), ("check-target", "HUP")] {
        let mut running = rehearsed.start();
        running.wait_for_step(step).await;
        running.signal(signal).await;
        let ended = running.end().await;
        assert_eq!(ended.code, Some(130), "{step}: {}", ended.stderr);
        rehearsed.assert_nothing_left();
        let report = std::fs::read_to_string(rehearsed.0.folder().join("report.json")).unwrap();
        let report: Value = serde_json::from_str(&report).unwrap();
        assert_eq!((&report["cancelled"], &report["passed"]), (&json!(true), &json!(false)));
    }
}

/// What stays is what was asked to, and goes when it is told to.
#[tokio::test(flavor = "multi_thread")]
async fn a_scratch_cluster_that_is_kept() {
    let rehearsed = Rehearsed::new().await;
    let Rehearsed(bench) = &rehearsed;
    let (ended, report) = rehearsed.drill(&["--keep", "--contents", "none"]).await;
    assert_said(&ended, 0, &[]);
    let report = report.unwrap();
    assert_eq!(report["left"], true);
    let namespace = report["namespace"].as_str().unwrap();
    let exposed = bench.cluster.kubernetes.objects("services", Some(namespace));
    assert!(exposed.iter().all(|service| service["spec"]["type"] == "ClusterIP"), "{exposed:#?}");
    assert!(exposed.iter().all(|service| service["metadata"]["name"] == "etcd"), "nothing leads to its pachd");
    let left = rehearsed.left().unwrap();
    // Another drill is refused: the bucket is taken.
    let (refused, _) = rehearsed.drill(&[]).await;
    assert_said(&refused, 14, &["is that of drill", &left, "Nothing was changed"]);
    assert_eq!(rehearsed.namespaces(), [namespace]);

    // A namespace that lost its label is somebody's by now.
    let label = |value: Value| json!({"metadata": {"labels": {"pachsnap.io/drill": value}}});
    bench.cluster.kubernetes.merge("namespaces", "", namespace, &label(Value::Null)).unwrap();
    let refused = bench.run(&["drill", "--cleanup", &left]).await;
    assert_eq!(refused.code, Some(14), "{}", refused.stderr);
    assert!(refused.stderr.contains("does not carry the label"), "{}", refused.stderr);
    assert_eq!(rehearsed.namespaces(), [namespace]);
    bench.cluster.kubernetes.merge("namespaces", "", namespace, &label(json!(left))).unwrap();

    // What somebody else put into the bucket is left, and named.
    bench.cluster.s3.bucket(SCRATCH).put("thesis.pdf", "years of work", None);
    let refused = bench.run(&["drill", "--cleanup", &left]).await;
    assert_eq!(refused.code, Some(14), "{}", refused.stderr);
    assert!(refused.stderr.contains("thesis.pdf"), "{}", refused.stderr);
    assert!(rehearsed.keys().contains(&"thesis.pdf".to_owned()));
    bench.cluster.s3.bucket(SCRATCH).remove("thesis.pdf");
    assert_said(&bench.run(&["drill", "--cleanup", &left]).await, 0, &[]);
    rehearsed.assert_nothing_left();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_work_is_refused_before_anything_is_made() {
    let rehearsed = Rehearsed::new().await;
    let Rehearsed(bench) = &rehearsed;
    let refused = async |more: &[&str], code: i32, words: &[&str]| {
        let (ended, _) = rehearsed.drill(more).await;
        assert_said(&ended, code, words);
        assert_said(&ended, code, &["Nothing was changed"]);
        assert_eq!(rehearsed.namespaces(), Vec::<String>::new());
        assert_eq!(rehearsed.vault_files(), Vec::<String>::new());
    };
    refused(&["--bucket", "file:///tmp/x"], 11, &["S3 store"]).await;
    refused(&["--bucket", "s3://x/prefix"], 11, &["can't have a prefix"]).await;
    refused(&["--bucket", &format!("s3://{BUCKET}")], 14, &["is not empty", "emptied in the end"]).await;
    bench.cluster.s3.bucket(SCRATCH).put("a", "b", None);
    refused(&[], 14, &["is not empty: a"]).await;
    bench.cluster.s3.bucket(SCRATCH).remove("a");

    let kubeconfig = bench.folder().join("kubeconfig");
    let all = std::fs::read_to_string(&kubeconfig).unwrap();
    let some = Rule::new(&["", "apps", "coordination.k8s.io", "authorization.k8s.io"], &["*"], &["*"]);
    bench.cluster.kubernetes.add_user("limited-token", "limited", vec![some]);
    std::fs::write(&kubeconfig, bench.cluster.kubernetes.kubeconfig_of("limited")).unwrap();
    refused(&[], 13, &["create roles.rbac.authorization.k8s.io", "rbac --for drill"]).await;
    std::fs::write(&kubeconfig, all).unwrap();
    let printed = bench.run(&["rbac", "--for", "drill"]).await;
    assert_said(&printed, 0, &[]);
    assert!(printed.stdout.contains("kind: ClusterRole\n") && printed.stdout.contains("- namespaces\n"));
}

/// A scratch cluster that does not come up: it is said why, and taken away.
#[tokio::test(flavor = "multi_thread")]
async fn a_scratch_cluster_that_does_not_come_up() {
    let rehearsed = Rehearsed::new().await;
    let Rehearsed(bench) = &rehearsed;
    bench.change_config("poll = \"50ms\"", "poll = \"50ms\"\nstall = \"3s\"");
    rehearsed.configure("pachd-endpoint = \"http://nowhere:9000\"\n");
    let (ended, report) = rehearsed.drill(&[]).await;
    assert_said(&ended, 26, &[]);
    let why = check(report.as_ref().unwrap(), "drill")["detail"].as_str().unwrap().to_owned();
    assert!(why.contains("does not answer after 3 s"), "{why}");
    rehearsed.assert_nothing_left();
}

/// An API server that refuses some requests and loses its answers to others.
#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_flaps() {
    let rehearsed = Rehearsed::new().await;
    let kubernetes = &rehearsed.0.cluster.kubernetes;
    for resource in ["namespaces", "deployments", "secrets"] {
        kubernetes.add_fault(Fault::new(FaultAction::LoseReply).verb("create").resource(resource));
    }
    kubernetes.add_fault(Fault::new(FaultAction::Status(503)).verb("create").resource("services").times(2));
    kubernetes.add_fault(Fault::new(FaultAction::LoseReply).verb("delete").resource("namespaces"));
    let (ended, report) = rehearsed.drill(&["--contents", "none"]).await;
    assert_said(&ended, 0, &[]);
    assert_eq!(report.unwrap()["passed"], true);
    rehearsed.assert_nothing_left();
    assert!(Path::new(&rehearsed.0.folder().join("report.html")).exists());
}
