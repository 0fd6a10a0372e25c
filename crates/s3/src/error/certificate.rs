//! A store whose certificate is not believed.

use std::error::Error as StdError;
use std::io;

/// Its certificate is not believed, which no waiting changes.
#[derive(Debug, thiserror::Error)]
#[error("the store's certificate is not believed; SSL_CERT_FILE can name a file with those that are")]
pub(crate) struct Untrusted(#[source] pub(crate) Box<dyn StdError + Send + Sync>);

/// Whether an error, or one of its causes, is about the service's certificate. For every client over the same HTTPS stack.
#[must_use]
pub fn is_untrusted(error: &(dyn StdError + 'static)) -> bool {
    let mut at = Some(error);
    while let Some(error) = at {
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        // An I/O error is no cause of the one that is in it.
        if is_about_certificate(error) || inner.is_some_and(|inner| is_untrusted(inner)) {
            return true;
        }
        at = error.source();
    }
    false
}

fn is_about_certificate(error: &(dyn StdError + 'static)) -> bool {
    matches!(error.downcast_ref(), Some(rustls::Error::InvalidCertificate(_)))
}

#[cfg(test)]
mod tests {
    use rustls::CertificateError;

    use super::*;

    #[test]
    fn it_is_found_in_what_wraps_it() {
        let certificate = || rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let wrapped = Untrusted(Box::new(io::Error::other(io::Error::other(certificate()))));
        assert!(is_untrusted(&certificate()) && is_untrusted(&wrapped));
        assert!(!is_untrusted(&io::Error::from(io::ErrorKind::ConnectionRefused)));
        assert!(!is_untrusted(&io::Error::other(rustls::Error::DecryptError)));
    }
}
