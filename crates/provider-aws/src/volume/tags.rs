//! What a run writes on the snapshots and volumes that it makes. EC2's tags hold 127 and 255 characters, 50 on one resource.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{Filter, ResourceType, Tag, TagSpecification};
use provider::{Error, ErrorKind, Owner, Result};

use crate::EbsProblem;

/// Identity of a cut or a volume.
pub(super) const IDENTITY: &str = "pachsnap-identity";
/// The volume that was cut, as the caller named it.
pub(super) const VOLUME: &str = "pachsnap-volume";
/// How often the cut had been asked for when this snapshot was made, from 1.
pub(super) const ATTEMPT: &str = "pachsnap-attempt";
/// The one of several snapshots of one identity that the cut was answered with.
pub(super) const CHOSEN: &str = "pachsnap-chosen";
/// Begins the tags that hold what the volume was when it was cut.
pub(super) const SOURCE: &str = "pachsnap-volume-";
/// What the console shows.
const NAME: &str = "Name";

/// The longest value of a tag, in characters.
const LONGEST: usize = 255;

/// Names and values.
pub(super) type Tags = BTreeMap<String, String>;

/// The tags of whatever is made for an identity and an owner.
///
/// # Errors
/// `Invalid` for a name that no tag holds.
pub(super) fn of(operation: &'static str, identity: &str, owner: &Owner) -> Result<Tags> {
    let tags =
        [(NAME, identity), (IDENTITY, identity), (Owner::CLUSTER_TAG, &owner.cluster), (Owner::RUN_TAG, &owner.run)];
    for (name, value) in tags {
        if value.chars().count() > LONGEST {
            let problem = EbsProblem::TagTooLong { name, longest: LONGEST };
            return Err(Error::new(ErrorKind::Invalid, operation, format!("identity {identity}")).with_source(problem));
        }
    }
    Ok(tags.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

/// Tags as a request carries them.
pub(super) fn specification(resource: ResourceType, tags: &Tags) -> TagSpecification {
    let tags = tags.iter().map(|(name, value)| Tag::builder().key(name).value(value).build());
    TagSpecification::builder().resource_type(resource).set_tags(Some(tags.collect())).build()
}

/// Tags as an answer holds them.
pub(super) fn read(tags: Option<&[Tag]>) -> Tags {
    let pair = |tag: &Tag| Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned()));
    tags.unwrap_or_default().iter().filter_map(pair).collect()
}

/// Whose a resource is.
pub(super) fn owner_of(tags: &Tags) -> Option<Owner> {
    Some(Owner { cluster: tags.get(Owner::CLUSTER_TAG)?.clone(), run: tags.get(Owner::RUN_TAG)?.clone() })
}

/// Finds what has this value in a tag; `*` and `?` stand for themselves.
pub(super) fn filter(tag: &str, value: &str) -> Filter {
    let mut escaped = String::with_capacity(value.len());
    for character in value.chars() {
        if matches!(character, '*' | '?' | '\\') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    Filter::builder().name(format!("tag:{tag}")).values(escaped).build()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn owner_and_identity_come_back() {
        let owner = Owner { cluster: "Prod of the company".to_owned(), run: "r1".to_owned() };
        let tags = of("cut", "pachsnap-r1-etcd", &owner).unwrap();
        let sent = specification(ResourceType::Snapshot, &tags);
        let read = read(sent.tags.as_deref());
        assert_eq!(owner_of(&read), Some(owner));
        assert_eq!(read.get(IDENTITY).map(String::as_str), Some("pachsnap-r1-etcd"));
    }

    #[test]
    fn a_name_that_no_tag_holds_is_refused() {
        let owner = Owner { cluster: "ü".repeat(256), run: String::new() };
        assert_eq!(of("cut", "i", &owner).unwrap_err().kind(), ErrorKind::Invalid);
        let owner = Owner { cluster: "ü".repeat(255), ..owner };
        assert!(of("cut", "i", &owner).is_ok());
    }

    #[test]
    fn wildcards_of_a_filter_stand_for_themselves() {
        assert_eq!(filter("t", r"a*b?c\d").values(), [r"a\*b\?c\\d"]);
    }
}
