//! `ListObjectsV2`, the call that a bucket of millions is read with: its document is written straight from the page.
//!
//! `s3s` checks the request and its signature, as for every other call; a page of a thousand keys as its data types would
//! cost several times what the rest of the call does.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use http::{Extensions, HeaderMap, HeaderValue, Method, Uri, header};
use s3s::route::S3Route;
use s3s::{Body, S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::Operation;
use super::listing::{Listed, Page, Start, page, page_size};
use super::operation::{Call, percent_decode, percent_encode_into};
use super::store::Store;

/// Answers the listings of a server.
pub(super) struct ListV2 {
    pub(super) store: Store,
}

#[async_trait::async_trait]
impl S3Route for ListV2 {
    fn is_match(&self, method: &Method, uri: &Uri, headers: &HeaderMap, _: &mut Extensions) -> bool {
        *method == Method::GET && Call::of(method, uri, headers).operation == Operation::ListObjectsV2
    }

    async fn call(&self, request: S3Request<Body>) -> S3Result<S3Response<Body>> {
        let question = Question::parse(&request.uri)?;
        let page = self.store.read(&question.bucket, |bucket| {
            let delimiter = question.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty());
            Ok(page(bucket, &question.prefix, delimiter, question.start()?, question.max))
        })?;
        let mut response = S3Response::new(Body::from(question.document(&page)));
        response.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        Ok(response)
    }
}

/// What a request asks for.
#[derive(Debug, Default)]
struct Question {
    bucket: String,
    prefix: String,
    delimiter: Option<String>,
    token: Option<String>,
    start_after: Option<String>,
    /// Most keys and groups in the page.
    max: usize,
    /// Whether keys are to be percent-encoded.
    url: bool,
}

impl Question {
    fn parse(uri: &Uri) -> S3Result<Self> {
        let bucket = uri.path().trim_matches('/');
        let mut question = Self { bucket: percent_decode(bucket), ..Self::default() };
        let mut max_keys = None;
        for pair in uri.query().unwrap_or_default().split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = percent_decode(&value.replace('+', " "));
            match name {
                "prefix" => question.prefix = value,
                "delimiter" => question.delimiter = Some(value),
                "continuation-token" => question.token = Some(value),
                "start-after" => question.start_after = Some(value),
                "encoding-type" => question.url = value == "url",
                "max-keys" => {
                    let number = value.parse();
                    max_keys = Some(
                        number
                            .map_err(|source| S3Error::with_source(S3ErrorCode::InvalidArgument, Box::new(source)))?,
                    );
                }
                _ => {}
            }
        }
        question.max = page_size(max_keys)?;
        Ok(question)
    }

    fn start(&self) -> S3Result<Start> {
        Ok(match (&self.token, &self.start_after) {
            (Some(token), _) => Start::parse(token)?,
            (None, Some(key)) => Start::After(key.clone()),
            (None, None) => Start::Beginning,
        })
    }

    fn document(&self, page: &Page) -> String {
        let mut document = Document { text: String::with_capacity(512 + page.contents.len() * 400), url: self.url };
        document.text.push_str(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">",
        );
        document.plain("Name", &self.bucket);
        document.key("Prefix", &self.prefix);
        if let Some(delimiter) = &self.delimiter {
            document.key("Delimiter", delimiter);
        }
        if let Some(key) = &self.start_after {
            document.key("StartAfter", key);
        }
        if let Some(token) = &self.token {
            document.plain("ContinuationToken", token);
        }
        if let Some(token) = page.next.as_ref().and_then(Start::token) {
            document.plain("NextContinuationToken", &token);
        }
        if self.url {
            document.plain("EncodingType", "url");
        }
        document.plain("MaxKeys", &self.max.to_string());
        document.plain("KeyCount", &(page.contents.len() + page.prefixes.len()).to_string());
        document.plain("IsTruncated", if page.next.is_some() { "true" } else { "false" });
        let mut clock = Clock::default();
        for listed in &page.contents {
            document.object(listed, &mut clock);
        }
        for prefix in &page.prefixes {
            document.text.push_str("<CommonPrefixes>");
            document.key("Prefix", prefix);
            document.text.push_str("</CommonPrefixes>");
        }
        document.text.push_str("</ListBucketResult>");
        document.text
    }
}

struct Document {
    text: String,
    url: bool,
}

impl Document {
    fn plain(&mut self, name: &str, value: &str) {
        self.element(name, |text| escape_into(text, value));
    }

    /// An element that holds a key or a part of one.
    fn key(&mut self, name: &str, value: &str) {
        let url = self.url;
        self.element(name, |text| if url { percent_encode_into(text, value) } else { escape_into(text, value) });
    }

