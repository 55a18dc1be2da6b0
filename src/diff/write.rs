//! The canonical form of a diff: git's, with the prefixes `a/` and `b/`.

use super::hunk::{LineKind, RawLine};
use super::{Diff, FileDiff, Hunk, Span, Status, quote};

impl Diff<'_> {
    /// Appends the canonical form, which [`parse`](super::parse) reads back to an equal value.
    ///
    /// Object names, times, similarity and exact modes are not kept, so the result is to be read, not to be applied. A
    /// combined diff becomes an ordinary one against its first parent.
    pub fn write(&self, out: &mut Vec<u8>) {
        if self.hint.is_some() {
            out.extend_from_slice(b"commit 0000000000000000000000000000000000000000\n");
        }
        for file in &self.files {
            write_file(file, out);
        }
    }
}

fn write_file(file: &FileDiff<'_>, out: &mut Vec<u8>) {
    let (old, new) = match (&file.old_path, &file.new_path) {
        (Some(old), Some(new)) => (&**old, &**new),
        (Some(one), None) | (None, Some(one)) => (&**one, &**one),
        (None, None) => return,
    };
    out.extend_from_slice(b"diff --git ");
    quote::write(out, b"a/", old);
    out.push(b' ');
    quote::write(out, b"b/", new);
    out.push(b'\n');
    write_extended(file, old, new, out);
    // Names without hunks are those of a diff that was cut off.
    if file.binary || !file.hunks.is_empty() {
        write_name(out, b"--- ", b"a/", file.old_path.as_deref());
        write_name(out, b"+++ ", b"b/", file.new_path.as_deref());
    }
    if file.binary {
        out.extend_from_slice(b"Binary files differ\n");
    }
    for hunk in &file.hunks {
        write_hunk(hunk, out);
    }
}

/// Writes the lines from which the status is known.
fn write_extended(file: &FileDiff<'_>, old: &[u8], new: &[u8], out: &mut Vec<u8>) {
    let mode: &[u8] = if file.status == Status::Submodule { b"160000" } else { b"100644" };
    let mut line = |parts: &[&[u8]]| {
        parts.iter().for_each(|part| out.extend_from_slice(part));
        out.push(b'\n');
    };
    match (&file.old_path, &file.new_path, file.status) {
        (None, ..) => line(&[b"new file mode ", mode]),
        (_, None, _) => line(&[b"deleted file mode ", mode]),
        (.., Status::Mode) => line(&[b"old mode 100644\nnew mode 100755"]),
        (.., Status::Type) => line(&[b"old mode 100644\nnew mode 120000"]),
        (.., Status::Renamed | Status::Copied) => {}
        _ => line(&[b"index 0000000..1111111 ", mode]),
    }
    let (from, to): (&[u8], &[u8]) = match file.status {
        Status::Copied => (b"copy from ", b"copy to "),
        Status::Renamed => (b"rename from ", b"rename to "),
        Status::Submodule if old != new => (b"rename from ", b"rename to "),
        _ => return,
    };
    for (keyword, path) in [(from, old), (to, new)] {
        out.extend_from_slice(keyword);
        quote::write(out, b"", path);
        out.push(b'\n');
    }
}

/// Writes a `---` or `+++` line; like git it puts a tab behind a name with a space.
fn write_name(out: &mut Vec<u8>, keyword: &[u8], prefix: &[u8], path: Option<&[u8]>) {
    out.extend_from_slice(keyword);
    match path {
        None => out.extend_from_slice(b"/dev/null"),
        Some(path) => {
            if !quote::write(out, prefix, path) && path.contains(&b' ') {
                out.push(b'\t');
            }
        }
    }
    out.push(b'\n');
}

fn write_hunk(hunk: &Hunk<'_>, out: &mut Vec<u8>) {
    let span = |Span { start, lines }| if lines == 1 { format!("{start}") } else { format!("{start},{lines}") };
    out.extend_from_slice(format!("@@ -{} +{} @@", span(hunk.old), span(hunk.new)).as_bytes());
    if !hunk.heading.is_empty() {
        out.push(b' ');
        out.extend_from_slice(hunk.heading);
    }
    out.push(b'\n');
    for line in hunk.raw_lines() {
        match line {
            RawLine::Text(kind, text) => {
                out.push(match kind {
                    LineKind::Context => b' ',
                    LineKind::Added => b'+',
                    LineKind::Removed => b'-',
                });
                out.extend_from_slice(text);
            }
            RawLine::NoNewline(text) => out.extend_from_slice(text),
        }
        out.push(b'\n');
    }
}
