//! The three kinds of patch: JSON patch, merge patch, strategic merge patch.

use serde_json::{Map, Value};

use super::status::StatusError;

/// The content type of a strategic merge patch.
pub(crate) const STRATEGIC_MERGE: &str = "application/strategic-merge-patch+json";

/// Applies a patch of the given content type to a copy of `object`.
///
/// Server-side apply is not offered: its content type is answered with 415.
pub(crate) fn apply(content_type: &str, object: &Value, patch: &[u8]) -> Result<Value, StatusError> {
    let content_type = content_type.split(';').next().unwrap_or_default().trim();
    let parse = || {
        serde_json::from_slice::<Value>(patch)
            .map_err(|source| StatusError::bad_request(format!("error decoding patch: {source}")))
    };
    match content_type {
        "application/json-patch+json" => json_patch(object.clone(), &parse()?),
        "application/merge-patch+json" => {
            let patch = parse()?;
            require_object(&patch)?;
            let mut result = object.clone();
            merge(&mut result, &patch);
            Ok(result)
        }
        STRATEGIC_MERGE => {
            let patch = parse()?;
            let mut result = object.clone();
            strategic_merge(&mut result, require_object(&patch)?);
            Ok(result)
        }
        _ => Err(StatusError::unsupported_media_type(
            "application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json",
        )),
    }
}

fn require_object(patch: &Value) -> Result<&Map<String, Value>, StatusError> {
    patch.as_object().ok_or_else(|| StatusError::bad_request("error decoding patch: not an object"))
}

/// RFC 7386.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    if let Value::Object(fields) = target {
        for (name, value) in patch {
            if value.is_null() {
                fields.shift_remove(name);
            } else {
                merge(fields.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
    }
}

/// RFC 6902. A failed `test` and an absent path refuse the whole patch.
fn json_patch(mut object: Value, patch: &Value) -> Result<Value, StatusError> {
    let operations =
        patch.as_array().ok_or_else(|| StatusError::bad_request("error decoding patch: not a list of operations"))?;
    for operation in operations {
        let text = |field: &str| operation[field].as_str();
        let path = text("path").ok_or_else(|| StatusError::bad_request("error decoding patch: missing path"))?;
        let from = || text("from").ok_or_else(|| StatusError::bad_request("error decoding patch: missing from"));
        let value =
            || operation.get("value").ok_or_else(|| StatusError::bad_request("error decoding patch: missing value"));
        let done = match text("op") {
            Some("add") => add(&mut object, path, value()?.clone()),
            Some("remove") => remove(&mut object, path).map(drop),
            Some("replace") => replace(&mut object, path, operation.get("value").unwrap_or(&Value::Null).clone()),
            Some("move") => remove(&mut object, from()?).and_then(|moved| add(&mut object, path, moved)),
            Some("copy") => object.pointer(from()?).cloned().and_then(|copied| add(&mut object, path, copied)),
            Some("test") => (object.pointer(path).unwrap_or(&Value::Null)
                == operation.get("value").unwrap_or(&Value::Null))
            .then_some(()),
            _ => return Err(StatusError::bad_request("error decoding patch: unknown operation")),
        };
        done.ok_or_else(StatusError::patch_not_applicable)?;
    }
    Ok(object)
}

/// Splits a pointer into its parent and its last token, unescaped.
fn split_pointer(path: &str) -> Option<(&str, String)> {
    let (parent, last) = path.rsplit_once('/')?;
    Some((parent, last.replace("~1", "/").replace("~0", "~")))
}

fn add(object: &mut Value, path: &str, value: Value) -> Option<()> {
    if path.is_empty() {
        *object = value;
        return Some(());
    }
    let (parent, last) = split_pointer(path)?;
    match object.pointer_mut(parent)? {
        Value::Object(fields) => {
            fields.insert(last, value);
        }
        Value::Array(items) if last == "-" => items.push(value),
        Value::Array(items) => {
            let index: usize = last.parse().ok()?;
            if index > items.len() {
                return None;
            }
            items.insert(index, value);
        }
        _ => return None,
    }
    Some(())
}

/// A field that is absent from an object that is there is added, against RFC 6902: real servers do so.
fn replace(object: &mut Value, path: &str, value: Value) -> Option<()> {
    let parent = split_pointer(path).and_then(|(parent, _)| object.pointer(parent));
    if parent.is_some_and(Value::is_object) {
        return add(object, path, value);
    }
    object.pointer_mut(path).map(|slot| *slot = value)
}

fn remove(object: &mut Value, path: &str) -> Option<Value> {
    let (parent, last) = split_pointer(path)?;
    match object.pointer_mut(parent)? {
        Value::Object(fields) => fields.shift_remove(&last),
        Value::Array(items) => {
            let index: usize = last.parse().ok()?;
            (index < items.len()).then(|| items.remove(index))
        }
        _ => None,
    }
}

/// The field that identifies the entries of a list of the core kinds; `None` for lists that are replaced whole.
fn merge_key(field: &str, entries: &[Value]) -> Option<&'static str> {
    match field {
        "ports" if entries.iter().any(|entry| entry.get("containerPort").is_some()) => Some("containerPort"),
        "ports" => Some("port"),
        "containers"
        | "initContainers"
        | "ephemeralContainers"
        | "env"
        | "volumes"
        | "imagePullSecrets"
        | "secrets" => Some("name"),
        "volumeMounts" => Some("mountPath"),
        "ownerReferences" => Some("uid"),
        "conditions" | "addresses" => Some("type"),
        "hostAliases" => Some("ip"),
        _ => None,
    }
}

