//! The least IAM policy for one thing that is done with a cluster.

use provider::Purpose;
use serde_json::{Value, json};

use crate::rights::{EbsPurpose, KMS_ACTIONS};

/// A bucket, or what is below a prefix of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The bucket's name.
    pub bucket: String,
    /// What keys begin with; empty: all of them.
    pub prefix: String,
    /// KMS keys that objects in it are encrypted with: ids, aliases or ARNs.
    pub keys: Vec<String>,
    /// Whether new objects are given to the bucket's owner.
    pub owner_full_control: bool,
}

/// Where everything is; what isn't on Amazon S3 is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// The cluster's data.
    pub data: Option<Place>,
    /// The vault.
    pub vault: Option<Place>,
    /// Where clones are.
    pub clones: Option<Place>,
    /// The bucket of drills.
    pub drill: Option<Place>,
    /// Present when EC2 snapshots the disk under etcd.
    pub volumes: Option<Volumes>,
    /// A region that something of it is in: tells China and GovCloud, whose names begin otherwise.
    pub region: Option<String>,
}

/// The disks under etcd.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Volumes {
    /// Their region; `None`: any.
    pub region: Option<String>,
    /// KMS keys of volumes and snapshots that are there: ids, aliases or ARNs.
    pub keys: Vec<String>,
    /// The KMS key of restored volumes.
    pub key_of_restored: Option<String>,
}

/// What is asked of a bucket before anything is put into it.
const FACTS: [&str; 8] = [
    "s3:GetBucketAcl",
    "s3:GetBucketObjectLockConfiguration",
    "s3:GetBucketPolicyStatus",
    "s3:GetBucketPublicAccessBlock",
    "s3:GetBucketRequestPayment",
    "s3:GetBucketVersioning",
    "s3:GetEncryptionConfiguration",
    "s3:GetLifecycleConfiguration",
];

/// What is done in a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    /// Objects are copied from it.
    Source,
    /// Objects are copied into it, and old ones deleted.
    Destination,
    /// Recovery points and records are kept in it.
    Vault,
    /// What was made there is deleted, under a lock that is kept there too.
    Removal,
}

impl Use {
    fn of_bucket(self, purpose: Purpose) -> Vec<&'static str> {
        let mut actions = vec!["s3:ListBucket"];
        if purpose == Purpose::Snapshot {
            actions.extend(FACTS);
        }
        if self == Self::Removal {
            actions.push("s3:ListBucketMultipartUploads");
        }
        actions
    }

    fn of_objects(self, place: &Place) -> Vec<&'static str> {
        if self == Self::Source {
            return vec!["s3:GetObject", "s3:GetObjectTagging"];
        }
        let mut actions = vec!["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"];
        if self == Self::Destination {
            actions.push("s3:PutObjectTagging");
        }
        if place.owner_full_control {
            actions.push("s3:PutObjectAcl");
        }
        actions
    }

    fn of_keys(self) -> &'static [&'static str] {
        if self == Self::Source { &["kms:Decrypt"] } else { &["kms:Decrypt", "kms:GenerateDataKey"] }
    }
}

impl Needs {
    /// The policy as IAM takes it.
    #[must_use]
    pub fn policy(&self, purpose: Purpose) -> Value {
        let partition = self.partition();
        let mut statements = Vec::new();
        for (name, place, used) in self.places(purpose) {
            statements.extend(place.statements(name, used, purpose, partition));
        }
        if let Some(volumes) = &self.volumes {
            statements.extend(volumes.statements(purpose, partition));
        }
        json!({ "Version": "2012-10-17", "Statement": statements })
    }

    /// What is done where.
    fn places(&self, purpose: Purpose) -> Vec<(&'static str, &Place, Use)> {
        let used = match purpose {
            Purpose::Snapshot => vec![
                ("Data", &self.data, Use::Source),
                ("Clones", &self.clones, Use::Destination),
                ("Vault", &self.vault, Use::Vault),
            ],
            Purpose::Restore => vec![
                ("Data", &self.data, Use::Destination),
                ("Clones", &self.clones, Use::Source),
                ("Vault", &self.vault, Use::Vault),
            ],
            Purpose::Drill => vec![
                ("Drill", &self.drill, Use::Destination),
                ("Clones", &self.clones, Use::Source),
                ("Vault", &self.vault, Use::Vault),
            ],
            Purpose::Prune => vec![("Clones", &self.clones, Use::Removal), ("Vault", &self.vault, Use::Vault)],
        };
        used.into_iter().filter_map(|(name, place, used)| Some((name, place.as_ref()?, used))).collect()
    }

