//! Recorded calls: read, made again, and judged.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use bytes::Bytes;
use sandbox::pachd::grpc::RawCodec;
use tonic::metadata::{AsciiMetadataKey, AsciiMetadataValue};
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use crate::compare::compare;

pub use crate::recorded_files::{data, unpacked};

/// A recorded call with its answer.
pub struct Case {
    pub name: String,
    pub method: String,
    pub code: String,
    pub message: String,
    pub metadata: BTreeMap<String, String>,
    pub requests: Vec<Bytes>,
    pub responses: Vec<Bytes>,
}

impl Case {
    /// Whether this is the recorded text. Which of several pipelines a refused garbage collection names is chance.
    pub fn says(&self, text: &str) -> bool {
        let stem = "all pipelines must be stopped to run garbage collection, pipeline: ";
        match self.message.strip_prefix(stem) {
            Some(_) => text.strip_prefix(stem).is_some_and(|rest| rest.ends_with(" is not")),
            None => text == self.message,
        }
    }
}

/// Splits the messages of a stream, each behind its length in big endian.
pub fn split(mut bytes: &[u8]) -> Vec<Bytes> {
    let mut messages = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let (message, after) = rest.split_at(u32::from_be_bytes(*length) as usize);
        messages.push(Bytes::copy_from_slice(message));
        bytes = after;
    }
    messages
}

/// All calls of a folder of the archive.
pub fn cases(folder: &str) -> Vec<Case> {
    let files = unpacked("grpc.tar.zst");
    let descriptions = files.iter().filter_map(|(path, bytes)| {
        let name = path.strip_prefix(folder)?.strip_suffix(".json")?;
        (!name.starts_with("timeline/")).then_some((name, bytes))
    });
    descriptions
        .map(|(name, bytes)| {
            let description: serde_json::Value = serde_json::from_slice(bytes).unwrap();
            let text = |field: &str| description[field].as_str().unwrap().to_owned();
            let raw = |suffix: &str| files[&format!("{folder}{name}.{suffix}")].clone();
            let responses = match text("kind").as_str() {
                "server stream" => split(&raw("resp.bin")),
                _ if text("status") == "OK" => vec![raw("resp.bin")],
                _ => Vec::new(),
            };
            let metadata = description["request_metadata"].as_object().unwrap().iter();
            Case {
                name: name.to_owned(),
                method: text("method"),
                code: text("status"),
                message: text("message"),
                metadata: metadata.map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned())).collect(),
                requests: match text("kind").as_str() {
                    "client stream" => split(&raw("req.bin")),
                    _ => vec![raw("req.bin")],
                },
                responses,
            }
        })
        .collect()
}

pub async fn call(address: SocketAddr, case: &Case) -> Result<Vec<Bytes>, Status> {
    let channel = Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
    let mut client = tonic::client::Grpc::new(channel).max_decoding_message_size(64 << 20);
    client.ready().await.unwrap();
    let mut request = Request::new(futures::stream::iter(case.requests.clone()));
    for (key, value) in &case.metadata {
        let key: AsciiMetadataKey = key.parse().unwrap();
        request.metadata_mut().insert(key, value.parse::<AsciiMetadataValue>().unwrap());
    }
    let path = case.method.parse().unwrap();
    let mut stream = client.streaming(request, path, RawCodec).await?.into_inner();
    let mut messages = Vec::new();
    while let Some(message) = stream.message().await? {
        messages.push(message);
    }
    Ok(messages)
}

fn name_of(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Unknown => "UNKNOWN",
        Code::Unimplemented => "UNIMPLEMENTED",
        _ => "a code that no recorded call has",
    }
}

/// Calls a server and compares its answer with the recorded one.
pub async fn verdict(address: SocketAddr, case: &Case) -> Result<(), String> {
    match call(address, case).await {
        Ok(messages) if case.code == "OK" => compare(case, &messages),
        Ok(_) => Err(format!("answered OK instead of {}: {}", case.code, case.message)),
        Err(status) if name_of(status.code()) == case.code && case.says(status.message()) => Ok(()),
        Err(status) => Err(format!("answered {status} instead of {}: {:?}", case.code, case.message)),
    }
}
