//! A walk through the files below the root in the order of their raw keys.

use std::collections::BinaryHeap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use provider::{ErrorKind, Key, ListRequest, ObjectMeta, Result};

use super::path::{RULES, TEMPORARY, check_root, look, object_meta};
use super::scratch::is_scratch;
use crate::error::Context;
use crate::{FileError, Scratch};

/// Most names of one directory held at once; a larger directory is read again for the next ones.
const NAMES_HELD: usize = 65_536;

/// Where a listing is. It goes on from page to page.
///
/// A directory's name sorts with its slash (`a-b` before `a/`), which is the order of the raw keys below it.
#[derive(Debug)]
pub(crate) struct Walk {
    root: PathBuf,
    scratch: Scratch,
    range: KeyRange,
    open: Vec<Directory>,
    /// Found and not yet given: whether there is a next page is known only so.
    ahead: Option<ObjectMeta>,
    names_held: usize,
}

/// Which keys a listing is about.
#[derive(Debug)]
struct KeyRange {
    prefix: String,
    after: Option<String>,
    through: Option<String>,
}

/// A directory on the way, with its next names in descending order.
#[derive(Debug)]
struct Directory {
    path: PathBuf,
    /// What the keys below it begin with: empty, or ending in a slash.
    key: String,
    names: Vec<String>,
    /// Whether there may be names after those held.
    more: bool,
    last: Option<String>,
}

impl KeyRange {
    fn holds_key(&self, key: &str) -> bool {
        key.starts_with(&self.prefix)
            && self.after.as_deref().is_none_or(|after| key > after)
            && self.through.as_deref().is_none_or(|through| key <= through)
    }

    /// Whether a key that begins with `key`, and goes on, may be in the range.
    fn may_hold_below(&self, key: &str) -> bool {
        (key.starts_with(&self.prefix) || self.prefix.starts_with(key))
            && self.after.as_deref().is_none_or(|after| key > after || after.starts_with(key))
            && self.through.as_deref().is_none_or(|through| key < through)
    }

    fn may_hold(&self, key: &str) -> bool {
        if key.ends_with('/') { self.may_hold_below(key) } else { self.holds_key(key) }
    }
}

impl Walk {
    /// A walk over what the request asks for, beginning after `after`.
    pub(crate) fn begin(context: &Context, root: &Path, scratch: Scratch, request: &ListRequest) -> Result<Self> {
        let after = request.token.as_ref().map(|token| token.0.as_str());
        let after = after.or(request.after.as_ref().map(Key::as_str)).map(str::to_owned);
        let through = request.through.as_ref().map(|through| through.as_str().to_owned());
        let range = KeyRange { prefix: request.prefix.clone(), after, through };
        let mut walk =
            Self { root: root.to_owned(), scratch, range, open: Vec::new(), ahead: None, names_held: NAMES_HELD };
        check_root(context, root)?;
        walk.enter_prefix(context)?;
        Ok(walk)
    }

    /// Goes straight to the deepest directory that the prefix names.
    fn enter_prefix(&mut self, context: &Context) -> Result<()> {
        let mut path = self.root.clone();
        let mut key = String::new();
        if let Some((directories, _)) = self.range.prefix.rsplit_once('/') {
            if !RULES.holds(directories) || directories.contains('\0') {
                return Ok(());
            }
            for segment in directories.split('/') {
                path.push(segment);
                key.push_str(segment);
                key.push('/');
                if !look(context, &path)?.is_some_and(|metadata| metadata.is_dir()) {
                    return Ok(());
                }
            }
        }
        if self.hidden(&key) || !self.range.may_hold_below(&key) && !key.is_empty() {
            return Ok(());
        }
        self.open.push(Directory { path, key, names: Vec::new(), more: true, last: None });
        Ok(())
    }

    /// Whether a key, or the keys below one that ends in a slash, stay out of listings.
    fn hidden(&self, key: &str) -> bool {
        key.strip_prefix(TEMPORARY).is_some_and(|rest| rest.starts_with('/'))
            || self.scratch == Scratch::LeaveOut && is_scratch(key)
    }

    /// The next objects, and whether there are others after them.
    pub(crate) fn page(&mut self, context: &Context, limit: usize) -> Result<(Vec<ObjectMeta>, bool)> {
        let mut objects = Vec::new();
        objects.extend(self.ahead.take());
        while objects.len() < limit {
            match self.next(context)? {
                Some(object) => objects.push(object),
                None => return Ok((objects, false)),
            }
        }
        self.ahead = self.next(context)?;
        Ok((objects, self.ahead.is_some()))
    }

