//! Two clones that take turns: one whole recovery point exists at every moment.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use e2e::{Bench, assert_said};

const MIRROR: &[&str] = &["snapshot", "--mirror", "a,b"];

fn clone_of(bench: &Bench, run: &str) -> String {
    let path = bench.vault().join("alpha").join(run).join("manifest.json");
    let manifest: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    manifest["artifacts"]["bucket"]["url"].as_str().unwrap().to_owned()
}

/// Ids of the recovery points, oldest first, and of those that were.
async fn runs(bench: &Bench) -> (Vec<String>, Vec<String>) {
    let listed = bench.run(&["list", "--all", "--output", "json"]).await;
    assert_said(&listed, 0, &[]);
    let rows: Vec<serde_json::Value> = serde_json::from_str(&listed.stdout).unwrap();
    let of = |state: &str| {
        let rows = rows.iter().filter(|row| row["state"] == state);
        rows.map(|row| row["run"].as_str().unwrap().to_owned()).collect()
    };
    (of("recovery-point"), of("superseded"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_older_one_is_updated_and_copies_only_what_changed() {
    let bench = Bench::new().await;
    for _ in 0..2 {
        assert_said(&bench.run(MIRROR).await, 0, &[]);
    }
    let (points, superseded) = runs(&bench).await;
    assert_eq!((points.len(), superseded.len()), (2, 0));
    let places: Vec<String> = points.iter().map(|run| clone_of(&bench, run)).collect();
    assert!(places[0].ends_with("/alpha/a") && places[1].ends_with("/alpha/b"), "{places:?}");

    let third = bench.run(&[MIRROR, &["--output", "json"]].concat()).await;
    assert_said(&third, 0, &[]);
    let events = third.events();
    let pre_copy =
        events.iter().find(|event| event["event"] == "step-finished" && event["step"] == "pre-copy").unwrap();
    let summary = pre_copy["summary"].as_str().unwrap();
    let copied: u64 = summary.split(' ').next().unwrap().parse().unwrap();
    assert!(copied < 300, "what is in the older clone, more than 1,600 objects, is copied again: {summary}");
    let (now, superseded) = runs(&bench).await;
    assert_eq!(superseded, [points[0].clone()]);
    assert_eq!(now.len(), 2);
    assert_eq!(clone_of(&bench, &now[1]), places[0]);
    for run in &now {
        assert_said(&bench.run(&["verify", run, "--full"]).await, 0, &[]);
    }
    assert_said(&bench.run(&["verify", &superseded[0]]).await, 12, &["is no recovery point any more", &now[1]]);
    assert_said(&bench.run(&["verify", "latest", "--full"]).await, 0, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_right_after_it_took_the_older_one_over_the_other_one_stays_whole() {
    let bench = Bench::new().await;
    for _ in 0..2 {
        assert_said(&bench.run(MIRROR).await, 0, &[]);
    }
    let (points, _) = runs(&bench).await;
    for step in ["pre-copy", "capture"] {
        let mut running = bench.start(&[MIRROR, &["--output", "json"]].concat());
        match step {
            "pre-copy" => {
                running
                    .wait_for(|event| {
                        event["event"] == "changed"
                            && event["resource"].as_str().is_some_and(|what| what.ends_with("superseded.json"))
                    })
                    .await;
            }
            _ => running.wait_for_step(step).await,
        }
        running.kill();
        drop(running.end().await);
        let (left, superseded) = runs(&bench).await;
        assert_eq!((left.as_slice(), superseded.as_slice()), (&points[1..], &points[..1]), "{step}");
        assert_said(&bench.run(&["verify", "latest", "--full"]).await, 0, &[]);
        assert_said(&bench.run(&["resume", "--force"]).await, 0, &[]);
    }
    // The dead runs' lock is no hindrance: their process is known to be gone.
    assert_said(&bench.run(MIRROR).await, 0, &[]);
    let (now, superseded) = runs(&bench).await;
    assert_eq!((now.len(), superseded), (2, vec![points[0].clone()]));
    for run in &now {
        assert_said(&bench.run(&["verify", run, "--full"]).await, 0, &[]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_name_or_the_same_twice_is_refused() {
    let bench = Bench::new().await;
    for names in ["a", "a,a", "a,b/c", ",b"] {
        assert_said(&bench.run(&["snapshot", "--mirror", names]).await, 11, &["two different names"]);
    }
}
