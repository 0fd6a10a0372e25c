//! The undo record in the cluster: immutable ConfigMaps, compressed, split when large.

use std::collections::BTreeMap;
use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{DeleteParams, ObjectMeta, PostParams, Preconditions};

use super::script;
use super::undo_record::UndoRecord;
use crate::error::{Error, ErrorKind, Result};

/// Name of the ConfigMap that holds the record, or its first part.
pub(crate) const NAME: &str = "pachsnap-undo";
/// Largest part in bytes.
const PART_BYTES: usize = 600 * 1024;
/// Most bytes of a ConfigMap's data, the script's included: Kubernetes takes 1 MiB in all.
const MAP_BYTES: usize = 900 * 1024;
const PART_KEY: &str = "record.json.gz";
const PARTS_KEY: &str = "parts";
const SCRIPT_KEY: &str = "undo.sh";
const PACKED_SCRIPT_KEY: &str = "undo.sh.gz";
/// Largest script that stands in the record as plain text: that of some 5,000 pipelines.
const PLAIN_SCRIPT_BYTES: usize = 300 * 1024;
const RUN_LABEL: &str = "pachsnap.io/run";

fn part_name(index: usize) -> String {
    if index == 0 { NAME.to_owned() } else { format!("{NAME}-{index}") }
}

/// Writes the record; its first part last, so that a record that can be seen is whole. Answers with that part's UID.
pub(super) async fn write(maps: &Api<ConfigMap>, record: &UndoRecord) -> Result<String> {
    let json = serde_json::to_vec(record)
        .map_err(|cause| Error::new(ErrorKind::Failed, "writing the undo record").because(cause))?;
    let packed = pack(&json)?;
    let script = Script::of(record)?;
    let parts = parts(&packed, script.len())?;
    let mut uid = String::new();
    for (index, part) in parts.iter().enumerate().rev() {
        let mut binary = BTreeMap::from([(PART_KEY.to_owned(), ByteString(part.to_vec()))]);
        let mut data = BTreeMap::new();
        if index == 0 {
            data.insert(PARTS_KEY.to_owned(), parts.len().to_string());
            match &script {
                Script::Plain(text) => drop(data.insert(SCRIPT_KEY.to_owned(), text.clone())),
                Script::Packed(bytes) => {
                    drop(binary.insert(PACKED_SCRIPT_KEY.to_owned(), ByteString(bytes.clone())));
                }
            }
        }
        let map = ConfigMap {
            metadata: ObjectMeta {
                name: Some(part_name(index)),
                labels: Some(BTreeMap::from([
                    ("app.kubernetes.io/managed-by".to_owned(), "pachsnap".to_owned()),
                    (RUN_LABEL.to_owned(), record.run.clone()),
                ])),
                ..ObjectMeta::default()
            },
            immutable: Some(true),
            data: Some(data),
            binary_data: Some(binary),
        };
        if index > 0 {
            // A part without its first one is what a dead run left while it was writing: nothing had been changed then.
            let _ = maps.delete(&part_name(index), &DeleteParams::default()).await;
        }
        match maps.create(&PostParams::default(), &map).await {
            Ok(created) => uid = created.metadata.uid.unwrap_or_default(),
            // The reply may have been lost, or the request repeated on the way.
            Err(error) => match maps.get_opt(&part_name(index)).await {
                Ok(Some(found)) if run_of(&found) == Some(&record.run) => {
                    uid = found.metadata.uid.unwrap_or_default();
                }
                Ok(Some(_)) => return Err(exists()),
                _ => return Err(error.into()),
            },
        }
    }
    Ok(uid)
}

/// The undo script as it stands in the record.
enum Script {
    Plain(String),
    Packed(Vec<u8>),
}

impl Script {
    fn of(record: &UndoRecord) -> Result<Self> {
        let text = script::undo_script(record);
        if text.len() <= PLAIN_SCRIPT_BYTES { Ok(Self::Plain(text)) } else { Ok(Self::Packed(pack(text.as_bytes())?)) }
    }

    fn len(&self) -> usize {
        match self {
            Self::Plain(text) => text.len(),
            Self::Packed(bytes) => bytes.len(),
        }
    }
}

