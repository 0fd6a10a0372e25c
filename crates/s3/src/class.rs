//! Classes of storage that S3 has.

use provider::StorageClass;

/// Objects of these classes can be made in any bucket. `STANDARD` comes first.
static CLASSES: [StorageClass; 8] = [
    StorageClass { name: "STANDARD", archived: false },
    StorageClass { name: "REDUCED_REDUNDANCY", archived: false },
    StorageClass { name: "STANDARD_IA", archived: false },
    StorageClass { name: "ONEZONE_IA", archived: false },
    StorageClass { name: "INTELLIGENT_TIERING", archived: false },
    StorageClass { name: "GLACIER_IR", archived: false },
    StorageClass { name: "GLACIER", archived: true },
    StorageClass { name: "DEEP_ARCHIVE", archived: true },
];

/// The class that an answer names; `None` for the usual one, and for one that only its own kind of bucket has.
pub(crate) fn told(name: &str) -> Option<&'static StorageClass> {
    CLASSES[1..].iter().find(|class| class.name == name)
}

/// The class that a setting names. Not the archived ones: what lies in them can neither be verified nor restored at once.
pub(crate) fn chosen(name: &str) -> Option<&'static StorageClass> {
    CLASSES.iter().find(|class| class.name == name && !class.archived)
}

/// The class that a copy is to have: the chosen one, or that of its source unless it is archived.
pub(crate) fn of_copy(
    chosen: Option<&'static StorageClass>,
    source: Option<&'static StorageClass>,
) -> Option<&'static str> {
    chosen.or(source.filter(|class| !class.archived)).map(|class| class.name)
}

/// The names that a setting may have.
pub(crate) fn choices() -> impl Iterator<Item = &'static str> {
    CLASSES.iter().filter(|class| !class.archived).map(|class| class.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_has_the_class_chosen_or_its_sources_and_is_never_archived() {
        let (cold, tiered) = (told("GLACIER"), told("INTELLIGENT_TIERING"));
        assert_eq!(of_copy(None, tiered), Some("INTELLIGENT_TIERING"));
        assert_eq!(of_copy(None, cold), None);
        assert_eq!(of_copy(chosen("STANDARD"), tiered), Some("STANDARD"));
        assert_eq!(of_copy(chosen("STANDARD_IA"), None), Some("STANDARD_IA"));
        assert!(told("STANDARD").is_none() && told("OUTPOSTS").is_none());
        assert!(chosen("DEEP_ARCHIVE").is_none() && chosen("standard").is_none());
        assert_eq!(choices().count(), 6);
    }
}
