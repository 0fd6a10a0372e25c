//! What an IAM policy lets somebody do, as far as S3 and EC2 are played here: `Allow` statements with actions and resources.
//! Conditions are not looked at.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

/// A policy, and which of its actions were asked for.
#[derive(Debug, Default)]
pub struct Policy {
    statements: Vec<Statement>,
    /// By statement and action.
    used: Mutex<BTreeSet<(usize, String)>>,
    refused: Mutex<BTreeSet<String>>,
}

#[derive(Debug)]
struct Statement {
    name: String,
    actions: Vec<String>,
    resources: Vec<String>,
}

impl Policy {
    /// Reads a policy document. What is no `Allow` statement is left out: it lets nobody do anything.
    #[must_use]
    pub fn of(document: &Value) -> Self {
        let statements = document["Statement"].as_array().cloned().unwrap_or_default();
        let statements = statements.iter().filter(|statement| statement["Effect"] == "Allow");
        let statements = statements.map(|statement| Statement {
            name: statement["Sid"].as_str().unwrap_or_default().to_owned(),
            actions: texts(&statement["Action"]),
            resources: texts(&statement["Resource"]),
        });
        Self { statements: statements.collect(), ..Self::default() }
    }

    /// Whether an action on a resource is allowed; keeps that it was asked for.
    pub fn allows(&self, action: &str, resource: &str) -> bool {
        self.asked(action, resource, |pattern| matches(pattern, resource))
    }

    /// Whether an action is allowed on anything below an ARN that ends where the names of things begin.
    pub(crate) fn allows_below(&self, action: &str, above: &str) -> bool {
        self.asked(action, above, |pattern| pattern == "*" || pattern.starts_with(above))
    }

    fn asked(&self, action: &str, resource: &str, fits: impl Fn(&str) -> bool) -> bool {
        let allowing = |statement: &Statement| {
            statement.actions.iter().any(|pattern| matches(pattern, action))
                && statement.resources.iter().any(|pattern| fits(pattern))
        };
        let Some(number) = self.statements.iter().position(allowing) else {
            kept(&self.refused).insert(format!("{action} on {resource}"));
            return false;
        };
        kept(&self.used).insert((number, action.to_owned()));
        true
    }

    /// The actions that were asked for and refused, each with what it was asked for on.
    #[must_use]
    pub fn refused(&self) -> BTreeSet<String> {
        kept(&self.refused).clone()
    }

    /// The actions that nobody has asked for, each behind the name of its statement: `DataObjects s3:GetObject`.
    #[must_use]
    pub fn unused(&self) -> Vec<String> {
        let used = kept(&self.used);
        let all = self.statements.iter().enumerate().flat_map(|(number, statement)| {
            statement.actions.iter().map(move |action| (number, &statement.name, action))
        });
        all.filter(|(number, _, action)| !used.contains(&(*number, (*action).clone())))
            .map(|(_, name, action)| format!("{name} {action}"))
            .collect()
    }

    /// The actions that it names.
    #[must_use]
    pub fn actions(&self) -> BTreeSet<String> {
        self.statements.iter().flat_map(|statement| statement.actions.iter().cloned()).collect()
    }
}

fn kept<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(all) => all.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// Whether a text is what a pattern stands for; `*` stands for any text.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let mut pieces: Vec<&str> = rest.split('*').collect();
    let last = pieces.pop().unwrap_or_default();
    for piece in pieces {
        match text.find(piece) {
            Some(at) => text = &text[at + piece.len()..],
            None => return false,
        }
    }
    text.ends_with(last)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn patterns_stand_for_what_they_say() {
        for (pattern, text, expected) in [
            ("*", "anything", true),
            ("a*c", "abc", true),
            ("a*c", "ab", false),
            ("a*b*c", "a-b-b-c", true),
            ("arn:aws:s3:::b/p/*", "arn:aws:s3:::b/p/k", true),
            ("arn:aws:s3:::b/p/*", "arn:aws:s3:::b/q", false),
            ("plain", "plain", true),
            ("plain", "plainer", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn what_is_not_allowed_is_refused_and_both_are_kept() {
        let policy = Policy::of(&json!({"Statement": [
            {"Sid": "P", "Effect": "Allow", "Action": ["s3:GetObject", "s3:GetObjectTagging"], "Resource": "arn:aws:s3:::b/p/*"},
            {"Effect": "Deny", "Action": "*", "Resource": "*"},
        ]}));
        assert!(policy.allows("s3:GetObject", "arn:aws:s3:::b/p/k"));
        assert!(!policy.allows("s3:GetObject", "arn:aws:s3:::b/q"));
        assert!(!policy.allows("s3:PutObject", "arn:aws:s3:::b/p/k"));
        assert!(policy.allows_below("s3:GetObject", "arn:aws:s3:::b/"));
        assert_eq!(policy.unused(), ["P s3:GetObjectTagging"]);
        assert!(policy.refused().contains("s3:PutObject on arn:aws:s3:::b/p/k"));
        assert!(policy.actions().contains("s3:GetObjectTagging"));
    }
}
