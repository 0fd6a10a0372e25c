//! `verify --deep`: every file of every commit is found in the clone, and every kind of damage is found and named.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use e2e::{Bench, Ended, files_under};
use pachyderm::layout::BlockRef;
use sha2::{Digest, Sha256};

/// What a real pachd answered when every file of every finished commit was read: repo, commit, path, size, SHA-256.
const ORACLE: &str = include_str!("../data/files/alpha-files.tsv");

fn oracle() -> Vec<[&'static str; 5]> {
    ORACLE.lines().map(|line| line.split('\t').collect::<Vec<_>>().try_into().unwrap()).collect()
}

/// A recovery point on disk, to be damaged.
struct Point {
    bench: Bench,
    run: String,
}

impl Point {
    async fn new() -> Self {
        let bench = Bench::new().await;
        let ended = bench.run(&["snapshot"]).await;
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let run = bench.manifest()["run"].as_str().unwrap().to_owned();
        Self { bench, run }
    }

    fn clone(&self) -> PathBuf {
        self.bench.clones().join("alpha").join(&self.run)
    }

    fn folder(&self, kind: &str) -> PathBuf {
        self.clone().join("pach").join(kind)
    }

    async fn verify(&self, more: &[&str]) -> Ended {
        let arguments = [&["verify", &self.run, "--deep", "--contents", "all", "-o", "json"], more].concat();
        self.bench.run(&arguments).await
    }

    fn place(&self, hash: &str) -> BlockRef {
        BlockRef::decode(&fs::read(self.folder("object").join(hash)).unwrap()).unwrap()
    }

    fn content(&self, place: &BlockRef) -> Vec<u8> {
        let block = fs::read(self.folder("block").join(&place.block)).unwrap();
        block[place.lower as usize..place.upper as usize].to_vec()
    }

    /// All objects, each with its place.
    fn objects(&self) -> BTreeMap<String, BlockRef> {
        let files = files_under(&self.folder("object"));
        let hash = |file: &PathBuf| file.file_name().unwrap().to_str().unwrap().to_owned();
        files.iter().map(hash).map(|hash| (hash.clone(), self.place(&hash))).collect()
    }

    /// Lets `damage` change a file, verifies, and puts it back. Answers the failed checks with their findings, each as
    /// `defect subject`, and the whole report.
    async fn damaged(&self, file: &Path, damage: impl FnOnce()) -> (BTreeMap<String, Vec<String>>, String) {
        let (bytes, modified) = (fs::read(file).unwrap(), fs::metadata(file).unwrap().modified().unwrap());
        // A listing knows a file also by its inode.
        let same_file = self.bench.folder().join("same-file");
        fs::hard_link(file, &same_file).unwrap();
        damage();
        let verified = self.verify(&[]).await;
        fs::rename(&same_file, file).unwrap();
        let _ = fs::remove_file(&same_file);
        write_silently(file, &bytes, modified);
        assert_eq!(verified.code, Some(18), "{}\n{}", verified.stdout, verified.stderr);
        let report: serde_json::Value = serde_json::from_str(&verified.stdout).unwrap();
        let failed = report["checks"].as_array().unwrap().iter().filter(|check| check["verdict"] == "failed");
        let found = failed.map(|check| {
            let findings = check["findings"].as_array().map(Vec::as_slice).unwrap_or_default();
            let text = |finding: &serde_json::Value| {
                format!("{} {}", finding["defect"].as_str().unwrap(), finding["subject"].as_str().unwrap())
            };
            (check["name"].as_str().unwrap().to_owned(), findings.iter().map(text).collect())
        });
        (found.collect(), verified.stdout)
    }
}

/// Other bytes of the same size under the same time: what a listing doesn't see.
fn write_silently(file: &Path, bytes: &[u8], modified: SystemTime) {
    fs::write(file, bytes).unwrap();
    fs::File::options().write(true).open(file).unwrap().set_modified(modified).unwrap();
}

fn flip_silently(file: &Path, at: u64) {
    let (mut bytes, modified) = (fs::read(file).unwrap(), fs::metadata(file).unwrap().modified().unwrap());
    bytes[usize::try_from(at).unwrap()] ^= 1;
    write_silently(file, &bytes, modified);
}

