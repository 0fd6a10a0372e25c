//! The policies that `pachsnap iam aws` prints, held to the calls that whole runs make: with them everything works and nothing is
//! asked for that they don't allow; and what they allow is used, but for what only bad days need.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::collections::BTreeSet;
use std::sync::Arc;

use e2e::{Bench, assert_said};
use sandbox::cluster::{BUCKET, ClusterOptions, RecordedCluster, Storage};
use sandbox::ec2::{Ec2Options, Ec2Server, NewVolume};
use sandbox::iam::Policy;

const SCRATCH: &str = "pachyderm-drill";

/// What these runs don't come to: bad days, objects with tags, buckets that nothing shuts to the public, and volumes, whose rights have
/// a test of their own (`each_purpose_needs_its_actions_and_no_others`).
const ON_OTHER_DAYS: [&str; 12] = [
    // Who holds the lock of a clone is read where there is one already.
    "ClonesObjects s3:GetObject",
    "ec2:CreateTags",
    "ec2:CreateVolume",
    "ec2:DeleteSnapshot",
    "ec2:DescribeSnapshots",
    "ec2:DescribeVolumes",
    "s3:AbortMultipartUpload",
    "s3:DeleteObject",
    "s3:GetBucketAcl",
    "s3:GetBucketPolicyStatus",
    "s3:GetObjectTagging",
    "s3:PutObjectTagging",
];

/// A cluster on "Amazon" whose vault and clones are in buckets of the same store.
struct OnAws {
    bench: Bench,
    ec2: Ec2Server,
}

