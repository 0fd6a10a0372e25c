//! The groups of keys that a pass goes through one after the other.

use super::order::{CloneOrder, Kind, KindPrefixes};
use super::range::KeyRange;
use provider::Key;

/// Number of the group that holds every kind.
const ALL: u8 = 4;

/// Keys that are listed and copied before the next group's turn.
#[derive(Clone, Debug)]
pub(super) struct Group {
    /// Tells groups of one pass apart, in their order.
    pub(super) number: u8,
    /// Where its keys are; others may lie between them.
    pub(super) ranges: Vec<KeyRange>,
    kind: Option<(Kind, CloneOrder)>,
}

impl Group {
    /// Whether a key in one of the ranges belongs to the group.
    pub(super) fn holds(&self, key: &str) -> bool {
        self.kind.as_ref().is_none_or(|(kind, order)| order.kind_of(key) == *kind)
    }
}

/// The groups of some kinds, in their order. Together they hold every key of these kinds once.
///
/// Where no prefix tells the kinds apart and they need not come in turn, one group holds all.
pub(super) fn groups(order: &CloneOrder, kinds: &[Kind], in_turn: bool) -> Vec<Group> {
    if kinds == Kind::ALL && !in_turn && matches!(order, CloneOrder::ByKey(_)) {
        return vec![Group { number: ALL, ranges: vec![KeyRange::default()], kind: None }];
    }
    let group =
        |kind: &Kind| Group { number: *kind as u8, ranges: ranges(order, *kind), kind: Some((*kind, order.clone())) };
    kinds.iter().map(group).collect()
}

fn ranges(order: &CloneOrder, kind: Kind) -> Vec<KeyRange> {
    let CloneOrder::ByPrefix(KindPrefixes { tag, object, block }) = order else { return vec![KeyRange::default()] };
    match kind {
        Kind::Tag => vec![KeyRange::with_prefix(tag)],
        Kind::Object => vec![KeyRange::with_prefix(object)],
        Kind::Block => vec![KeyRange::with_prefix(block)],
        Kind::Other => {
            let mut prefixes = [tag, object, block];
            prefixes.sort();
            let mut ranges = Vec::new();
            let mut after = None;
            for prefix in prefixes {
                // Through the prefix itself, which is a key of that kind if it is one at all.
                ranges.push(KeyRange { prefix: String::new(), after, through: Some(Key::from(prefix.as_str())) });
                after = Some(Key::new(format!("{prefix}{}", char::MAX)));
            }
            ranges.push(KeyRange { prefix: String::new(), after, through: None });
            ranges
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_in_one_range_of_one_group() {
        let by_prefix = CloneOrder::ByPrefix(KindPrefixes {
            tag: "pach/tag/".to_owned(),
            object: "pach/object/".to_owned(),
            block: "pach/block/".to_owned(),
        });
        let by_key = CloneOrder::by_key(|key| if key.ends_with('b') { Kind::Block } else { Kind::Other });
        let keys = [
            "a",
            "pach",
            "pach/block",
            "pach/block/",
            "pach/block/1",
            "pach/block/\u{10FFFF}",
            "pach/block/\u{10FFFF}b",
            "pach/block0",
            "pach/index/1",
            "pach/object/1",
            "pach/tag/",
            "pach/tag/x",
            "pach/tagged",
            "z",
            "\u{10FFFF}",
        ];
        for order in [by_prefix, by_key] {
            for in_turn in [true, false] {
                let groups = groups(&order, &Kind::ALL, in_turn);
                for key in keys {
                    let holds = |group: &&Group| group.holds(key);
                    let holding: Vec<_> = groups.iter().filter(holds).collect();
                    assert_eq!(holding.len(), 1, "{key}");
                    let ranges = holding[0].ranges.iter().filter(|range| range.contains(key)).count();
                    assert_eq!(ranges, 1, "{key}");
                }
            }
        }
        assert_eq!(groups(&CloneOrder::by_key(|_| Kind::Other), &Kind::ALL, false).len(), 1);
    }
}
