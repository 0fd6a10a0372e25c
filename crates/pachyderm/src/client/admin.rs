//! Services `admin.API`, `versionpb.API` and `health.Health`.

use bytes::Bytes;

use super::{Client, Messages};
use crate::{
    error::Error,
    proto::{
        admin::{ClusterInfo, ExtractPipelineRequest, ExtractRequest, Op},
        method,
        pps::Pipeline,
        version::Version,
    },
};

impl Client {
    /// The version of pachd.
    ///
    /// # Errors
    ///
    /// The call fails.
    pub async fn version(&self) -> Result<Version, Error> {
        self.caller.unary(method::GET_VERSION, "", ()).await
    }

    /// Whether pachd has finished starting.
    ///
    /// # Errors
    ///
    /// It has not, or the call fails.
    pub async fn health(&self) -> Result<(), Error> {
        self.caller.unary(method::HEALTH, "", ()).await
    }

    /// The identity of the cluster.
    ///
    /// # Errors
    ///
    /// The call fails.
    pub async fn inspect_cluster(&self) -> Result<ClusterInfo, Error> {
        self.caller.unary(method::INSPECT_CLUSTER, "", ()).await
    }

    /// The cluster as a stream of encoded [`Op`]s, each as the bytes it came in.
    ///
    /// It is no point in time: pachd reads each kind at another moment. With a URL in the request pachd writes to it and
    /// the stream ends without a message; [`ClientOptions::progress_deadline`](super::ClientOptions::progress_deadline) must
    /// then be as long as the whole extract.
    ///
    /// # Errors
    ///
    /// The call fails at once or in the middle. With auth on only an administrator may call it (1.11.9 and later).
    pub async fn extract(&self, request: ExtractRequest) -> Result<Messages<Bytes>, Error> {
        self.caller.raw_stream(method::EXTRACT, "", request).await
    }

    /// One pipeline as an operation, without its spec commit.
    ///
    /// # Errors
    ///
    /// There is no such pipeline, or the call fails.
    pub async fn extract_pipeline(&self, name: &str) -> Result<Op, Error> {
        let request = ExtractPipelineRequest { pipeline: Some(Pipeline::named(name)) };
        self.caller.unary(method::EXTRACT_PIPELINE, name, request).await
    }
}
