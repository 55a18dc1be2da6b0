//! Names in headers: which part of them is the path.
//!
//! Git puts `a/` and `b/` before the two names of a file, or `i/` and `w/`, or what `--src-prefix` says, or nothing;
//! `diff -ru` puts the two directories there. None of them says so, but both names are of one file: what they share,
//! from a component boundary to their ends, is the path.

use std::borrow::Cow;

use super::quote::unquote;

/// A path, borrowed from the input unless it was quoted with escapes.
pub(super) type Path<'a> = Cow<'a, [u8]>;

/// One of the two names of a file, as a `---` or `+++` line gives it.
#[derive(Clone, Debug)]
pub(super) struct Name<'a> {
    /// The name with its prefix.
    pub(super) path: Path<'a>,
    /// Whether the name stands for no file.
    pub(super) absence: Absence,
}

/// How a name says that there is no file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Absence {
    /// It does not.
    Present,
    /// `/dev/null`: the name tells nothing about the path.
    Null,
    /// Subversion's `(nonexistent)` and `(revision 0)`.
    Stated,
    /// The time 0 of `diff -N`: so only if the hunk has no lines on this side.
    Epoch,
}

/// Reads what follows `--- ` or `+++ `: a name, and after a tab a time or a revision. `None` for a broken name.
pub(super) fn read_name(rest: &[u8]) -> Option<Name<'_>> {
    let (path, label) = if rest.first() == Some(&b'"') {
        unquote(rest)?
    } else {
        let end = memchr::memchr(b'\t', rest).unwrap_or_else(|| rest.len() - spaced_time_length(rest));
        (Cow::Borrowed(&rest[..end]), &rest[end..])
    };
    let label = label.trim_ascii_start();
    let absence = if label.ends_with(b"(nonexistent)") || label.ends_with(b"(revision 0)") {
        Absence::Stated
    } else if is_epoch(label) {
        Absence::Epoch
    } else {
        absence_of(&path)
    };
    (!path.is_empty()).then_some(Name { path, absence })
}

/// Whether a name without anything behind it stands for a file.
pub(super) fn absence_of(path: &[u8]) -> Absence {
    if path == b"/dev/null" { Absence::Null } else { Absence::Present }
}

/// The length of ` 2001-02-03 04:05:06[.789] +0000` at the end of a name that has no tab before its time.
fn spaced_time_length(rest: &[u8]) -> usize {
    let mut length = 0;
    for (index, word) in rest.rsplit(|b| *b == b' ').take(3).enumerate() {
        let shape_holds = match index {
            0 => word.len() == 5 && matches!(word[0], b'+' | b'-') && word[1..].iter().all(u8::is_ascii_digit),
            1 => word.len() >= 8 && word[2] == b':' && word[5] == b':',
            _ => word.len() == 10 && word[4] == b'-' && word[7] == b'-',
        };
        if !shape_holds {
            return 0;
        }
        length += word.len() + 1;
    }
    if length < rest.len() { length } else { 0 }
}

/// Whether `label` is the time 0, in any time zone: what `diff -N` gives a file that is not there.
fn is_epoch(label: &[u8]) -> bool {
    let mut words = label.split(|b| *b == b' ');
    let (Some(date), Some(time), Some(zone)) = (words.next(), words.next(), words.next()) else { return false };
    let day = match date {
        b"1970-01-01" => 0i32,
        b"1969-12-31" => -1,
        _ => return false,
    };
    let number = |digits: &[u8]| match digits {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => Some(i32::from(tens - b'0') * 10 + i32::from(ones - b'0')),
        _ => None,
    };
    let minutes = |hours: &[u8], minutes: &[u8]| Some(number(hours)? * 60 + number(minutes)?);
    let (Some(hours), Some(mins), Some(b":00")) = (time.get(..2), time.get(3..5), time.get(5..8)) else { return false };
    let (Some(local), Some(sign)) = (minutes(hours, mins), zone.first()) else { return false };
    let (Some(zone_hours), Some(zone_mins)) = (zone.get(1..3), zone.get(3..5)) else { return false };
    let Some(offset) = minutes(zone_hours, zone_mins) else { return false };
    let offset = if *sign == b'-' { -offset } else { offset };
    day * 24 * 60 + local == offset && time[8..].iter().all(|b| matches!(b, b'.' | b'0'))
}

