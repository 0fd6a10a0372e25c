//! URLs of one object: `s3://bucket/folder/name`, `file:///folder/name`.

use orchestrator::{Error, ErrorKind, Result};

/// One object, as people name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ObjectUrl {
    /// URL of what the object is in.
    pub(crate) folder: String,
    /// Its name there.
    pub(crate) key: String,
}

impl ObjectUrl {
    /// The URL in a text that is one, or the path of a file; `None` for a path.
    ///
    /// # Errors
    /// `Configuration` for a URL that names no object.
    pub(crate) fn parse(text: &str) -> Result<Option<Self>> {
        if !text.contains("://") {
            return Ok(None);
        }
        match text.rsplit_once('/') {
            Some((folder, key)) if !key.is_empty() && !folder.ends_with('/') => {
                Ok(Some(Self { folder: folder.to_owned(), key: key.to_owned() }))
            }
            _ => Err(Error::new(ErrorKind::Configuration, format!("{text:?} names no object"))
                .advise("write it as s3://bucket/folder/name")),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::ObjectUrl;

    #[test]
    fn urls_are_told_from_paths() {
        assert_eq!(ObjectUrl::parse("backups/a.pachd").unwrap(), None);
        let found = ObjectUrl::parse("s3://backups/old/a.pachd").unwrap().unwrap();
        assert_eq!((found.folder.as_str(), found.key.as_str()), ("s3://backups/old", "a.pachd"));
        for wrong in ["s3://backups", "s3://backups/", "file:///"] {
            assert!(ObjectUrl::parse(wrong).is_err(), "{wrong}");
        }
    }
}
