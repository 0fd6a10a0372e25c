//! Port-forward to pods.

use std::net::SocketAddr;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::cases;
use crate::place::{Place, status, until};

cases! {
    both: [],
    sandbox: [
        port_forward_reaches_the_real_sockets because "there is no kubelet to forward",
    ],
}

async fn echo_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut reader, mut writer) = stream.split();
                tokio::io::copy(&mut reader, &mut writer).await
            });
        }
    });
    address
}

async fn port_forward_reaches_the_real_sockets(place: Place) {
    place.deploy(&place.namespace, true).await.unwrap();
    let server = place.sandbox_server();
    let pods = place.api::<Pod>();
    let pachd = ListParams::default().labels("app=pachd");
    let running = || async {
        let pods = pods.list(&pachd).await.unwrap().items;
        pods.iter().any(|pod| pod.status.as_ref().and_then(|it| it.phase.as_deref()) == Some("Running"))
    };
    until(running).await;
    let name = pods.list(&pachd).await.unwrap().items[0].metadata.name.clone().unwrap();
    server.set_forward("app=pachd", 650, echo_server().await);
    server.set_forward(name.as_str(), 600, echo_server().await);

    let mut forward = pods.portforward(&name, &[650, 600, 651]).await.unwrap();
    let refused = forward.take_error(651).unwrap().await.unwrap();
    assert!(refused.contains("error forwarding port 651"), "{refused}");
    let data: Vec<u8> = (0..3_000_000_u32).map(|number| number.to_le_bytes()[0]).collect();
    for port in [650, 600] {
        let (mut reader, mut writer) = tokio::io::split(forward.take_stream(port).unwrap());
        let sent = data.clone();
        let sending = tokio::spawn(async move {
            writer.write_all(&sent).await.unwrap();
            writer
        });
        let mut received = vec![0; data.len()];
        reader.read_exact(&mut received).await.unwrap();
        assert!(received == data, "port {port} returned other bytes");
        sending.await.unwrap();
    }

    let mut forward = pods.portforward(&name, &[650]).await.unwrap();
    let mut stream = forward.take_stream(650).unwrap();
    pods.delete(&name, &DeleteParams::default()).await.unwrap();
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0, "a forward ends with its pod");
    let missing = pods.portforward("nobody", &[650]).await.map(drop);
    let refused = status(missing);
    assert_eq!((refused.code, refused.message.as_str()), (404, "pods \"nobody\" not found"));
}