    fn next(&mut self, context: &Context) -> Result<Option<ObjectMeta>> {
        while let Some(directory) = self.open.last_mut() {
            let Some(name) = directory.names.pop() else {
                if !directory.more {
                    self.open.pop();
                    continue;
                }
                let names = self.read_names(context)?;
                if let Some(directory) = self.open.last_mut() {
                    directory.more = names.len() == self.names_held;
                    directory.last = names.last().cloned().or(directory.last.take());
                    directory.names = names;
                    directory.names.reverse();
                }
                continue;
            };
            let path = directory.path.join(name.trim_end_matches('/'));
            let key = format!("{}{name}", directory.key);
            let Some(metadata) = look(context, &path)? else { continue };
            if metadata.is_dir() && key.ends_with('/') {
                self.open.push(Directory { path, key, names: Vec::new(), more: true, last: None });
            } else if metadata.is_file() && !key.ends_with('/') {
                return Ok(Some(object_meta(Key::new(key), &metadata)));
            } else if !metadata.is_dir() && !metadata.is_file() {
                return Err(context.own(ErrorKind::Invalid, FileError::NotAFile(path)));
            }
        }
        Ok(None)
    }

    /// The next names of the innermost directory, ascending: of a huge one the first `names_held`, in memory for those.
    fn read_names(&self, context: &Context) -> Result<Vec<String>> {
        let Some(directory) = self.open.last() else { return Ok(Vec::new()) };
        let entries = match fs::read_dir(&directory.path) {
            Ok(entries) => entries,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound && directory.path != self.root => {
                return Ok(Vec::new());
            }
            Err(cause) => return Err(context.io(cause)),
        };
        let mut first = BinaryHeap::new();
        for entry in entries {
            let entry = entry.map_err(|cause| context.io(cause))?;
            let kind = match entry.file_type() {
                Ok(kind) => kind,
                Err(cause) if cause.kind() == io::ErrorKind::NotFound => continue,
                Err(cause) => return Err(context.io(cause)),
            };
            let not_utf8 = |_| context.own(ErrorKind::Invalid, FileError::NotUtf8(entry.path()));
            let mut name = entry.file_name().into_string().map_err(not_utf8)?;
            if kind.is_dir() {
                name.push('/');
            }
            let key = format!("{}{name}", directory.key);
            if self.hidden(&key) || directory.last.as_ref().is_some_and(|last| name <= *last) {
                continue;
            }
            if kind.is_symlink() {
                return Err(context.own(ErrorKind::Invalid, FileError::Link(entry.path())));
            }
            if !self.range.may_hold(&key) {
                continue;
            }
            if first.len() < self.names_held {
                first.push(name);
            } else if first.peek().is_some_and(|last| name < *last) {
                first.pop();
                first.push(name);
            }
        }
        Ok(first.into_sorted_vec())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn keys_in(root: &Path, request: &ListRequest, limit: usize, names_held: usize) -> Vec<String> {
        let context = Context { operation: "list", resource: "test".to_owned() };
        let mut walk = Walk::begin(&context, root, Scratch::Keep, request).unwrap();
        walk.names_held = names_held;
        let mut found = Vec::new();
        loop {
            let (objects, more) = walk.page(&context, limit).unwrap();
            assert!(objects.len() == limit || !more, "a short page that isn't the last one");
            found.extend(objects.into_iter().map(|object| object.key.into_string()));
            if !more {
                return found;
            }
        }
    }

    /// Keys of few characters, so that names are prefixes of each other, around the slash in the order of bytes.
    fn key() -> impl Strategy<Value = String> {
        proptest::collection::vec("[a.0-]{1,2}", 1..4)
            .prop_map(|segments| segments.join("/"))
            .prop_filter("dot segments aren't names", |key| RULES.holds(key))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn any_range_of_any_tree_comes_in_order_of_the_bytes(
            keys in proptest::collection::btree_set(key(), 1..40),
            after in proptest::option::of(key()),
            through in proptest::option::of(key()),
            prefix in prop_oneof![Just(String::new()), key(), key().prop_map(|key| key + "/")],
            limit in 1..8_usize,
            names_held in prop_oneof![1..4_usize, Just(1000)],
        ) {
            let root = tempfile::tempdir().unwrap();
            let mut stored = BTreeSet::new();
            for key in keys {
                let path = root.path().join(&key);
                // What a file system can't hold together is left out.
                if fs::create_dir_all(path.parent().unwrap()).is_ok() && !path.is_dir() {
                    fs::write(path, "").unwrap();
                    stored.insert(key);
                }
            }
            let request = ListRequest {
                prefix: prefix.clone(),
                after: after.clone().map(Key::new),
                through: through.clone().map(Key::new),
                ..ListRequest::default()
            };
            let wanted: Vec<_> = stored
                .into_iter()
                .filter(|key| key.starts_with(&prefix))
                .filter(|key| after.as_ref().is_none_or(|after| key > after))
                .filter(|key| through.as_ref().is_none_or(|through| key <= through))
                .collect();
            prop_assert_eq!(keys_in(root.path(), &request, limit, names_held), wanted);
        }
    }
}
