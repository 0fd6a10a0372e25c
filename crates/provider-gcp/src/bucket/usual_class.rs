//! The class that a bucket gives to objects that come without one.

use std::sync::{Arc, Mutex, PoisonError};

use provider::{ErrorKind, Result};
use tokio::sync::OnceCell;

use super::{GcsBucket, class, facts};

/// The class of objects that are written without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UsualClass {
    Is(&'static str),
    /// Autoclass: Google chooses and changes it, whatever is said.
    ByGoogle,
    /// The right to ask is missing (`storage.buckets.get`).
    Unknown,
}

/// What is known of it: asked once, and again when an answer shows that it is another one by now.
#[derive(Default)]
pub(super) struct Known(Mutex<Arc<OnceCell<UsualClass>>>);

impl Known {
    fn cell(&self) -> Arc<OnceCell<UsualClass>> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The next copy asks again.
    pub(super) fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::default();
    }
}

impl GcsBucket {
    /// The class, asked for if it is not known.
    pub(super) async fn usual_class(&self) -> Result<UsualClass> {
        let ask = || async {
            match facts::bucket(self).await {
                Ok(found) if found.autoclass.as_ref().is_some_and(|autoclass| autoclass.enabled) => {
                    Ok(UsualClass::ByGoogle)
                }
                Ok(found) => Ok(UsualClass::Is(class::name_of(class::told(&found.storage_class)))),
                Err(error) if error.kind() == ErrorKind::Denied => Ok(UsualClass::Unknown),
                Err(error) => Err(error),
            }
        };
        self.inner.usual_class.cell().get_or_try_init(ask).await.copied()
    }
}
