//! The final pass lists and copies tags, then objects, then blocks, then the rest: the clone is closed by construction.

use std::sync::{Arc, Mutex};

use orchestrator::clone::{Before, CloneOrder, Kind, final_pass};

use crate::hooked::{Call, Hooked};
use crate::world::{World, by_prefix, by_reversed_key, fill, reversed, same};

#[derive(Clone, Debug)]
enum Event {
    Listed,
    Wrote(String),
}

/// What happened, in order: listings of the source, writes to the clone.
async fn events(world: &World, order: CloneOrder) -> Vec<Event> {
    let events = Arc::new(Mutex::new(Vec::new()));
    let (of_source, of_clone) = (Arc::clone(&events), Arc::clone(&events));
    let source = Hooked::new(world.source.clone(), move |call| {
        if matches!(call, Call::List { .. }) {
            of_source.lock().unwrap().push(Event::Listed);
        }
        Ok(())
    });
    let clone = Hooked::new(world.clone.clone(), move |call| {
        if let Call::Copy { key, .. } | Call::Put { key, .. } = call {
            of_clone.lock().unwrap().push(Event::Wrote(key.clone()));
        }
        Ok(())
    });
    let mut spec = world.spec_between(Arc::new(source), Arc::new(clone));
    spec.order = order;
    let pass = final_pass(&spec, &Before::Unknown, &world.ledger("final")).await.unwrap();
    world.assert_exact(&pass).await;
    events.lock().unwrap().clone()
}

fn assert_in_turn(events: &[Event], order: &CloneOrder) {
    let writes: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Wrote(key) => Some(order.kind_of(key)),
            Event::Listed => None,
        })
        .collect();
    assert!(writes.is_sorted(), "a kind was written before its turn");
    for kind in Kind::ALL {
        assert!(writes.contains(&kind));
    }
    // Between the last write of one kind and the first of the next one the source is listed anew.
    for pair in Kind::ALL.windows(2) {
        let of = |wanted| move |event: &Event| matches!(event, Event::Wrote(key) if order.kind_of(key) == wanted);
        let last = events.iter().rposition(of(pair[0])).unwrap();
        let first = events.iter().position(of(pair[1])).unwrap();
        assert!(events[last..first].iter().any(|event| matches!(event, Event::Listed)), "{pair:?}");
    }
}

#[tokio::test]
async fn kinds_come_in_turn_and_each_is_listed_when_its_turn_comes() {
    for world in World::both() {
        fill(&world.source, 30, same).await;
        assert_in_turn(&events(&world, by_prefix()).await, &by_prefix());
    }
}

#[tokio::test]
async fn so_do_reversed_keys() {
    for world in World::both() {
        fill(&world.source, 30, reversed).await;
        assert_in_turn(&events(&world, by_reversed_key()).await, &by_reversed_key());
    }
}
