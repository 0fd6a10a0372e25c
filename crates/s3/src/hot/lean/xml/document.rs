//! A document of elements that hold either elements or text.

use std::io::BufRead as _;

use jiff::Timestamp;
use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};

/// A document that can't be what the store means.
#[derive(Debug, thiserror::Error)]
pub(in crate::hot::lean) enum Malformed {
    #[error("the answer is no XML")]
    Xml(#[from] quick_xml::Error),
    #[error("the answer is {0}")]
    Otherwise(&'static str),
}

impl From<quick_xml::encoding::EncodingError> for Malformed {
    fn from(error: quick_xml::encoding::EncodingError) -> Self {
        Self::Xml(error.into())
    }
}

/// Walks through a document.
pub(super) struct Document<'a> {
    bytes: &'a [u8],
    reader: Reader<&'a [u8]>,
    /// An element that was `<closed/>` at once: its end is still to be told.
    closed: bool,
}

impl<'a> Document<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, reader: Reader::from_reader(bytes), closed: false }
    }

    /// The element that holds the others.
    pub(super) fn root(&mut self) -> Result<BytesStart<'a>, Malformed> {
        loop {
            match self.reader.read_event()? {
                Event::Start(start) => return Ok(start),
                Event::Empty(start) => {
                    self.closed = true;
                    return Ok(start);
                }
                Event::Text(text) if is_blank(&text) => {}
                Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
                Event::Eof => return Err(Malformed::Otherwise("empty")),
                _ => return Err(Malformed::Otherwise("no XML document")),
            }
        }
    }

    /// The next element inside the one entered; `None` at its end. Each is to be read or skipped before the next.
    pub(super) fn child(&mut self) -> Result<Option<BytesStart<'a>>, Malformed> {
        if std::mem::take(&mut self.closed) {
            return Ok(None);
        }
        loop {
            match self.reader.read_event()? {
                Event::Start(start) => return Ok(Some(start)),
                Event::Empty(start) => {
                    self.closed = true;
                    return Ok(Some(start));
                }
                Event::End(_) => return Ok(None),
                Event::Text(text) if is_blank(&text) => {}
                Event::Comment(_) | Event::PI(_) => {}
                Event::Eof => return Err(Malformed::Otherwise("cut short")),
                _ => return Err(Malformed::Otherwise("text where elements belong")),
            }
        }
    }

    /// Reads the text of the element entered into a buffer, which is emptied before.
    pub(super) fn text(&mut self, out: &mut String) -> Result<(), Malformed> {
        out.clear();
        if std::mem::take(&mut self.closed) {
            return Ok(());
        }
        if let Some(plain) = self.plain_text() {
            add_unescaped(out, std::str::from_utf8(plain).map_err(|_| Malformed::Otherwise("no UTF-8"))?)?;
        }
        loop {
            match self.reader.read_event()? {
                Event::Text(text) => out.push_str(&text.decode()?),
                Event::CData(text) => out.push_str(&text.decode()?),
                Event::GeneralRef(name) => add_named(out, &name.decode()?)?,
                Event::Comment(_) | Event::PI(_) => {}
                Event::End(_) => return Ok(()),
                Event::Eof => return Err(Malformed::Otherwise("cut short")),
                _ => return Err(Malformed::Otherwise("XML with elements where text belongs")),
            }
        }
    }

    /// Passes over the element entered.
    pub(super) fn skip(&mut self, start: &BytesStart<'_>) -> Result<(), Malformed> {
        if !std::mem::take(&mut self.closed) {
            let _ = self.plain_text();
            self.reader.read_to_end(start.name())?;
        }
        Ok(())
    }

    /// Passes over the children of the element entered and tells name and raw text of each, if all of them are plain text in elements
    /// without attributes, with nothing between them: nearly always so, and cheaper than an event for each tag. Otherwise tells
    /// nothing and passes over nothing. What comes next is the end of the element, or the children one by one.
    pub(super) fn plain_children(&mut self, children: &mut Vec<(&'a [u8], &'a [u8])>) {
        children.clear();
        let at = usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX);
        let Some(rest) = self.bytes.get(at..).filter(|_| !self.closed) else { return };
        let mut passed = 0;
        while let Some(child) = plain_child(&rest[passed..]) {
            children.push((child.name, child.text));
            passed += child.length;
        }
        if rest[passed..].starts_with(b"</") {
            self.reader.stream().consume(passed);
        } else {
            children.clear();
        }
    }

    /// Passes over the text up to the end of the element entered, if there is nothing but text: nearly always so, and cheaper than
    /// an event for each piece and entity of it.
    fn plain_text(&mut self) -> Option<&'a [u8]> {
        let at = usize::try_from(self.reader.buffer_position()).ok()?;
        let rest = self.bytes.get(at..)?;
        let length = memchr::memchr(b'<', rest)?;
        if rest.get(length + 1) != Some(&b'/') {
            return None;
        }
        self.reader.stream().consume(length);
        Some(&rest[..length])
    }
}

