//! The end of namespaces.

use super::is_terminating;
use crate::kubernetes::resource_types;
use crate::kubernetes::store::{ObjectKey, State};

/// Removes every deleted namespace with all that is in it. Nothing in it waits for anything: what a real kubelet or
/// driver would do before, nobody does here.
pub(super) fn finish(state: &mut State) {
    let namespaces = state.list(resource_types::named("namespaces"), None);
    let ended: Vec<ObjectKey> =
        namespaces.filter(|(_, namespace)| is_terminating(namespace)).map(|(key, _)| key.clone()).collect();
    for namespace in ended {
        let inside = state.all().map(|(key, _)| key).filter(|key| key.namespace == namespace.name);
        for key in inside.cloned().collect::<Vec<_>>() {
            state.remove(&key);
        }
        state.remove(&namespace);
    }
}
