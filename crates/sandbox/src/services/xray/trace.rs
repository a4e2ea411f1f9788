//! Segments put together to a trace: a subsegment that came by itself goes into the segment it belongs
//! to, and one that called somebody else (`namespace`) makes an inferred segment of that one, as AWS
//! makes it of services that tell nothing of themselves.

use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};

use super::store::Found;

type Document = Map<String, Json>;

/// A trace as `BatchGetTraces` gives it.
pub(super) fn whole(trace_id: &str, found: Found) -> Json {
    let cut = found.cut;
    let (from, to) = times(&found.documents);
    let segments: Vec<Json> = compiled(found.documents)
        .into_iter()
        .map(|document| json!({"Id": document["id"], "Document": Json::Object(document).to_string()}))
        .collect();
    json!({"Id": trace_id, "Duration": to - from, "LimitExceeded": cut, "Segments": segments})
}

/// The same in few words.
pub(super) fn summary(trace_id: &str, found: &Found) -> Json {
    let (from, to) = times(&found.documents);
    let any = |flag: &str| found.documents.iter().any(|document| document.get(flag) == Some(&json!(true)));
    let root = found.documents.iter().find(|document| !document.contains_key("parent_id"));
    let took = root.map_or(to - from, |root| number(root, "end_time") - number(root, "start_time"));
    json!({
        "Id": trace_id, "StartTime": from, "Duration": to - from, "ResponseTime": took.max(0.0),
        "HasFault": any("fault"), "HasError": any("error"), "HasThrottle": any("throttle"),
        "IsPartial": found.documents.iter().any(|document| document.contains_key("in_progress")),
        "Revision": found.documents.len(),
    })
}

/// The first start and the last end, in seconds since 1970.
fn times(documents: &[Document]) -> (f64, f64) {
    let from = documents.iter().map(|document| number(document, "start_time")).fold(f64::MAX, f64::min);
    let to = documents.iter().map(|document| number(document, "end_time")).fold(from, f64::max);
    (from, to)
}

fn number(document: &Document, name: &str) -> f64 {
    document.get(name).and_then(Json::as_f64).unwrap_or_default()
}

fn text<'d>(document: &'d Document, name: &str) -> &'d str {
    document.get(name).and_then(Json::as_str).unwrap_or_default()
}

/// Whole segments, each with what belongs into it.
fn compiled(documents: Vec<Document>) -> Vec<Document> {
    let (mut subsegments, mut segments): (Vec<_>, Vec<_>) =
        documents.into_iter().partition(|document| text(document, "type") == "subsegment");
    let mut inferred: Vec<Document> = subsegments.iter().filter_map(infer).collect();
    // Each round takes in those whose parent is there by now; what is left has none and stands alone.
    loop {
        let before = subsegments.len();
        subsegments.retain(|subsegment| !segments.iter_mut().any(|segment| put_into(segment, subsegment)));
        if subsegments.len() == before {
            break;
        }
    }
    segments.append(&mut subsegments);
    segments.append(&mut inferred);
    segments
}

/// Puts a subsegment into what it belongs to, at any depth. False when that is not here.
fn put_into(into: &mut Document, subsegment: &Document) -> bool {
    if text(into, "id") == text(subsegment, "parent_id") {
        let mut own = subsegment.clone();
        // Said by where it stands.
        for name in ["type", "trace_id", "parent_id"] {
            own.remove(name);
        }
        let held = into.entry("subsegments").or_insert_with(|| json!([]));
        if let Some(held) = held.as_array_mut() {
            held.push(Json::Object(own));
        }
        return true;
    }
    let inner = into.get_mut("subsegments").and_then(Json::as_array_mut);
    inner.is_some_and(|inner| {
        inner.iter_mut().filter_map(Json::as_object_mut).any(|inner| put_into(inner, subsegment))
    })
}

/// The segment of whoever a subsegment called.
fn infer(subsegment: &Document) -> Option<Document> {
    if !subsegment.contains_key("namespace") {
        return None;
    }
    let digest = Sha256::digest(text(subsegment, "id"));
    let id: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let mut inferred = Document::new();
    for name in ["name", "trace_id", "start_time", "end_time", "in_progress", "fault", "error", "throttle"] {
        if let Some(value) = subsegment.get(name) {
            inferred.insert(name.to_owned(), value.clone());
        }
    }
    inferred.insert("id".to_owned(), json!(id));
    inferred.insert("parent_id".to_owned(), json!(text(subsegment, "id")));
    inferred.insert("inferred".to_owned(), json!(true));
    Some(inferred)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(value: Json) -> Document {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn subsegments_go_where_they_belong_whatever_came_first() {
        let sub = |id: &str, parent: &str| {
            document(json!({
                "id": id, "trace_id": "t", "type": "subsegment", "parent_id": parent, "name": id,
                "start_time": 2.0, "end_time": 3.0,
            }))
        };
        let mut remote = sub("c", "b");
        remote.insert("namespace".to_owned(), json!("remote"));
        let documents = vec![
            remote,
            sub("b", "a"),
            sub("lost", "nowhere"),
            document(json!({"id": "a", "trace_id": "t", "name": "a", "start_time": 1.0, "end_time": 4.0})),
        ];
        let found = compiled(documents);
        let ids: Vec<&str> = found.iter().map(|document| text(document, "id")).collect();
        assert_eq!((ids.len(), ids[0], ids[1]), (3, "a", "lost"));
        assert_eq!(found[0]["subsegments"][0]["subsegments"][0]["id"], "c");
        assert_eq!(found[0]["subsegments"][0].get("parent_id"), None);
        assert_eq!((&found[2]["inferred"], &found[2]["parent_id"]), (&json!(true), &json!("c")));
    }
}
