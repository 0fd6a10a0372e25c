//! A document of elements that hold either elements or text.

use jiff::Timestamp;
use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};

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
    reader: Reader<&'a [u8]>,
    /// An element that was `<closed/>` at once: its end is still to be told.
    closed: bool,
}

impl<'a> Document<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { reader: Reader::from_reader(bytes), closed: false }
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
        loop {
            match self.reader.read_event()? {
                Event::Text(text) => out.push_str(&text.decode()?),
                Event::CData(text) => out.push_str(&text.decode()?),
                Event::GeneralRef(name) => match name.resolve_char_ref()? {
                    Some(character) => out.push(character),
                    None => {
                        let known = resolve_predefined_entity(&name.decode()?);
                        out.push_str(known.ok_or(Malformed::Otherwise("XML with an entity that nobody knows"))?);
                    }
                },
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
            self.reader.read_to_end(start.name())?;
        }
        Ok(())
    }
}

fn is_blank(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_whitespace)
}

/// A time as the store writes it: `2026-01-02T03:04:05.678Z`.
pub(super) fn time(text: &str) -> Result<Timestamp, Malformed> {
    text.trim().parse().map_err(|_| Malformed::Otherwise("XML with a time that is none"))
}
