//! What names, labels and request ids may be. From "Naming resources" and "Labels and requirements" of Compute Engine's documentation.

use std::collections::BTreeMap;

use serde_json::Value;

use super::answer::Refused;

/// Characters of a description.
const LONGEST_DESCRIPTION: usize = 2048;

/// Labels of one resource.
const MOST_LABELS: usize = 64;

/// A name by RFC 1035, at most 63 characters.
pub(super) fn name(value: &str) -> Result<(), Refused> {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let fits = value.len() <= 63
        && value.starts_with(|first: char| first.is_ascii_lowercase())
        && !value.ends_with('-')
        && value.bytes().all(inner);
    if fits {
        return Ok(());
    }
    Err(Refused::invalid(format!(
        "Invalid value for field 'resource.name': '{value}'. Must be a match of regex '(?:[a-z](?:[-a-z0-9]{{0,61}}[a-z0-9])?)'"
    )))
}

/// A description, if there is one.
pub(super) fn description(body: &Value) -> Result<String, Refused> {
    let description = body["description"].as_str().unwrap_or_default();
    if description.chars().count() > LONGEST_DESCRIPTION {
        let message = "Invalid value for field 'resource.description': Must be at most 2048 characters";
        return Err(Refused::invalid(message));
    }
    Ok(description.to_owned())
}

/// The labels of a body.
pub(super) fn labels(body: &Value) -> Result<BTreeMap<String, String>, Refused> {
    let Some(labels) = body.get("labels").filter(|labels| !labels.is_null()) else { return Ok(BTreeMap::new()) };
    let invalid = |what: &str| Refused::invalid(format!("Invalid value for field 'resource.labels': '{what}'"));
    let labels = labels.as_object().ok_or_else(|| invalid("no object"))?;
    if labels.len() > MOST_LABELS {
        return Err(invalid("more than 64 labels"));
    }
    let mut read = BTreeMap::new();
    for (key, value) in labels {
        let value = value.as_str().ok_or_else(|| invalid("no text"))?;
        let plain = |text: &str| {
            text.chars().count() <= 63
                && text.chars().all(|letter| {
                    (letter.is_alphabetic() && !letter.is_uppercase())
                        || letter.is_numeric()
                        || matches!(letter, '-' | '_')
                })
        };
        if !plain(key) || !key.starts_with(char::is_alphabetic) {
            return Err(invalid(key));
        }
        if !plain(value) {
            return Err(invalid(value));
        }
        read.insert(key.clone(), value.to_owned());
    }
    Ok(read)
}

/// A UUID that isn't zero.
pub(super) fn request_id(id: &str) -> Result<(), Refused> {
    match uuid::Uuid::parse_str(id) {
        Ok(uuid) if !uuid.is_nil() => Ok(()),
        _ => Err(Refused::invalid(format!("Invalid value for field 'requestId': '{id}'. Must be a valid UUID"))),
    }
}

/// Refuses fields that this server doesn't know.
pub(super) fn only(body: &Value, known: &[&str]) -> Result<(), Refused> {
    let unknown = body.as_object().into_iter().flatten().find(|(field, _)| !known.contains(&field.as_str()));
    match unknown {
        Some((field, _)) => Err(Refused::invalid(format!("Invalid JSON payload received. Unknown name \"{field}\""))),
        None => Ok(()),
    }
}

/// A number that JSON holds as a text or as itself.
pub(super) fn number(body: &Value, field: &str) -> Result<Option<u64>, Refused> {
    let value = &body[field];
    if value.is_null() {
        return Ok(None);
    }
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
    number.map(Some).ok_or_else(|| {
        Refused::invalid(format!("Invalid value for field 'resource.{field}': '{value}'. Must be a number"))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_are_of_rfc_1035() {
        for good in ["a", "a-1", &"a".repeat(63)] {
            assert!(name(good).is_ok(), "{good}");
        }
        for bad in ["", "1a", "-a", "a-", "A", "a_b", "a.b", &"a".repeat(64)] {
            assert!(name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn labels_are_lower_case_and_short() {
        assert_eq!(labels(&json!({"labels": {"a-b_c": "ü1-_", "b": ""}})).unwrap().len(), 2);
        for bad in [
            json!({"1a": "x"}),
            json!({"a": "X"}),
            json!({"a": "b c"}),
            json!({"a": "v".repeat(64)}),
            json!({"a.b": "x"}),
        ] {
            assert!(labels(&json!({ "labels": bad })).is_err(), "{bad}");
        }
    }

    #[test]
    fn request_ids_are_uuids() {
        assert!(request_id("2f9b7f3a-31c5-4c5e-9d0f-0e8f5a2c7b11").is_ok());
        assert!(request_id("pachsnap").is_err() && request_id("00000000-0000-0000-0000-000000000000").is_err());
    }
}
