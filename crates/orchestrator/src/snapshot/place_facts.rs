//! What the facts of a bucket say about keeping recovery points in it.

use provider::{Exposure, Facts};

use crate::error::{Error, ErrorKind, Result};
use crate::job::Expiry;

/// A place of recovery points.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    /// `vault` or `clone`.
    pub(super) what: &'a str,
    /// As the configuration names it.
    pub(super) url: &'a str,
    /// What the keys of everything in it begin with.
    pub(super) prefix: &'a str,
}

impl Place<'_> {
    /// Refuses a place that anybody can read or that loses what is put there. Answers with what is to be known about it.
    pub(super) fn judge(self, facts: &Facts, expiry: Expiry) -> Result<Vec<String>> {
        let Self { what, url, .. } = self;
        if facts.exposure == Some(Exposure::Public) {
            return Err(Error::new(ErrorKind::Vault, format!("the {what} {url} is public")).advise(format!(
                "it must be private, since anybody could read the cluster's data there: change that, or choose another one in [{what}]"
            )));
        }
        if let Some(why) = &facts.unfit {
            return Err(Error::new(ErrorKind::Vault, format!("the bucket of the {what} {url} can't be used: {why}"))
                .advise(format!("choose another bucket in [{what}]")));
        }
        let mut warnings: Vec<String> =
            facts.cautions.iter().map(|caution| format!("the bucket of the {what} {url}: {caution}")).collect();
        if facts.exposure.is_none() {
            warnings.push(self.privacy_unknown());
        }
        self.judge_lifecycle(facts, expiry, &mut warnings)?;
        if facts.object_lock == Some(true) {
            warnings.push(format!(
                "objects in the {what} {url} are locked for as long as its bucket says: delete and prune can't remove them before"
            ));
        }
        if facts.versioning == Some(true) {
            warnings.push(format!(
                "the bucket of the {what} {url} keeps old versions: what is deleted or overwritten there still costs, until a rule for old versions removes it"
            ));
        }
        if facts.requester_pays == Some(true) {
            warnings.push(format!("requests to the {what} {url} are paid for by whoever makes them"));
        }
        Ok(warnings)
    }

    pub(super) fn privacy_unknown(self) -> String {
        let Self { what, url, .. } = self;
        format!("whether the {what} {url} is private can't be told: the store doesn't say, or not to this key")
    }

    fn judge_lifecycle(self, facts: &Facts, expiry: Expiry, warnings: &mut Vec<String>) -> Result<()> {
        let Self { what, url, prefix } = self;
        let Some(rules) = facts.lifecycle.as_deref() else {
            warnings.push(format!(
                "whether the bucket of the {what} {url} deletes or archives objects by itself can't be told: the store doesn't say, or not to this key"
            ));
            return Ok(());
        };
        let concerns = |rule: &str| rule.starts_with(prefix) || prefix.starts_with(rule);
        for rule in rules.iter().filter(|rule| concerns(&rule.prefix)) {
            let effect = match (rule.expires, rule.archives) {
                (true, _) => "deletes objects by itself",
                (_, true) => "moves objects to where they can't be read at once",
                _ => continue,
            };
            let told = format!("the bucket of the {what} {url} {effect}: {}", rule.words);
            // A rule for some objects, or for a part of the place, need not meet a recovery point.
            let is_sure = !rule.partial && prefix.starts_with(&rule.prefix);
            if is_sure && expiry == Expiry::Refuse {
                return Err(Error::new(ErrorKind::Vault, told).advise(format!(
                    "a recovery point that has lost objects can't be restored: end the rule, choose another place in [{what}], or say that \
                     recovery points may expire (snapshot.lifecycle = \"accept\")"
                )));
            }
            warnings.push(told);
        }
        Ok(())
    }
}

/// What the facts of the cluster's own bucket say about copying it.
pub(super) fn judge_data(facts: &Facts, bucket: &str) -> Vec<String> {
    let mut warnings = Vec::new();
    for rule in facts.lifecycle.as_deref().unwrap_or_default() {
        if rule.archives {
            warnings.push(format!(
                "the cluster's bucket {bucket} archives objects ({}): an archived one can neither be read by pachd nor cloned, and ends the \
                 pre-copy",
                rule.words
            ));
        } else if rule.expires {
            warnings.push(format!(
                "the cluster's bucket {bucket} deletes objects by itself ({}): what Pachyderm still needs may be gone",
                rule.words
            ));
        }
    }
    if facts.requester_pays == Some(true) {
        warnings.push(format!("requests to the cluster's bucket {bucket} are paid for by whoever makes them"));
    }
    warnings
}

