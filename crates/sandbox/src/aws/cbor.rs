//! Between CBOR, which current SDKs speak to CloudWatch, and the JSON values the services work on.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ciborium::Value as Cbor;
use serde_json::{Map, Number, Value as Json};

use super::AwsError;

/// Reads one CBOR item. Tagged timestamps become numbers (seconds since 1970), byte strings base64.
///
/// # Errors
/// `SerializationException` for what is not CBOR or has no place in JSON.
pub fn to_json(bytes: &[u8]) -> Result<Json, AwsError> {
    if bytes.is_empty() {
        return Ok(Json::Object(Map::new()));
    }
    let value: Cbor = ciborium::from_reader(bytes)
        .map_err(|error| AwsError::new("SerializationException", format!("not CBOR: {error}")))?;
    json(value)
}

fn json(value: Cbor) -> Result<Json, AwsError> {
    Ok(match value {
        Cbor::Null => Json::Null,
        Cbor::Bool(value) => Json::Bool(value),
        Cbor::Text(text) => Json::String(text),
        Cbor::Bytes(bytes) => Json::String(STANDARD.encode(bytes)),
        Cbor::Integer(value) => {
            let value = i128::from(value);
            i64::try_from(value)
                .map(Json::from)
                .or_else(|_| u64::try_from(value).map(Json::from))
                .map_err(|_| AwsError::new("SerializationException", "an integer beyond 64 bits"))?
        }
        Cbor::Float(value) => Number::from_f64(value)
            .map(Json::Number)
            .ok_or_else(|| AwsError::new("SerializationException", "a number that is not finite"))?,
        Cbor::Tag(_, inner) => json(*inner)?,
        Cbor::Array(items) => Json::Array(items.into_iter().map(json).collect::<Result<_, _>>()?),
        Cbor::Map(pairs) => {
            let mut object = Map::new();
            for (name, value) in pairs {
                let Cbor::Text(name) = name else {
                    return Err(AwsError::new("SerializationException", "a member's name is not text"));
                };
                object.insert(name, json(value)?);
            }
            Json::Object(object)
        }
        _ => return Err(AwsError::new("SerializationException", "a CBOR item of an unknown kind")),
    })
}

/// Writes JSON as CBOR; numbers in members named in `timestamps` get tag 1, epoch seconds.
pub fn from_json(value: &Json, timestamps: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Writing into memory can't fail.
    let _ = ciborium::into_writer(&cbor(value, timestamps, false), &mut bytes);
    bytes
}

fn cbor(value: &Json, timestamps: &[&str], is_time: bool) -> Cbor {
    match value {
        Json::Null => Cbor::Null,
        Json::Bool(value) => Cbor::Bool(*value),
        Json::String(text) => Cbor::Text(text.clone()),
        Json::Number(number) if is_time => {
            Cbor::Tag(1, Box::new(Cbor::Float(number.as_f64().unwrap_or_default())))
        }
        Json::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(value), ..) => Cbor::Integer(value.into()),
            (_, Some(value), _) => Cbor::Integer(value.into()),
            (.., value) => Cbor::Float(value.unwrap_or_default()),
        },
        Json::Array(items) => Cbor::Array(items.iter().map(|item| cbor(item, timestamps, is_time)).collect()),
        Json::Object(members) => Cbor::Map(
            members
                .iter()
                .map(|(name, value)| {
                    let is_time = timestamps.contains(&name.as_str());
                    (Cbor::Text(name.clone()), cbor(value, timestamps, is_time))
                })
                .collect(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_goes_out_comes_back() {
        let value =
            json!({"Timestamps": [1.5, 2], "Values": [3.25, -7], "Id": "a", "More": null, "On": true});
        let bytes = from_json(&value, &["Timestamps"]);
        let back = to_json(&bytes).unwrap();
        assert_eq!(back["Timestamps"], json!([1.5, 2.0]));
        assert_eq!(back["Values"], json!([3.25, -7]));
        assert_eq!(back["On"], json!(true));
        assert!(to_json(&[0xff, 0x00]).is_err());
    }
}
