//! A file of test ids as tools leave it: one a line, each ended by NUL as `-0` prints them, a JSON list, what `--format
//! json` prints, or pytest's `lastfailed`. The content tells which; what begins as JSON must be JSON.

use std::collections::BTreeSet;

use serde_json::Value;

/// The ids in the file, sorted, or what was expected and found instead.
pub(super) fn ids_in(bytes: &[u8]) -> Result<BTreeSet<String>, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| format!("expected UTF-8: {error}"))?;
    let text = text.trim_start_matches('\u{feff}');
    let expected = |what: &str, error: serde_json::Error| format!("expected {what}: {error}");
    match text.trim_start().as_bytes().first() {
        Some(b'{') => {
            let map = serde_json::from_str(text).map_err(|error| expected("a JSON object of ids", error))?;
            ids_of_object(map)
        }
        Some(b'[') => serde_json::from_str(text).map_err(|error| expected("a JSON list of ids", error)),
        _ if text.contains('\0') => Ok(text.split('\0').filter(|id| !id.is_empty()).map(str::to_owned).collect()),
        _ => Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()),
    }
}

/// The ids of a report that holds `tests`, as objects with their `id` or as the ids alone; else the keys that are not
/// false.
fn ids_of_object(mut map: serde_json::Map<String, Value>) -> Result<BTreeSet<String>, String> {
    let id = |test: &Value| test.as_str().or_else(|| test.get("id")?.as_str()).map(str::to_owned);
    match map.get_mut("tests").map(Value::take) {
        Some(Value::Array(tests)) => tests
            .iter()
            .map(|test| {
                id(test).ok_or_else(|| format!("expected an id, or an object with one, in `tests`; found {test}"))
            })
            .collect(),
        _ => Ok(map.into_iter().filter(|(_, is_one)| *is_one != Value::Bool(false)).map(|(id, _)| id).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::ids_in;

    #[test]
    fn ids_are_read_in_five_forms() {
        let ids = |text: &str| ids_in(text.as_bytes()).unwrap().into_iter().collect::<Vec<_>>();
        assert_eq!(ids(r#"{"t.py::b": true, "t.py::a": true, "t.py::c": false}"#), ["t.py::a", "t.py::b"]);
        assert_eq!(ids(r#"["t.py::b"]"#), ["t.py::b"]);
        assert_eq!(ids("t.py::b[x y]\n\n t.py::a \n"), ["t.py::a", "t.py::b[x y]"]);
        assert_eq!(ids("t.py::b[x\ny]\0t.py::a\0"), ["t.py::a", "t.py::b[x\ny]"]);
        assert_eq!(ids(r#"{"status": "selected", "tests": [{"id": "b", "gain": 0.5}, {"id": "a"}]}"#), ["a", "b"]);
        assert_eq!(ids(r#"{"status": "impacted", "tests": ["b", "a"]}"#), ["a", "b"]);
        assert_eq!(ids(""), [""; 0]);
        for text in [&b"{broken"[..], b"{\"a\": true", b"[1]", b" [\"a\"", b"\xff", b"{\"tests\": [{\"name\": \"a\"}]}"]
        {
            assert!(ids_in(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_test_may_be_called_tests() {
        assert_eq!(ids_in(br#"{"tests": true}"#).unwrap().into_iter().collect::<Vec<_>>(), ["tests"]);
    }
}
