//! The undo record of a cluster with thousands of pipelines: more than one object of Kubernetes can hold.

use std::fmt::Write as _;
use std::io::{Read, Write as _};

use e2e::{RealBench, assert_as_before, assert_said};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, PostParams};
use serde_json::{Value, json};

use crate::shared;

const PIPELINES: u64 = 5_000;
/// Bytes of a part: a ConfigMap holds 1 MiB in all.
const PART: usize = 600 * 1024;

/// A name that can't be packed: numbers of a linear congruential generator.
fn long_name(seed: u64) -> String {
    let mut number = seed;
    let mut name = format!("p{seed}-");
    for _ in 0..20 {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        write!(name, "{:016x}", number ^ (number >> 33)).unwrap();
    }
    name
}

/// Every hundredth pipeline was stopped by the run; all of them are gone by now.
fn add_pipelines(record: &mut Value) {
    let pipelines = record["pipelines"].as_array_mut().unwrap();
    for seed in 1..=PIPELINES {
        let mut pipeline = pipelines[0].clone();
        pipeline["name"] = json!(long_name(seed));
        pipeline["to_stop"] = json!(seed % 100 == 0);
        pipelines.push(pipeline);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_record_of_thousands_of_pipelines_is_read_from_its_parts_and_removed() {
    let bench = RealBench::new(shared().await, "large-record").await;
    let before = bench.picture().await;
    assert_said(&bench.run(&["pause"]).await, 0, &[]);
    let maps = bench.objects::<ConfigMap>();
    let mut first = maps.get("pachsnap-undo").await.unwrap();
    let packed = &first.binary_data.as_ref().unwrap()["record.json.gz"].0;
    let mut record = Vec::new();
    GzDecoder::new(packed.as_slice()).read_to_end(&mut record).unwrap();
    let mut record: Value = serde_json::from_slice(&record).unwrap();
    add_pipelines(&mut record);
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(record.to_string().as_bytes()).unwrap();
    let packed = encoder.finish().unwrap();
    let parts = packed.len().div_ceil(PART);
    assert!(parts > 1, "the record fits into one object, so the test proves nothing");

    maps.delete("pachsnap-undo", &DeleteParams::default()).await.unwrap();
    first.metadata.resource_version = None;
    first.metadata.uid = None;
    first.data.as_mut().unwrap().insert("parts".to_owned(), parts.to_string());
    for (index, part) in packed.chunks(PART).enumerate() {
        let mut map = first.clone();
        if index > 0 {
            map.metadata.name = Some(format!("pachsnap-undo-{index}"));
        }
        map.binary_data.as_mut().unwrap().insert("record.json.gz".to_owned(), ByteString(part.to_vec()));
        maps.create(&PostParams::default(), &map).await.unwrap();
    }
    let resumed = bench.run(&["resume"]).await;
    assert_said(&resumed, 0, &[]);
    let told = [resumed.stdout, resumed.stderr].concat();
    for seed in [100, PIPELINES] {
        assert!(told.contains(&format!("pipeline {} was deleted by somebody", long_name(seed))), "{seed}");
    }
    assert!(!told.contains(&long_name(101)), "what was not stopped is not missed");
    assert_as_before(&before, &bench.picture().await);
}
