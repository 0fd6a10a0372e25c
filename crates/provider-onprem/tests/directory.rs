//! What is special about a directory: modes, links, leftovers, the storage root of a LOCAL cluster.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::collections::BTreeSet;
use std::error::Error as _;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use futures::TryStreamExt;
use provider::{
    Bucket, BucketFacts, Copied, CopyRequest, Error, ErrorKind, Exposure, GetRequest, Key, ListRequest, PutMode,
    PutRequest, Result,
};
use provider_onprem::{FileBucket, FileError, FileOptions, MissingRoot, Scratch};
use tempfile::TempDir;

async fn bucket(path: &Path) -> FileBucket {
    FileBucket::open(path, FileOptions { missing: MissingRoot::Create, ..FileOptions::default() }).await.unwrap()
}

async fn write(bucket: &FileBucket, key: &str, bytes: &'static str) -> Result<()> {
    bucket.put(PutRequest::bytes(key, PutMode::Overwrite, bytes)).await.map(|_| ())
}

async fn keys(bucket: &FileBucket) -> Result<Vec<String>> {
    let page = bucket.list(&ListRequest::default()).await?;
    Ok(page.objects.into_iter().map(|object| object.key.into_string()).collect())
}

fn is_link(error: &Error) -> bool {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<FileError>());
    error.kind() == ErrorKind::Invalid && matches!(cause, Some(FileError::Link(_)))
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

#[tokio::test]
async fn everything_written_is_for_its_owner_only() {
    let above = TempDir::new().unwrap();
    let root = above.path().join("vault/below");
    let bucket = bucket(&root).await;
    write(&bucket, "cluster/points/manifest.json", "{}").await.unwrap();
    let copy = CopyRequest {
        source: &bucket,
        from: Key::new("cluster/points/manifest.json"),
        to: Key::new("copies/manifest.json"),
        size: 2,
        class: None,
        if_version: None,
        token: None,
    };
    // A copy doesn't take over the mode of its source.
    fs::set_permissions(root.join("cluster/points/manifest.json"), PermissionsExt::from_mode(0o644)).unwrap();
    assert!(matches!(bucket.copy_from(&copy).await.unwrap(), Copied::Done(_)));
    for directory in ["../../vault", ".", "cluster", "cluster/points", "copies", ".pachsnap-tmp"] {
        assert_eq!(mode(&root.join(directory)), 0o700, "{directory}");
    }
    assert_eq!(mode(&root.join("copies/manifest.json")), 0o600);
    // An overwrite ends a mode that was too open.
    write(&bucket, "cluster/points/manifest.json", "{}").await.unwrap();
    assert_eq!(mode(&root.join("cluster/points/manifest.json")), 0o600);
}

