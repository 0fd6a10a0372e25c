//! Lists: selectors, pages, versions.

use futures::TryStreamExt as _;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{ListParams, PostParams, WatchEvent, WatchParams};
use serde_json::json;

use crate::cases;
use crate::place::{Place, config_map, object, status};

cases! {
    both: [
        lists_by_label_and_field_in_pages on api_server,
        a_compacted_history_is_expired on forgetful,
    ],
    sandbox: [],
}

async fn lists_by_label_and_field_in_pages(place: Place) {
    let maps = place.api::<ConfigMap>();
    for number in 0..7 {
        let parity = if number % 2 == 0 { "even" } else { "odd" };
        let map = object(json!({"metadata": {"name": format!("m{number}"), "labels": {"parity": parity}}}));
        maps.create(&PostParams::default(), &map).await.unwrap();
    }
    let names = |list: Vec<ConfigMap>| list.into_iter().map(|it| it.metadata.name.unwrap()).collect::<Vec<_>>();
    for (selector, wanted) in [
        ("parity=odd", vec!["m1", "m3", "m5"]),
        ("parity in (even, none)", vec!["m0", "m2", "m4", "m6"]),
        ("parity!=even", vec!["m1", "m3", "m5"]),
        ("!parity", vec![]),
    ] {
        let list = maps.list(&ListParams::default().labels(selector)).await.unwrap();
        assert_eq!(names(list.items), wanted, "{selector}");
    }
    let one = maps.list(&ListParams::default().fields("metadata.name=m4")).await.unwrap();
    assert_eq!(names(one.items), ["m4"]);

    let first = maps.list(&ListParams::default().limit(4)).await.unwrap();
    assert_eq!(first.metadata.remaining_item_count, Some(3));
    maps.create(&PostParams::default(), &config_map("m3b", json!({}))).await.unwrap();
    let token = first.metadata.continue_.unwrap();
    let rest = maps.list(&ListParams::default().limit(4).continue_token(&token)).await.unwrap();
    assert_eq!(names(rest.items), ["m4", "m5", "m6"], "a list shows the state at its first page");
    assert_eq!(rest.metadata.resource_version, first.metadata.resource_version);
    let refused = status(maps.list(&ListParams::default().fields("spec.colour=red")).await);
    assert_eq!(refused.code, 400);
}

async fn a_compacted_history_is_expired(place: Place) {
    let maps = place.api::<ConfigMap>();
    for name in ["a", "b", "c"] {
        maps.create(&PostParams::default(), &config_map(name, json!({}))).await.unwrap();
    }
    let page = maps.list(&ListParams::default().limit(1)).await.unwrap();
    let old = maps.get("a").await.unwrap().metadata.resource_version.unwrap();
    place.compact().await;
    let refused =
        status(maps.list(&ListParams::default().limit(1).continue_token(&page.metadata.continue_.unwrap())).await);
    assert_eq!((refused.code, refused.reason.as_str()), (410, "Expired"));
    let events: Vec<_> = maps.watch(&WatchParams::default(), &old).await.unwrap().try_collect().await.unwrap();
    assert!(matches!(&events[..], [WatchEvent::Error(error)] if error.code == 410), "{events:?}");
    let future = status(maps.list(&ListParams::default().at("999999")).await);
    assert_eq!((future.code, future.reason.as_str()), (504, "Timeout"));
}
