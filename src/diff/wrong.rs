//! Every error, provoked.

use super::{DiffError, Expected, Foreign, parse};

fn message(input: impl AsRef<[u8]>) -> String {
    parse(input.as_ref()).expect_err("this is no diff").to_string()
}

fn foreign(input: &str) -> Foreign {
    match parse(input.as_bytes()) {
        Err(DiffError::NoFile { foreign, .. }) => foreign,
        other => panic!("{input}: {other:?}"),
    }
}

/// The line and the expectation of a malformed diff.
fn malformed(input: &str) -> (u64, Expected) {
    match parse(input.as_bytes()) {
        Err(DiffError::Malformed { line, expected, .. }) => (line, expected),
        other => panic!("{input}: {other:?}"),
    }
}

const HEAD: &str = "diff --git a/f b/f\nindex 1..2 100644\n--- a/f\n+++ b/f\n";

#[test]
fn utf16_is_refused() {
    for text in [&b"\xff\xfed\0i\0"[..], b"\xfe\xff\0d", b"d\0i\0f\0f\0 \0", b"\0d\0i\0f\0f\0"] {
        assert_eq!(parse(text), Err(DiffError::Utf16));
    }
    assert!(message(b"\xff\xfe").contains("--output=FILE"));
}

#[test]
fn other_outputs_are_known() {
    let cases = [
        (" f | 2 +-\n 1 file changed, 1 insertion(+)\n", Foreign::Summary),
        (" 2 files changed, 1 insertion(+)\n", Foreign::Summary),
        ("commit da531202791462f1bbf97a179305a5fd30c6ca15\nAuthor: n\n\n    m\n\n f | 2 +-\n", Foreign::Summary),
        ("1\t0\tf\n-\t-\tb\n", Foreign::Summary),
        ("M\tf\n", Foreign::Summary),
        ("R100\tf\tg\n", Foreign::Summary),
        (":100644 100644 c32f979 0c02ccc M\tf\n", Foreign::Summary),
        ("*** a\t2026\n--- b\t2026\n***************\n", Foreign::Context),
        ("1,2c1\n< a\n---\n> b\n", Foreign::Normal),
        ("Files a and b differ\n", Foreign::Brief),
        ("* commit d26187f\n| Author: n\n| \n| diff --git a/f b/f\n", Foreign::Graph),
        ("f.py --- Python\n1 a   1 b\n", Foreign::External),
        ("│ 1 │ a\n", Foreign::External),
        ("f.py\ng.py\n", Foreign::Unknown),
        ("\n", Foreign::Unknown),
    ];
    for (text, expected) in cases {
        assert_eq!(foreign(text), expected, "{text}");
        assert!(message(text).contains(expected.remedy()), "{text}");
    }
    insta::assert_snapshot!(message(" f | 2 +-\n"), @r"read diff: expected a unified diff, found ` f | 2 +-` (a summary without the patch); add `-p`, or leave out `--stat`, `--numstat`, `--raw`, `--name-only` or `--name-status`");
    insta::assert_snapshot!(message("x".repeat(100)), @r"read diff: expected a unified diff, found `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...` (no diff); pipe the output of `git diff`, `git show` or `diff -u`; add `-p` if it was `--name-only`, and `--no-ext-diff` if a diff tool is configured");
}