    /// Which of Amazon's partitions everything is in.
    fn partition(&self) -> &'static str {
        let of_volumes = self.volumes.as_ref().and_then(|volumes| volumes.region.as_deref());
        match of_volumes.or(self.region.as_deref()) {
            Some(region) if region.starts_with("cn-") => "aws-cn",
            Some(region) if region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        }
    }
}

impl Place {
    fn statements(&self, name: &str, used: Use, purpose: Purpose, partition: &str) -> Vec<Value> {
        let bucket = format!("arn:{partition}:s3:::{}", self.bucket);
        let objects = format!("{bucket}/{}*", self.prefix);
        let mut statements = vec![
            allow(&format!("{name}Bucket"), used.of_bucket(purpose), vec![bucket], None),
            allow(&format!("{name}Objects"), used.of_objects(self), vec![objects], None),
        ];
        statements.extend(of_keys(name, self.keys.iter(), used.of_keys(), partition));
        statements
    }
}

impl Volumes {
    fn statements(&self, purpose: Purpose, partition: &str) -> Vec<Value> {
        let ebs = match purpose {
            Purpose::Snapshot => EbsPurpose::Snapshot,
            Purpose::Restore | Purpose::Drill => EbsPurpose::Restore,
            Purpose::Prune => EbsPurpose::Prune,
        };
        let region = self.region.as_deref().unwrap_or("*");
        let of = |kind: &str| format!("arn:{partition}:ec2:{region}:*:{kind}/*");
        let (describe, change): (Vec<&str>, Vec<&str>) =
            ebs.iam_actions().iter().partition(|action| action.starts_with("ec2:Describe"));
        // EC2 knows no resources for what only looks.
        let mut statements = vec![allow("VolumesSeen", describe, vec!["*".to_owned()], None)];
        let (delete, make): (Vec<&str>, Vec<&str>) =
            change.into_iter().partition(|action| *action == "ec2:DeleteSnapshot");
        if !make.is_empty() {
            statements.push(allow("VolumesMade", make, vec![of("snapshot"), of("volume")], None));
        }
        if !delete.is_empty() {
            let ours = json!({ "Null": { "aws:ResourceTag/pachsnap-run": "false" } });
            statements.push(allow("SnapshotsDeleted", delete, vec![of("snapshot")], Some(ours)));
        }
        if purpose != Purpose::Prune {
            let of_restored = self.key_of_restored.iter().filter(|_| purpose != Purpose::Snapshot);
            statements.extend(of_keys("Volumes", self.keys.iter().chain(of_restored), KMS_ACTIONS, partition));
        }
        statements
    }
}

/// A statement for each key of something.
fn of_keys<'a>(
    name: &str,
    keys: impl Iterator<Item = &'a String>,
    actions: &[&str],
    partition: &str,
) -> impl Iterator<Item = Value> {
    keys.zip(1..).map(move |(key, number)| {
        let (resource, condition) = of_key(key, partition);
        allow(&format!("{name}Key{number}"), actions.to_vec(), vec![resource], condition)
    })
}

/// The resource that a key is, and the condition where its name alone doesn't tell.
fn of_key(key: &str, partition: &str) -> (String, Option<Value>) {
    if key.starts_with("arn:") {
        (key.to_owned(), None)
    } else if key.starts_with("alias/") {
        let condition = json!({ "ForAnyValue:StringEquals": { "kms:ResourceAliases": key } });
        (format!("arn:{partition}:kms:*:*:key/*"), Some(condition))
    } else {
        (format!("arn:{partition}:kms:*:*:key/{key}"), None)
    }
}

