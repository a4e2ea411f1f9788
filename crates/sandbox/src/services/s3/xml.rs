//! The few documents that are read and written.

use bytes::Bytes;

use crate::aws::{Body, Reply, escape};

/// A document with this root and inside.
pub(super) fn document(root: &str, inside: &str) -> Reply {
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <{root} xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{inside}</{root}>"
    );
    Reply { status: 200, headers: Vec::new(), body: Body::Bytes(Bytes::from(text), "application/xml") }
}

/// An element with a text in it.
pub(super) fn element(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escape(text))
}

/// What stands between the tags of each element of that name, from the left to the right; elements
/// within one of the same name are not told apart, and none of S3's are so.
pub(super) fn all<'t>(text: &'t str, name: &str) -> Vec<&'t str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once(&open)
        && let Some((inside, after)) = after.split_once(&close)
    {
        found.push(inside);
        rest = after;
    }
    found
}

/// The text of the first element of that name.
pub(super) fn first(text: &str, name: &str) -> Option<String> {
    let inside = all(text, name).first()?.trim();
    let plain =
        inside.replace("&quot;", "\"").replace("&#34;", "\"").replace("&lt;", "<").replace("&gt;", ">");
    Some(plain.replace("&amp;", "&"))
}