/// What was not unified was passed over as text wherever another piece was read: a tree compared with `diff -r` kept
/// its `Only in` lines alone, and a selection was made for those.
#[test]
fn pieces_of_another_form_do_not_vanish() {
    let unified = format!("{HEAD}@@ -1 +1 @@\n-a\n+b\n");
    let context = "*** o/a\t2026\n--- n/a\t2026\n***************\n*** 1 ****\n! 1\n--- 1 ----\n! 2\n";
    let cases = [
        ("diff -r o/a n/a\n1c1\n< 1\n---\n> 2\nOnly in n: e\n".to_owned(), 1, Foreign::Normal),
        (format!("Only in n: e\ndiff -rc o/a n/a\n{context}"), 3, Foreign::Context),
        ("Files o/a and n/a differ\nOnly in n: e\n".to_owned(), 1, Foreign::Brief),
        ("diff -ry -W40 o/c n/c\nx\t|\ty\nOnly in n: e\n".to_owned(), 1, Foreign::OtherForm),
        ("Only in n: e\ndiff -re o/c n/c\n1c\ny\n.\n".to_owned(), 2, Foreign::OtherForm),
        ("diff -rn o/c n/c\nd1 1\na1 1\ny\nOnly in o: only\n".to_owned(), 1, Foreign::OtherForm),
        (format!("{unified}1c1\n< 1\n---\n> 2\n"), 8, Foreign::Normal),
        (format!("{unified}3d2\n< 1\n"), 8, Foreign::Normal),
        (format!("{unified}{context}"), 8, Foreign::Context),
        (format!("{unified}***************\n*** 1,2 ****\n! 1\n"), 8, Foreign::Context),
        (format!("{unified}\x7fELF\0\x01\n"), 8, Foreign::Binary),
        (format!(":100644 100644 1 2 M\0f\0\0{unified}{unified}"), 1, Foreign::Binary),
    ];
    for (text, at, kind) in cases {
        match parse(text.as_bytes()) {
            Err(DiffError::Lost { line, foreign, .. }) => assert_eq!((line, foreign), (at, kind), "{text}"),
            other => panic!("{text}: {other:?}"),
        }
        assert!(message(&text).ends_with(kind.remedy()));
    }
    insta::assert_snapshot!(message(format!("{unified}1c1\n< 1\n")), @r"read diff: line 8: expected nothing but unified diffs, found `1c1` (a normal diff); use `diff -u`, or `diff -ru` for directories");
}

#[test]
fn word_diffs_are_named() {
    let words = format!("{HEAD}@@ -1,2 +1,2 @@\na\n[-b-]{{+c+}}\n");
    assert!(matches!(parse(words.replace("\na\n", "\n a\n").as_bytes()), Err(DiffError::WordDiff { line: 7 })));
    assert_eq!(malformed(&words), (6, Expected::HunkLine));
    let porcelain = format!("{HEAD}@@ -1,2 +1,2 @@\n a\n~\n-b\n+c\n~\n");
    assert_eq!(parse(porcelain.as_bytes()), Err(DiffError::WordDiff { line: 7 }));
    let indented = format!("{HEAD}@@ -1 +1 @@\n     [-b-]{{+c+}}\n");
    assert_eq!(parse(indented.as_bytes()), Err(DiffError::WordDiff { line: 5 }));
    let colors = format!("{HEAD}@@ -1 +1 @@\n     bc\n");
    assert_eq!(parse(colors.as_bytes()), Err(DiffError::NoChange { line: 5 }));
    insta::assert_snapshot!(message(porcelain), @r"read diff: line 7: expected added and removed lines, found a word diff; make the diff without `--word-diff` and `--color-words`");
    insta::assert_snapshot!(message(colors), @r"read diff: line 5: expected a hunk that adds or removes lines, found one that changes nothing; if the diff was made with `--word-diff` or `--color-words`, leave that out");
}

