//! The calls that were recorded on an empty cluster: its listings, and restores that are refused or let pass.

use std::sync::Arc;
use std::time::Duration;

use pachyderm::client::{Address, Client, ClientOptions};
use sandbox::pachd::objects::MemoryObjects;
use sandbox::pachd::{PachdOptions, PachdServer, recorded};

use crate::case::{Case, cases, data, verdict};

/// A call that was made when the cluster was no longer empty: *alpha* with some pipelines started again.
const INTO_A_USED_CLUSTER: &str = "admin.API.Restore/whole-stream-into-non-empty";

async fn serve(case: &Case) -> PachdServer {
    let bucket = Arc::new(MemoryObjects::default());
    let used = case.name == INTO_A_USED_CLUSTER;
    let recorded = if used {
        recorded::load_alpha(bucket, false).unwrap()
    } else {
        recorded::load(&data("etcd/gamma.snapshot.db"), bucket, None).unwrap()
    };
    let options = PachdOptions {
        deployment_id: "deploy-gamma".into(),
        master_interval: Duration::from_secs(3600),
        ..PachdOptions::default()
    };
    let server = PachdServer::start(recorded, options).await.unwrap();
    if used {
        let address = Address::plaintext("127.0.0.1", server.external().port());
        let client = Client::connect(&address, &ClientOptions::default()).await.unwrap();
        for name in ["copy", "count"] {
            client.start_pipeline(name).await.unwrap();
        }
    }
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_is_answered_as_recorded() {
    let cases = cases("grpc-empty-cluster/");
    assert_eq!(cases.len(), 33);
    let mut failures = Vec::new();
    for case in cases {
        let server = serve(&case).await;
        if let Err(reason) = verdict(server.external(), &case).await {
            failures.push(format!("{}: {reason}", case.name));
        }
    }
    assert!(failures.is_empty(), "{} of 33 differ:\n{}", failures.len(), failures.join("\n"));
}
