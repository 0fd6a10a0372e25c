//! Filters of listings: expressions `FIELD = VALUE` or `FIELD : VALUE`, in parentheses or not, joined by `AND` or by nothing.

use std::collections::BTreeMap;

use super::answer::Refused;

/// One field and the value that it must have.
#[derive(Debug)]
pub(super) struct Expression {
    field: String,
    value: String,
}

/// The expressions of a filter.
///
/// # Errors
/// `invalid` for a form that isn't served.
pub(super) fn read(filter: &str) -> Result<Vec<Expression>, Refused> {
    let invalid =
        || Refused::invalid(format!("Invalid value for field 'filter': '{filter}'. Invalid list filter expression."));
    let plain = filter.replace([')', '('], " AND ");
    let mut expressions = Vec::new();
    for part in plain.split(" AND ").map(str::trim).filter(|part| !part.is_empty()) {
        let (field, value) = part.split_once(['=', ':']).ok_or_else(invalid)?;
        let (field, value) = (field.trim(), value.trim());
        let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
        if field.is_empty() || value.contains(['"', '*', ' ']) || field.contains(' ') {
            return Err(invalid());
        }
        expressions.push(Expression { field: field.to_owned(), value: value.to_owned() });
    }
    Ok(expressions)
}

/// Whether a resource passes all expressions.
///
/// # Errors
/// `invalid` for a field that isn't served.
pub(super) fn pass(filter: &[Expression], name: &str, labels: &BTreeMap<String, String>) -> Result<bool, Refused> {
    let mut passes = true;
    for Expression { field, value } in filter {
        let found = match field.strip_prefix("labels.") {
            Some(label) => labels.get(label).map(String::as_str),
            None if field == "name" => Some(name),
            None => return Err(Refused::invalid(format!("Invalid value for field 'filter': unknown field '{field}'"))),
        };
        passes &= found == Some(value.as_str());
    }
    Ok(passes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn passes(filter: &str) -> bool {
        let labels = [("a-b", "x-1"), ("c", "y")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        pass(&read(filter).unwrap(), "n", &labels.into()).unwrap()
    }

    #[test]
    fn every_form_finds_its_own() {
        for filter in [
            "",
            "labels.a-b=x-1",
            "labels.a-b : x-1",
            "(labels.a-b = \"x-1\") (labels.c = \"y\")",
            "name=n AND labels.c=y",
        ] {
            assert!(passes(filter), "{filter}");
        }
        for filter in ["labels.a-b=x", "labels.d=y", "(labels.a-b = \"x-1\") AND (labels.c = \"z\")", "name = m"] {
            assert!(!passes(filter), "{filter}");
        }
        assert!(read("labels.a").is_err() && read("labels.a = b*").is_err());
    }
}