#[test]
fn hunks_that_break_their_promise() {
    let cut = format!("{HEAD}@@ -1,3 +1,3 @@\n a\n-b\n");
    assert!(matches!(
        parse(cut.as_bytes()),
        Err(DiffError::Truncated { line: 5, old_lines: 3, new_lines: 3, old_found: 2, new_found: 1 })
    ));
    insta::assert_snapshot!(message(cut), @r"read diff: line 5: expected a hunk of 3 old and 3 new lines, found the end of the input after 2 and 1; the diff is cut off, make it again");
    assert_eq!(malformed(&format!("{HEAD}@@ -1,2 +1,2 @@\n a\nb\n")), (7, Expected::HunkLine));
    assert_eq!(malformed(&format!("{HEAD}@@ -1,2 +1,2 @@\n a\n\tb\n")), (7, Expected::HunkLine));
    assert_eq!(malformed(&format!("{HEAD}@@ -1 +1,2 @@\n-a\n-b\n+c\n+d\n")), (7, Expected::SignWithinCount));
    assert_eq!(malformed(&format!("{HEAD}@@ -1 +1 @@\n-a\n+b\n+c\n")), (8, Expected::EndOfHunk));
    assert_eq!(malformed(&format!("{HEAD}@@ -1 +1 @@\n-a\n+b\n c\n-d\n")), (9, Expected::EndOfHunk));
    let combined = |body: &str| format!("diff --cc f\n--- a/f\n+++ b/f\n@@@ -1 -1 +1 @@@\n{body}");
    assert_eq!(malformed(&combined("--a\n+-b\n")), (6, Expected::HunkLine));
    assert_eq!(malformed(&combined("x a\n")), (5, Expected::HunkLine));
    assert_eq!(malformed(&combined("-\n")), (5, Expected::HunkLine));
    assert_eq!(malformed(&combined("--a\n--b\n")), (6, Expected::SignWithinCount));
    assert_eq!(malformed(&combined("++a\n++b\n")), (6, Expected::SignWithinCount));
    assert!(matches!(parse(combined("--a\n").as_bytes()), Err(DiffError::Truncated { line: 4, new_found: 0, .. })));
    insta::assert_snapshot!(message(format!("{HEAD}@@ -1 +1 @@\n-a\n+b\n+c\n")), @r"read diff: line 8: expected the end of the hunk, whose counts are used up, found `+c`; a diff edited by hand must keep its hunk counts true: make it again, or run `rediff` on it");
}

/// `git log -3` and `git log --oneline`, piped without `-p`, were a change without files: exit 0 and a word on merges.
#[test]
fn logs_without_patches_are_refused() {
    let commit =
        |header: &str| format!("commit da531202791462f1bbf97a179305a5fd30c6ca15\n{header}Author: n\n\n    m\n\n");
    let (plain, merge) = (commit(""), commit("Merge: 0c27855 72f25a0\n"));
    let raw = commit("tree 0c27855\nparent 72f25a0\n");
    let mail = "From da531202791462f1bbf97a179305a5fd30c6ca15 Mon Sep 17 00:00:00 2001\nSubject: [PATCH]\n\nany\n";
    let logs = [
        format!("{plain}{plain}"),
        format!("{merge}{plain}"),
        format!("{plain}{merge}{merge}"),
        format!("{raw}{raw}"),
        format!("{mail}{mail}"),
        "da53120 a merge\n".to_owned(),
        "da53120 second\n0c27855 first\n".to_owned(),
    ];
    for log in logs {
        assert_eq!(foreign(&log), Foreign::Log, "{log}");
    }
    insta::assert_snapshot!(message("da53120 second\n"), @r"read diff: expected a unified diff, found `da53120 second` (commits without their patches); add `-p`, and for what merges brought in `-m --first-parent`");
}

/// A diff that was cut off below `+++` was a file with nothing added and nothing removed.
#[test]
fn names_without_a_hunk_are_cut_off() {
    for after in ["", "\n", "diff --git a/g b/g\nold mode 100644\nnew mode 100755\n", "-- \n2.47\n"] {
        assert_eq!(parse(format!("{HEAD}{after}").as_bytes()), Err(DiffError::NoHunk { line: 1 }), "{after}");
    }
    let rule = "=".repeat(67);
    for head in ["diff -r 0123456789ab f\n", &format!("Index: f\n{rule}\n")] {
        let text = format!("{head}--- a/f\n+++ b/f\n");
        assert_eq!(parse(text.as_bytes()), Err(DiffError::NoHunk { line: 1 }), "{text}");
    }
    insta::assert_snapshot!(message(HEAD), @r"read diff: line 1: expected a file with hunks below its `---` and `+++` lines, found none; the diff is cut off, make it again");
}

