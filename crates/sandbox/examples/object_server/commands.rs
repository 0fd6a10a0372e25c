//! What the server is told while it runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::arguments::duration;
use super::{ObjectServer, layout};

const HELP: &str = "latency OBJECT PAGE | count BUCKET [PREFIX] | compare BUCKET BUCKET [PREFIX] | change BUCKET ONE-IN | \
                    clear BUCKET [PREFIX] | requests | help";

/// The commands of one server.
pub(crate) struct Commands<'a, Server: ObjectServer> {
    server: &'a Server,
    /// Requests that were counted when they were last asked for.
    told: BTreeMap<Server::Operation, u64>,
    /// How often objects were changed.
    changes: u64,
}

impl<'a, Server: ObjectServer> Commands<'a, Server> {
    pub(crate) fn new(server: &'a Server) -> Self {
        Self { server, told: BTreeMap::new(), changes: 0 }
    }

    /// Obeys one line. The answer is one line.
    pub(crate) fn obey(&mut self, line: &str) -> Result<String, String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["latency", object, page] => {
                self.server.set_latency(duration(object)?, duration(page)?);
                Ok("ok".to_owned())
            }
            ["count", bucket] => Ok(self.count(bucket, "").to_string()),
            ["count", bucket, prefix] => Ok(self.count(bucket, prefix).to_string()),
            ["compare", source, clone] => Ok(self.compare(source, clone, "")),
            ["compare", source, clone, prefix] => Ok(self.compare(source, clone, prefix)),
            ["change", bucket, one_in] => {
                let one_in: usize = one_in.parse().map_err(|error| format!("{one_in}: {error}"))?;
                Ok(self.change(bucket, one_in.max(1)).to_string())
            }
            ["clear", bucket] => Ok(self.clear(bucket, "").to_string()),
            ["clear", bucket, prefix] => Ok(self.clear(bucket, prefix).to_string()),
            ["requests"] => Ok(self.requests()),
            ["help"] => Ok(HELP.to_owned()),
            _ => Err(format!("{line:?} is none of: {HELP}")),
        }
    }

    fn objects(&self, bucket: &str, prefix: &str) -> Vec<(String, Server::Object)> {
        let mut found = Vec::new();
        self.server.for_each(bucket, prefix, |key, object| found.push((key.to_owned(), object.clone())));
        found
    }

    fn count(&self, bucket: &str, prefix: &str) -> usize {
        let mut found = 0;
        self.server.for_each(bucket, prefix, |_, _| found += 1);
        found
    }

    /// `same N, others M`: each of the source's N objects is in the clone, under its key behind the prefix, with the same
    /// content; the prefix holds M keys more. Else the first difference.
    fn compare(&self, source: &str, clone: &str, prefix: &str) -> String {
        let (source, clone) = (self.objects(source, ""), self.objects(clone, prefix));
        let copies: BTreeMap<&str, &Server::Object> =
            clone.iter().map(|(key, object)| (key.as_str(), object)).collect();
        for (key, object) in &source {
            match copies.get(format!("{prefix}{key}").as_str()) {
                None => return format!("differs: {prefix}{key} is missing"),
                Some(copy) if !Server::same(copy, object) => {
                    return format!("differs: {prefix}{key} has another content");
                }
                Some(_) => {}
            }
        }
        format!("same {}, others {}", source.len(), clone.len() - source.len())
    }

    /// Gives every so-manieth object another content of the same size. Answers their number.
    fn change(&mut self, bucket: &str, one_in: usize) -> usize {
        self.changes += 1;
        let mut contents: BTreeMap<usize, Server::Object> = BTreeMap::new();
        let mut changed = 0;
        for (key, object) in self.objects(bucket, "").into_iter().step_by(one_in) {
            let size = Server::bytes(&object).len();
            // No filling has this seed, so the content is new.
            let make = || layout::content::<Server>(u64::MAX, self.changes, size);
            self.server.put(bucket, &key, contents.entry(size).or_insert_with(make).clone());
            changed += 1;
        }
        changed
    }

    fn clear(&self, bucket: &str, prefix: &str) -> usize {
        let mut keys: Vec<Arc<str>> = Vec::new();
        self.server.for_each(bucket, prefix, |key, _| keys.push(key.into()));
        keys.iter().filter(|key| self.server.remove(bucket, key)).count()
    }

    /// What arrived since this was last asked.
    fn requests(&mut self) -> String {
        let now = self.server.requests();
        let since = |(operation, count): (&Server::Operation, &u64)| {
            let new = count - self.told.get(operation).copied().unwrap_or_default();
            (new > 0).then(|| format!("{operation}={new}"))
        };
        let answer: Vec<String> = now.iter().filter_map(since).collect();
        self.told = now;
        answer.join(" ")
    }
}
