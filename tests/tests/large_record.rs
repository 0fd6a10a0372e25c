//! An undo record that is too large for one object of Kubernetes, from the run that writes it to the one that removes it. A few
//! pipelines with very long names stand for many thousands.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use e2e::{Bench, Picture, assert_as_before, assert_said};
use flate2::read::GzDecoder;
use futures::stream;
use pachyderm::client::{Address, Client, ClientOptions};
use pachyderm::proto::admin::{Op, OpBody};
use pachyderm::proto::op::OpVersion;
use pachyderm::proto::pfs::{CreateBranchRequest, CreateRepoRequest, Repo};
use pachyderm::proto::pps::{CreatePipelineRequest, Input, PfsInput, Pipeline, PipelineState, Transform};
use prost::Message;
use sandbox::cluster::{ClusterOptions, NAMESPACE};
use sandbox::kubernetes::{Fault, FaultAction};
use serde_json::Value;

const PIPELINES: u64 = 120;
/// Characters of a name.
const LENGTH: usize = 8_000;

/// A name that packs badly: digits of a linear congruential generator.
fn long_name(seed: u64) -> String {
    let mut number = seed;
    let mut name = format!("p{seed}-");
    while name.len() < LENGTH {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let digit = u32::try_from((number >> 33) % 36).unwrap();
        name.push(char::from_digit(digit, 36).unwrap());
    }
    name
}

/// What a pipeline reads: every second one the output of the one before, the others a branch that nothing was written to.
fn upstream(seed: u64) -> String {
    if seed.is_multiple_of(2) { long_name(seed - 1) } else { "nothing-yet".to_owned() }
}

fn operations() -> Vec<OpBody> {
    let idle = Repo { name: "nothing-yet".to_owned() };
    let repo = CreateRepoRequest { repo: Some(idle), ..Default::default() };
    let branch = CreateBranchRequest {
        branch: Some(pachyderm::proto::pfs::Branch::named("nothing-yet", "master")),
        ..Default::default()
    };
    let mut bodies = vec![
        OpBody { repo: Some(Box::new(repo)), ..Default::default() },
        OpBody { branch: Some(Box::new(branch)), ..Default::default() },
    ];
    for seed in 1..=PIPELINES {
        let input =
            PfsInput { repo: upstream(seed), branch: "master".to_owned(), glob: "/*".to_owned(), ..Default::default() };
        let pipeline = CreatePipelineRequest {
            pipeline: Some(Pipeline::named(&long_name(seed))),
            transform: Some(Transform { cmd: vec!["true".to_owned()], ..Default::default() }),
            input: Some(Input { pfs: Some(input), ..Default::default() }),
            ..Default::default()
        };
        bodies.push(OpBody { pipeline: Some(Box::new(pipeline)), ..Default::default() });
    }
    bodies
}

/// A cluster with those pipelines, all running.
async fn bench() -> (Bench, Picture) {
    let options = ClusterOptions { master_interval: Duration::from_millis(1), ..ClusterOptions::default() };
    let bench = Bench::with(options).await;
    let address = bench.cluster.pachd.external();
    let address = Address::plaintext(&address.ip().to_string(), address.port());
    let client = Client::connect(&address, &ClientOptions::default()).await.unwrap();
    let operations = operations().into_iter().map(|body| Op::new(OpVersion::V1_13, body).encode_to_vec());
    let operations =
        stream::iter(operations.map(|bytes| Ok::<_, std::io::Error>(Bytes::from(bytes))).collect::<Vec<_>>());
    client.restore(operations, None).await.unwrap();
    let mut tries = 0;
    loop {
        let before = bench.picture().await;
        let running =
            (1..=PIPELINES).filter(|seed| before.pipelines[&long_name(*seed)].0 == PipelineState::Running as i32);
        let running = running.count() as u64;
        if running == PIPELINES {
            return (bench, before);
        }
        tries += 1;
        assert!(tries < 600, "{running} of {PIPELINES} pipelines run");
    }
}

fn parts(bench: &Bench) -> Vec<Value> {
    let maps = bench.cluster.kubernetes.objects("configmaps", Some(NAMESPACE));
    maps.into_iter().filter(|map| map["metadata"]["name"].as_str().unwrap().starts_with("pachsnap-undo")).collect()
}

/// The script out of the record, unpacked as the documentation says.
fn unpacked_script(bench: &Bench) -> String {
    let first = bench.cluster.kubernetes.object("configmaps", NAMESPACE, "pachsnap-undo").unwrap();
    let count: usize = first["data"]["parts"].as_str().unwrap().parse().unwrap();
    assert!(count > 1, "the record fits into one object, so the test proves nothing");
    assert_eq!(parts(bench).len(), count);
    assert!(first["data"]["undo.sh"].is_null(), "the script is too long to stand there as it is");
    let packed = BASE64_STANDARD.decode(first["binaryData"]["undo.sh.gz"].as_str().unwrap()).unwrap();
    let mut script = String::new();
    GzDecoder::new(packed.as_slice()).read_to_string(&mut script).unwrap();
    assert!(script.len() > 300 * 1024);
    script
}