/// The packed record in parts, of which the first leaves room for the script.
fn parts(packed: &[u8], script_bytes: usize) -> Result<Vec<&[u8]>> {
    let room = MAP_BYTES.checked_sub(script_bytes).ok_or_else(|| {
        Error::new(
            ErrorKind::Failed,
            format!("the undo script has {script_bytes} bytes packed: more than one object of Kubernetes holds"),
        )
    })?;
    let (first, rest) = packed.split_at(packed.len().min(room).min(PART_BYTES));
    Ok(std::iter::once(first).chain(rest.chunks(PART_BYTES)).collect())
}

fn pack(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let packed = encoder.write_all(bytes).and_then(|()| encoder.finish());
    packed.map_err(|cause| Error::new(ErrorKind::Failed, "packing the undo record").because(cause))
}

fn run_of(map: &ConfigMap) -> Option<&String> {
    map.metadata.labels.as_ref()?.get(RUN_LABEL)
}

/// The error of a run that finds another run's record.
pub(super) fn exists() -> Error {
    Error::new(ErrorKind::Busy, format!("the namespace holds the undo record of another run (ConfigMap {NAME})"))
        .advise("that run is at work, or died and left the cluster paused: put the cluster back with `pachsnap resume`")
}

/// The record and its UID, or `None` when there is none.
pub(crate) async fn read(maps: &Api<ConfigMap>) -> Result<Option<(UndoRecord, String)>> {
    let Some(first) = maps.get_opt(NAME).await? else { return Ok(None) };
    let damaged = |what: &str| {
        Error::new(ErrorKind::Damaged, format!("ConfigMap {NAME} {what}"))
            .advise(format!("it carries a script: `kubectl get configmap {NAME} -o jsonpath='{{.data.undo\\.sh}}'`"))
    };
    let parts: usize = first
        .data
        .as_ref()
        .and_then(|data| data.get(PARTS_KEY))
        .and_then(|parts| parts.parse().ok())
        .ok_or_else(|| damaged("does not say how many parts it has"))?;
    let uid = first.metadata.uid.clone().unwrap_or_default();
    let mut packed = Vec::new();
    let mut next = Some(first);
    for index in 0..parts {
        let map = match next.take() {
            Some(map) => map,
            None => maps.get_opt(&part_name(index)).await?.ok_or_else(|| damaged("lacks one of its parts"))?,
        };
        let bytes =
            map.binary_data.as_ref().and_then(|data| data.get(PART_KEY)).ok_or_else(|| damaged("lacks its data"))?;
        packed.extend_from_slice(&bytes.0);
    }
    let mut json = Vec::new();
    GzDecoder::new(packed.as_slice())
        .read_to_end(&mut json)
        .map_err(|cause| damaged("can't be unpacked").because(cause))?;
    let record: UndoRecord = serde_json::from_slice(&json).map_err(|cause| damaged("can't be read").because(cause))?;
    if record.format.major != UndoRecord::FORMAT.major {
        return Err(damaged("was written by another version of pachsnap: use that one"));
    }
    Ok(Some((record, uid)))
}

/// Removes the record whose first part has this UID, that part first: a record that can be seen is whole. Absent is
/// success, and so is a record that somebody else has put in its place.
pub(super) async fn delete(maps: &Api<ConfigMap>, uid: &str) -> Result<()> {
    let Some(first) = maps.get_opt(NAME).await? else { return Ok(()) };
    if first.metadata.uid.as_deref() != Some(uid) {
        return Ok(());
    }
    let parts: usize = first.data.and_then(|data| data.get(PARTS_KEY)?.parse().ok()).unwrap_or(1);
    let only_ours = Preconditions { uid: Some(uid.to_owned()), resource_version: None };
    for index in 0..parts {
        let parameters = match index {
            0 => DeleteParams { preconditions: Some(only_ours.clone()), ..DeleteParams::default() },
            _ => DeleteParams::default(),
        };
        match maps.delete(&part_name(index), &parameters).await {
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => return Err(error.into()),
            Ok(_) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn every_part_fits_into_an_object_with_the_script_beside_the_first() {
        let lengths = |packed: usize, script: usize| -> Vec<usize> {
            parts(&vec![0; packed], script).unwrap().iter().map(|part| part.len()).collect()
        };
        const KIB: usize = 1024;
        assert_eq!(lengths(5 * KIB, 300 * KIB), [5 * KIB]);
        assert_eq!(lengths(1_000 * KIB, 300 * KIB), [600 * KIB, 400 * KIB]);
        assert_eq!(lengths(1_000 * KIB, 700 * KIB), [200 * KIB, 600 * KIB, 200 * KIB]);
        assert!(parts(&[0], 901 * KIB).unwrap_err().to_string().contains("more than one object"));
    }
}
