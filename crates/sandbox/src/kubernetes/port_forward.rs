//! Port-forward over WebSocket, subprotocol `v4.channel.k8s.io`.
//!
//! Each port has two channels: 2·i carries its bytes, 2·i+1 its error text. A message's first byte is its channel. The
//! server opens every channel with a message that holds the port number, little endian.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::ws::{Message, WebSocket};
use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;

use super::request::RequestInfo;
use super::status::StatusError;
use super::store::{ObjectKey, Store};

/// Bytes read from the pod's side at a time.
const CHUNK: usize = 64 * 1024;

/// Which pods a forward is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForwardTarget {
    /// The pod of this name.
    Pod(String),
    /// Every pod with this label.
    Label(String, String),
    /// Those of a namespace only.
    In(String, Box<ForwardTarget>),
}

impl From<&str> for ForwardTarget {
    /// `name=value` is a label, anything else the name of a pod.
    fn from(text: &str) -> Self {
        match text.split_once('=') {
            Some((name, value)) => ForwardTarget::Label(name.to_owned(), value.to_owned()),
            None => ForwardTarget::Pod(text.to_owned()),
        }
    }
}

impl ForwardTarget {
    /// The same in one namespace only.
    #[must_use]
    pub fn in_namespace(self, namespace: &str) -> Self {
        Self::In(namespace.to_owned(), Box::new(self))
    }

    fn matches(&self, pod: &Value) -> bool {
        match self {
            ForwardTarget::Pod(name) => pod["metadata"]["name"] == name.as_str(),
            ForwardTarget::Label(name, value) => pod["metadata"]["labels"][name] == value.as_str(),
            ForwardTarget::In(namespace, target) => {
                pod["metadata"]["namespace"] == namespace.as_str() && target.matches(pod)
            }
        }
    }

    fn is_of(&self, namespace: &str) -> bool {
        matches!(self, ForwardTarget::In(own, _) if own == namespace)
    }
}

/// Where the ports of pods really are.
#[derive(Debug, Default)]
pub(crate) struct Forwards {
    entries: Vec<(ForwardTarget, u16, SocketAddr)>,
    /// The only namespace that targets without one mean.
    home: Option<String>,
}

impl Forwards {
    /// Sets the address of a port; an earlier one for the same target and port is replaced.
    pub(crate) fn set(&mut self, target: ForwardTarget, port: u16, address: SocketAddr) {
        self.remove(&target, port);
        self.entries.push((target, port, address));
    }

    /// Takes an address away, so that connections to the port are refused.
    pub(crate) fn remove(&mut self, target: &ForwardTarget, port: u16) {
        self.entries.retain(|(it, number, _)| it != target || *number != port);
    }

    /// From now on targets without a namespace are those of this one.
    pub(crate) fn set_home(&mut self, namespace: &str) {
        self.home = Some(namespace.to_owned());
    }

    /// Takes away every address of a namespace's own.
    pub(crate) fn forget(&mut self, namespace: &str) {
        self.entries.retain(|(target, ..)| !target.is_of(namespace));
    }

    /// The address of a pod's port: by name first, then by label.
    pub(crate) fn find(&self, pod: &Value, port: u16) -> Option<SocketAddr> {
        let is_home = self.home.as_deref().is_none_or(|home| pod["metadata"]["namespace"] == home);
        let means =
            |target: &ForwardTarget| target.matches(pod) && (is_home || matches!(target, ForwardTarget::In(..)));
        let matching = || self.entries.iter().filter(|(target, number, _)| *number == port && means(target));
        let by_name = matching().find(|(target, ..)| matches!(target, ForwardTarget::Pod(_)));
        by_name.or_else(|| matching().next()).map(|(.., address)| *address)
    }
}

/// The ports of a request, in order.
pub(crate) fn ports(request: &RequestInfo) -> Result<Vec<u16>, StatusError> {
    let text = request.parameter("ports");
    let ports: Result<Vec<u16>, _> = text.split(',').map(str::parse).collect();
    match ports {
        Ok(ports) if ports.len() <= 127 && !ports.contains(&0) => Ok(ports),
        _ => Err(StatusError::bad_request(format!("unable to parse \"{text}\" as a port"))),
    }
}