/// A path that is a whole line, quoted or not: `rename from PATH`. `None` for an empty or broken one.
pub(super) fn read_path(rest: &[u8]) -> Option<Path<'_>> {
    let path = match rest.first()? {
        b'"' => unquote(rest).filter(|(_, after)| after.is_empty())?.0,
        _ => Cow::Borrowed(rest),
    };
    (!path.is_empty()).then_some(path)
}

/// The two paths behind two names, without their prefixes.
pub(super) fn strip_pair<'a>(old: &Path<'a>, new: &Path<'a>) -> (Path<'a>, Path<'a>) {
    let cut = |old_cut: usize, new_cut: usize| (suffix(old, old_cut), suffix(new, new_cut));
    if old == new {
        return cut(0, 0);
    }
    if let Some(length) = shared_path(old, new) {
        return cut(old.len() - length, new.len() - length);
    }
    if old.len() > 2 && new.len() > 2 && known_prefix(old) && known_prefix(new) && old[0] != new[0] {
        return cut(2, 2);
    }
    cut(0, 0)
}

/// The path behind a name whose other side is `/dev/null`.
pub(super) fn strip_one<'a>(name: &Path<'a>) -> Path<'a> {
    suffix(name, if name.len() > 2 && known_prefix(name) { 2 } else { 0 })
}

/// The path behind a name that another line gives without a prefix; `None` if it is not about this name.
pub(super) fn strip_to<'a>(name: &Path<'a>, path: &[u8]) -> Option<Path<'a>> {
    let prefix = name.strip_suffix(path)?;
    (prefix.is_empty() || prefix.ends_with(b"/")).then(|| suffix(name, prefix.len()))
}

/// The two directories before the path that two names share, as `diff -ru OLD NEW` gives them.
pub(super) fn roots<'a>(old: &'a [u8], new: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    let length = shared_path(old, new).filter(|_| old != new)?;
    Some((&old[..old.len() - length], &new[..new.len() - length]))
}

/// `a/` and `b/`, and those of `diff.mnemonicPrefix`.
fn known_prefix(name: &[u8]) -> bool {
    matches!(name, [b'a' | b'b' | b'c' | b'i' | b'o' | b'w' | b'1' | b'2', b'/', ..])
}

/// How many of the `shared` last bytes of two names are whole components of both. `slash` is the place of the first
/// slash among these bytes.
fn whole_components(old: &[u8], new: &[u8], shared: usize, slash: Option<usize>) -> Option<usize> {
    let starts_component = |name: &[u8]| name.len() == shared || name[name.len() - shared - 1] == b'/';
    if shared > 0 && starts_component(old) && starts_component(new) {
        return Some(shared);
    }
    Some(shared - slash? - 1).filter(|length| *length > 0)
}

/// The length of the path that two names share.
fn shared_path(old: &[u8], new: &[u8]) -> Option<usize> {
    let shared = old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| a == b).count();
    let slash = old[old.len() - shared..].iter().position(|b| *b == b'/');
    whole_components(old, new, shared, slash)
}

fn suffix<'a>(path: &Path<'a>, cut: usize) -> Path<'a> {
    match path {
        Cow::Borrowed(path) => Cow::Borrowed(&path[cut..]),
        Cow::Owned(path) => Cow::Owned(path[cut..].to_vec()),
    }
}

