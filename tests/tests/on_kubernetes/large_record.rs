//! The undo record of a cluster with thousands of pipelines: more than one object of Kubernetes can hold.

use std::fmt::Write as _;

use e2e::{RealBench, assert_as_before, assert_said};
use k8s_openapi::api::core::v1::ConfigMap;
use prost::Message;

use crate::shared;

const PIPELINES: u64 = 5_000;

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

#[tokio::test(flavor = "multi_thread")]
async fn the_record_of_thousands_of_pipelines_is_split_and_read_back() {
    let bench = RealBench::new(shared().await, "large-record").await;
    let state = bench.cluster.pachd.state();
    let stopped = bench.picture().await.pipelines.into_iter().find(|(_, (_, stopped, _))| *stopped).unwrap().0;
    let record = state.pipelines().into_iter().find(|record| record.name == stopped).unwrap().value;
    for seed in 1..=PIPELINES {
        let key = format!("pachyderm/1.7.0/pachyderm_pps/pipelines/{}", long_name(seed));
        state.store.put(key, record.encode_to_vec());
    }
    let before = bench.picture().await;
    assert!(before.pipelines.len() as u64 > PIPELINES);
    assert_said(&bench.run(&["pause"]).await, 0, &[]);

    let maps = bench.objects::<ConfigMap>();
    let first = maps.get("pachsnap-undo").await.unwrap();
    let parts: usize = first.data.as_ref().unwrap()["parts"].parse().unwrap();
    assert!(parts > 1, "the record fits into one object, so the test proves nothing");
    assert!(first.binary_data.unwrap().contains_key("undo.sh.gz"), "a large script is packed");
    assert_eq!(bench.picture().await.leftovers.len(), parts);

    assert_said(&bench.run(&["resume"]).await, 0, &["11 pipelines"]);
    assert_as_before(&before, &bench.picture().await);
}
