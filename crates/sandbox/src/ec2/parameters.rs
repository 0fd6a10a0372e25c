//! The parameters of a request, as the Query protocol encodes them.

use std::collections::BTreeMap;

use super::answer::Refused;

/// Parameters that were not looked at yet. What is left in the end was not understood.
#[derive(Debug)]
pub(super) struct Parameters(BTreeMap<String, String>);

impl Parameters {
    pub(super) fn read(body: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(body).into_owned().collect())
    }

    /// All of them, for the log.
    pub(super) fn all(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    /// A parameter, if it is there.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }

    /// A parameter that must be there.
    pub(super) fn need(&mut self, name: &str) -> Result<String, Refused> {
        let missing = || Refused::bad("MissingParameter", format!("The request must contain the parameter {name}"));
        self.take(name).filter(|value| !value.is_empty()).ok_or_else(missing)
    }

    /// A number, if it is there.
    pub(super) fn number(&mut self, name: &str) -> Result<Option<u32>, Refused> {
        let wrong = |value: &str| {
            Refused::bad("InvalidParameterValue", format!("Value ({value}) for parameter {name} is invalid"))
        };
        self.take(name).map(|value| value.parse().map_err(|_| wrong(&value))).transpose()
    }

    /// Whether a parameter says `true`.
    pub(super) fn is_true(&mut self, name: &str) -> bool {
        self.take(name).is_some_and(|value| value == "true")
    }

    /// `NAME.1`, `NAME.2` …
    pub(super) fn take_list(&mut self, name: &str) -> Vec<String> {
        let mut list = Vec::new();
        while let Some(value) = self.take(&format!("{name}.{}", list.len() + 1)) {
            list.push(value);
        }
        list
    }

    /// The tags under a name: `NAME.1.Key`, `NAME.1.Value` …
    pub(super) fn take_tags(&mut self, name: &str) -> BTreeMap<String, String> {
        let mut tags = BTreeMap::new();
        for number in 1.. {
            let Some(key) = self.take(&format!("{name}.{number}.Key")) else { break };
            tags.insert(key, self.take(&format!("{name}.{number}.Value")).unwrap_or_default());
        }
        tags
    }

    /// The tags for a new resource.
    pub(super) fn new_tags(&mut self, resource: &str) -> Result<BTreeMap<String, String>, Refused> {
        let Some(kind) = self.take("TagSpecification.1.ResourceType") else { return Ok(BTreeMap::new()) };
        if kind != resource {
            let message = format!("'{kind}' is not a valid taggable resource type for this operation.");
            return Err(Refused::bad("InvalidParameterValue", message));
        }
        Ok(self.take_tags("TagSpecification.1.Tag"))
    }

    /// Refuses what nobody looked at.
    pub(super) fn nothing_left(&self) -> Result<(), Refused> {
        self.0.keys().next().map_or(Ok(()), |name| {
            Err(Refused::bad("UnknownParameter", format!("The parameter {name} is not recognized")))
        })
    }
}
