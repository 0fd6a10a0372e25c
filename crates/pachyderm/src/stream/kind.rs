//! The versions and kinds of ops.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The stream version that wraps an op: which field of Pachyderm's `Op` message is set. All ops of a stream have one version,
/// and a pachd restores its own version and older ones only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OpVersion {
    /// Written by 1.7.
    V1_7,
    /// Written by 1.8.
    V1_8,
    /// Written by 1.9.
    V1_9,
    /// Written by 1.10.
    V1_10,
    /// Written by 1.11.
    V1_11,
    /// Written by 1.12.
    V1_12,
    /// Written by 1.13.
    V1_13,
}

impl OpVersion {
    /// All versions, oldest first.
    pub const ALL: [Self; 7] = [Self::V1_7, Self::V1_8, Self::V1_9, Self::V1_10, Self::V1_11, Self::V1_12, Self::V1_13];

    /// The field of `Op` that holds this version.
    pub fn field(self) -> u32 {
        self as u32 + 1
    }

    /// The version held by field `number` of `Op`.
    pub fn from_field(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.field() == number)
    }

    /// The minor version: 13 for 1.13. The major one is always 1.
    pub fn minor(self) -> u32 {
        self.field() + 6
    }
}

impl fmt::Display for OpVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1.{}", self.minor())
    }
}

/// A text that names no known version or kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no known {what}")]
pub struct UnknownName {
    what: &'static str,
    text: String,
}

impl FromStr for OpVersion {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        Self::ALL
            .into_iter()
            .find(|version| version.to_string() == text)
            .ok_or_else(|| UnknownName { what: "stream version", text: text.to_owned() })
    }
}

macro_rules! op_kinds {
    ($($(#[$doc:meta])* $variant:ident = $field:literal $name:literal,)*) => {
        /// What an op does: which field of the versioned inner message is set.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum OpKind {
            /// The inner message sets nothing. Pachyderm's restore passes over such an op in silence.
            Empty,
            $($(#[$doc])* $variant,)*
            /// A field that no release up to 1.13.4 declares.
            Unknown(u32),
        }

        impl OpKind {
            /// Every kind that a release up to 1.13.4 declares, in the order of field numbers.
            pub const DECLARED: &'static [Self] = &[$(Self::$variant),*];

            /// The kind held by field `number` of the inner message.
            pub fn from_field(number: u32) -> Self {
                match number {
                    $($field => Self::$variant,)*
                    other => Self::Unknown(other),
                }
            }

            /// The field of the inner message that holds this kind; 0 for [`OpKind::Empty`].
            pub fn field(self) -> u32 {
                match self {
                    Self::Empty => 0,
                    $(Self::$variant => $field,)*
                    Self::Unknown(number) => number,
                }
            }
        }

        impl fmt::Display for OpKind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    Self::Empty => f.write_str("empty"),
                    $(Self::$variant => f.write_str($name),)*
                    Self::Unknown(number) => write!(f, "unknown_{number}"),
                }
            }
        }

        impl FromStr for OpKind {
            type Err = UnknownName;

            fn from_str(text: &str) -> Result<Self, UnknownName> {
                match text {
                    "empty" => Ok(Self::Empty),
                    $($name => Ok(Self::$variant),)*
                    other => other
                        .strip_prefix("unknown_")
                        .and_then(|number| number.parse().ok())
                        .map(Self::Unknown)
                        .ok_or_else(|| UnknownName { what: "kind of op", text: other.to_owned() }),
                }
            }
        }
    };
}

op_kinds! {
    /// A chunk of an object (1.7 to 1.9.5).
    Object = 2 "object",
    /// Names for an object.
    Tag = 3 "tag",
    /// A repo.
    Repo = 4 "repo",
    /// A commit.
    Commit = 5 "commit",
    /// A branch.
    Branch = 6 "branch",
    /// A pipeline.
    Pipeline = 7 "pipeline",
    /// A job (1.9.6 and later).
    Job = 8 "job",
    /// An object as a range of a block (1.9.6 and later).
    CreateObject = 9 "create_object",
    /// A chunk of a block (1.9.6 and later).
    Block = 10 "block",
    /// Access list of a repo (this and the following: 1.11.9 and later).
    SetAcl = 11 "set_acl",
    /// Roles of a cluster administrator.
    SetClusterRoleBinding = 12 "set_cluster_role_binding",
    /// Identity providers.
    SetAuthConfig = 13 "set_auth_config",
    /// Switches authentication on.
    ActivateAuth = 14 "activate_auth",
    /// A robot's token, hashed.
    RestoreAuthToken = 15 "restore_auth_token",
    /// The enterprise licence.
    ActivateEnterprise = 16 "activate_enterprise",
    /// Demands that the restoring call carries a token.
    CheckAuthToken = 17 "check_auth_token",
}

macro_rules! serde_as_text {
    ($type:ty, $schema_name:literal, $description:literal) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $schema_name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "description": $description })
            }
        }
    };
}

serde_as_text!(OpVersion, "OpVersion", "Version of an extract stream, such as 1.13");
serde_as_text!(OpKind, "OpKind", "Kind of an op in an extract stream, such as commit");

/// Number of ops of each kind. Kinds that do not occur are absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OpCounts(BTreeMap<OpKind, u64>);

impl OpCounts {
    /// Counts one more op of `kind`.
    pub fn add(&mut self, kind: OpKind) {
        *self.0.entry(kind).or_default() += 1;
    }

    /// Number of ops of `kind`.
    pub fn of(&self, kind: OpKind) -> u64 {
        self.0.get(&kind).copied().unwrap_or(0)
    }

    /// Number of ops of all kinds.
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// The kinds that occur, with their number, in the order of field numbers.
    pub fn iter(&self) -> impl Iterator<Item = (OpKind, u64)> + '_ {
        self.0.iter().map(|(kind, count)| (*kind, *count))
    }
}

impl JsonSchema for OpCounts {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "OpCounts".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "description": "Number of ops of each kind in an extract stream",
            "additionalProperties": { "type": "integer", "minimum": 0 }
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_and_fields_round_trip() {
        assert_eq!(OpKind::DECLARED.len(), 16);
        for kind in OpKind::DECLARED.iter().copied().chain([OpKind::Empty, OpKind::Unknown(42)]) {
            assert_eq!(kind.to_string().parse::<OpKind>().unwrap(), kind);
        }
        for kind in OpKind::DECLARED {
            assert_eq!(OpKind::from_field(kind.field()), *kind);
        }
        for version in OpVersion::ALL {
            assert_eq!(version.to_string().parse::<OpVersion>().unwrap(), version);
            assert_eq!(OpVersion::from_field(version.field()), Some(version));
        }
        assert_eq!(OpVersion::from_field(7).unwrap().to_string(), "1.13");
        assert_eq!(OpVersion::from_field(8), None);
    }

    #[test]
    fn counts_are_a_map_of_names() {
        let mut counts = OpCounts::default();
        counts.add(OpKind::Commit);
        counts.add(OpKind::Commit);
        counts.add(OpKind::Unknown(18));
        let json = serde_json::to_string(&counts).unwrap();
        assert_eq!(json, r#"{"commit":2,"unknown_18":1}"#);
        assert_eq!(serde_json::from_str::<OpCounts>(&json).unwrap(), counts);
        assert_eq!((counts.of(OpKind::Commit), counts.of(OpKind::Repo), counts.total()), (2, 0, 3));
    }
}
