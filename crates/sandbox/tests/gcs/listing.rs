//! Pages of a listing.

use googleapis_tonic_google_storage_v2::google::storage::v2::{ListObjectsRequest, ListObjectsResponse};
use prost_types::FieldMask;
use tonic::Code;

use crate::raw::{Raw, list};

fn names(page: &ListObjectsResponse) -> Vec<&str> {
    page.objects.iter().map(|object| object.name.as_str()).collect()
}

/// All pages of so many names.
async fn walk(raw: &mut Raw, asked: ListObjectsRequest) -> (Vec<String>, Vec<String>, usize) {
    let (mut objects, mut prefixes, mut pages) = (Vec::new(), Vec::new(), 0);
    let mut asked = asked;
    loop {
        let page = raw.list(asked.clone()).await.unwrap();
        pages += 1;
        let size = usize::try_from(asked.page_size).unwrap();
        assert!(size == 0 || page.objects.len() + page.prefixes.len() <= size);
        objects.extend(page.objects.into_iter().map(|object| object.name));
        prefixes.extend(page.prefixes);
        if page.next_page_token.is_empty() {
            return (objects, prefixes, pages);
        }
        asked.page_token = page.next_page_token;
    }
}

const KEYS: &[&str] =
    &["", "//double//slash", "/a/1", "/a/2", "/b", "Z", "a", "a.", "a/", "a/b", "é", "\u{FFFD}", "\u{10000}"];

async fn filled() -> Raw {
    let raw = Raw::start().await;
    for key in KEYS.iter().filter(|key| !key.is_empty()) {
        raw.server.bucket("data").put(key, "x", None);
    }
    raw
}

#[tokio::test]
async fn names_come_in_the_order_of_their_bytes() {
    let mut raw = filled().await;
    for size in [0, 1, 2, 5, 12, 13] {
        let (objects, _, pages) = walk(&mut raw, ListObjectsRequest { page_size: size, ..list() }).await;
        assert_eq!(objects, KEYS[1..], "pages of {size}");
        let size = usize::try_from(size).unwrap();
        assert_eq!(pages, if size == 0 { 1 } else { (KEYS.len() - 1).div_ceil(size) });
    }
}

#[tokio::test]
async fn start_is_inclusive_and_end_exclusive() {
    let mut raw = filled().await;
    for (start, end, prefix, expected) in [
        ("a", "a/b", "", &["a", "a.", "a/"][..]),
        ("", "/a/2", "", &["//double//slash", "/a/1"]),
        ("/a/2", "", "/", &["/a/2", "/b"]),
        ("b", "a", "", &[]),
        ("", "", "/a/", &["/a/1", "/a/2"]),
        ("Z", "", "/a/", &[]),
        ("", "", "none", &[]),
    ] {
        let asked = ListObjectsRequest {
            lexicographic_start: start.into(),
            lexicographic_end: end.into(),
            prefix: prefix.into(),
            page_size: 2,
            ..list()
        };
        assert_eq!(walk(&mut raw, asked).await.0, expected, "{start} {end} {prefix}");
    }
}

#[tokio::test]
async fn a_delimiter_makes_folders() {
    let mut raw = filled().await;
    for size in [0, 1, 2, 3] {
        let asked = ListObjectsRequest { delimiter: "/".into(), page_size: size, ..list() };
        let (objects, prefixes, _) = walk(&mut raw, asked).await;
        assert_eq!(objects, ["Z", "a", "a.", "é", "\u{FFFD}", "\u{10000}"]);
        assert_eq!(prefixes, ["/", "a/"]);
        let asked = ListObjectsRequest { delimiter: "/".into(), prefix: "/".into(), page_size: size, ..list() };
        let (objects, prefixes, _) = walk(&mut raw, asked).await;
        assert_eq!((objects, prefixes), (vec!["/b".to_owned()], vec!["//".to_owned(), "/a/".to_owned()]));
    }
    let asked = ListObjectsRequest { delimiter: "/".into(), include_trailing_delimiter: true, ..list() };
    let page = raw.list(asked).await.unwrap();
    assert_eq!(names(&page)[..4], ["Z", "a", "a.", "a/"]);
}

#[tokio::test]
async fn a_page_has_a_thousand_names_at_most() {
    let mut raw = Raw::start().await;
    for number in 0..2500 {
        raw.server.bucket("data").put(&format!("{number:05}"), "x", None);
    }
    for (size, first) in [(0, 1000), (5000, 1000), (999, 999)] {
        let page = raw.list(ListObjectsRequest { page_size: size, ..list() }).await.unwrap();
        assert_eq!(page.objects.len(), first);
    }
    let (objects, _, pages) = walk(&mut raw, list()).await;
    assert_eq!((objects.len(), pages), (2500, 3));
}

#[tokio::test]
async fn versions_are_listed_oldest_first() {
    let mut raw = Raw::start().await;
    let bucket = raw.server.bucket("data");
    bucket.set(|facts| facts.versioning = true);
    let generations = [bucket.put("a", "1", None), bucket.put("a", "2", None), bucket.put("b", "3", None)];
    assert!(bucket.remove("b"));
    bucket.put("c", "4", None);
    let live = raw.list(list()).await.unwrap();
    assert_eq!(names(&live), ["a", "c"]);
    let asked = ListObjectsRequest { versions: true, page_size: 1, ..list() };
    assert_eq!(walk(&mut raw, asked).await.0, ["a", "a", "b", "c"]);
    let all = raw.list(ListObjectsRequest { versions: true, ..list() }).await.unwrap();
    let found: Vec<i64> = all.objects.iter().map(|object| object.generation).collect();
    assert_eq!(found[..3], generations);
    let deleted: Vec<bool> = all.objects.iter().map(|object| object.delete_time.is_some()).collect();
    assert_eq!(deleted, [true, false, true, false]);
}

#[tokio::test]
async fn a_mask_says_what_is_told() {
    let mut raw = filled().await;
    let mask = |paths: &[&str]| Some(FieldMask { paths: paths.iter().map(|path| (*path).into()).collect() });
    let page = raw.list(ListObjectsRequest { read_mask: mask(&["name", "generation"]), ..list() }).await.unwrap();
    assert!(page.objects.iter().all(|object| object.generation > 0 && object.checksums.is_none()));
    assert!(page.objects.iter().all(|object| !object.name.is_empty() && object.bucket.is_empty()));
    let refused = raw.list(ListObjectsRequest { read_mask: mask(&["colour"]), ..list() }).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let mut raw = filled().await;
    for asked in [
        ListObjectsRequest { page_size: -1, ..list() },
        ListObjectsRequest { page_token: "other".into(), ..list() },
        ListObjectsRequest { parent: "data".into(), ..list() },
    ] {
        assert_eq!(raw.list(asked).await.unwrap_err().code(), Code::InvalidArgument);
    }
    let gone = raw.list(ListObjectsRequest { parent: "projects/_/buckets/none".into(), ..list() }).await.unwrap_err();
    assert_eq!((gone.code(), gone.message()), (Code::NotFound, "The specified bucket does not exist."));
    let unplayed = raw.list(ListObjectsRequest { match_glob: "**".into(), ..list() }).await.unwrap_err();
    assert_eq!(unplayed.code(), Code::Unimplemented);
    for params in [&[][..], &[("bucket", "projects/_/buckets/other")]] {
        let request = raw.ask(list(), params);
        assert_eq!(raw.grpc.list_objects(request).await.unwrap_err().code(), Code::InvalidArgument);
    }
}
