//! The diff parser against diffy's, where diffy can read the form: ordinary unified diffs of one file.

use covopt::diff::{LineKind, parse};
use proptest::prelude::*;

/// Texts of few different lines, so that they have lines in common, with and without a newline at the end.
fn text() -> impl Strategy<Value = String> {
    let line =
        prop::sample::select(vec!["a", "b", "", "-- x", "++ y", "@@ -1 +1 @@", "\\ z", "diff --git a/x b/x", "c\r"]);
    (prop::collection::vec(line, 0..30), any::<bool>()).prop_map(|(lines, ends)| {
        let text = lines.join("\n");
        if ends { text + "\n" } else { text }
    })
}

/// One changed line and its text, without the end of the line.
type Change<'a> = (LineKind, &'a [u8]);

fn trim(text: &str) -> &[u8] {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text).as_bytes()
}

proptest! {
    #[test]
    fn reads_what_diffy_writes(old in text(), new in text(), context in 0usize..6) {
        let patch = diffy::DiffOptions::new().set_context_len(context).create_patch(&old, &new);
        let written = patch.to_string();
        prop_assume!(!patch.hunks().is_empty());
        let theirs = diffy::Patch::from_str(&written).unwrap();
        let diff = parse(written.as_bytes()).unwrap();
        prop_assert_eq!(diff.files.len(), 1);
        let ours = &diff.files[0].hunks;
        prop_assert_eq!(ours.len(), theirs.hunks().len());
        for (ours, theirs) in ours.iter().zip(theirs.hunks()) {
            let lines_of = |range: diffy::HunkRange| (range.start(), range.len());
            prop_assert_eq!((ours.old.start as usize, ours.old.lines as usize), lines_of(theirs.old_range()));
            prop_assert_eq!((ours.new.start as usize, ours.new.lines as usize), lines_of(theirs.new_range()));
            let ours: Vec<Change<'_>> = ours.lines().map(|line| (line.kind, line.text)).collect();
            let theirs: Vec<Change<'_>> = theirs.lines().iter().map(|line| match line {
                diffy::Line::Context(text) => (LineKind::Context, trim(text)),
                diffy::Line::Insert(text) => (LineKind::Added, trim(text)),
                diffy::Line::Delete(text) => (LineKind::Removed, trim(text)),
            }).collect();
            prop_assert_eq!(ours, theirs);
        }
    }
}