impl OnAws {
    async fn start() -> Self {
        let ec2 = Ec2Server::start(Ec2Options::default()).await.unwrap();
        let volume = ec2.add_volume(NewVolume::default());
        let options = ClusterOptions { storage: Storage::AmazonReversed, ..ClusterOptions::on_ebs(&volume) };
        let bench = Bench::with(options).await;
        let s3 = bench.cluster.s3.endpoint();
        for bucket in ["vault", "clones", SCRATCH] {
            drop(bench.cluster.s3.bucket(bucket));
        }
        let keys = "access-key-id-env = \"KEY_ID\"\nsecret-access-key-env = \"KEY_SECRET\"";
        bench.write_config(&format!(
            "\n[ebs]\nregion = \"us-east-1\"\nendpoint = \"{}\"\n\n\
             [drill]\nurl = \"s3://{SCRATCH}\"\nendpoint = \"{s3}\"\nstore = \"aws\"\n{keys}\n",
            ec2.endpoint()
        ));
        for (folder, url) in [("vault", "s3://vault/points"), ("clones", "s3://clones/of")] {
            bench.move_place(folder, &format!("url = \"{url}\"\nendpoint = \"{s3}\"\nstore = \"aws\"\n{keys}"));
        }
        bench.set_environment(&[
            ("KEY_ID", "sandbox"),
            ("KEY_SECRET", "sandbox-secret-key"),
            ("AWS_ACCESS_KEY_ID", "sandbox"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
        ]);
        Self { bench, ec2 }
    }

    /// Runs with no more rights than the policy for a purpose gives, and holds the policy to what was asked for.
    async fn run_with(&self, purpose: &str, others: &[&sandbox::s3::S3Server], arguments: &[&str]) {
        let data = ["--data-bucket", BUCKET];
        let wanted = if matches!(purpose, "snapshot" | "restore") { data.as_slice() } else { &[] };
        let printed = self.bench.run(&[&["iam", "aws", "--for", purpose], wanted].concat()).await;
        assert_said(&printed, 0, &[]);
        let policy = Arc::new(Policy::of(&serde_json::from_str(&printed.stdout).unwrap()));
        let named = policy.actions();
        let of_ec2: Vec<&str> = named.iter().map(String::as_str).filter(|action| action.starts_with("ec2:")).collect();
        self.ec2.grant_only(&of_ec2);
        self.bench.cluster.s3.allow_only(Arc::clone(&policy));
        for other in others {
            other.allow_only(Arc::clone(&policy));
        }
        let before = self.ec2.calls().len();
        assert_said(&self.bench.run(arguments).await, 0, &[]);
        assert_eq!(policy.refused(), BTreeSet::new(), "{purpose} asks for more than its policy allows");
        let calls = self.ec2.calls().split_off(before);
        let code = |call: &sandbox::ec2::Call| call.answer.clone().and_then(|(_, code)| code).unwrap_or_default();
        assert!(calls.iter().all(|call| code(call) != "UnauthorizedOperation"), "{calls:?}");
        let mut unused = policy.unused();
        let asked_of_ec2 = |unused: &str| calls.iter().any(|call| unused.ends_with(&format!(" ec2:{}", call.action)));
        unused.retain(|unused| !asked_of_ec2(unused));
        unused.retain(|unused| !ON_OTHER_DAYS.iter().any(|action| unused.ends_with(action)));
        assert!(unused.is_empty(), "{purpose} never asks for {unused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_policy_allows_what_is_asked_for_and_no_more() {
    let aws = OnAws::start().await;
    aws.run_with("snapshot", &[], &["snapshot"]).await;
    // What a policy gives for our own snapshots alone is not missing.
    let checked = aws.bench.run(&["config", "check"]).await;
    assert_said(&checked, 0, &[]);
    assert!(checked.stdout.contains("all that a snapshot needs"), "{}", checked.stdout);
    aws.ec2.grant_only(&["ec2:DescribeVolumes"]);
    let checked = aws.bench.run(&["config", "check"]).await;
    assert_said(&checked, 11, &[]);
    for missing in ["ec2:CreateSnapshot", "ec2:DescribeSnapshots"] {
        assert!(checked.stdout.contains(missing), "{}", checked.stdout);
    }

    aws.run_with("drill", &[], &["drill", "latest", "--from", "etcd", "--report", "report.html"]).await;

    let options = ClusterOptions { storage: Storage::Amazon, ..ClusterOptions::default() };
    let target = RecordedCluster::gamma(options).await.unwrap();
    let kubeconfig = aws.bench.folder().join("kubeconfig");
    let kept = std::fs::read(&kubeconfig).unwrap();
    target.kubernetes.write_kubeconfig(&kubeconfig).unwrap();
    aws.run_with("restore", &[&target.s3], &["restore", "latest", "--from", "metadata"]).await;
    std::fs::write(&kubeconfig, kept).unwrap();

    let shown = aws.bench.run(&["show", "latest", "-o", "json"]).await;
    let manifest: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
    aws.run_with("prune", &[], &["delete", manifest["run"].as_str().unwrap(), "--yes"]).await;
    assert!(aws.ec2.snapshots().is_empty());
    assert_eq!(aws.bench.cluster.s3.bucket("clones").keys(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_that_is_missing_is_named_by_its_action() {
    let aws = OnAws::start().await;
    let printed = aws.bench.run(&["iam", "aws", "--for", "snapshot", "--data-bucket", BUCKET]).await;
    for (missing, code) in [("s3:PutObject", 15), ("s3:ListBucket", 13)] {
        let policy: serde_json::Value =
            serde_json::from_str(&printed.stdout.replace(&format!("\"{missing}\""), "\"s3:None\"")).unwrap();
        aws.bench.cluster.s3.allow_only(Arc::new(Policy::of(&policy)));
        assert_said(&aws.bench.run(&["snapshot"]).await, code, &[missing, "Nothing was changed"]);
        let checked = aws.bench.run(&["config", "check"]).await;
        assert_said(&checked, 11, &[]);
        assert!(checked.stdout.contains(missing), "{missing}: {}", checked.stdout);
    }
    let ended = aws.bench.run(&["iam", "aws", "--for", "snapshot"]).await;
    assert_said(&ended, 11, &["--data-bucket NAME"]);
}