fn allow(sid: &str, actions: Vec<&str>, resources: Vec<String>, condition: Option<Value>) -> Value {
    let mut statement = json!({ "Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources });
    if let Some(condition) = condition {
        statement["Condition"] = condition;
    }
    statement
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn needs() -> Needs {
        let place = |bucket: &str, prefix: &str| {
            Some(Place { bucket: bucket.to_owned(), prefix: prefix.to_owned(), ..Place::default() })
        };
        Needs {
            data: place("data", ""),
            vault: place("backups", "vault/"),
            clones: place("backups", "clones/"),
            drill: place("drills", ""),
            volumes: Some(Volumes {
                region: Some("eu-west-1".to_owned()),
                keys: vec!["alias/etcd".to_owned()],
                key_of_restored: Some("alias/restored".to_owned()),
            }),
            region: None,
        }
    }

    fn statement(policy: &Value, sid: &str) -> Value {
        let all = policy["Statement"].as_array().unwrap();
        all.iter().find(|statement| statement["Sid"] == sid).cloned().unwrap_or_default()
    }

    #[test]
    fn objects_are_written_only_where_something_is_made() {
        let policy = needs().policy(Purpose::Snapshot);
        let data = statement(&policy, "DataObjects");
        assert_eq!(data["Action"], json!(["s3:GetObject", "s3:GetObjectTagging"]));
        assert_eq!(data["Resource"], json!(["arn:aws:s3:::data/*"]));
        assert_eq!(statement(&policy, "ClonesObjects")["Resource"], json!(["arn:aws:s3:::backups/clones/*"]));
        assert!(statement(&policy, "DrillBucket").is_null());
        let restore = needs().policy(Purpose::Restore);
        assert!(statement(&restore, "DataObjects")["Action"].to_string().contains("s3:PutObject"));
        assert!(!statement(&restore, "ClonesObjects")["Action"].to_string().contains("Put"));
        assert!(statement(&needs().policy(Purpose::Prune), "DataBucket").is_null());
    }

    #[test]
    fn only_our_snapshots_may_be_deleted() {
        for purpose in [Purpose::Snapshot, Purpose::Prune] {
            let delete = statement(&needs().policy(purpose), "SnapshotsDeleted");
            assert_eq!(delete["Condition"]["Null"]["aws:ResourceTag/pachsnap-run"], "false");
        }
        assert!(statement(&needs().policy(Purpose::Restore), "SnapshotsDeleted").is_null());
    }

    #[test]
    fn keys_are_named_as_closely_as_they_are_known() {
        assert_eq!(of_key("arn:aws:kms:x:1:key/k", "aws"), ("arn:aws:kms:x:1:key/k".to_owned(), None));
        assert_eq!(of_key("1234", "aws-cn"), ("arn:aws-cn:kms:*:*:key/1234".to_owned(), None));
        let policy = needs().policy(Purpose::Snapshot);
        let condition = &statement(&policy, "VolumesKey1")["Condition"]["ForAnyValue:StringEquals"];
        assert_eq!(condition["kms:ResourceAliases"], "alias/etcd");
        assert!(!policy.to_string().contains("alias/restored"));
        assert!(needs().policy(Purpose::Restore).to_string().contains("alias/restored"));
        let mut needs = needs();
        needs.clones.as_mut().unwrap().keys = vec!["1234".to_owned()];
        let key = |purpose| statement(&needs.policy(purpose), "ClonesKey1")["Action"].clone();
        assert_eq!(key(Purpose::Snapshot), json!(["kms:Decrypt", "kms:GenerateDataKey"]));
        assert_eq!(key(Purpose::Prune), json!(["kms:Decrypt", "kms:GenerateDataKey"]));
        assert_eq!(key(Purpose::Restore), json!(["kms:Decrypt"]));
    }

    #[test]
    fn other_partitions_have_arns_of_their_own() {
        let mut needs = needs();
        needs.volumes.as_mut().unwrap().region = Some("cn-north-1".to_owned());
        let policy = needs.policy(Purpose::Snapshot).to_string();
        assert!(policy.contains("arn:aws-cn:ec2:cn-north-1:*:volume/*") && !policy.contains("arn:aws:"), "{policy}");
        let needs = Needs { volumes: None, region: Some("us-gov-west-1".to_owned()), ..needs };
        assert!(needs.policy(Purpose::Snapshot).to_string().contains("arn:aws-us-gov:s3:::data"));
    }
}