#[test]
fn headers_that_cannot_be() {
    for header in [
        "@@ -1 @@",
        "@@ -1,2 +1,2",
        "@@ -a +1 @@",
        "@@ -1 +1 @",
        "@@ -0,2 +1 @@",
        "@@@ -1 +1 @@@",
        "@@ -1 +1@@",
        "@@ -1, +1 @@",
    ] {
        assert_eq!(malformed(&format!("{HEAD}{header}\n-a\n+b\n")), (5, Expected::HunkHeader), "{header}");
    }
    for header in
        ["@@ -4294967296 +1 @@", "@@ -1 +1,99999999999999999999 @@", "@@ -4294967295 +1 @@", "@@ -2,4294967294 +1 @@"]
    {
        let error = parse(format!("{HEAD}{header}\n").as_bytes()).map(|_| ());
        assert!(matches!(error, Err(DiffError::TooLarge { line: 5, .. })), "{header}: {error:?}");
    }
    insta::assert_snapshot!(message(format!("{HEAD}@@ -4294967296 +1 @@\n")), @r"read diff: line 5: expected line numbers and counts up to 4294967295, found `@@ -4294967296 +1 @@`; make the diff again");
    assert_eq!(malformed("@@ -1 +1 @@\n-a\n+b\n"), (1, Expected::FileHeader));
    assert_eq!(malformed("diff --git a/f b/f\n@@ -1 +1 @@\n"), (2, Expected::FileHeader));
    assert_eq!(malformed("diff --git a/f b/f\n--- a/f\n"), (3, Expected::NewName));
    assert_eq!(malformed("--- a/f\n+++ b/f\n"), (3, Expected::HunkHeader));
    assert_eq!(malformed("diff --git a/f b/f\n--- \"a/f\n+++ b/f\n@@ -1 +1 @@\n"), (2, Expected::Path));
    assert_eq!(malformed("diff --git a/f b/f\n--- a/f\n+++ \n@@ -1 +1 @@\n"), (3, Expected::Path));
    assert_eq!(malformed("diff --git f\nold mode 100644\n"), (1, Expected::TwoNames));
    assert_eq!(malformed("diff --git a/f b/f\nrename from f\n"), (1, Expected::BothNames));
    assert_eq!(malformed("diff --git a/f b/f\nrename from \"\\q\"\n"), (2, Expected::Path));
    assert_eq!(malformed("diff --git a/f b/f\nold mode 9\n"), (2, Expected::Mode));
    assert_eq!(
        malformed("diff --git a/f b/f\nnew file mode 100644\ndeleted file mode 100644\n"),
        (1, Expected::OneSide)
    );
    assert_eq!(malformed("--- /dev/null\n+++ /dev/null\n@@ -1 +1 @@\n-a\n+b\n"), (1, Expected::OneSide));
    assert_eq!(malformed("diff --cc \nindex 1,2..3\n"), (1, Expected::Path));
    insta::assert_snapshot!(message("diff --git a/f b/f\n--- a/f\n"), @r"read diff: line 3: expected `+++ PATH` after `--- PATH`, found the end of the input; make the diff again");
}

#[test]
fn broken_binary_patches_and_property_hunks() {
    let binary = "diff --git a/b b/b\nindex 1..2 100644\nGIT binary patch\nliteral 2\nJcmZQz0ssI600RI\n\n";
    assert_eq!(malformed(binary), (5, Expected::BinaryLine));
    let property = "Index: f\n========\n--- f\t(revision 3)\n+++ f\t(working copy)\n\nProperty changes on: f\n___\nAdded: p\n## -0,0 +1,2 ##\n+a\n";
    assert_eq!(malformed(&format!("{property}b\n")), (11, Expected::PropertyLine));
    assert_eq!(malformed(property), (10, Expected::PropertyLine));
    assert_eq!(malformed(&format!("{property}-b\n")), (11, Expected::PropertyLine));
}
