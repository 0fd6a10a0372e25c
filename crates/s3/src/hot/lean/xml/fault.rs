//! What a store answers in place of what was asked.

use super::document::{Document, Malformed};

/// The parts of an error document that are of use.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::hot::lean) struct FaultDocument {
    pub(in crate::hot::lean) code: Option<String>,
    pub(in crate::hot::lean) message: Option<String>,
    pub(in crate::hot::lean) request_id: Option<String>,
}

/// Reads an error document.
pub(in crate::hot::lean) fn fault(body: &[u8]) -> Result<FaultDocument, Malformed> {
    let mut document = Document::new(body);
    if document.root()?.local_name().as_ref() != b"Error" {
        return Err(Malformed::Otherwise("no error document"));
    }
    rest(&mut document)
}

/// Reads an error document whose root is entered.
pub(super) fn rest(document: &mut Document<'_>) -> Result<FaultDocument, Malformed> {
    let (mut fault, mut text) = (FaultDocument::default(), String::new());
    while let Some(child) = document.child()? {
        let field = match child.local_name().as_ref() {
            b"Code" => &mut fault.code,
            b"Message" => &mut fault.message,
            b"RequestId" => &mut fault.request_id,
            _ => {
                document.skip(&child)?;
                continue;
            }
        };
        document.text(&mut text)?;
        *field = Some(text.clone());
    }
    Ok(fault)
}
