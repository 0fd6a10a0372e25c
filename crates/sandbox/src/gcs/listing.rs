//! Pages of a listing: range scans over the sorted names.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::ops::Bound;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::failure::Failure;
use super::object::Object;
use super::store::StoredBucket;

/// Most names and prefixes in a page.
const MAX_PAGE: usize = 1000;

/// What a listing asks for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Question<'a> {
    pub(super) prefix: &'a str,
    pub(super) delimiter: &'a str,
    pub(super) include_trailing_delimiter: bool,
    /// Inclusive; empty for none.
    pub(super) start: &'a str,
    /// Exclusive; empty for none.
    pub(super) end: &'a str,
    pub(super) versions: bool,
    /// Names and prefixes in the page.
    pub(super) size: usize,
}

/// How many may be in a page; 0 asks for as many as there may be.
pub(super) fn page_size(asked: i32) -> Result<usize, Failure> {
    match usize::try_from(asked) {
        Ok(0) => Ok(MAX_PAGE),
        Ok(size) => Ok(size.min(MAX_PAGE)),
        Err(_) => Err(Failure::invalid("The page size must not be negative.")),
    }
}

/// Where a page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Start {
    Beginning,
    /// Behind a version of a name.
    After(String, i64),
    /// Behind all names with a prefix.
    Behind(String),
}

impl Start {
    pub(super) fn token(&self) -> String {
        match self {
            Self::Beginning => String::new(),
            Self::After(name, generation) => URL_SAFE_NO_PAD.encode(format!("n{generation}/{name}")),
            Self::Behind(prefix) => URL_SAFE_NO_PAD.encode(format!("p{prefix}")),
        }
    }

    pub(super) fn parse(token: &str) -> Result<Self, Failure> {
        if token.is_empty() {
            return Ok(Self::Beginning);
        }
        let read = || {
            let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
            if let Some(prefix) = text.strip_prefix('p') {
                return Some(Self::Behind(prefix.to_owned()));
            }
            let (generation, name) = text.strip_prefix('n')?.split_once('/')?;
            Some(Self::After(name.to_owned(), generation.parse().ok()?))
        };
        read().ok_or_else(|| Failure::invalid("The page token is invalid."))
    }
}

/// A page. Common prefixes are apart from objects; each is sorted.
#[derive(Debug)]
pub(super) struct Page<'a> {
    pub(super) objects: Vec<(&'a Arc<str>, &'a Object)>,
    pub(super) prefixes: Vec<String>,
    pub(super) next: Start,
}

/// Reads one page.
pub(super) fn page<'a>(bucket: &'a StoredBucket, asked: &Question<'_>, start: &Start) -> Page<'a> {
    let mut page =
        Page { objects: Vec::with_capacity(asked.size.min(64)), prefixes: Vec::new(), next: Start::Beginning };
    let first = asked.prefix.max(asked.start);
    let mut from = match start {
        Start::Beginning => Bound::Included(first.to_owned()),
        // Versions of one name may be spread over pages.
        Start::After(name, _) if asked.versions => Bound::Included(name.clone()),
        Start::After(name, _) => Bound::Excluded(name.clone()),
        Start::Behind(prefix) => behind(prefix),
    };
    let mut last = start.clone();
    'scan: loop {
        for (name, object) in named(bucket, asked.versions, from.as_ref().map(String::as_str)) {
            if !name.starts_with(asked.prefix) || (!asked.end.is_empty() && &**name >= asked.end) {
                break 'scan;
            }
            if let Start::After(seen, generation) = start
                && **name == **seen
                && object.generation <= *generation
            {
                continue;
            }
            if page.objects.len() + page.prefixes.len() >= asked.size {
                page.next = last;
                break 'scan;
            }
            let rest = &name[asked.prefix.len()..];
            let folder = if asked.delimiter.is_empty() { None } else { rest.find(asked.delimiter) };
            let Some(at) = folder else {
                page.objects.push((name, object));
                last = Start::After(name.to_string(), object.generation);
                continue;
            };
            let prefix = &name[..asked.prefix.len() + at + asked.delimiter.len()];
            if asked.include_trailing_delimiter && prefix.len() == name.len() {
                page.objects.push((name, object));
            }
            page.prefixes.push(prefix.to_owned());
            last = Start::Behind(prefix.to_owned());
            from = behind(prefix);
            continue 'scan;
        }
        break;
    }
    page
}

/// The first name behind all that begin with a prefix.
fn behind(prefix: &str) -> Bound<String> {
    let mut rest = prefix;
    while let Some(last) = rest.chars().next_back() {
        rest = &rest[..rest.len() - last.len_utf8()];
        let next = ((last as u32) + 1..=0x0010_FFFF).find_map(char::from_u32);
        if let Some(next) = next {
            return Bound::Included(format!("{rest}{next}"));
        }
    }
    // Nothing sorts behind: a bound that no name reaches.
    Bound::Excluded("\u{10FFFF}".repeat(257))
}

/// Names and versions in order; the older versions of a name come before the live one.
fn named<'a>(
    bucket: &'a StoredBucket,
    versions: bool,
    from: Bound<&str>,
) -> Box<dyn Iterator<Item = (&'a Arc<str>, &'a Object)> + 'a> {
    let live = bucket.objects.range::<str, _>((from, Bound::Unbounded));
    if !versions || bucket.older.is_empty() {
        return Box::new(live);
    }
    let older: &BTreeMap<Arc<str>, Vec<Object>> = &bucket.older;
    let (mut live, mut older) = (live.peekable(), older.range::<str, _>((from, Bound::Unbounded)).peekable());
    let mut ready: VecDeque<(&Arc<str>, &Object)> = VecDeque::new();
    Box::new(std::iter::from_fn(move || {
        if ready.is_empty() {
            let first = match (live.peek(), older.peek()) {
                (Some((left, _)), Some((right, _))) => Arc::clone((*left).min(right)),
                (Some((name, _)), None) | (None, Some((name, _))) => Arc::clone(name),
                (None, None) => return None,
            };
            if let Some((name, versions)) = older.next_if(|(name, _)| **name == first) {
                ready.extend(versions.iter().map(|object| (name, object)));
            }
            ready.extend(live.next_if(|(name, _)| **name == first));
        }
        ready.pop_front()
    }))
}
