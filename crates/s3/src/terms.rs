//! On what terms a bucket is used: whose it must be, who pays, and how new objects are kept.

use aws_sdk_s3::config::http::HttpRequest;
use http::{HeaderName, HeaderValue};
use provider::StorageClass;

use crate::S3Config;
use crate::class;
use crate::config::Encryption;

/// Headers that requests carry besides their own, and the class of new objects.
#[derive(Clone, Debug, Default)]
pub(crate) struct Terms {
    /// On every request.
    pub(crate) all: Vec<(HeaderName, HeaderValue)>,
    /// On requests that make an object, besides.
    pub(crate) new: Vec<(HeaderName, HeaderValue)>,
    /// The class chosen for new objects.
    pub(crate) class: Option<&'static StorageClass>,
}

/// Terms that no request can state.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unstatable {
    #[error("storage class {name:?} can't be used here: choose one of {choices}")]
    Class { name: String, choices: String },
    #[error("{what} {value:?} has characters that no request can carry")]
    Characters { what: &'static str, value: String },
    #[error("{0:?} is not the number of an AWS account: it has twelve digits")]
    Account(String),
}

impl Terms {
    /// What a configuration says.
    pub(crate) fn of(config: &S3Config) -> Result<Self, Unstatable> {
        let value = |what, value: &str| {
            HeaderValue::from_str(value).map_err(|_| Unstatable::Characters { what, value: value.to_owned() })
        };
        let mut terms = Self::default();
        if let Some(owner) = &config.expected_owner {
            if owner.len() != 12 || !owner.bytes().all(|digit| digit.is_ascii_digit()) {
                return Err(Unstatable::Account(owner.clone()));
            }
            terms.all.push((HeaderName::from_static("x-amz-expected-bucket-owner"), value("the owner", owner)?));
        }
        if config.requester_pays {
            terms.all.push((HeaderName::from_static("x-amz-request-payer"), HeaderValue::from_static("requester")));
        }
        if config.new_objects.owner_full_control {
            let acl = HeaderValue::from_static("bucket-owner-full-control");
            terms.new.push((HeaderName::from_static("x-amz-acl"), acl));
        }
        if let Some(encryption) = &config.new_objects.encryption {
            let (algorithm, key) = match encryption {
                Encryption::Aes256 => ("AES256", None),
                Encryption::Kms { key } => ("aws:kms", key.as_deref()),
            };
            let name = HeaderName::from_static("x-amz-server-side-encryption");
            terms.new.push((name, HeaderValue::from_static(algorithm)));
            if let Some(key) = key {
                let name = HeaderName::from_static("x-amz-server-side-encryption-aws-kms-key-id");
                terms.new.push((name, value("the key", key)?));
            }
        }
        if let Some(name) = &config.new_objects.storage_class {
            let unknown = || {
                let choices: Vec<&str> = class::choices().collect();
                Unstatable::Class { name: name.clone(), choices: choices.join(", ") }
            };
            terms.class = Some(class::chosen(name).ok_or_else(unknown)?);
        }
        Ok(terms)
    }

    /// Adds to one of the SDK's requests what one that makes an object carries; every request's are added elsewhere.
    pub(crate) fn add_to_new(&self, request: &mut HttpRequest) {
        for (name, value) in &self.new {
            // Both were checked when they were made.
            if let Ok(value) = value.to_str() {
                request.headers_mut().insert(name.as_str().to_owned(), value.to_owned());
            }
        }
    }

    /// The class of an object that is written, not copied.
    pub(crate) fn class_of_put(&self) -> Option<aws_sdk_s3::types::StorageClass> {
        self.class.map(|class| class.name.into())
    }

    /// What a request that makes an object carries, whatever it is made of.
    pub(crate) fn for_new(&self) -> impl Iterator<Item = &(HeaderName, HeaderValue)> {
        self.all.iter().chain(&self.new)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::config::NewObjects;

    #[test]
    fn a_configuration_is_said_in_headers() {
        let config = S3Config {
            expected_owner: Some("123456789012".to_owned()),
            requester_pays: true,
            new_objects: NewObjects {
                storage_class: Some("STANDARD_IA".to_owned()),
                encryption: Encryption::parse("alias/backups"),
                owner_full_control: true,
            },
            ..S3Config::aws("b")
        };
        let terms = Terms::of(&config).unwrap();
        let said: Vec<String> =
            terms.for_new().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        assert_eq!(
            said,
            [
                "x-amz-expected-bucket-owner: 123456789012",
                "x-amz-request-payer: requester",
                "x-amz-acl: bucket-owner-full-control",
                "x-amz-server-side-encryption: aws:kms",
                "x-amz-server-side-encryption-aws-kms-key-id: alias/backups",
            ]
        );
        assert_eq!(terms.class.unwrap().name, "STANDARD_IA");
        assert_eq!(Terms::of(&S3Config::aws("b")).unwrap().for_new().count(), 0);
    }

    #[test]
    fn what_cannot_be_said_is_refused() {
        let new =
            |storage_class: &str| NewObjects { storage_class: Some(storage_class.into()), ..NewObjects::default() };
        for (config, part) in [
            (S3Config { expected_owner: Some("me".into()), ..S3Config::aws("b") }, "twelve digits"),
            (S3Config { new_objects: new("GLACIER"), ..S3Config::aws("b") }, "STANDARD_IA"),
            (
                S3Config {
                    new_objects: NewObjects { encryption: Encryption::parse("alias/a\nb"), ..NewObjects::default() },
                    ..S3Config::aws("b")
                },
                "no request can carry",
            ),
        ] {
            let told = Terms::of(&config).unwrap_err().to_string();
            assert!(told.contains(part), "{told}");
        }
    }
}
