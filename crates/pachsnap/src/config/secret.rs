//! Secrets: read from the environment or a file at the moment of use, never printed.

use std::fmt;

use super::{Config, ConfigError, StoreSection};

/// A value that must not be seen.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    /// The value, for handing it on.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Keys of an S3 store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoreKeys {
    /// Access key id.
    pub(crate) access_key_id: Secret,
    /// Secret access key.
    pub(crate) secret_access_key: Secret,
    /// Session token of temporary keys.
    pub(crate) session_token: Option<Secret>,
}

impl Config {
    /// The keys that a section names, or `None` when it names none: then the SDK's usual places are asked.
    ///
    /// # Errors
    /// `NoSecret` for a named variable that isn't set; `Contradiction` when only one of the two is named.
    pub(crate) fn store_keys(&self, section: StoreSection) -> Result<Option<StoreKeys>, ConfigError> {
        let name = section.name();
        let id = self.secret_from(&format!("{name}.access-key-id-env"))?;
        let key = self.secret_from(&format!("{name}.secret-access-key-env"))?;
        let session_token = self.secret_from(&format!("{name}.session-token-env"))?;
        match (id, key) {
            (Some(access_key_id), Some(secret_access_key)) => {
                Ok(Some(StoreKeys { access_key_id, secret_access_key, session_token }))
            }
            (None, None) if session_token.is_none() => Ok(None),
            _ => Err(ConfigError::Contradiction(format!(
                "{name}.access-key-id-env and {name}.secret-access-key-env are needed together"
            ))),
        }
    }

    /// The Pachyderm token: from `cluster.token-file`, else from the variable that `cluster.token-env` names.
    ///
    /// # Errors
    /// `SecretFile` when the file can't be read. A variable that isn't set means that there is no token.
    pub(crate) fn token(&self) -> Result<Option<Secret>, ConfigError> {
        const NAME: &str = "cluster.token-file";
        if let Some(path) = self.path(NAME) {
            let text = std::fs::read_to_string(&path).map_err(|source| ConfigError::SecretFile {
                name: NAME,
                path: path.clone(),
                source,
            })?;
            let token = text.trim();
            if token.is_empty() {
                let source = std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "the file is empty");
                return Err(ConfigError::SecretFile { name: NAME, path, source });
            }
            return Ok(Some(Secret(token.to_owned())));
        }
        let variable = self.text("cluster.token-env");
        Ok(variable.and_then(|variable| self.environment().get(variable)).map(|token| Secret(token.to_owned())))
    }

    /// The certificates of `cluster.tls-ca-file`.
    ///
    /// # Errors
    /// `SecretFile` when the file can't be read.
    pub(crate) fn tls_ca(&self) -> Result<Option<Vec<u8>>, ConfigError> {
        const NAME: &str = "cluster.tls-ca-file";
        let Some(path) = self.path(NAME) else { return Ok(None) };
        std::fs::read(&path).map(Some).map_err(|source| ConfigError::SecretFile { name: NAME, path, source })
    }

    fn secret_from(&self, path: &str) -> Result<Option<Secret>, ConfigError> {
        let Some(variable) = self.text(path) else { return Ok(None) };
        match self.environment().get(variable) {
            Some(value) => Ok(Some(Secret(value.to_owned()))),
            None => Err(ConfigError::NoSecret { name: path.to_owned(), variable: variable.to_owned() }),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::Environment;
    use super::*;

    fn config(flags: &[(&'static str, &'static str, String)], environment: Environment) -> Config {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("empty.toml");
        std::fs::write(&file, "").unwrap();
        Config::load(Some(&file), environment, flags).unwrap()
    }

    #[test]
    fn keys_are_read_from_the_named_variables() {
        let flags = [
            ("vault.access-key-id-env", "--x", "ID".to_owned()),
            ("vault.secret-access-key-env", "--x", "KEY".to_owned()),
        ];
        let environment = Environment::from([("ID", "AKIA"), ("KEY", "hunter2")]);
        let keys = config(&flags, environment).store_keys(StoreSection::Vault).unwrap().unwrap();
        assert_eq!(keys.access_key_id.reveal(), "AKIA");
        assert_eq!(keys.secret_access_key.reveal(), "hunter2");
        assert!(!format!("{keys:?}").contains("hunter2"));
        let error = config(&flags, Environment::from([("ID", "AKIA")])).store_keys(StoreSection::Vault).unwrap_err();
        assert!(error.to_string().contains("KEY"), "{error}");
        let half = config(&flags[..1], Environment::from([("ID", "AKIA")]));
        assert!(half.store_keys(StoreSection::Vault).is_err());
        assert_eq!(half.store_keys(StoreSection::Clone).unwrap(), None);
    }

    #[test]
    fn token_from_file_wins_over_the_environment() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, "from-file\n").unwrap();
        let environment = Environment::from([("PACHSNAP_TOKEN", "from-environment")]);
        let plain = config(&[], environment.clone());
        assert_eq!(plain.token().unwrap().unwrap().reveal(), "from-environment");
        let flags = [("cluster.token-file", "--token-file", file.display().to_string())];
        assert_eq!(config(&flags, environment.clone()).token().unwrap().unwrap().reveal(), "from-file");
        std::fs::write(&file, "\n").unwrap();
        assert!(config(&flags, environment).token().is_err());
        assert_eq!(config(&[], Environment::default()).token().unwrap(), None);
    }
}