/// A merge in which known lists are merged entry by entry.
fn strategic_merge(target: &mut Value, patch: &Map<String, Value>) {
    if patch.get("$patch").and_then(Value::as_str) == Some("replace") {
        let mut replacement = patch.clone();
        replacement.shift_remove("$patch");
        *target = Value::Object(replacement);
        return;
    }
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(fields) = target else { return };
    for (name, value) in patch {
        if let Some(list) = name.strip_prefix("$deleteFromPrimitiveList/") {
            if let (Some(Value::Array(items)), Value::Array(gone)) = (fields.get_mut(list), value) {
                items.retain(|item| !gone.contains(item));
            }
            continue;
        }
        if name.starts_with('$') {
            continue;
        }
        match value {
            Value::Null => {
                fields.shift_remove(name);
            }
            Value::Object(inner) if inner.get("$patch").and_then(Value::as_str) == Some("delete") => {
                fields.shift_remove(name);
            }
            Value::Object(inner) => strategic_merge(fields.entry(name.clone()).or_insert(Value::Null), inner),
            Value::Array(entries) => {
                let slot = fields.entry(name.clone()).or_insert_with(|| Value::Array(Vec::new()));
                merge_list(name, slot, entries);
            }
            other => {
                fields.insert(name.clone(), other.clone());
            }
        }
    }
}

fn merge_list(field: &str, target: &mut Value, entries: &[Value]) {
    let Value::Array(items) = target else {
        *target = Value::Array(entries.to_vec());
        return;
    };
    if field == "finalizers" {
        items.extend(entries.iter().filter(|entry| !items.contains(entry)).cloned().collect::<Vec<_>>());
        return;
    }
    let replaces = |entry: &Value| {
        entry.as_object().is_some_and(|it| it.len() == 1 && it.get("$patch") == Some(&"replace".into()))
    };
    let Some(key) = merge_key(field, entries).filter(|_| !entries.iter().any(replaces)) else {
        *items = entries.iter().filter(|entry| !replaces(entry)).cloned().collect();
        return;
    };
    let before = items.clone();
    for entry in entries {
        let Value::Object(fields) = entry else { continue };
        let place = items.iter().position(|item| item.get(key).is_some() && item.get(key) == fields.get(key));
        let deletes = fields.get("$patch").and_then(Value::as_str) == Some("delete");
        match place {
            Some(place) if deletes => {
                items.remove(place);
            }
            Some(place) => strategic_merge(&mut items[place], fields),
            None if deletes => {}
            None => {
                let mut item = Value::Null;
                strategic_merge(&mut item, fields);
                items.push(item);
            }
        }
    }
    *items = ordered(std::mem::take(items), key, &before, entries);
}

/// The order in which real servers leave a merged list: the entries that the patch names in its order, between them the
/// others in theirs. One of the others goes first only if it stood before the named one that it meets, so a new entry
/// moves before all of the others that are left.
fn ordered(items: Vec<Value>, key: &str, before: &[Value], entries: &[Value]) -> Vec<Value> {
    let place = |list: &[Value], item: &Value| list.iter().position(|it| it.get(key) == item.get(key));
    let (mut named, others): (Vec<Value>, Vec<Value>) =
        items.into_iter().partition(|item| place(entries, item).is_some());
    named.sort_by_key(|item| place(entries, item));
    let mut result = Vec::with_capacity(named.len() + others.len());
    let (mut named, mut others) = (named.into_iter().peekable(), others.into_iter().peekable());
    while let (Some(entry), Some(other)) = (named.peek(), others.peek()) {
        let stood_before = place(before, entry).is_some_and(|entry| place(before, other) < Some(entry));
        result.extend(if stood_before { others.next() } else { named.next() });
    }
    result.extend(named.chain(others));
    result
}