/// Serves one forward until either side is finished or the pod is gone.
///
/// `addresses` are the real sockets of the ports. A port without one gets an error text, like one that nobody listens on.
pub(crate) async fn serve(
    socket: WebSocket,
    store: Arc<Store>,
    pod: ObjectKey,
    uid: String,
    addresses: Vec<(u16, Option<SocketAddr>)>,
) {
    let (mut sink, mut stream) = socket.split();
    let (sender, mut receiver) = mpsc::channel(16);
    let mut writers: Vec<Option<OwnedWriteHalf>> = Vec::new();
    for (index, (port, address)) in addresses.iter().enumerate() {
        for channel in [2 * index, 2 * index + 1] {
            if sink.send(frame(channel, &port.to_le_bytes())).await.is_err() {
                return;
            }
        }
        let connection = match address {
            Some(address) => connect(address).await.ok(),
            None => None,
        };
        let Some(connection) = connection else {
            let text = format!(
                "error forwarding port {port} to pod {}, uid {uid}: failed to connect to localhost:{port} inside the \
                 pod: connection refused",
                pod.name
            );
            if sink.send(frame(2 * index + 1, text.as_bytes())).await.is_err() {
                return;
            }
            writers.push(None);
            continue;
        };
        let (reader, writer) = connection.into_split();
        tokio::spawn(read_from_pod(2 * index, reader, sender.clone()));
        writers.push(Some(writer));
    }
    drop(sender);

    // The directions run side by side, so that neither waits for the other.
    let outgoing = async {
        while let Some((channel, bytes)) = receiver.recv().await {
            if sink.send(frame(channel, &bytes)).await.is_err() {
                return;
            }
        }
    };
    let incoming = async {
        while let Some(Ok(message)) = stream.next().await {
            let goes_on = match message {
                Message::Binary(bytes) => forward_to_pod(&mut writers, &bytes).await.is_some(),
                Message::Close(_) => false,
                _ => true,
            };
            if !goes_on {
                return;
            }
        }
    };
    let pod_gone = async {
        let mut changed = store.subscribe();
        let lives = || store.with(|state| state.get(&pod).is_some_and(|it| it["metadata"]["uid"] == uid.as_str()));
        while lives() && changed.changed().await.is_ok() {}
    };
    tokio::select! {
        () = outgoing => {}
        () = incoming => {}
        () = pod_gone => {}
    }
    // The client may be gone already; then there is nobody to say goodbye to.
    let _ = sink.send(Message::Close(None)).await;
}

/// Small writes go at once, as a node's do: they are parts of somebody's calls.
async fn connect(address: &SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn frame(channel: usize, bytes: &[u8]) -> Message {
    let mut message = Vec::with_capacity(bytes.len() + 1);
    message.push(channel_byte(channel));
    message.extend_from_slice(bytes);
    Message::Binary(message.into())
}

/// At most 127 ports, so that a channel fits into a byte.
fn channel_byte(channel: usize) -> u8 {
    u8::try_from(channel).unwrap_or(u8::MAX)
}

/// Reads until the end of the pod's side or of the forward.
async fn read_from_pod(channel: usize, mut reader: OwnedReadHalf, sender: mpsc::Sender<(usize, Bytes)>) {
    let mut buffer = vec![0; CHUNK];
    while let Ok(count) = reader.read(&mut buffer).await {
        if count == 0 || sender.send((channel, Bytes::copy_from_slice(&buffer[..count]))).await.is_err() {
            return;
        }
    }
}

/// Writes one message to its port. `None` when the message breaks the protocol.
async fn forward_to_pod(writers: &mut [Option<OwnedWriteHalf>], bytes: &[u8]) -> Option<()> {
    let (channel, data) = bytes.split_first()?;
    let slot = writers.get_mut(usize::from(channel / 2))?;
    if channel % 2 == 1 {
        return Some(());
    }
    if let Some(writer) = slot
        && writer.write_all(data).await.is_err()
    {
        *slot = None;
    }
    Some(())
}