/// What to know of two buckets that differ in how they encrypt.
pub(super) fn compare_encryption(data: &Facts, clone: &Facts, url: &str) -> Option<String> {
    let (here, there) = (data.encryption.as_deref()?, clone.encryption.as_deref()?);
    (here != there && here.starts_with("aws:kms")).then(|| {
        format!(
            "the cluster's bucket encrypts with {here}, the bucket of the clone {url} with {there}: name a key in clone.encrypt-with if the clone \
             is to have one too"
        )
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use provider::LifecycleRule;

    use super::*;

    const CLONE: Place<'static> = Place { what: "clone", url: "s3://backups/clones", prefix: "clones/" };

    fn facts(rules: &[(&str, bool, bool, bool)]) -> Facts {
        let rule = |&(prefix, partial, expires, archives): &(&str, bool, bool, bool)| LifecycleRule {
            words: format!("a rule for {prefix:?}"),
            prefix: prefix.to_owned(),
            partial,
            expires,
            archives,
        };
        Facts {
            exposure: Some(Exposure::Private),
            lifecycle: Some(rules.iter().map(rule).collect()),
            ..Facts::default()
        }
    }

    #[test]
    fn a_rule_that_would_take_a_clone_is_refused_unless_it_may() {
        for rule in [("", false, true, false), ("clones/", false, true, false), ("clo", false, false, true)] {
            let error = CLONE.judge(&facts(&[rule]), Expiry::Refuse).unwrap_err();
            assert!(error.to_string().contains("a rule for"), "{error}");
            assert!(error.advice().unwrap().contains("snapshot.lifecycle"));
            assert_eq!(CLONE.judge(&facts(&[rule]), Expiry::Accept).unwrap().len(), 1);
        }
        for rule in [("", true, true, false), ("clones/old/", false, true, false)] {
            assert_eq!(CLONE.judge(&facts(&[rule]), Expiry::Refuse).unwrap().len(), 1, "{rule:?}");
        }
        for rule in [("logs/", false, true, false), ("", false, false, false)] {
            assert_eq!(CLONE.judge(&facts(&[rule]), Expiry::Refuse).unwrap(), [""; 0], "{rule:?}");
        }
    }

    #[test]
    fn what_makes_a_place_dear_or_hard_to_empty_is_said() {
        let known = Facts { object_lock: Some(true), versioning: Some(true), requester_pays: Some(true), ..facts(&[]) };
        assert_eq!(CLONE.judge(&known, Expiry::Refuse).unwrap().len(), 3);
        let unknown = CLONE.judge(&Facts::default(), Expiry::Refuse).unwrap();
        assert!(unknown.len() == 2 && unknown.iter().all(|one| one.contains("can't be told")), "{unknown:?}");
        let public = Facts { exposure: Some(Exposure::Public), ..facts(&[]) };
        assert!(CLONE.judge(&public, Expiry::Refuse).unwrap_err().to_string().contains("is public"));
    }

    #[test]
    fn a_data_bucket_that_loses_objects_is_said() {
        let told =
            judge_data(&facts(&[("", false, false, true), ("", true, true, false), ("", false, false, false)]), "data");
        assert!(told[0].contains("archives objects") && told[1].contains("deletes objects"), "{told:?}");
        assert_eq!(told.len(), 2);
    }

    #[test]
    fn a_clone_that_is_encrypted_otherwise_is_said() {
        let with = |encryption: &str| Facts { encryption: Some(encryption.to_owned()), ..Facts::default() };
        assert!(
            compare_encryption(&with("aws:kms with k"), &with("AES256"), "s3://c").unwrap().contains("encrypt-with")
        );
        assert_eq!(compare_encryption(&with("AES256"), &with("aws:kms"), "s3://c"), None);
        assert_eq!(compare_encryption(&Facts::default(), &with("AES256"), "s3://c"), None);
    }

    #[test]
    fn what_a_store_says_of_itself_is_told() {
        let cautious = Facts { cautions: vec!["it forgets".to_owned()], ..Facts::default() };
        let warnings = CLONE.judge(&cautious, Expiry::Refuse).unwrap();
        assert!(warnings[0].ends_with("clones: it forgets"), "{warnings:?}");
        let unfit = Facts { unfit: Some("folders are real there".to_owned()), ..Facts::default() };
        let refused = CLONE.judge(&unfit, Expiry::Refuse).unwrap_err();
        assert!(refused.to_string().contains("can't be used: folders are real there"), "{refused}");
    }
}
