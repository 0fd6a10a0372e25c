//! How keys are renamed between the source and its clone, one by one.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A pure function of one key that never makes the same key of two.
///
/// Written as text, steps in the order in which they are applied, with commas between them: `reverse`, `strip-slash`,
/// `add-slash`, `root:pach/=other/`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct KeyMap {
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// Characters in reverse order, as Pachyderm stores them on Amazon with `REVERSE`.
    Reverse,
    /// The leading slash, which Pachyderm keeps on Google Cloud and Azure only, is added.
    AddSlash,
    /// It is taken away. Keys without one have no name.
    StripSlash,
    /// Another beginning. Keys that begin otherwise have no name.
    Root { from: String, to: String },
}

/// What is no key map.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no key map: write reverse, add-slash, strip-slash or root:OLD=NEW, several with commas between them")]
pub struct KeyMapError(String);

impl KeyMap {
    /// Whether every key keeps its name.
    #[must_use]
    pub fn is_identity(&self) -> bool {
        self.steps.is_empty()
    }

    /// Whether keys that are sorted are so under their new names too.
    #[must_use]
    pub fn keeps_order(&self) -> bool {
        !self.steps.contains(&Step::Reverse)
    }

    /// The name of a key in the clone; `None` when the map has none for it.
    #[must_use]
    pub fn apply(&self, key: &str) -> Option<String> {
        self.steps.iter().try_fold(key.to_owned(), |key, step| step.apply(&key))
    }

    /// The key of the source that has this name in the clone; `None` when no key has it.
    #[must_use]
    pub fn undo(&self, key: &str) -> Option<String> {
        self.steps.iter().rev().try_fold(key.to_owned(), |key, step| step.inverse().apply(&key))
    }
}

impl Step {
    fn apply(&self, key: &str) -> Option<String> {
        match self {
            Self::Reverse => Some(key.chars().rev().collect()),
            Self::AddSlash => Some(format!("/{key}")),
            Self::StripSlash => key.strip_prefix('/').map(str::to_owned),
            Self::Root { from, to } => key.strip_prefix(from.as_str()).map(|rest| format!("{to}{rest}")),
        }
    }

    fn inverse(&self) -> Self {
        match self {
            Self::Reverse => Self::Reverse,
            Self::AddSlash => Self::StripSlash,
            Self::StripSlash => Self::AddSlash,
            Self::Root { from, to } => Self::Root { from: to.clone(), to: from.clone() },
        }
    }
}

impl FromStr for KeyMap {
    type Err = KeyMapError;

    fn from_str(text: &str) -> Result<Self, KeyMapError> {
        let step = |word: &str| match word {
            "reverse" => Some(Step::Reverse),
            "add-slash" => Some(Step::AddSlash),
            "strip-slash" => Some(Step::StripSlash),
            _ => {
                let (from, to) = word.strip_prefix("root:")?.split_once('=')?;
                Some(Step::Root { from: from.to_owned(), to: to.to_owned() })
            }
        };
        let words = text.split(',').filter(|word| !word.is_empty());
        let steps = words.map(|word| step(word).ok_or_else(|| KeyMapError(word.to_owned())));
        Ok(Self { steps: steps.collect::<Result<_, _>>()? })
    }
}

impl fmt::Display for KeyMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, step) in self.steps.iter().enumerate() {
            let comma = if number == 0 { "" } else { "," };
            match step {
                Step::Reverse => write!(f, "{comma}reverse")?,
                Step::AddSlash => write!(f, "{comma}add-slash")?,
                Step::StripSlash => write!(f, "{comma}strip-slash")?,
                Step::Root { from, to } => write!(f, "{comma}root:{from}={to}")?,
            }
        }
        Ok(())
    }
}

impl From<KeyMap> for String {
    fn from(map: KeyMap) -> Self {
        map.to_string()
    }
}

impl TryFrom<String> for KeyMap {
    type Error = KeyMapError;

    fn try_from(text: String) -> Result<Self, KeyMapError> {
        text.parse()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn map(text: &str) -> KeyMap {
        text.parse().unwrap()
    }

    #[test]
    fn layouts_are_turned_into_one_another() {
        for (text, key, named) in [
            ("", "pach/block/ab", "pach/block/ab"),
            ("reverse", "pach/block/é1", "1é/kcolb/hcap"),
            ("add-slash", "pach/block/ab", "/pach/block/ab"),
            ("strip-slash", "/pach/block/ab", "pach/block/ab"),
            ("root:pach/=other/", "pach/block/ab", "other/block/ab"),
            ("strip-slash,reverse", "/pach/tag/1", "1/gat/hcap"),
            ("root:=copy/", "a", "copy/a"),
        ] {
            let map = map(text);
            assert_eq!(map.apply(key).as_deref(), Some(named), "{text}");
            assert_eq!(map.undo(named).as_deref(), Some(key), "{text}");
            assert_eq!(map.to_string(), text);
        }
    }

    #[test]
    fn what_has_no_name_is_told_and_no_two_keys_share_one() {
        assert_eq!(map("strip-slash").apply("pach/a"), None);
        assert_eq!(map("root:pach/=x/").apply("other/a"), None);
        assert_eq!(map("root:pach/=x/").undo("pach/a"), None);
        assert!(map("add-slash,root:/=//").keeps_order() && !map("reverse").keeps_order());
        assert!(map("").is_identity() && !map("reverse").is_identity());
        for text in ["revers", "root:a", "reverse;add-slash"] {
            assert!(text.parse::<KeyMap>().is_err(), "{text}");
        }
    }
}