/// An element that holds nothing but text.
struct PlainChild<'a> {
    name: &'a [u8],
    text: &'a [u8],
    /// Bytes of it, with its tags.
    length: usize,
}

/// The element that a text begins with, if it is `<Name>text</Name>` and the name is made of letters and digits.
fn plain_child(rest: &[u8]) -> Option<PlainChild<'_>> {
    let inside = rest.strip_prefix(b"<")?;
    let name = &inside[..memchr::memchr(b'>', inside)?];
    let text = &inside[name.len() + 1..];
    let text = &text[..memchr::memchr(b'<', text)?];
    let end = inside[name.len() + 1 + text.len()..].strip_prefix(b"</")?.strip_prefix(name)?;
    let is_plain = !name.is_empty() && name.iter().all(u8::is_ascii_alphanumeric) && end.first() == Some(&b'>');
    is_plain.then(|| PlainChild { name, text, length: 2 * name.len() + text.len() + "<></>".len() })
}

/// The text that raw text stands for.
pub(super) fn unescaped(raw: &[u8]) -> Result<String, Malformed> {
    let mut text = String::with_capacity(raw.len());
    add_unescaped(&mut text, std::str::from_utf8(raw).map_err(|_| Malformed::Otherwise("no UTF-8"))?)?;
    Ok(text)
}

fn add_unescaped(out: &mut String, mut text: &str) -> Result<(), Malformed> {
    while let Some((before, after)) = text.split_once('&') {
        let (name, rest) = after.split_once(';').ok_or(Malformed::Otherwise("XML with half an entity"))?;
        out.push_str(before);
        add_named(out, name)?;
        text = rest;
    }
    out.push_str(text);
    Ok(())
}

/// Adds what `&name;` stands for.
fn add_named(out: &mut String, name: &str) -> Result<(), Malformed> {
    if let Some(character) = BytesRef::new(name).resolve_char_ref()? {
        out.push(character);
        return Ok(());
    }
    let known = resolve_predefined_entity(name);
    out.push_str(known.ok_or(Malformed::Otherwise("XML with an entity that nobody knows"))?);
    Ok(())
}

fn is_blank(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_whitespace)
}

/// A time as the store writes it: `2026-01-02T03:04:05.678Z`.
pub(super) fn time(text: &str) -> Result<Timestamp, Malformed> {
    text.trim().parse().map_err(|_| Malformed::Otherwise("XML with a time that is none"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_whatever_it_is_made_of() {
        let cases = [
            ("<a>plain</a>", "plain"),
            ("<a/>", ""),
            ("<a></a>", ""),
            ("<a> b &amp;&#x26;&#38;&lt;c&gt; </a>", " b &&&<c> "),
            ("<a>b<!-- not this -->c<![CDATA[<&>]]>&quot;</a>", "bc<&>\""),
            ("<a>\u{e9}&#233;</a>", "\u{e9}\u{e9}"),
        ];
        for (xml, expected) in cases {
            let whole = format!("<?xml version=\"1.0\"?>\n<root>\n {xml}<!-- x -->{xml}<end>!</end> </root>");
            let mut document = Document::new(whole.as_bytes());
            let mut text = "left from before".to_owned();
            document.root().unwrap();
            document.child().unwrap().unwrap();
            document.text(&mut text).unwrap();
            assert_eq!(text, expected, "{xml}");
            let again = document.child().unwrap().unwrap();
            document.skip(&again).unwrap();
            assert_eq!(document.child().unwrap().unwrap().name().as_ref(), b"end", "{xml}");
            document.text(&mut text).unwrap();
            assert_eq!((text.as_str(), document.child().unwrap()), ("!", None));
        }
    }

    #[test]
    fn text_that_is_none_is_refused() {
        for xml in ["a&b", "a&b;", "a&#0;", "a&#x110000;", "<b>c</b>", "a<b/>", "a", "a</b>"] {
            let whole = format!("<a>{xml}{}", if xml.ends_with("</b>") || xml == "a" { "" } else { "</a>" });
            let mut document = Document::new(whole.as_bytes());
            document.root().unwrap();
            document.text(&mut String::new()).unwrap_err();
        }
        let mut document = Document::new(b"<a>\xff</a>");
        document.root().unwrap();
        document.text(&mut String::new()).unwrap_err();
    }
}
