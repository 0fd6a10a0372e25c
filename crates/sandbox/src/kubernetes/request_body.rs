//! What the body of a request must be: its media type, and the types of fields that hold texts.

use serde_json::Value;

use super::resource_types::ResourceType;
use super::status::StatusError;

/// Fields of all kinds that are maps of texts.
const OF_ALL: &[&str] = &["/metadata/labels", "/metadata/annotations"];
/// Fields of ConfigMaps and Secrets that are.
const OF_DATA: &[&str] = &["/data", "/binaryData", "/stringData"];

/// Refuses a body of a new object, or of one that replaces another, that is not sent as JSON.
///
/// # Errors
///
/// 415; a request that names no type is taken as JSON.
pub(crate) fn check_media_type(content_type: &str) -> Result<(), StatusError> {
    let name = content_type.split(';').next().unwrap_or_default().trim();
    if matches!(name, "" | "*/*" | "application/json") {
        return Ok(());
    }
    let message = "the body of the request was in an unknown format - accepted media types include: application/json";
    Err(StatusError::new(415, "UnsupportedMediaType", message))
}

/// Says what a real server's decoder says of a value that should be a text and is none.
pub(crate) fn wrong_type(resource: &ResourceType, object: &Value) -> Option<String> {
    let of_data = if matches!(resource.kind, "ConfigMap" | "Secret") { OF_DATA } else { &[] };
    let fields = OF_ALL.iter().chain(of_data);
    let maps = fields.filter_map(|path| Some((path, object.pointer(path)?.as_object()?)));
    let mut values = maps.flat_map(|(path, map)| map.values().map(move |value| (path, value)));
    let (path, value) = values.find(|(_, value)| !value.is_string() && !value.is_null())?;
    let found = match value {
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::Array(_) => "array",
        _ => "object",
    };
    let field = path.replace('/', ".");
    Some(format!("json: cannot unmarshal {found} into Go struct field {}{field} of type string", resource.kind))
}
