//! `ifGenerationMatch` and its kin.

use super::failure::Failure;
use super::object::Object;

/// What a call wants to hold of an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Preconditions {
    /// 0: there is no live object.
    pub(super) generation: Option<i64>,
    /// 0: there is a live object.
    pub(super) not_generation: Option<i64>,
    pub(super) metageneration: Option<i64>,
    pub(super) not_metageneration: Option<i64>,
}

impl Preconditions {
    /// Whether they hold before a change.
    pub(super) fn check(&self, object: Option<&Object>) -> Result<(), Failure> {
        let generation = object.map_or(0, |object| object.generation);
        let metageneration = object.map(|object| object.metageneration);
        // "If no live object exists, the precondition fails."
        let not_generation = self.not_generation.is_none_or(|unwanted| object.is_some() && unwanted != generation);
        let holds = self.generation.is_none_or(|wanted| wanted == generation)
            && not_generation
            && self.metageneration.is_none_or(|wanted| Some(wanted) == metageneration)
            && self.not_metageneration.is_none_or(|unwanted| object.is_some() && Some(unwanted) != metageneration);
        if holds { Ok(()) } else { Err(Failure::precondition()) }
    }

    /// Whether they hold for a read: what was not wanted and is there is "not modified".
    pub(super) fn check_read(&self, object: Option<&Object>) -> Result<(), Failure> {
        let unwanted = object.is_some_and(|object| {
            self.not_generation == Some(object.generation) || self.not_metageneration == Some(object.metageneration)
        });
        let wanted = Self { not_generation: None, not_metageneration: None, ..*self };
        wanted.check(object)?;
        if unwanted { Err(Failure::not_modified()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_stands_for_no_object() {
        let object = Object { generation: 7, ..Object::plain("x") };
        let generation = |generation| Preconditions { generation: Some(generation), ..Preconditions::default() };
        let other = |generation| Preconditions { not_generation: Some(generation), ..Preconditions::default() };
        let metageneration = |number| Preconditions { metageneration: Some(number), ..Preconditions::default() };
        for (conditions, present, absent) in [
            (Preconditions::default(), true, true),
            (generation(0), false, true),
            (generation(7), true, false),
            (generation(8), false, false),
            (other(0), true, false),
            (other(7), false, false),
            (other(8), true, false),
            (metageneration(1), true, false),
            (metageneration(2), false, false),
        ] {
            assert_eq!(conditions.check(Some(&object)).is_ok(), present, "{conditions:?}");
            assert_eq!(conditions.check(None).is_ok(), absent, "{conditions:?}");
        }
        assert_eq!(other(7).check_read(Some(&object)), Err(Failure::not_modified()));
        assert_eq!(other(8).check_read(Some(&object)), Ok(()));
        assert_eq!(generation(8).check_read(Some(&object)), Err(Failure::precondition()));
    }
}
