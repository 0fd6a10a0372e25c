//! What a check of a recovery point found.

use std::fmt;

use serde::Serialize;

use crate::run_id::RunId;

/// How far to look. Each looks at everything that the ones before it do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Depth {
    /// Schema and digests of every part in the vault, the stream read op by op.
    Quick,
    /// Also a fresh listing of the clone against the inventory.
    Full,
    /// Also every file of every commit, and the stream against etcd's snapshot.
    Deep,
}

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// As it has to be.
    Ok,
    /// Not as one would wish, and nothing that the recovery point could help: the source was so already, or something
    /// could not be compared.
    Warning,
    /// The recovery point is damaged.
    Failed,
}

/// What is wrong with one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Defect {
    /// The value of an `object/` key is no place in a block.
    BadObject,
    /// An `object/` key points to a block that isn't there, or beyond its end. A cluster that runs on this clone would lose
    /// whatever is written with the same content.
    DanglingObject,
    /// A `tag/` key is unreadable, or points to an object that isn't there.
    DanglingTag,
    /// An object that a commit needs isn't there or can't be read.
    CommitUnreadable,
    /// A tree isn't what its name says, or no tree.
    TreeDamaged,
    /// The sizes of a commit's files don't add up to the commit's.
    CommitSize,
    /// A file whose bytes aren't all there.
    FileUnreadable,
    /// A file whose bytes aren't as many as its tree says.
    FileSize,
    /// Content that isn't what its name, a hash of it, says.
    WrongContent,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// What is wrong.
    pub defect: Defect,
    /// With what: a key, `repo@commit` or `repo@commit:path`.
    pub subject: String,
    /// In which way.
    pub detail: String,
    /// Whether the bucket was so already when the recovery point was taken.
    pub at_source: bool,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.subject, self.detail)
    }
}

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was checked: a part or a property.
    pub name: String,
    /// How it came out.
    pub verdict: Verdict,
    /// What was found.
    pub detail: String,
    /// The first things that are wrong, in the order of their names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
}

impl Check {
    /// As it has to be.
    pub fn ok(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { name: name.into(), verdict: Verdict::Ok, detail: detail.into(), findings: Vec::new() }
    }

    /// Nothing that the recovery point could help.
    pub fn warning(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { verdict: Verdict::Warning, ..Self::ok(name, detail) }
    }

    /// Damaged.
    pub fn failed(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { verdict: Verdict::Failed, ..Self::ok(name, detail) }
    }

    /// Whether the recovery point is as good as its source in this.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.verdict != Verdict::Failed
    }
}

/// The results of all checks.
#[derive(Clone, Debug, Serialize)]
pub struct VerifyReport {
    /// The run.
    pub run: RunId,
    /// How far it was looked.
    pub depth: Depth,
    /// Each check.
    pub checks: Vec<Check>,
}

impl VerifyReport {
    /// Whether everything is as it has to be.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.checks.iter().all(Check::is_good)
    }
}