#[tokio::test]
async fn a_missing_directory_is_not_made_unless_asked_for() {
    let above = TempDir::new().unwrap();
    let missing = above.path().join("missing");
    let error = FileBucket::open(&missing, FileOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(!missing.exists());
    fs::write(above.path().join("file"), "").unwrap();
    let error = FileBucket::open(above.path().join("file"), FileOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn the_directory_itself_may_be_given_by_a_link() {
    let above = TempDir::new().unwrap();
    fs::create_dir(above.path().join("real")).unwrap();
    symlink("real", above.path().join("link")).unwrap();
    let bucket = bucket(&above.path().join("link")).await;
    write(&bucket, "key", "content").await.unwrap();
    assert!(above.path().join("real/key").is_file());
    assert!(bucket.location().ends_with("/real"), "{}", bucket.location());
}

#[tokio::test]
async fn no_link_is_followed_out_of_the_root_or_inside_it() {
    let above = TempDir::new().unwrap();
    fs::create_dir_all(above.path().join("outside")).unwrap();
    fs::write(above.path().join("outside/secret"), "secret").unwrap();
    let root = above.path().join("root");
    let bucket = bucket(&root).await;
    write(&bucket, "inside", "content").await.unwrap();
    symlink("../outside", root.join("directory")).unwrap();
    symlink("../outside/secret", root.join("file")).unwrap();
    symlink("inside", root.join("harmless")).unwrap();
    symlink("../nowhere", root.join("dangling")).unwrap();

    for key in ["directory/secret", "file", "harmless", "dangling"] {
        assert!(is_link(&bucket.get(&GetRequest::whole(key)).await.unwrap_err()), "get of {key}");
        assert!(is_link(&bucket.head(&Key::new(key)).await.unwrap_err()), "head of {key}");
        assert!(is_link(&write(&bucket, key, "overwritten").await.unwrap_err()), "put of {key}");
        let copy = |from: &str, to: &str| CopyRequest {
            source: &bucket,
            from: Key::new(from),
            to: Key::new(to),
            size: 7,
            class: None,
            if_version: None,
            token: None,
        };
        assert!(is_link(&bucket.copy_from(&copy(key, "copy")).await.unwrap_err()), "copy of {key}");
        assert!(is_link(&bucket.copy_from(&copy("inside", key)).await.unwrap_err()), "copy to {key}");
        let mut outcomes = bucket.delete(&[Key::new(key)]).await.unwrap();
        assert!(is_link(&outcomes.pop().unwrap().result.unwrap_err()), "delete of {key}");
    }
    let error = keys(&bucket).await.unwrap_err();
    assert!(is_link(&error), "{error}");
    assert!(error.source().unwrap().to_string().contains("symbolic link"), "{error}");
    let below = ListRequest { prefix: "directory/".to_owned(), ..ListRequest::default() };
    assert!(is_link(&bucket.list(&below).await.unwrap_err()));

    assert_eq!(fs::read_to_string(above.path().join("outside/secret")).unwrap(), "secret");
    assert_eq!(fs::read_dir(above.path().join("outside")).unwrap().count(), 1);
    assert_eq!(fs::read_to_string(root.join("inside")).unwrap(), "content");
    assert!(!above.path().join("nowhere").exists());
}

#[tokio::test]
async fn the_folder_for_unfinished_files_is_not_written_through_a_link() {
    let above = TempDir::new().unwrap();
    fs::create_dir_all(above.path().join("outside")).unwrap();
    let root = above.path().join("root");
    let bucket = bucket(&root).await;
    symlink("../outside", root.join(".pachsnap-tmp")).unwrap();
    assert!(is_link(&write(&bucket, "key", "content").await.unwrap_err()));
    assert!(is_link(&bucket.unfinished_uploads().await.unwrap_err()));
    assert_eq!(fs::read_dir(above.path().join("outside")).unwrap().count(), 0);
}

#[tokio::test]
async fn keys_that_are_no_paths_below_the_root_are_refused() {
    let above = TempDir::new().unwrap();
    fs::write(above.path().join("secret"), "secret").unwrap();
    let bucket = bucket(&above.path().join("root")).await;
    for key in ["../secret", "/etc/passwd", "a/../../secret", "a//b", "a/", ".", "", "a\0b", ".pachsnap-tmp/a"] {
        let key = Key::new(key);
        assert_eq!(bucket.get(&GetRequest::whole(key.clone())).await.unwrap_err().kind(), ErrorKind::Invalid);
        assert_eq!(bucket.head(&key).await.unwrap_err().kind(), ErrorKind::Invalid);
        let outcomes = bucket.delete(std::slice::from_ref(&key)).await.unwrap();
        assert_eq!(outcomes[0].result.as_ref().unwrap_err().kind(), ErrorKind::Invalid);
        let put = bucket.put(PutRequest::bytes(key, PutMode::Overwrite, "content")).await;
        assert_eq!(put.unwrap_err().kind(), ErrorKind::Invalid);
        for prefix in ["../", "/", "a/../"] {
            let page = bucket.list(&ListRequest { prefix: prefix.to_owned(), ..ListRequest::default() }).await;
            assert_eq!(page.unwrap().objects, []);
        }
    }
    assert_eq!(fs::read_to_string(above.path().join("secret")).unwrap(), "secret");
}

#[tokio::test]
async fn an_object_and_a_folder_of_one_name_exclude_each_other_with_a_clear_error() {
    let above = TempDir::new().unwrap();
    let bucket = bucket(above.path()).await;
    write(&bucket, "a/b", "content").await.unwrap();
    write(&bucket, "file", "content").await.unwrap();
    for (key, words) in [("a", "is a directory that holds other objects"), ("file/below", "is a file")] {
        for mode in [PutMode::Overwrite, PutMode::CreateOnly] {
            let error = bucket.put(PutRequest::bytes(key, mode, "")).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{key}");
            assert!(error.source().unwrap().to_string().contains(words), "{error}: {:?}", error.source());
        }
    }
    assert_eq!(keys(&bucket).await.unwrap(), ["a/b", "file"]);
    // Empty folders, as Pachyderm leaves them, are in nobody's way.
    fs::create_dir_all(above.path().join("artifacts/job-1/x")).unwrap();
    write(&bucket, "artifacts", "content").await.unwrap();
    assert_eq!(keys(&bucket).await.unwrap(), ["a/b", "artifacts", "file"]);
}

#[tokio::test]
async fn pipes_and_strange_names_are_told_and_not_left_out() {
    use std::os::unix::ffi::OsStrExt;
    let above = TempDir::new().unwrap();
    let bucket = bucket(above.path()).await;
    let socket = std::os::unix::net::UnixListener::bind(above.path().join("socket")).unwrap();
    assert_eq!(keys(&bucket).await.unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(bucket.get(&GetRequest::whole("socket")).await.unwrap_err().kind(), ErrorKind::Invalid);
    drop(socket);
    fs::remove_file(above.path().join("socket")).unwrap();
    fs::write(above.path().join(std::ffi::OsStr::from_bytes(b"not-\xff-utf8")), "").unwrap();
    let error = keys(&bucket).await.unwrap_err();
    assert!(matches!(error.source().unwrap().downcast_ref(), Some(FileError::NotUtf8(_))), "{error}");
}

#[tokio::test]
async fn what_a_dead_writer_left_is_found_and_removed() {
    let above = TempDir::new().unwrap();
    let bucket = bucket(above.path()).await;
    assert_eq!(bucket.unfinished_uploads().await.unwrap(), []);
    write(&bucket, "key", "content").await.unwrap();
    assert_eq!(bucket.unfinished_uploads().await.unwrap(), [], "a finished write leaves nothing");
    fs::write(above.path().join(".pachsnap-tmp/abc"), "half").unwrap();
    assert_eq!(keys(&bucket).await.unwrap(), ["key"]);
    let found = bucket.unfinished_uploads().await.unwrap();
    assert_eq!(found.len(), 1);
    for _ in 0..2 {
        bucket.abandon_copy(&found[0].key, &found[0].token).await.unwrap();
    }
    assert_eq!(bucket.unfinished_uploads().await.unwrap(), []);
    let outside = provider::CopyToken("../key".to_owned());
    assert_eq!(bucket.abandon_copy(&found[0].key, &outside).await.unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(keys(&bucket).await.unwrap(), ["key"]);
}

#[tokio::test]
async fn a_directory_that_others_may_enter_is_exposed() {
    let above = TempDir::new().unwrap();
    let bucket = bucket(&above.path().join("vault")).await;
    assert_eq!(bucket.facts().await.unwrap().exposure, Some(Exposure::Private));
    for open in [0o750, 0o705, 0o701, 0o777] {
        fs::set_permissions(bucket.path(), PermissionsExt::from_mode(open)).unwrap();
        assert_eq!(bucket.facts().await.unwrap().exposure, Some(Exposure::Public), "{open:o}");
    }
}

/// pachd writes its files in place: a reader that began before must not get a mix of old and new bytes.
#[tokio::test]
async fn a_file_changed_in_place_while_it_is_read_is_an_error() {
    let above = TempDir::new().unwrap();
    let bucket = bucket(above.path()).await;
    for change in ["shorter", "longer", "same size"] {
        let old = vec![1_u8; 2 << 20];
        fs::write(above.path().join("key"), &old).unwrap();
        let mut stream = bucket.get(&GetRequest::whole("key")).await.unwrap();
        let first = stream.body.try_next().await.unwrap().unwrap();
        assert!(first.len() < old.len());
        let size = match change {
            "shorter" => old.len() - 1,
            "longer" => old.len() + 1,
            _ => old.len(),
        };
        fs::write(above.path().join("key"), vec![2_u8; size]).unwrap();
        // The file system's clock may not have moved on; the writer of a large file takes longer.
        let later = std::time::SystemTime::now() + std::time::Duration::from_secs(1);
        fs::File::options().write(true).open(above.path().join("key")).unwrap().set_modified(later).unwrap();
        let rest: Result<Vec<_>> = stream.body.try_collect().await;
        assert_eq!(rest.unwrap_err().kind(), ErrorKind::Changed, "{change}");
    }
}

/// The storage root of a recorded cluster, by its list of keys.
#[tokio::test]
async fn the_root_of_a_local_cluster_is_listed_without_scratch() {
    let recorded = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/bucket/alpha-keys.tsv");
    let recorded = fs::read_to_string(recorded).unwrap();
    let recorded: BTreeSet<_> = recorded.lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect();
    let above = TempDir::new().unwrap();
    for key in &recorded {
        let path = above.path().join(key);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    fs::create_dir_all(above.path().join("hashtree")).unwrap();
    fs::write(above.path().join("hashtree/2b1c"), "").unwrap();
    fs::create_dir_all(above.path().join("artifacts/job-1")).unwrap();
    let everything = bucket(above.path()).await;
    let kept = keys(&everything).await.unwrap();
    assert_eq!(kept.len(), recorded.len() + 1);
    let options = FileOptions { scratch: Scratch::LeaveOut, ..FileOptions::default() };
    let data = FileBucket::open(above.path(), options).await.unwrap();
    let listed = keys(&data).await.unwrap();
    let wanted: Vec<_> =
        recorded.iter().filter(|key| !key.starts_with("hashtree/") && !key.ends_with("-0-0")).collect();
    assert_eq!(listed.iter().collect::<Vec<_>>(), wanted);
    assert!(!above.path().join(".pachsnap-tmp").exists(), "reading a root writes nothing into it");
}
