//! One setting's value, checked against its kind wherever it comes from.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::field::Kind;
use super::span;

/// A checked value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// Text, a URL, or a word of a choice.
    Text(String),
    /// A path; a leading `~/` stands for the home folder until it is used.
    Path(PathBuf),
    /// A span of time.
    Duration(Duration),
    /// A whole number.
    Count(usize),
    /// Yes or no.
    Boolean(bool),
    /// Node ports, from → to.
    Ports(BTreeMap<i32, i32>),
}

impl Value {
    /// Reads a value from text, as the environment and flags give it.
    ///
    /// # Errors
    /// What was expected instead. The text itself isn't repeated: it may be a secret in the wrong place.
    pub(crate) fn parse(kind: Kind, text: &str) -> Result<Self, String> {
        match kind {
            Kind::Text => non_empty(text).map(|text| Self::Text(text.to_owned())),
            Kind::Path => non_empty(text).map(|text| Self::Path(PathBuf::from(text))),
            Kind::StoreUrl => store_url(text).map(Self::Text),
            Kind::Duration => span::parse(text).map(Self::Duration),
            Kind::Count => match text.parse() {
                Ok(count) if count > 0 => Ok(Self::Count(count)),
                _ => Err("a whole number of at least 1".to_owned()),
            },
            Kind::Boolean => match text {
                "true" => Ok(Self::Boolean(true)),
                "false" => Ok(Self::Boolean(false)),
                _ => Err("true or false".to_owned()),
            },
            Kind::Choice(words) if words.contains(&text) => Ok(Self::Text(text.to_owned())),
            Kind::Choice(words) => Err(format!("one of {}", words.join(", "))),
            Kind::Names => names(text).map(|text| Self::Text(text.to_owned())),
            Kind::Ports => text
                .split(',')
                .filter(|pair| !pair.trim().is_empty())
                .map(|pair| {
                    let (from, to) = pair.split_once('=').ok_or_else(ports_expected)?;
                    Ok((port(from.trim())?, port(to.trim())?))
                })
                .collect::<Result<_, String>>()
                .and_then(ports),
        }
    }

    /// Reads a value from the configuration file.
    ///
    /// # Errors
    /// What was expected instead.
    pub(crate) fn from_toml(kind: Kind, value: &toml::Value) -> Result<Self, String> {
        match (kind, value) {
            (Kind::Count, toml::Value::Integer(number)) => Self::parse(kind, &number.to_string()),
            (Kind::Boolean, toml::Value::Boolean(yes)) => Ok(Self::Boolean(*yes)),
            (Kind::Ports, toml::Value::Table(table)) => table
                .iter()
                .map(|(from, to)| {
                    let to = to.as_integer().ok_or_else(ports_expected)?;
                    Ok((port(from)?, port(&to.to_string())?))
                })
                .collect::<Result<_, String>>()
                .and_then(ports),
            (Kind::Count | Kind::Boolean | Kind::Ports, _) => {
                Err(Self::parse(kind, "?").err().unwrap_or_else(ports_expected))
            }
            (_, toml::Value::String(text)) => Self::parse(kind, text),
            (Kind::Text | Kind::Path, _) => Err("text in quotes".to_owned()),
            _ => Err(Self::parse(kind, "").err().unwrap_or_else(|| "text in quotes".to_owned())),
        }
    }

    /// The value as the configuration file holds it.
    pub(crate) fn to_toml(&self) -> toml::Value {
        match self {
            Self::Text(text) => toml::Value::String(text.clone()),
            Self::Path(path) => toml::Value::String(path.display().to_string()),
            Self::Duration(value) => toml::Value::String(span::format(*value)),
            Self::Count(count) => toml::Value::Integer(i64::try_from(*count).unwrap_or(i64::MAX)),
            Self::Boolean(yes) => toml::Value::Boolean(*yes),
            Self::Ports(ports) => toml::Value::Table(
                ports.iter().map(|(from, to)| (from.to_string(), toml::Value::Integer(i64::from(*to)))).collect(),
            ),
        }
    }
}