/// Runs the script with programs that write down how they were called.
fn calls_of(script: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    for program in ["kubectl", "pachctl"] {
        let text = format!("#!/bin/sh\necho \"{program} $*\" >> '{}'\n", file("calls").display());
        std::fs::write(file(program), text).unwrap();
        std::fs::set_permissions(file(program), std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    std::fs::write(file("undo.sh"), script).unwrap();
    let shell = |arguments: &[&str]| {
        let path = format!("{}:/usr/bin:/bin", folder.path().display());
        let ran = Command::new("sh").args(arguments).arg(file("undo.sh")).env("PATH", path).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    };
    shell(&["-n"]);
    assert!(!Path::new(&file("calls")).exists(), "reading it calls nobody");
    shell(&[]);
    std::fs::read_to_string(file("calls")).unwrap().lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_several_parts_is_written_by_a_run_and_put_back() {
    let (bench, before) = bench().await;
    assert_said(&bench.run(&["pause"]).await, 0, &[]);
    let paused = bench.picture().await;
    assert!(paused.pipelines[&long_name(1)].1, "it is stopped");

    let calls = calls_of(&unpacked_script(&bench));
    let started: Vec<&str> = calls.iter().filter_map(|call| call.strip_prefix("pachctl start pipeline ")).collect();
    let ran: Vec<&String> =
        before.pipelines.iter().filter(|(_, (_, stopped, _))| !stopped).map(|(name, _)| name).collect();
    assert_eq!(started.len(), ran.len());
    let place = |name: &str| started.iter().position(|one| *one == name);
    assert!(ran.iter().all(|name| place(name).is_some()));
    for seed in (2..=PIPELINES).step_by(2) {
        assert!(place(&long_name(seed - 1)) < place(&long_name(seed)), "what {seed} reads is started first");
    }
    for service in ["pachd", "pachd-peer", "dash"] {
        let opened = format!("kubectl -n {NAMESPACE} patch service {service} ");
        assert_eq!(calls.iter().filter(|call| call.starts_with(&opened)).count(), 1, "{service}");
    }
    let [.., record, lease] = calls.as_slice() else { panic!("too few calls") };
    assert!(record.contains("delete configmap -l pachsnap.io/run=") && lease.contains("delete lease pachsnap"));

    assert_said(&bench.run(&["resume"]).await, 0, &[]);
    assert_as_before(&before, &bench.picture().await);
    assert_eq!(parts(&bench), Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_with_such_a_record_is_killed_and_put_back_by_another_machine() {
    let (bench, before) = bench().await;
    bench.cluster.pachd.faults().delay_operations(Duration::from_millis(20));
    let mut running = bench.start(&["snapshot", "--output", "json"]);
    running.wait_for_step("capture").await;
    running.signal("KILL").await;
    assert_eq!(running.end().await.code, None);
    assert!(parts(&bench).len() > 1);
    bench.cluster.pachd.faults().delay_operations(Duration::ZERO);
    bench.end_leases();

    let elsewhere = tempfile::tempdir().unwrap();
    assert_said(&bench.start_in(elsewhere.path(), &["resume"]).end().await, 0, &[]);
    assert_as_before(&before, &bench.picture().await);
    assert_eq!(parts(&bench), Vec::<Value>::new());
    assert_eq!(bench.run_with("manifest.json"), None);
}

/// The first part is written last: what a run leaves that dies before is no record, and stands in nobody's way.
#[tokio::test(flavor = "multi_thread")]
async fn parts_of_a_record_that_was_not_finished_are_no_record() {
    let (bench, before) = bench().await;
    let late = Fault::new(FaultAction::Delay(Duration::from_secs(60))).verb("create").resource("configmaps");
    bench.cluster.kubernetes.add_fault(late.after(1));
    let running = bench.start(&["snapshot", "--output", "json"]);
    for tries in 0.. {
        assert!(tries < 1_800, "no part is written");
        if !parts(&bench).is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    running.signal("KILL").await;
    assert_eq!(running.end().await.code, None);
    assert!(bench.cluster.kubernetes.object("configmaps", NAMESPACE, "pachsnap-undo").is_none());
    bench.cluster.kubernetes.clear_faults();
    bench.end_leases();

    assert_said(&bench.run(&["snapshot"]).await, 0, &[]);
    assert_as_before(&before, &bench.picture().await);
    assert_eq!(parts(&bench), Vec::<Value>::new());
}
