//! Services `admin.API`, `versionpb.API` and `health.Health`.

use bytes::Bytes;

use futures::Stream;

use super::{Client, Messages, Token};
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

    /// Sends encoded [`Op`]s to an empty cluster, each as the bytes it has, and returns how many once the server has applied
    /// them all. Each is sent at most once: nothing is tried again, and a restore that failed is not to be repeated on the
    /// same cluster, for jobs would be doubled.
    ///
    /// `token` goes with this call instead of that of the options. A stream with auth makes it the root token of the
    /// cluster, so keep it before calling.
    ///
    /// pachd tells a failing operation only after it has taken, and discarded, all that follow; so nothing but `Ok` means
    /// anything. When `ops` fails, or this is dropped, the call is broken off, since pachd would take an end of the stream
    /// for its regular end. [`ClientOptions::progress_deadline`](super::ClientOptions::progress_deadline) limits how long
    /// the server may take no operation that is ready, and how long it may take to answer after the last one; how long
    /// `ops` takes is not limited.
    ///
    /// # Errors
    ///
    /// `ops` fails, an operation exceeds what pachd takes (about 20 MiB), the server refuses an operation, stops taking
    /// them, or answers before it has them all, or the call fails. The cluster is then partly filled.
    pub async fn restore<S, E>(&self, ops: S, token: Option<&Token>) -> Result<u64, Error>
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + 'static,
    {
        self.caller.send_ops(method::RESTORE, ops, token).await
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
