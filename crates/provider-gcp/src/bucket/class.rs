//! Classes of storage that Cloud Storage has. Objects of each can be read at once.

use provider::StorageClass;

/// The usual class.
pub(super) const STANDARD: &str = "STANDARD";

static CLASSES: [StorageClass; 4] = [
    StorageClass { name: STANDARD, archived: false },
    StorageClass { name: "NEARLINE", archived: false },
    StorageClass { name: "COLDLINE", archived: false },
    StorageClass { name: "ARCHIVE", archived: false },
];

/// The class that an answer names; `None` for the usual one. Older names of the usual one count as it.
pub(super) fn told(name: &str) -> Option<&'static StorageClass> {
    CLASSES[1..].iter().find(|class| class.name == name)
}

/// The class that a setting names.
pub(super) fn chosen(name: &str) -> Option<&'static StorageClass> {
    CLASSES.iter().find(|class| class.name == name)
}

/// The name of a class as listed.
pub(super) fn name_of(class: Option<&'static StorageClass>) -> &'static str {
    class.map_or(STANDARD, |class| class.name)
}

/// The names that a setting may have.
pub(super) fn choices() -> String {
    CLASSES.each_ref().map(|class| class.name).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_class_is_none_under_each_of_its_names() {
        for name in ["STANDARD", "REGIONAL", "MULTI_REGIONAL", "DURABLE_REDUCED_AVAILABILITY", ""] {
            assert_eq!(name_of(told(name)), "STANDARD", "{name}");
        }
        assert_eq!(name_of(told("COLDLINE")), "COLDLINE");
        assert!(chosen("STANDARD").is_some() && chosen("coldline").is_none());
        assert_eq!(choices(), "STANDARD, NEARLINE, COLDLINE, ARCHIVE");
    }
}
