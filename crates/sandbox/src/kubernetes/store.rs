//! Objects in memory, one version counter over all of them, and the history that watches read.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::sync::watch;

use super::resource_types::ResourceType;

/// The address of one object. Cluster-wide objects have an empty namespace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ObjectKey {
    pub(crate) group: &'static str,
    pub(crate) plural: &'static str,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl ObjectKey {
    pub(crate) fn new(resource: &ResourceType, namespace: &str, name: &str) -> Self {
        let namespace = if resource.namespaced { namespace.to_owned() } else { String::new() };
        ObjectKey { group: resource.group, plural: resource.plural, namespace, name: name.to_owned() }
    }
}

/// One change, as the history keeps it.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) version: u64,
    pub(crate) key: ObjectKey,
    /// The state before; absent for a new object.
    pub(crate) previous: Option<Arc<Value>>,
    /// The state after; for a deletion the last state with the deletion's version.
    pub(crate) object: Arc<Value>,
    pub(crate) deleted: bool,
}

/// Everything the server knows.
#[derive(Debug, Default)]
pub(crate) struct State {
    objects: BTreeMap<ObjectKey, Arc<Value>>,
    version: u64,
    compacted: u64,
    history: Vec<Change>,
    /// What the pages of an unfinished list still have to show, by token.
    pub(crate) snapshots: HashMap<u64, Arc<Vec<Arc<Value>>>>,
    next_address: u32,
}

impl State {
    /// The version of the newest change.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// The newest version whose history is gone.
    pub(crate) fn compacted(&self) -> u64 {
        self.compacted
    }

    /// Forgets the history and all unfinished lists.
    pub(crate) fn compact(&mut self) {
        self.compacted = self.version;
        self.history.clear();
        self.snapshots.clear();
    }

    pub(crate) fn get(&self, key: &ObjectKey) -> Option<&Arc<Value>> {
        self.objects.get(key)
    }

    /// Objects of one kind in key order; of all namespaces when none is given.
    pub(crate) fn list<'a>(
        &'a self,
        resource: &'static ResourceType,
        namespace: Option<&'a str>,
    ) -> impl Iterator<Item = (&'a ObjectKey, &'a Arc<Value>)> {
        let first = ObjectKey::new(resource, namespace.unwrap_or_default(), "");
        self.objects
            .range(first..)
            .take_while(|(key, _)| key.group == resource.group && key.plural == resource.plural)
            .take_while(move |(key, _)| !resource.namespaced || namespace.is_none_or(|wanted| key.namespace == wanted))
    }

    /// All objects in key order.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&ObjectKey, &Arc<Value>)> {
        self.objects.iter()
    }

    /// Stores an object under a new version.
    pub(crate) fn put(&mut self, key: ObjectKey, mut object: Value) -> Arc<Value> {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        let object = Arc::new(object);
        let previous = self.objects.insert(key.clone(), object.clone());
        self.history.push(Change { version: self.version, key, previous, object: object.clone(), deleted: false });
        object
    }

    /// Removes an object; its last state is returned under the version of the removal.
    pub(crate) fn remove(&mut self, key: &ObjectKey) -> Option<Arc<Value>> {
        let previous = self.objects.remove(key)?;
        self.version += 1;
        let mut object = Value::clone(&previous);
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        let object = Arc::new(object);
        self.history.push(Change {
            version: self.version,
            key: key.clone(),
            previous: Some(previous),
            object: object.clone(),
            deleted: true,
        });
        Some(object)
    }

    /// Changes after `version`, oldest first.
    pub(crate) fn changes_after(&self, version: u64) -> &[Change] {
        let first = self.history.partition_point(|change| change.version <= version);
        &self.history[first..]
    }

    /// A number that no earlier call returned, for cluster and pod addresses.
    pub(crate) fn next_address(&mut self) -> u32 {
        self.next_address += 1;
        self.next_address
    }
}

/// [`State`] behind a lock, with a signal for each change.
#[derive(Debug)]
pub(crate) struct Store {
    state: Mutex<State>,
    changed: watch::Sender<u64>,
}

impl Store {
    pub(crate) fn new() -> Self {
        Store { state: Mutex::new(State::default()), changed: watch::Sender::new(0) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `work` with nobody else looking, then wakes the watches if something changed.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut State) -> R) -> R {
        let (result, version) = {
            let mut state = self.lock();
            let result = work(&mut state);
            (result, state.version)
        };
        self.changed.send_if_modified(|seen| std::mem::replace(seen, version) != version);
        result
    }

    /// Follows the version of the newest change.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
}
