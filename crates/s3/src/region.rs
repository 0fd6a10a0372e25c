//! Where a bucket of Amazon S3 is: in one region, and signed for that one alone.

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::S3Config;
use crate::client::Clients;

/// How long the question may take, all tries together. Whoever can't be asked now is asked by the first call, which tells what is wrong.
const PATIENCE: Duration = Duration::from_secs(10);
/// Times between two tries.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_millis(800)];

/// The endpoint, if it isn't Amazon's, and the bucket's name.
type Place = (Option<String>, String);

/// Regions. A bucket never moves, so each is asked for once in a process.
static KNOWN: LazyLock<Mutex<BTreeMap<Place, String>>> = LazyLock::new(Mutex::default);

/// The region that the store says the bucket is in, if it is another one than requests are signed for. A redirect says it as well as
/// an answer does, and a refusal too.
pub(crate) async fn elsewhere(clients: &Clients, config: &S3Config) -> Option<String> {
    let place = (config.endpoint.clone(), config.bucket.clone());
    let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner).get(&place).cloned();
    let region = match known {
        Some(region) => region,
        None => {
            let region = timeout(PATIENCE, asked(clients, &config.bucket)).await.ok()??;
            KNOWN.lock().unwrap_or_else(PoisonError::into_inner).insert(place, region.clone());
            region
        }
    };
    (region != clients.region).then_some(region)
}

/// What the store says; `None` where it says nothing. What may pass is asked again.
async fn asked(clients: &Clients, bucket: &str) -> Option<String> {
    let mut pauses = PAUSES.into_iter();
    loop {
        let told = match clients.quick.get().head_bucket().bucket(bucket).send().await {
            Ok(answer) => answer.bucket_region,
            Err(error) => {
                let raw = error.raw_response();
                let header = raw.and_then(|raw| raw.headers().get("x-amz-bucket-region")).map(str::to_owned);
                if header.is_none() && raw.is_none_or(|raw| raw.status().as_u16() >= 500) {
                    tracing::debug!(bucket, %error, "where the bucket is can't be asked");
                    sleep(pauses.next()?).await;
                    continue;
                }
                header
            }
        };
        return told.filter(|region| !region.is_empty());
    }
}
