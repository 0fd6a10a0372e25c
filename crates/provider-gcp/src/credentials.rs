//! Who asks Google.

use std::fmt;
use std::path::PathBuf;

use google_cloud_auth::build_errors::Error as BuildError;
use google_cloud_auth::credentials::{
    Builder, Credentials, anonymous, external_account, external_account_authorized_user, impersonated, service_account,
    user_account,
};
use provider::{Error, ErrorKind, Result};
use serde_json::Value;

use crate::error::refused;

const OPERATION: &str = "credentials";

/// Who asks Google. `Debug` shows no secret.
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum GoogleCredentials {
    /// Application Default Credentials: the file that `GOOGLE_APPLICATION_CREDENTIALS` names, that of `gcloud auth
    /// application-default login`, or the service account of the machine or pod.
    #[default]
    Default,
    /// A credential file in JSON: of a service account, a user, an impersonated account or a workload identity federation.
    File(PathBuf),
    /// The text of such a file, for instance what a cluster's secret holds.
    Json(String),
    /// Credentials that the caller made.
    Given(Credentials),
    /// Nobody: for emulators and public buckets.
    Anonymous,
}

impl GoogleCredentials {
    /// The credentials, with a cache of their tokens that all clones share. Asks nobody yet; on a runtime of tokio.
    ///
    /// # Errors
    /// `Unauthenticated`, saying what to do, when there are none, or none that can be understood.
    pub fn credentials(&self) -> Result<Credentials> {
        match self {
            Self::Default => Builder::default().build().map_err(|error| {
                let advice = "run `gcloud auth application-default login`, or name a credential file";
                no_use("the Application Default Credentials", advice, error)
            }),
            Self::File(path) => {
                let name = path.display().to_string();
                let text = std::fs::read_to_string(path).map_err(|error| {
                    Error::new(ErrorKind::Unauthenticated, OPERATION, format!("file {name}")).with_source(error)
                })?;
                of_json(&format!("file {name}"), &text)
            }
            Self::Json(text) => of_json("the configured JSON", text),
            Self::Given(credentials) => Ok(credentials.clone()),
            Self::Anonymous => Ok(anonymous::Builder::new().build()),
        }
    }
}

impl fmt::Debug for GoogleCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("Default"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Json(_) => f.write_str("Json(<redacted>)"),
            Self::Given(_) => f.write_str("Given(<redacted>)"),
            Self::Anonymous => f.write_str("Anonymous"),
        }
    }
}

fn of_json(resource: &str, text: &str) -> Result<Credentials> {
    let wrong = |why: String| refused(ErrorKind::Unauthenticated, OPERATION, resource, why);
    // Errors of the parser tell a place, never what is there.
    let json: Value =
        serde_json::from_str(text).map_err(|error| wrong(format!("this is no credential file in JSON: {error}")))?;
    let kind = json.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    let built = match kind.as_str() {
        "service_account" => service_account::Builder::new(json).build(),
        "authorized_user" => user_account::Builder::new(json).build(),
        "impersonated_service_account" => impersonated::Builder::new(json).build(),
        "external_account" => external_account::Builder::new(json).build(),
        "external_account_authorized_user" => external_account_authorized_user::Builder::new(json).build(),
        "" => return Err(wrong("the file has no \"type\": download the key again, it is not a credential".to_owned())),
        _ => {
            let known = "service_account, authorized_user, impersonated_service_account, external_account, \
                         external_account_authorized_user";
            return Err(wrong(format!("credentials of this type can't be used here; these can: {known}")));
        }
    };
    built.map_err(|error| no_use(resource, "download or make the file again", error))
}

/// Credentials that can't be used. What the library could not parse is left out: its words may quote the file.
fn no_use(resource: &str, advice: &str, error: BuildError) -> Error {
    if error.is_parsing() {
        let why = format!("a field is missing or has another form than Google's: {advice}");
        return refused(ErrorKind::Unauthenticated, OPERATION, resource, why);
    }
    refused(ErrorKind::Unauthenticated, OPERATION, resource, format!("{error}: {advice}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(error: &Error) -> String {
        format!("{error}: {}", std::error::Error::source(error).unwrap())
    }

    #[tokio::test]
    async fn what_is_no_credential_is_refused_without_being_quoted() {
        for (text, part) in [
            ("hush", "no credential file"),
            ("{\"private_key\": \"hush\"}", "no \"type\""),
            ("{\"type\": \"hush\"}", "can't be used here"),
            ("{\"type\": \"service_account\", \"private_key\": {\"hush\": 1}}", "missing or has another form"),
            ("{\"type\": \"authorized_user\", \"client_secret\": \"hush\"}", "missing or has another form"),
        ] {
            let error = GoogleCredentials::Json(text.to_owned()).credentials().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{text}");
            assert!(words(&error).contains(part) && !words(&error).contains("hush"), "{}", words(&error));
            assert!(!format!("{error:?}").contains("hush"), "{error:?}");
        }
        let missing = GoogleCredentials::File("/nowhere/key.json".into()).credentials().unwrap_err();
        assert!(words(&missing).contains("/nowhere/key.json"), "{}", words(&missing));
    }

    #[test]
    fn debug_shows_no_secret() {
        let shown = format!("{:?}", GoogleCredentials::Json("hush".to_owned()));
        assert_eq!(shown, "Json(<redacted>)");
    }
}
