//! Label and field selectors of list and watch requests.

use serde_json::Value;

use super::status::StatusError;

/// One requirement on a label.
#[derive(Debug, Clone)]
enum LabelRequirement {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Absent(String),
}

/// What a list or watch is narrowed to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selector {
    labels: Vec<LabelRequirement>,
    fields: Vec<(String, String, bool)>,
}

/// Fields that a selector may name, over all kinds.
const FIELDS: &[&str] = &[
    "metadata.name",
    "metadata.namespace",
    "spec.nodeName",
    "spec.type",
    "spec.clusterIP",
    "status.phase",
    "status.podIP",
    "type",
    "reason",
    "involvedObject.kind",
    "involvedObject.name",
    "involvedObject.namespace",
    "involvedObject.uid",
];

impl Selector {
    /// Reads the two query parameters; a text that cannot be read or an unknown field is a bad request.
    pub(crate) fn parse(labels: &str, fields: &str) -> Result<Self, StatusError> {
        let labels = split_requirements(labels).iter().map(|text| parse_label(text)).collect::<Result<_, _>>()?;
        let fields = fields.split(',').filter(|text| !text.is_empty()).map(parse_field).collect::<Result<_, _>>()?;
        Ok(Selector { labels, fields })
    }

    /// Whether an object is selected.
    pub(crate) fn matches(&self, object: &Value) -> bool {
        let labels = &object["metadata"]["labels"];
        let label = |name: &str| labels[name].as_str();
        let labels_match = self.labels.iter().all(|requirement| match requirement {
            LabelRequirement::In(name, values) => label(name).is_some_and(|has| values.iter().any(|it| it == has)),
            LabelRequirement::NotIn(name, values) => label(name).is_none_or(|has| values.iter().all(|it| it != has)),
            LabelRequirement::Exists(name) => label(name).is_some(),
            LabelRequirement::Absent(name) => label(name).is_none(),
        });
        labels_match
            && self.fields.iter().all(|(path, wanted, equal)| {
                let found = path.split('.').fold(object, |value, part| &value[part]).as_str().unwrap_or_default();
                (found == wanted) == *equal
            })
    }
}

/// Splits at commas that are not inside parentheses.
fn split_requirements(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut depth = 0;
    for character in text.chars() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(last) = parts.last_mut() {
            last.push(character);
        }
    }
    parts.into_iter().map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

fn parse_label(text: &str) -> Result<LabelRequirement, StatusError> {
    let unreadable = || StatusError::bad_request(format!("unable to parse requirement: {text}"));
    if let Some((left, values)) = text.split_once('(') {
        let values = values.strip_suffix(')').ok_or_else(unreadable)?;
        let values = values.split(',').map(|value| value.trim().to_owned()).collect();
        let words: Vec<&str> = left.split_whitespace().collect();
        return match words[..] {
            [name, "in"] => Ok(LabelRequirement::In(name.to_owned(), values)),
            [name, "notin"] => Ok(LabelRequirement::NotIn(name.to_owned(), values)),
            _ => Err(unreadable()),
        };
    }
    if let Some(name) = text.strip_prefix('!') {
        return Ok(LabelRequirement::Absent(name.trim().to_owned()));
    }
    if let Some((name, value)) = text.split_once("!=") {
        return Ok(LabelRequirement::NotIn(name.trim().to_owned(), vec![value.trim().to_owned()]));
    }
    if let Some((name, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
        if value.contains('=') {
            return Err(unreadable());
        }
        return Ok(LabelRequirement::In(name.trim().to_owned(), vec![value.trim().to_owned()]));
    }
    if text.contains(char::is_whitespace) {
        return Err(unreadable());
    }
    Ok(LabelRequirement::Exists(text.to_owned()))
}

fn parse_field(text: &str) -> Result<(String, String, bool), StatusError> {
    let (path, value, equal) = if let Some((path, value)) = text.split_once("!=") {
        (path, value, false)
    } else if let Some((path, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
        (path, value, true)
    } else {
        return Err(StatusError::bad_request(format!("invalid selector: '{text}'; can't understand '{text}'")));
    };
    if !FIELDS.contains(&path) {
        return Err(StatusError::bad_request(format!("field label not supported: {path}")));
    }
    Ok((path.to_owned(), value.to_owned(), equal))
}

/// Whether `labels` carry every pair of an equality selector. An absent or empty selector matches nothing.
pub(crate) fn equality_matches(selector: &Value, labels: &Value) -> bool {
    match selector.as_object() {
        Some(pairs) if !pairs.is_empty() => pairs.iter().all(|(name, value)| labels.get(name) == Some(value)),
        _ => false,
    }
}