    fn element(&mut self, name: &str, content: impl FnOnce(&mut String)) {
        self.text.push('<');
        self.text.push_str(name);
        self.text.push('>');
        content(&mut self.text);
        self.text.push_str("</");
        self.text.push_str(name);
        self.text.push('>');
    }

    fn object(&mut self, listed: &Listed, clock: &mut Clock) {
        self.text.push_str("<Contents>");
        self.key("Key", &listed.key);
        self.text.push_str("<LastModified>");
        clock.write(&mut self.text, listed.modified);
        self.text.push_str("</LastModified><ETag>&quot;");
        self.text.push_str(&listed.etag);
        self.text.push_str("&quot;</ETag><Size>");
        write!(self.text, "{}", listed.size).expect("a string can be written to");
        self.text.push_str("</Size><StorageClass>STANDARD</StorageClass></Contents>");
    }
}

/// Writes times to the millisecond; those of one second share its text.
#[derive(Default)]
struct Clock {
    second: Option<u64>,
    text: String,
}

impl Clock {
    fn write(&mut self, to: &mut String, at: SystemTime) {
        let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        if self.second != Some(since.as_secs()) {
            self.second = Some(since.as_secs());
            let second = i64::try_from(since.as_secs()).unwrap_or_default();
            let second = jiff::Timestamp::from_second(second).unwrap_or_default();
            self.text = second.strftime("%Y-%m-%dT%H:%M:%S").to_string();
        }
        to.push_str(&self.text);
        write!(to, ".{:03}Z", since.subsec_millis()).expect("a string can be written to");
    }
}

/// Writes text as XML content.
fn escape_into(to: &mut String, text: &str) {
    let mut plain = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escaped = match byte {
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'&' => "&amp;",
            b'\'' => "&apos;",
            b'"' => "&quot;",
            _ => continue,
        };
        to.push_str(&text[plain..at]);
        to.push_str(escaped);
        plain = at + 1;
    }
    to.push_str(&text[plain..]);
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn question(query: &str) -> S3Result<Question> {
        Question::parse(&format!("/b?list-type=2&{query}").parse().unwrap())
    }

    #[test]
    fn a_question_is_read() {
        let asked =
            question("prefix=a%2Fb+c&start-after=a%2B&encoding-type=url&max-keys=5000&fetch-owner=true").unwrap();
        assert_eq!((asked.bucket.as_str(), asked.prefix.as_str()), ("b", "a/b c"));
        assert_eq!((asked.start_after.as_deref(), asked.url, asked.max), (Some("a+"), true, 1000));
        for wrong in ["max-keys=x", "max-keys=-1"] {
            assert_eq!(question(wrong).unwrap_err().code(), &S3ErrorCode::InvalidArgument, "{wrong}");
        }
        let foreign = question("continuation-token=other").unwrap().start().unwrap_err();
        assert_eq!(foreign.code(), &S3ErrorCode::InvalidArgument);
    }

    #[test]
    fn a_document_holds_the_page() {
        let listed = |key: &str, millis| Listed {
            key: key.into(),
            size: 7,
            etag: "0123".into(),
            modified: UNIX_EPOCH + Duration::from_millis(millis),
        };
        let page = Page {
            contents: vec![listed("a<&>\"é", 1_700_000_000_042), listed("b", 1_700_000_001_000)],
            prefixes: vec!["c d/".into()],
            next: Some(Start::After("c".into())),
        };
        let asked = question("delimiter=%2F").unwrap();
        assert_eq!(
            asked.document(&page),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>b</Name><Prefix></Prefix>\
             <Delimiter>/</Delimiter><NextContinuationToken>k63</NextContinuationToken><MaxKeys>1000</MaxKeys>\
             <KeyCount>3</KeyCount><IsTruncated>true</IsTruncated>\
             <Contents><Key>a&lt;&amp;&gt;&quot;é</Key><LastModified>2023-11-14T22:13:20.042Z</LastModified>\
             <ETag>&quot;0123&quot;</ETag><Size>7</Size><StorageClass>STANDARD</StorageClass></Contents>\
             <Contents><Key>b</Key><LastModified>2023-11-14T22:13:21.000Z</LastModified>\
             <ETag>&quot;0123&quot;</ETag><Size>7</Size><StorageClass>STANDARD</StorageClass></Contents>\
             <CommonPrefixes><Prefix>c d/</Prefix></CommonPrefixes></ListBucketResult>"
        );
        let asked = question("encoding-type=url").unwrap();
        let text = asked.document(&Page { next: None, ..page });
        assert!(text.contains("<Key>a%3C%26%3E%22%C3%A9</Key>"), "{text}");
        assert!(text.contains("<Prefix>c+d/</Prefix>"), "{text}");
        assert!(text.contains("<EncodingType>url</EncodingType>"), "{text}");
        assert!(text.contains("<IsTruncated>false</IsTruncated>"), "{text}");
    }
}