/// Splits the two names of `diff --git OLD NEW`, or of `Binary files OLD and NEW differ` with another `separator`.
///
/// Names with spaces are not quoted, so the place of the separator is not told. `known` is a name that another line
/// told; without it the names are split where they share the longest path.
pub(super) fn split_names<'a>(
    header: &'a [u8],
    separator: &[u8],
    known: Option<Side<'_>>,
) -> Option<(Path<'a>, Path<'a>)> {
    let at = |middle: usize| {
        let (old, new) = (&header[..middle], header.get(middle + separator.len()..)?);
        (!old.is_empty() && !new.is_empty()).then_some((Cow::Borrowed(old), Cow::Borrowed(new)))
    };
    if header.first() == Some(&b'"') {
        let (old, rest) = unquote(header)?;
        return Some((old, read_path(rest.strip_prefix(separator)?)?));
    }
    if header.ends_with(b"\"") {
        let middle = (0..header.len())
            .find(|at| header[*at..].starts_with(separator) && header.get(*at + separator.len()) == Some(&b'"'))?;
        return Some((Cow::Borrowed(&header[..middle]), read_path(&header[middle + separator.len()..])?));
    }
    match known {
        Some(Side::Old(name)) if header.starts_with(name) && header[name.len()..].starts_with(separator) => {
            return at(name.len());
        }
        Some(Side::New(name)) => {
            let middle = header.strip_suffix(name).and_then(|rest| rest.strip_suffix(separator)).map(<[u8]>::len);
            if let Some(names) = middle.and_then(at) {
                return Some(names);
            }
        }
        _ => {}
    }
    at(halves(header, separator).or_else(|| longest_shared(header, separator))?)
}

