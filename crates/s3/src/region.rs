//! Where a bucket of Amazon S3 is: in one region, and signed for that one alone.

use std::time::Duration;

use tokio::time::timeout;

use crate::client::Clients;

/// How long the question may take. Whoever can't be asked now is asked by the first call, which tells what is wrong.
const PATIENCE: Duration = Duration::from_secs(10);

/// The region that the store says the bucket is in, if it is another one than requests are signed for. A redirect says it as well as
/// an answer does, and a refusal too.
pub(crate) async fn elsewhere(clients: &Clients, bucket: &str) -> Option<String> {
    let asked = clients.quick.get().head_bucket().bucket(bucket).send();
    let told = match timeout(PATIENCE, asked).await.ok()? {
        Ok(answer) => answer.bucket_region,
        Err(error) => {
            let header = error.raw_response().and_then(|raw| raw.headers().get("x-amz-bucket-region"));
            header.map(str::to_owned)
        }
    };
    told.filter(|region| !region.is_empty() && *region != clients.region)
}
