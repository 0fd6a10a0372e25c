//! Recognises a server whose certificate was not believed.

use std::error::Error;

/// Whether a connection failed since the certificate of the server was not believed.
pub(super) fn was_refused(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if is_certificate_error(error) {
            return true;
        }
        next = error.source();
    }
    false
}

/// An `io::Error` hides what it wraps from its source: asked for the source, it answers with that of the wrapped error.
fn is_certificate_error(error: &(dyn Error + 'static)) -> bool {
    let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    let tls = match wrapped {
        Some(wrapped) => wrapped.downcast_ref::<rustls::Error>(),
        None => error.downcast_ref::<rustls::Error>(),
    };
    matches!(tls, Some(rustls::Error::InvalidCertificate(_)))
}