/// One name that is known.
pub(super) enum Side<'n> {
    /// The name before.
    Old(&'n [u8]),
    /// The name after.
    New(&'n [u8]),
}

/// The middle, if both halves are the same name, or differ in a prefix of one letter.
fn halves(header: &[u8], separator: &[u8]) -> Option<usize> {
    let middle = header.len().checked_sub(separator.len())? / 2;
    let (old, rest) = header.split_at(middle);
    let new = rest.strip_prefix(separator)?;
    let same_but_prefix = || old.get(1) == Some(&b'/') && old.get(1..) == new.get(1..);
    (old == new || same_but_prefix()).then_some(middle)
}

/// The split at which the two names share the longest path; linear in the header.
fn longest_shared(header: &[u8], separator: &[u8]) -> Option<usize> {
    let reversed: Vec<u8> = header.iter().rev().copied().collect();
    let shared_with_end = match_lengths(&reversed);
    let next_slash = next_slashes(header);
    let mut best: Option<(usize, usize)> = None;
    for middle in memchr::memmem::find_iter(header, separator) {
        let (old, new) = (&header[..middle], &header[middle + separator.len()..]);
        let shared =
            shared_with_end[header.len() - middle..].first().copied().unwrap_or(0).min(new.len()).min(old.len());
        let slash = next_slash[middle - shared].checked_sub(middle - shared).filter(|at| *at < shared);
        let length = match whole_components(old, new, shared, slash) {
            Some(length) => length,
            None if *new == *b"/dev/null" || *old == *b"/dev/null" => 1,
            None => continue,
        };
        if best.is_none_or(|(longest, _)| length > longest) {
            best = Some((length, middle));
        }
    }
    let only = || {
        let mut places = memchr::memmem::find_iter(header, separator);
        places.next().filter(|_| places.next().is_none())
    };
    best.map(|(_, middle)| middle).or_else(only)
}

/// For each position, where the next slash is; the length of `bytes` if there is none.
fn next_slashes(bytes: &[u8]) -> Vec<usize> {
    let mut places = vec![bytes.len(); bytes.len() + 1];
    for at in (0..bytes.len()).rev() {
        places[at] = if bytes[at] == b'/' { at } else { places[at + 1] };
    }
    places
}

/// For each position, how many bytes from there equal the bytes from the start (the Z function).
fn match_lengths(bytes: &[u8]) -> Vec<usize> {
    let mut lengths = vec![0; bytes.len()];
    let (mut left, mut right) = (0, 0);
    for at in 1..bytes.len() {
        let mut length = if at < right { lengths[at - left].min(right - at) } else { 0 };
        while at + length < bytes.len() && bytes[length] == bytes[at + length] {
            length += 1;
        }
        if at + length > right {
            (left, right) = (at, at + length);
        }
        lengths[at] = length;
    }
    lengths
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(header: &str) -> Option<(String, String)> {
        let text = |path: Path<'_>| path.escape_ascii().to_string();
        split_names(header.as_bytes(), b" ", None).map(|(old, new)| (text(old), text(new)))
    }

    #[test]
    fn names_split_where_they_share_most() {
        let cases = [
            ("a/f b/f", "a/f", "b/f"),
            ("a/x b/x b/x b/x", "a/x b/x", "b/x b/x"),
            ("f g f g", "f g", "f g"),
            ("old/a b/c new/a b/c", "old/a b/c", "new/a b/c"),
            ("d e/f x/y/d e/f", "d e/f", "x/y/d e/f"),
            ("one two", "one", "two"),
            ("\"a/\\t\" b/x", "a/\\t", "b/x"),
            ("a/x \"b/\\t\"", "a/x", "b/\\t"),
        ];
        for (header, old, new) in cases {
            assert_eq!(split(header), Some((old.into(), new.into())), "{header}");
        }
        for header in ["", " ", "f", "one two three", "\"a", "\"a\" \"b"] {
            assert_eq!(split(header), None, "{header}");
        }
    }

    #[test]
    fn a_known_name_decides_the_split() {
        let names = split_names(b"x y z", b" ", Some(Side::New(b"z")));
        assert_eq!(names, Some((Cow::Borrowed(&b"x y"[..]), Cow::Borrowed(&b"z"[..]))));
        let names = split_names(b"x y z", b" ", Some(Side::Old(b"x")));
        assert_eq!(names, Some((Cow::Borrowed(&b"x"[..]), Cow::Borrowed(&b"y z"[..]))));
    }

    #[test]
    fn what_two_names_share_is_the_path() {
        let cases = [
            ("a/f", "b/f", "f", "f"),
            ("f", "f", "f", "f"),
            ("a/d/f", "a/d/f", "a/d/f", "a/d/f"),
            ("p-1.0/d/f", "p-1.1/d/f", "d/f", "d/f"),
            ("f", "b/f", "f", "f"),
            ("a/f.orig", "b/f", "f.orig", "f"),
            ("f.orig", "f", "f.orig", "f"),
            ("a//tmp/f", "b//tmp/f", "/tmp/f", "/tmp/f"),
            ("left-f", "right-f", "left-f", "right-f"),
        ];
        for (old, new, old_path, new_path) in cases {
            let [old, new] = [old, new].map(|name| Cow::Borrowed(name.as_bytes()));
            let expected = (Cow::Borrowed(old_path.as_bytes()), Cow::Borrowed(new_path.as_bytes()));
            assert_eq!(strip_pair(&old, &new), expected);
        }
    }

    #[test]
    fn labels_say_that_there_is_no_file() {
        let cases = [
            ("f\t1970-01-01 00:00:00.000000000 +0000", Absence::Epoch),
            ("f\t1969-12-31 19:00:00.000000000 -0500", Absence::Epoch),
            ("f\t1970-01-01 05:30:00 +0530", Absence::Epoch),
            ("f 1970-01-01 00:00:00 +0000", Absence::Epoch),
            ("f\t1970-01-01 00:00:01.000000000 +0000", Absence::Present),
            ("f\t1970-01-01 00:00:00.000000001 +0000", Absence::Present),
            ("f\t1970-01-01 01:00:00 +0000", Absence::Present),
            ("f\t1970-01-01", Absence::Present),
            ("f\t(nonexistent)", Absence::Stated),
            ("f\t(.../trunk/f)\t(revision 0)", Absence::Stated),
            ("f\t(revision 10)", Absence::Present),
            ("\"f\"\t(nonexistent)", Absence::Stated),
        ];
        for (rest, absence) in cases {
            let name = read_name(rest.as_bytes()).unwrap();
            assert_eq!((&*name.path, name.absence), (&b"f"[..], absence), "{rest}");
        }
        assert_eq!(read_name(b"/dev/null").unwrap().absence, Absence::Null);
        assert!(read_name(b"").is_none() && read_name(b"\tx").is_none());
    }
}
