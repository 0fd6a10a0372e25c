//! A pachd of the sandbox, and a client that sees every message.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pachyderm::proto::admin::{ExtractRequest, Op, RestoreRequest};
use pachyderm::proto::pps::{
    InspectPipelineRequest, ListPipelineRequest, Pipeline, PipelineInfo, PipelineInfos, PipelineState,
    StartPipelineRequest, StopPipelineRequest,
};
use prost::Message;
use sandbox::pachd::grpc::RawCodec;
use sandbox::pachd::objects::{MemoryObjects, ObjectStore};
use sandbox::pachd::recorded;
use sandbox::pachd::{ExtractClock, PachdOptions, PachdServer};
use tonic::transport::Channel;
use tonic::{Request, Status};

pub use crate::recorded_files::{data, unpacked};

pub async fn serve(rewound: bool) -> PachdServer {
    serve_at(rewound, recorded::alpha_clock().unwrap()).await
}

/// With the times at which an extract says that open commits finished.
pub async fn serve_at(rewound: bool, finished: BTreeMap<String, jiff::Timestamp>) -> PachdServer {
    let recorded = recorded::load_alpha(Arc::new(MemoryObjects::default()), rewound).unwrap();
    let options = PachdOptions {
        clock: ExtractClock::Recorded(finished),
        master_interval: Duration::from_millis(2),
        ..PachdOptions::default()
    };
    PachdServer::start(recorded, options).await.unwrap()
}

/// The recorded cluster with its pipelines stopped. The master does nothing.
pub async fn serve_stopped() -> PachdServer {
    let recorded = recorded::load_alpha(Arc::new(MemoryObjects::default()), false).unwrap();
    let options = PachdOptions { master_interval: Duration::from_secs(3600), ..PachdOptions::default() };
    PachdServer::start(recorded, options).await.unwrap()
}

/// A snapshot of `tests/data/etcd` over a bucket. The master does nothing.
pub async fn serve_snapshot(name: &str, bucket: Arc<dyn ObjectStore>) -> PachdServer {
    let recorded = recorded::load(&data(&format!("etcd/{name}.snapshot.db")), bucket, None).unwrap();
    let options = PachdOptions { master_interval: Duration::from_secs(3600), ..PachdOptions::default() };
    PachdServer::start(recorded, options).await.unwrap()
}

pub struct Client(tonic::client::Grpc<Channel>);

impl Client {
    pub async fn of(address: SocketAddr) -> Client {
        let channel = Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
        Client(tonic::client::Grpc::new(channel).max_decoding_message_size(20 << 20))
    }

    /// All messages that came, and how the call ended.
    pub async fn stream(&mut self, path: &'static str, request: &impl Message) -> (Vec<Bytes>, Result<(), Status>) {
        let mut messages = Vec::new();
        let outcome = self.collect(path, request, &mut messages).await;
        (messages, outcome)
    }

    pub async fn collect(
        &mut self,
        path: &'static str,
        request: &impl Message,
        messages: &mut Vec<Bytes>,
    ) -> Result<(), Status> {
        self.0.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
        let request = Request::new(Bytes::from(request.encode_to_vec()));
        let path = http::uri::PathAndQuery::from_static(path);
        let mut stream = self.0.server_streaming(request, path, RawCodec).await?.into_inner();
        while let Some(message) = stream.message().await? {
            messages.push(message);
        }
        Ok(())
    }

    pub async fn call<M: Message + Default>(
        &mut self,
        path: &'static str,
        request: &impl Message,
    ) -> Result<M, Status> {
        let (messages, outcome) = self.stream(path, request).await;
        outcome?;
        assert_eq!(messages.len(), 1);
        Ok(M::decode(messages[0].clone()).unwrap())
    }

    pub async fn stop(&mut self, name: &str) -> Result<(), Status> {
        self.call("/pps.API/StopPipeline", &StopPipelineRequest { pipeline: Some(Pipeline::named(name)) }).await
    }

    pub async fn start(&mut self, name: &str) -> Result<(), Status> {
        self.call("/pps.API/StartPipeline", &StartPipelineRequest { pipeline: Some(Pipeline::named(name)) }).await
    }

    pub async fn pipeline(&mut self, name: &str) -> PipelineInfo {
        let request = InspectPipelineRequest { pipeline: Some(Pipeline::named(name)) };
        self.call("/pps.API/InspectPipeline", &request).await.unwrap()
    }

    pub async fn pipelines(&mut self) -> BTreeMap<String, PipelineInfo> {
        let infos: PipelineInfos = self.call("/pps.API/ListPipeline", &ListPipelineRequest::default()).await.unwrap();
        infos.pipeline_info.into_iter().map(|info| (info.pipeline.clone().unwrap().name, info)).collect()
    }

    pub async fn extract(&mut self, request: &ExtractRequest) -> (Vec<Bytes>, Result<(), Status>) {
        self.stream("/admin.API/Extract", request).await
    }

    /// How a restore of these messages ended, with this token if there is one.
    pub async fn restore(&mut self, messages: Vec<RestoreRequest>, token: Option<&str>) -> Result<Bytes, Status> {
        self.0.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
        let messages: Vec<Bytes> = messages.into_iter().map(|message| message.encode_to_vec().into()).collect();
        let mut request = Request::new(futures::stream::iter(messages));
        if let Some(token) = token {
            request.metadata_mut().insert("authn-token", token.parse().unwrap());
        }
        let path = http::uri::PathAndQuery::from_static("/admin.API/Restore");
        self.0.client_streaming(request, path, RawCodec).await.map(tonic::Response::into_inner)
    }

    /// Restores operations one by one.
    pub async fn restore_ops(&mut self, ops: Vec<Op>, token: Option<&str>) -> Result<Bytes, Status> {
        let messages = ops.into_iter().map(|op| RestoreRequest { op: Some(op), ..RestoreRequest::default() });
        self.restore(messages.collect(), token).await
    }

    pub async fn wait_for(&mut self, what: &str, settled: impl Fn(&BTreeMap<String, PipelineInfo>) -> bool) {
        for _ in 0..12_000 {
            if settled(&self.pipelines().await) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("it never came to: {what}; {:?}", self.pipelines().await);
    }
}

pub fn metadata_only() -> ExtractRequest {
    ExtractRequest { no_objects: true, ..ExtractRequest::default() }
}

pub fn sorted(ops: Vec<impl AsRef<[u8]>>) -> Vec<Vec<u8>> {
    let mut ops: Vec<Vec<u8>> = ops.into_iter().map(|op| op.as_ref().to_vec()).collect();
    ops.sort();
    ops
}

pub fn has_state(info: &PipelineInfo, state: PipelineState) -> bool {
    info.state == state as i32
}
