//! Calls of the CSI driver. They copy folders, so they run beside the server's own work.

use std::sync::Arc;

use tonic::Code;

use crate::kubernetes::csi::{CsiDriver, CsiError};

/// Runs one call to its end.
pub(super) async fn call<R: Send + 'static>(
    driver: &Arc<CsiDriver>,
    work: impl FnOnce(&CsiDriver) -> Result<R, CsiError> + Send + 'static,
) -> Result<R, CsiError> {
    let driver = Arc::clone(driver);
    tokio::task::spawn_blocking(move || work(&driver))
        .await
        .unwrap_or_else(|error| Err(CsiError::new(Code::Internal, error.to_string())))
}