fn names(found: &BTreeMap<String, Vec<String>>) -> BTreeSet<&str> {
    found.keys().map(|name| if name.starts_with("clone ") { "clone" } else { name.as_str() }).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_file_that_a_real_pachd_could_read_is_found() {
    let point = Point::new().await;
    let list = point.bench.folder().join("files.tsv");
    let verified = point.verify(&["--files", list.to_str().unwrap()]).await;
    assert_eq!(verified.code, Some(0), "{}\n{}", verified.stdout, verified.stderr);
    let report: serde_json::Value = serde_json::from_str(&verified.stdout).unwrap();
    for check in report["checks"].as_array().unwrap() {
        assert_eq!(check["verdict"], "ok", "{check}");
        assert_eq!(check["findings"], serde_json::Value::Null, "{check}");
    }
    let listed: BTreeSet<String> = fs::read_to_string(&list).unwrap().lines().map(str::to_owned).collect();
    let expected: BTreeSet<String> = oracle().iter().map(|line| line[..4].join("\t")).collect();
    assert_eq!(expected.difference(&listed).collect::<Vec<_>>(), Vec::<&String>::new(), "not found");
    assert_eq!(listed.difference(&expected).collect::<Vec<_>>(), Vec::<&String>::new(), "found beyond");
    let again = point.verify(&["--files", list.to_str().unwrap()]).await;
    assert_eq!(again.code, Some(11), "a file that exists is not replaced: {}", again.stderr);
    let text = point.bench.run(&["verify", &point.run, "--deep", "--boot"]).await;
    assert_eq!(text.code, Some(0), "{}", text.stderr);
    for line in ["etcd ≡ stream ≡ bucket", "a real etcd serves 387 keys at revision"] {
        assert!(text.stdout.contains(line), "{line}: {}", text.stdout);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_kinds_of_damage_are_found_and_named() {
    let point = Point::new().await;
    let objects = point.objects();
    let stream: serde_json::Value =
        serde_json::from_str(include_str!("../data/extract/alpha-no-objects.json")).unwrap();
    let commits: Vec<&serde_json::Value> =
        stream["stream"].as_array().unwrap().iter().map(|op| &op["op"]["op1_13"]["commit"]).collect();
    let hash_of = |object: &serde_json::Value| object["hash"].as_str().map(str::to_owned);
    let trees: BTreeSet<String> = commits.iter().filter_map(|commit| hash_of(&commit["tree"])).collect();
    let shards = commits.iter().filter_map(|commit| hash_of(&commit["trees"][0]));
    let shards: BTreeSet<String> = shards.collect();

    // The content that most files of input repos have: those files point to it by its hash.
    let inputs: BTreeSet<&str> = commits
        .iter()
        .filter(|commit| commit["tree"].is_object())
        .map(|commit| commit["parent"]["repo"]["name"].as_str().unwrap())
        .collect();
    let mut readers: BTreeMap<&str, u64> = BTreeMap::new();
    for [repo, _, _, _, sha256] in oracle() {
        if inputs.contains(repo) {
            *readers.entry(sha256).or_default() += 1;
        }
    }
    let (hash, place, files) = objects
        .iter()
        .filter(|(hash, place)| !trees.contains(*hash) && place.upper > place.lower)
        .filter_map(|(hash, place)| {
            let sha256 = hex::encode(Sha256::digest(point.content(place)));
            Some((hash, place, *readers.get(sha256.as_str())?))
        })
        .max_by_key(|(_, _, files)| *files)
        .unwrap();
    assert!(files > 10, "{files}");
    let (object, block) = (point.folder("object").join(hash), point.folder("block").join(&place.block));
    let unreadable = format!("{files} files are unreadable");

    // 1. An object entry is gone.
    let (found, said) = point.damaged(&object, || fs::remove_file(&object).unwrap()).await;
    assert_eq!(names(&found), BTreeSet::from(["clone", "etcd ≡ stream ≡ bucket", "files"]), "{said}");
    assert!(said.contains(&unreadable), "{said}");

    // 2. A block is gone; 3. or has lost its end.
    let damage = BTreeSet::from(["clone", "etcd ≡ stream ≡ bucket", "files", "object entries"]);
    let (found, said) = point.damaged(&block, || fs::remove_file(&block).unwrap()).await;
    assert_eq!(names(&found), damage, "{said}");
    assert_eq!(found["object entries"], [format!("dangling-object object {hash}")]);
    assert!(said.contains(&unreadable), "{said}");
    let length = fs::metadata(&block).unwrap().len();
    let cut = || fs::File::options().write(true).open(&block).unwrap().set_len(length - 1).unwrap();
    let (found, said) = point.damaged(&block, cut).await;
    assert_eq!(names(&found), damage, "{said}");
    assert!(said.contains(&unreadable), "{said}");

    // 4. An entry holds something else; 5. or points beyond its block.
    let garbage = || fs::write(&object, b"\xff\xff\xff").unwrap();
    let (found, said) = point.damaged(&object, garbage).await;
    assert_eq!(names(&found), damage, "{said}");
    assert_eq!(found["object entries"], [format!("bad-object object {hash}")]);
    let beyond = || {
        let value = BlockRef { upper: length + 1, ..place.clone() };
        fs::write(&object, encode(&value)).unwrap();
    };
    let (found, said) = point.damaged(&object, beyond).await;
    assert_eq!(found["object entries"], [format!("dangling-object object {hash}")], "{said}");

    // 6. A tree is gone; 7. or was changed where nobody sees it; 8. or a worker's tree has lost its index.
    let of_data = |commit: &&&serde_json::Value| commit["parent"]["repo"]["name"] != "__spec__";
    let tree = &commits.iter().filter(of_data).find_map(|commit| hash_of(&commit["tree"])).unwrap();
    let named: Vec<String> = commits
        .iter()
        .filter(|commit| hash_of(&commit["tree"]).as_ref() == Some(tree))
        .map(|commit| {
            format!("{}@{}", commit["parent"]["repo"]["name"].as_str().unwrap(), commit["ID"].as_str().unwrap())
        })
        .collect();
    let entry = point.folder("object").join(tree);
    let (found, said) = point.damaged(&entry, || fs::remove_file(&entry).unwrap()).await;
    assert_eq!(names(&found), BTreeSet::from(["clone", "commits", "etcd ≡ stream ≡ bucket"]), "{said}");
    let sorted = |mut findings: Vec<String>| {
        findings.sort();
        findings
    };
    let expected = |defect: &str| sorted(named.iter().map(|name| format!("{defect} {name}")).collect());
    assert_eq!(sorted(found["commits"].clone()), expected("commit-unreadable"), "{said}");
    let its_block = point.folder("block").join(&objects[tree].block);
    let (found, said) = point.damaged(&its_block, || flip_silently(&its_block, objects[tree].upper - 1)).await;
    assert_eq!(names(&found), BTreeSet::from(["commits", "contents", "etcd ≡ stream ≡ bucket"]), "{said}");
    assert_eq!(sorted(found["commits"].clone()), expected("tree-damaged"), "{said}");
    assert_eq!(found["contents"], [format!("wrong-content object {tree}")]);
    let shard = &objects[shards.iter().next().unwrap()];
    let index = point.folder("block").join(format!("{}-index", shard.block));
    let (found, said) = point.damaged(&index, || fs::remove_file(&index).unwrap()).await;
    assert_eq!(names(&found), BTreeSet::from(["clone", "commits", "etcd ≡ stream ≡ bucket"]), "{said}");
    assert!(said.contains(&format!("block {}-index is missing", shard.block)), "{said}");

    // 9. Content was changed where nobody sees it.
    let (found, said) = point.damaged(&block, || flip_silently(&block, place.lower)).await;
    assert_eq!(names(&found), BTreeSet::from(["contents", "etcd ≡ stream ≡ bucket"]), "{said}");
    assert_eq!(found["contents"], [format!("wrong-content object {hash}")]);

    // 10. A tag points to what is gone.
    let tag = files_under(&point.folder("tag")).into_iter().next().unwrap();
    let name = tag.file_name().unwrap().to_str().unwrap();
    let target = pachyderm::layout::ObjectIndex::decode(&fs::read(&tag).unwrap()).unwrap().tags[name].clone();
    let target = point.folder("object").join(target);
    let (found, said) = point.damaged(&target, || fs::remove_file(&target).unwrap()).await;
    assert!(found["tags"].contains(&format!("dangling-tag tag {name}")), "{said}");

    // Everything is whole again, so none of these was a false alarm.
    let verified = point.verify(&[]).await;
    assert_eq!(verified.code, Some(0), "{}", verified.stdout);
}

/// As pachd writes the value of an `object/` key.
fn encode(place: &BlockRef) -> Vec<u8> {
    use pachyderm::proto::pfs;
    prost::Message::encode_to_vec(&pfs::BlockRef {
        block: Some(pfs::Block { hash: place.block.clone() }),
        range: Some(pfs::ByteRange { lower: place.lower, upper: place.upper }),
    })
}
