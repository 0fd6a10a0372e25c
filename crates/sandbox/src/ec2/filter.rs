//! Filters of the `Describe…` actions.

use std::collections::BTreeMap;

use super::answer::Refused;
use super::parameters::Parameters;

/// A name and the patterns of which one must fit.
#[derive(Debug)]
pub(super) struct Filter {
    name: String,
    patterns: Vec<String>,
}

/// The filters of a request.
pub(super) fn read(parameters: &mut Parameters) -> Vec<Filter> {
    let mut filters = Vec::new();
    while let Some(name) = parameters.take(&format!("Filter.{}.Name", filters.len() + 1)) {
        let patterns = parameters.take_list(&format!("Filter.{}.Value", filters.len() + 1));
        filters.push(Filter { name, patterns });
    }
    filters
}

/// Whether a resource passes all filters.
///
/// # Errors
/// `InvalidParameterValue` for a filter that isn't served.
pub(super) fn pass(
    filters: &[Filter],
    tags: &BTreeMap<String, String>,
    fields: &[(&str, &str)],
) -> Result<bool, Refused> {
    let mut passes = true;
    for Filter { name, patterns } in filters {
        let value = match name.strip_prefix("tag:") {
            Some(tag) => tags.get(tag).map(String::as_str),
            None => match fields.iter().find(|(field, _)| field == name) {
                Some((_, value)) => Some(*value),
                None => {
                    return Err(Refused::bad("InvalidParameterValue", format!("The filter '{name}' is invalid")));
                }
            },
        };
        passes &= value.is_some_and(|value| patterns.iter().any(|pattern| fits(pattern.as_bytes(), value.as_bytes())));
    }
    Ok(passes)
}

/// Whether a text fits a pattern: `*` is any text, `?` any one byte, a backslash makes the next character plain.
fn fits(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern, text) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => (0..=text.len()).any(|skip| fits(rest, &text[skip..])),
        ([b'?', pattern @ ..], [_, text @ ..]) => fits(pattern, text),
        ([b'\\', wanted, pattern @ ..], [found, text @ ..]) | ([wanted, pattern @ ..], [found, text @ ..]) => {
            wanted == found && fits(pattern, text)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn patterns_fit_as_ec2_says() {
        let fits = |pattern: &str, text: &str| fits(pattern.as_bytes(), text.as_bytes());
        assert!(fits("a", "a") && fits("a*c", "abbc") && fits("a?c", "abc") && fits("*", "") && fits(r"a\*", "a*"));
        assert!(!fits("a", "b") && !fits("a", "ab") && !fits(r"a\*", "ab") && !fits("?", ""));
    }
}