fn non_empty(text: &str) -> Result<&str, String> {
    if text.is_empty() { Err("text that is not empty".to_owned()) } else { Ok(text) }
}

/// Two different names, each one segment of a path.
fn names(text: &str) -> Result<&str, String> {
    let is_name = |name: &str| !name.is_empty() && !name.contains(['/', ',', '?', '#']) && name != "." && name != "..";
    match text.split_once(',').map(|(one, other)| (one.trim(), other.trim())) {
        Some((one, other)) if is_name(one) && is_name(other) && one != other => Ok(text),
        _ => Err("two different names with a comma between them, as a,b".to_owned()),
    }
}

fn store_url(text: &str) -> Result<String, String> {
    let expected = "a store's URL such as s3://bucket/prefix or file:///folder";
    let url = url::Url::parse(text).map_err(|_| expected.to_owned())?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(format!("{expected}, without credentials in it"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(format!("{expected}, without anything after ? or #"));
    }
    Ok(text.to_owned())
}

fn ports_expected() -> String {
    "pairs of node ports: { 30650 = 30649 } in the file, 30650=30649,30651=30648 elsewhere".to_owned()
}

fn port(text: &str) -> Result<i32, String> {
    match text.parse::<i32>() {
        Ok(port) if (1..=65_535).contains(&port) => Ok(port),
        _ => Err(ports_expected()),
    }
}

fn ports(map: BTreeMap<i32, i32>) -> Result<Value, String> {
    let mut targets: Vec<i32> = map.values().copied().collect();
    targets.sort_unstable();
    targets.dedup();
    if map.is_empty() {
        Err(ports_expected())
    } else if targets.len() != map.len() || targets.iter().any(|target| map.contains_key(target)) {
        Err("pairs of node ports, each number once".to_owned())
    } else {
        Ok(Value::Ports(map))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn ports_from_file_and_text_are_the_same() {
        let table: toml::Table = "ports = { 30650 = 31650, 30651 = 31651 }".parse().unwrap();
        let from_file = Value::from_toml(Kind::Ports, &table["ports"]).unwrap();
        assert_eq!(from_file, Value::parse(Kind::Ports, "30650=31650, 30651=31651").unwrap());
        assert_eq!(Value::from_toml(Kind::Ports, &from_file.to_toml()).unwrap(), from_file);
    }

    #[test]
    fn a_port_that_is_used_twice_is_refused() {
        for text in ["1=2,3=2", "1=2,2=3", "1=1", "0=5", "1=70000", "1", ""] {
            assert!(Value::parse(Kind::Ports, text).is_err(), "{text}");
        }
    }

    #[test]
    fn url_with_credentials_is_refused_without_repeating_them() {
        let message = Value::parse(Kind::StoreUrl, "s3://key:hunter2@bucket").unwrap_err();
        assert!(message.contains("without credentials"));
        assert!(!message.contains("hunter2"));
        assert!(Value::parse(Kind::StoreUrl, "s3://bucket?secret=1").is_err());
        assert!(Value::parse(Kind::StoreUrl, "bucket/prefix").is_err());
        assert!(Value::parse(Kind::StoreUrl, "file:///var/vault").is_ok());
    }

    #[test]
    fn wrong_types_say_what_was_expected() {
        let wrong = Value::from_toml(Kind::Duration, &toml::Value::Integer(15)).unwrap_err();
        assert!(wrong.contains("15m"), "{wrong}");
        assert!(Value::from_toml(Kind::Count, &toml::Value::String("4".into())).unwrap_err().contains("whole number"));
        assert!(Value::from_toml(Kind::Count, &toml::Value::Integer(0)).is_err());
        assert!(Value::from_toml(Kind::Boolean, &toml::Value::String("true".into())).is_err());
        assert!(Value::parse(Kind::Choice(&["a", "b"]), "c").unwrap_err().contains("a, b"));
    }
}
