//! What is wrong, counted and in part named.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use crate::verify::{Check, Defect, Finding};

/// Findings that are named of each kind.
const NAMED: usize = 20;

/// Findings that threads collect together.
#[derive(Debug, Default)]
pub(super) struct Findings {
    by_defect: Mutex<BTreeMap<(Defect, bool), Found>>,
}

#[derive(Debug, Default)]
struct Found {
    count: u64,
    first: BTreeSet<Finding>,
}

impl Findings {
    pub(super) fn add(&self, finding: Finding) {
        let mut by_defect = self.by_defect.lock().unwrap_or_else(PoisonError::into_inner);
        let found = by_defect.entry((finding.defect, finding.at_source)).or_default();
        found.count += 1;
        found.first.insert(finding);
        if found.first.len() > NAMED {
            found.first.pop_last();
        }
    }

    /// The check's result: `detail` says what was looked at.
    pub(super) fn into_check(self, name: &str, detail: String) -> Check {
        let by_defect = self.by_defect.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut check = Check::ok(name, detail);
        for ((defect, at_source), found) in by_defect {
            check = if at_source && check.is_good() {
                Check { verdict: crate::verify::Verdict::Warning, ..check }
            } else if at_source {
                check
            } else {
                Check { verdict: crate::verify::Verdict::Failed, ..check }
            };
            let when = if at_source { ", already when the recovery point was taken" } else { "" };
            check.detail.push_str(&format!("; {} {}{when}", found.count, what(defect, found.count)));
            check.findings.extend(found.first);
        }
        check
    }
}

fn what(defect: Defect, count: u64) -> &'static str {
    let one = count == 1;
    match defect {
        Defect::BadObject if one => "object entry is unreadable",
        Defect::BadObject => "object entries are unreadable",
        Defect::DanglingObject if one => "object entry leads nowhere",
        Defect::DanglingObject => "object entries lead nowhere",
        Defect::DanglingTag if one => "tag leads nowhere",
        Defect::DanglingTag => "tags lead nowhere",
        Defect::CommitUnreadable if one => "commit lacks an object",
        Defect::CommitUnreadable => "objects of commits are missing",
        Defect::TreeDamaged if one => "tree is damaged",
        Defect::TreeDamaged => "trees are damaged",
        Defect::CommitSize if one => "commit has another size than its files",
        Defect::CommitSize => "commits have another size than their files",
        Defect::FileUnreadable if one => "file is unreadable",
        Defect::FileUnreadable => "files are unreadable",
        Defect::FileSize if one => "file has the wrong size",
        Defect::FileSize => "files have the wrong size",
        Defect::WrongContent if one => "object has other content than its name says",
        Defect::WrongContent => "objects have other content than their names say",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::Verdict;

    fn finding(number: u32, at_source: bool) -> Finding {
        Finding {
            defect: Defect::FileUnreadable,
            subject: format!("repo@c:/{number:02}"),
            detail: "object abc is missing".to_owned(),
            at_source,
        }
    }

    #[test]
    fn what_the_source_had_is_a_warning() {
        let findings = Findings::default();
        findings.add(finding(1, true));
        let check = findings.into_check("files", "10 files".to_owned());
        assert_eq!(check.verdict, Verdict::Warning);
        assert_eq!(check.detail, "10 files; 1 file is unreadable, already when the recovery point was taken");
    }

    #[test]
    fn many_are_counted_and_the_first_named() {
        let findings = Findings::default();
        for number in (0..25).rev() {
            findings.add(finding(number, false));
        }
        findings.add(finding(99, true));
        let check = findings.into_check("files", "30 files".to_owned());
        assert_eq!(check.verdict, Verdict::Failed);
        assert!(check.detail.starts_with("30 files; 25 files are unreadable; 1 file is unreadable, already"));
        assert_eq!(check.findings.len(), 21);
        assert_eq!(check.findings[0].subject, "repo@c:/00");
    }
}
