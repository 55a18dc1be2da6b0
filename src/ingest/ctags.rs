//! The JSON lines of universal-ctags (`ctags --output-format=json --fields=+ne`): symbols and their spans.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::json::{Text, line_failure, lines};
use super::{Context, Ingest, IngestError, Kind, Note, Outside, Summary, line_range};
use crate::observation::{Symbol, SymbolKind};

#[derive(Deserialize)]
struct Tag<'a> {
    #[serde(rename = "_type", borrow)]
    form: Text<'a>,
    #[serde(default, borrow)]
    name: Option<Text<'a>>,
    #[serde(default, borrow)]
    path: Option<Text<'a>>,
    line: Option<i64>,
    end: Option<i64>,
    #[serde(default, borrow)]
    kind: Option<Text<'a>>,
    #[serde(default, borrow)]
    scope: Option<Text<'a>>,
}

/// Reads the tags; pseudo-tags are passed over, tags without an end counted.
pub(super) fn read(input: &str, bytes: &[u8], context: &Context, into: &mut Ingest) -> Result<Summary, IngestError> {
    let mut outside = Outside::default();
    let (mut files, mut spanless) = (BTreeSet::new(), 0);
    let mut lines = lines(bytes).peekable();
    while let Some((number, line)) = lines.next() {
        let is_last = lines.peek().is_none();
        let tag: Tag<'_> =
            serde_json::from_slice(line).map_err(|error| line_failure(input, is_last, (number, line), &error))?;
        if tag.form.0 != "tag" {
            continue;
        }
        let (Some(name), Some(path)) = (&tag.name, &tag.path) else {
            let reason = "expected a tag with `name` and `path`".to_owned();
            return Err(IngestError::Malformed { input: input.to_owned(), line: number, reason });
        };
        let (Some(first), Some(last)) = (tag.line, tag.end) else {
            spanless += 1;
            continue;
        };
        let lines = line_range(input, &path.0, first.into(), last.into())?;
        let Some(file) = into.file(&path.0, context, &mut outside) else { continue };
        files.insert(file);
        let kind = kind_of(tag.kind.as_ref().map_or("", |kind| &kind.0));
        into.symbol(file, Symbol { lines, name: qualified(tag.scope.as_ref().map(|scope| &*scope.0), &name.0), kind });
    }
    if spanless > 0 {
        into.note(Note::NoSpan { input: input.to_owned(), tags: spanless });
    }
    outside.settle(input, files.len(), context, into)?;
    Ok(Summary { kind: Kind::Ctags, tests: 0, files: files.len(), pairs: 0 })
}

/// `scope.name` with dots, whatever the language puts between.
fn qualified(scope: Option<&str>, name: &str) -> String {
    match scope {
        Some(scope) if !scope.is_empty() => format!("{}.{name}", scope.replace("::", ".")),
        _ => name.to_owned(),
    }
}

fn kind_of(kind: &str) -> SymbolKind {
    match kind {
        "function" | "method" | "member" | "func" | "subroutine" | "procedure" | "constructor" | "destructor"
        | "singletonMethod" | "f" | "m" => SymbolKind::Function,
        "class" | "struct" | "interface" | "trait" | "enum" | "union" | "implementation" | "record" | "object"
        | "c" | "s" | "i" => SymbolKind::Class,
        _ => SymbolKind::Other,
    }
}
