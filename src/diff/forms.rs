//! One test per form that a diff comes in, each on text as its tool writes it.

use std::borrow::Cow;

use super::{Diff, FileDiff, Hint, Hunk, LineKind, Span, decolor, parse};

/// Parses, and checks on the way that the canonical form reads back to the same value.
fn read(input: &[u8]) -> Diff<'_> {
    let diff = parse(input).unwrap_or_else(|error| panic!("{error}"));
    let mut printed = Vec::new();
    diff.write(&mut printed);
    assert_eq!(parse(&printed).as_ref(), Ok(&diff), "printed:\n{}", printed.escape_ascii());
    diff
}

/// The files in one line each: status, old path, new path, added, removed, number of hunks.
fn brief(input: impl AsRef<[u8]>) -> Vec<String> {
    read(input.as_ref()).files.iter().map(brief_file).collect()
}

fn brief_file(file: &FileDiff<'_>) -> String {
    let name = |path: &Option<Cow<'_, [u8]>>| path.as_ref().map_or("-".into(), |path| path.escape_ascii().to_string());
    let FileDiff { added, removed, .. } = file;
    let (old, new, binary) = (name(&file.old_path), name(&file.new_path), if file.binary { " binary" } else { "" });
    format!("{} {old} {new} +{added} -{removed} @{}{binary}", file.status.as_str(), file.hunks.len())
}

const HUNK: &str = "@@ -1,2 +1,2 @@ def f():\n a\n-b\n+c\n";

#[test]
fn nothing_is_no_change() {
    assert_eq!(read(b""), Diff::default());
}

#[test]
fn git_with_any_prefixes() {
    let prefixes = [
        ("a/", "b/"),
        ("i/", "w/"),
        ("b/", "a/"),
        ("", ""),
        ("old/x/", "new/"),
        ("", "b/"),
        ("x/", "y/"),
        ("one two/", "t/"),
    ];
    for (old, new) in prefixes {
        let git = format!("diff --git {old}src/f g.py {new}src/f g.py\n");
        let (old, new) = (format!("--- {old}src/f g.py\t\n"), format!("+++ {new}src/f g.py\t\n"));
        let null = ["--- /dev/null\n", "+++ /dev/null\n"];
        let check = |text: String, expected: &str| assert_eq!(brief(&text), [expected], "{text}");
        check(format!("{git}index 1..2 100644\n{old}{new}{HUNK}"), "modified src/f g.py src/f g.py +1 -1 @1");
        check(format!("{git}old mode 100644\nnew mode 100755\n"), "mode src/f g.py src/f g.py +0 -0 @0");
        check(
            format!("{git}old mode 100644\nnew mode 100755\nindex 1..2\n{old}{new}{HUNK}"),
            "modified src/f g.py src/f g.py +1 -1 @1",
        );
        check(format!("{git}new file mode 100644\n{}{new}@@ -0,0 +1 @@\n+a\n", null[0]), "added - src/f g.py +1 -0 @1");
        check(
            format!("{git}deleted file mode 100644\n{old}{}@@ -1 +0,0 @@\n-a\n", null[1]),
            "deleted src/f g.py - +0 -1 @1",
        );
        check(format!("{git}new file mode 100644\nindex 0..e\n"), "added - src/f g.py +0 -0 @0");
    }
}

#[test]
fn a_hunk_has_spans_heading_and_numbered_lines() {
    let text =
        "diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -10,3 +20,3 @@ class A:\n x\r\n-y\n+z\r\n \n\\ Kein Zeilenumbruch\n";
    let diff = read(text.as_bytes());
    let hunk = &diff.files[0].hunks[0];
    assert_eq!((hunk.old, hunk.new), (Span { start: 10, lines: 3 }, Span { start: 20, lines: 3 }));
    assert_eq!(hunk.heading, b"class A:");
    let lines: Vec<_> = hunk.lines().map(|line| (line.kind, line.old_line, line.new_line, line.text)).collect();
    let expected: [(LineKind, u32, u32, &[u8]); 4] = [
        (LineKind::Context, 10, 20, b"x"),
        (LineKind::Removed, 11, 21, b"y"),
        (LineKind::Added, 12, 21, b"z"),
        (LineKind::Context, 12, 22, b""),
    ];
    assert_eq!(lines, expected);
}

#[test]
fn without_context_an_empty_span_stands_behind_its_line() {
    let diff = read(b"--- a/f\n+++ b/f\n@@ -3,0 +4 @@\n+x\n@@ -9 +9,0 @@\n-y\n");
    let lines = diff.files[0].hunks.iter().flat_map(Hunk::lines);
    assert_eq!(lines.map(|line| (line.old_line, line.new_line)).collect::<Vec<_>>(), [(4, 4), (9, 10)]);
}

#[test]
fn lines_that_look_like_headers_are_counted() {
    let body = "--- a/other\n-\n+++ b/other\n+@@ -1 +1 @@\n+diff --git a/x b/x\n \n";
    let text = format!("diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -1,3 +1,4 @@\n{body}-- \n2.47.3\n");
    assert_eq!(brief(text), ["modified f f +3 -2 @1"]);
}

#[test]
fn quoted_and_odd_paths() {
    let name = r#""a/t\tq\"\\\n\377""#;
    let text = format!("diff --git {name} {name}\nindex 1..2 100644\n--- {name}\n+++ {name}\n{HUNK}");
    let text = text.replacen("a/t\\t", "x/t\\t", 1).replace("+++ \"a/", "+++ \"b/").replacen(" \"a/t", " \"b/t", 1);
    let files = read(text.as_bytes()).files.iter().map(|file| file.path().to_vec()).collect::<Vec<_>>();
    assert_eq!(files, [b"t\tq\"\\\n\xff".to_vec()]);
    let unquoted = b"diff --git a/\xc3\xa9 \xff b/\xc3\xa9 \xff\nold mode 100644\nnew mode 100755\n";
    assert_eq!(read(unquoted).files[0].path(), b"\xc3\xa9 \xff");
    let one_quoted = "diff --git \"a/\\t\" b/x\nrename from \"\\t\"\nrename to x\n";
    assert_eq!(brief(one_quoted), [r"renamed \t x +0 -0 @0"]);
    let spaces = "diff --git a/x  b/x \nold mode 100644\nnew mode 100755\n";
    assert_eq!(read(spaces.as_bytes()).files[0].path(), b"x ");
}

#[test]
fn renames_copies_and_an_odd_prefix() {
    let moved = "diff --git a/x y b/z\nsimilarity index 90%\nrename from x y\nrename to z\nindex 1..2 100644\n--- a/x y\t\n+++ b/z\n";
    assert_eq!(brief(format!("{moved}{HUNK}")), ["renamed x y z +1 -1 @1"]);
    let copied = "diff --git a/x b/z\nsimilarity index 100%\ncopy from x\ncopy to z\n";
    assert_eq!(brief(copied), ["copied x z +0 -0 @0"]);
}

#[test]
fn binary_files_in_both_forms() {
    let patch = "index 1..2 100644\nGIT binary patch\nliteral 2\nJcmZQz0ssI600RI3\n\nliteral 2\nJcmZQz1ONa700IC2\n\n";
    let text = format!(
        "diff --git a/b b/b\n{patch}diff --git a/c d b/c d\nnew file mode 100644\nindex 0..1\nBinary files /dev/null and b/c d differ\n\
         diff --git a/e b/e\ndeleted file mode 100644\nindex 1..0\nBinary files a/e and /dev/null differ\n"
    );
    assert_eq!(
        brief(text),
        ["binary b b +0 -0 @0 binary", "added - c d +0 -0 @0 binary", "deleted e - +0 -0 @0 binary"]
    );
}

#[test]
fn a_type_change_is_one_entry() {
    let text = "diff --git a/f b/f\ndeleted file mode 100644\nindex 1..0\n--- a/f\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-a\n-b\n\
                diff --git a/f b/f\nnew file mode 120000\nindex 0..1\n--- /dev/null\n+++ b/f\n@@ -0,0 +1 @@\n+zz\n\\ No newline at end of file\n";
    assert_eq!(brief(text), ["type f f +1 -2 @2"]);
    // Gone in one commit and back in another is no type change.
    let twice = text.replace("120000", "100644");
    assert_eq!(brief(twice), ["deleted f - +0 -2 @1", "added - f +1 -0 @1"]);
}

#[test]
fn submodules_in_every_setting() {
    let hash = "b40573726552b93c3026f0097fb603089c302554";
    let short =
        format!("--- a/sub\n+++ b/sub\n@@ -1 +1 @@\n-Subproject commit {hash}\n+Subproject commit {hash}-dirty\n");
    assert_eq!(brief(format!("diff --git a/sub b/sub\nindex 1..2 160000\n{short}")), ["submodule sub sub +1 -1 @1"]);
    assert_eq!(brief(format!("diff --git a/sub b/sub\n{short}")), ["submodule sub sub +1 -1 @1"]);
    let log = "Submodule a sub contains modified content\nSubmodule a sub b405737..7c7b00f:\n  > 2\n  < diff --git\n";
    assert_eq!(brief(log), ["submodule a sub a sub +0 -0 @0"]);
    assert_eq!(brief("Submodule sub 0000000...b405737 (new submodule)\n"), ["submodule - sub +0 -0 @0"]);
    assert_eq!(brief("Submodule sub b405737...0000000 (submodule deleted)\n"), ["submodule sub - +0 -0 @0"]);
    assert_eq!(brief("Submodule sub b405737...0000000 (commits not present)\n"), ["submodule sub sub +0 -0 @0"]);
    let diff = format!(
        "Submodule sub 7c7b00f..0000001 (rewind):\ndiff --git a/sub/x b/sub/x\n--- a/sub/x\n+++ b/sub/x\n{HUNK}"
    );
    assert_eq!(brief(diff), ["submodule sub sub +0 -0 @0", "modified sub/x sub/x +1 -1 @1"]);
}

#[test]
fn unmerged_paths() {
    assert_eq!(brief("* Unmerged path a b\n"), ["modified a b a b +0 -0 @0"]);
}

#[test]
fn a_combined_diff_is_read_against_the_first_parent() {
    let text = "diff --cc f\nindex c32f979,0c02ccc..2305f38\n--- a/f\n+++ b/f\n@@@ -1,4 -1,3 +1,5 @@@ g\n  a\n- Y\n -X\n++Z\n  c\n- q\n++\n++q\n";
    let diff = read(text.as_bytes());
    assert_eq!(brief_file(&diff.files[0]), "modified f f +3 -2 @1");
    let hunk = &diff.files[0].hunks[0];
    assert_eq!((hunk.old.lines, hunk.new.lines, hunk.heading), (4, 5, &b"g"[..]));
    let lines: Vec<_> = hunk.lines().map(|line| (line.kind, line.text)).collect();
    let (context, added, removed) = (LineKind::Context, LineKind::Added, LineKind::Removed);
    let expected: [(LineKind, &[u8]); 7] = [
        (context, b"a"),
        (removed, b"Y"),
        (added, b"Z"),
        (context, b"c"),
        (removed, b"q"),
        (added, b""),
        (added, b"q"),
    ];
    assert_eq!(lines, expected);
}

#[test]
fn combined_diffs_of_three_parents_renames_and_hunks_of_other_parents() {
    let octopus = "diff --combined \"\\303\\251\"\nindex 1,2,3..4\nmode 100644,100644,100755..100755\n--- \"a/\\303\\251\"\n+++ \"b/\\303\\251\"\n@@@@ -1 -1 -1,2 +1,2 @@@@\n   a\n  -b\n+++c\n";
    assert_eq!(brief(octopus), [r"modified \xc3\xa9 \xc3\xa9 +1 -0 @1"]);
    let all_paths = "diff --cc new\nindex 1,2..3\n--- a/old\n--- a/new\n+++ b/new\n@@@ -1 -1 +1 @@@\n--a\n++b\n";
    assert_eq!(brief(all_paths), ["renamed old new +1 -1 @1"]);
    let moved_down = all_paths.replace("a/old", "a/d/new");
    assert_eq!(brief(moved_down), ["renamed d/new new +1 -1 @1"]);
    let custom = "diff --cc f\nindex 1,2..3\n--- old/x/f\n+++ new/f\n@@@ -1 -1 +1 @@@\n--a\n++b\n";
    assert_eq!(brief(custom), ["modified f f +1 -1 @1"]);
    let other_parent = "diff --combined f\nindex 1,2..3\n--- a/f\n+++ b/f\n@@@ -1,1 -1,1 +1,1 @@@\n -a\n +b\n";
    assert_eq!(brief(other_parent), ["modified f f +0 -0 @0"]);
    let same_as_ours = "diff --cc f\nindex 1,2..0\n--- a/f\n+++ b/f\n";
    assert_eq!(brief(same_as_ours), ["modified f f +0 -0 @0"]);
    let gone =
        "diff --cc f\nindex 1,2..0\ndeleted file mode 100644,100644\n--- a/f\n+++ /dev/null\n@@@ -1 -1 +0,0 @@@\n--a\n";
    assert_eq!(brief(gone), ["deleted f - +0 -1 @1"]);
    assert_eq!(brief("diff --cc b\nindex 1,2..3\nBinary files differ\n"), ["binary b b +0 -0 @0 binary"]);
}

#[test]
fn log_show_and_summaries_around_the_patch() {
    let commit = "commit da531202791462f1bbf97a179305a5fd30c6ca15 (HEAD)\nAuthor: n <a@b>\nDate:   now\n\n    diff --git a/x b/x\n    @@ -1 +1 @@\n\n";
    let summary = ":100644 100644 1 2 M\tf\n f | 2 +-\n 1 file changed, 1 insertion(+), 1 deletion(-)\n mode change 100644 => 100755 f\n\n";
    let file = format!("diff --git a/f b/f\nindex 1..2 100644\n--- a/f\n+++ b/f\n{HUNK}");
    let text = format!("{commit}---\n{summary}{file}\n{commit}{file}\n{commit}");
    assert_eq!(brief(text), ["modified f f +1 -1 @1", "modified f f +1 -1 @1"]);
    assert_eq!(read(file.as_bytes()).files[0].line, 1);
}

#[test]
fn mails_of_format_patch() {
    let head = "From da531202791462f1bbf97a179305a5fd30c6ca15 Mon Sep 17 00:00:00 2001\nFrom: n <a@b>\nSubject: [PATCH] z\n\n@@ -1 +1 @@ quoted\n--- a\n+++ b\n---\n f | 2 +-\n 1 file changed, 1 insertion(+), 1 deletion(-)\n\n";
    let mail = format!("{head}diff --git a/f b/f\nindex 1..2 100644\n--- a/f\n+++ b/f\n{HUNK}-- \n2.47.3\n\n");
    assert_eq!(brief(format!("{mail}{mail}")), ["modified f f +1 -1 @1", "modified f f +1 -1 @1"]);
}

#[test]
fn commits_without_files_are_hinted() {
    let commit = "commit da531202791462f1bbf97a179305a5fd30c6ca15\nMerge: 0c27855 72f25a0\nAuthor: n <a@b>\nDate:   Sun Nov 22 05:30:56 2026 +0000\n\n    m\n    \n    1\t2\tx\n\n";
    let tag = "tag v1\nTagger: n <a@b>\n\nany message\n\n";
    let mail = "From da531202791462f1bbf97a179305a5fd30c6ca15 Mon Sep 17 00:00:00 2001\nSubject: [PATCH]\n\nany\n";
    let raw_merge =
        "commit da531202791462f1bbf97a179305a5fd30c6ca15\ntree 0c2\nparent 0c2\nparent 72f\nauthor n\n\n    m\n";
    let two_raw = format!("{raw_merge}{raw_merge}");
    for text in [commit, &format!("{commit}{commit}"), &format!("{tag}{commit}"), &two_raw, mail] {
        let diff = read(text.as_bytes());
        assert_eq!((diff.files.len(), diff.hint), (0, Some(Hint::CommitWithoutFiles)), "{text}");
    }
    let hint = Hint::CommitWithoutFiles.to_string();
    assert!(hint.contains("-m --first-parent") && hint.contains("`-p`"));
}

#[test]
fn gnu_diff_alone_and_recursive() {
    let (time, zero) = ("2026-11-22 05:38:53.130276156 +0000", "1970-01-01 00:00:00.000000000 +0000");
    let west = "1969-12-31 19:00:00.000000000 -0500";
    assert_eq!(brief(format!("--- f.py.orig\t{time}\n+++ f.py\t{time}\n{HUNK}")), ["modified f.py.orig f.py +1 -1 @1"]);
    assert_eq!(brief(format!("--- f.py {time}\n+++ f.py {time}\n{HUNK}")), ["modified f.py f.py +1 -1 @1"]);
    let text = format!(
        "diff -ruN o/bin n/bin\nBinary files o/bin and n/bin differ\nOnly in o/d: gone\nOnly in n: new dir\nOnly in elsewhere: x\n\
         diff -ruN \"o/d/x y\" \"n/d/x y\"\n--- \"o/d/x y\"\t{time}\n+++ \"n/d/x y\"\t{time}\n{HUNK}\
         diff -ruN o/a n/a\n--- o/a\t{zero}\n+++ n/a\t{time}\n@@ -0,0 +1 @@\n+z\n\
         diff -ruN o/b n/b\n--- o/b\t{time}\n+++ n/b\t{west}\n@@ -1 +0,0 @@\n-z\n\
         --- o/c\t{zero}\n+++ n/c\t{zero}\n{HUNK}"
    );
    assert_eq!(
        brief(text),
        [
            "binary bin bin +0 -0 @0 binary",
            "deleted d/gone - +0 -0 @0",
            "added - new dir +0 -0 @0",
            "modified elsewhere/x elsewhere/x +0 -0 @0",
            "modified d/x y d/x y +1 -1 @1",
            "added - a +1 -0 @1",
            "deleted b - +0 -1 @1",
            "modified c c +1 -1 @1",
        ]
    );
}

/// A file that became a directory, or a link with another target, was passed over: `diff -r` says no more about them.
#[test]
fn names_that_gnu_diff_cannot_compare() {
    let text = format!(
        "Symbolic links o/l and n/l differ\ndiff -ru o/x n/x\n--- o/x\n+++ n/x\n{HUNK}\
         File o/t is a a is a regular file while file n/t is a a is a directory\n"
    );
    let expected = ["modified l l +0 -0 @0", "modified x x +1 -1 @1", "modified t is a a t is a a +0 -0 @0"];
    assert_eq!(brief(text), expected);
}

/// Text between files is not taken for a lost piece.
#[test]
fn prose_between_files() {
    let file = format!("diff --git a/f b/f\nindex 1..2 100644\n--- a/f\n+++ b/f\n{HUNK}");
    let prose = "# HG changeset patch\n*** important ***\n***************\n1c1 is a place\n3d2\n\nFiles that differ\n\
                 diff -u shows more\nthan this\n> quoted\n";
    for between in [prose, "\0commit da531202791462f1bbf97a179305a5fd30c6ca15\nAuthor: n\n\n    < m\n\n"] {
        assert_eq!(brief(format!("{between}{file}{between}{file}")).len(), 2, "{between}");
    }
    let echo = "diff -ruN o/empty n/empty\ndiff -r o/a n/a\n";
    assert_eq!(brief(format!("{echo}--- o/a\n+++ n/a\n{HUNK}")), ["modified a a +1 -1 @1"]);
}

#[test]
fn mercurial_plain_and_git_style() {
    let date = "Thu Jan 01 00:00:00 1970 +0000";
    let text = format!(
        "# HG changeset patch\n# User n\nmessage\n\ndiff -r 0123456789ab -r ba9876543210 src/f\n--- a/src/f\t{date}\n+++ b/src/f\t{date}\n{HUNK}\
         diff -r 0123456789ab new\n--- /dev/null\t{date}\n+++ b/new\t{date}\n@@ -0,0 +1,1 @@\n+a\n\
         diff -r 0123456789ab gone\n--- a/gone\t{date}\n+++ /dev/null\t{date}\n@@ -1,1 +0,0 @@\n-a\n\
         diff -r 0123456789ab bin\nBinary file bin has changed\n"
    );
    assert_eq!(
        brief(text),
        [
            "modified src/f src/f +1 -1 @1",
            "added - new +1 -0 @1",
            "deleted gone - +0 -1 @1",
            "binary bin bin +0 -0 @0 binary"
        ]
    );
    let git = format!(
        "diff --git a/x b/y\nrename from x\nrename to y\n--- a/x\n+++ b/y\n{HUNK}diff --git a/l b/l\nold mode 120000\nnew mode 100644\n--- a/l\n+++ b/l\n{HUNK}"
    );
    assert_eq!(brief(git), ["renamed x y +1 -1 @1", "type l l +1 -1 @1"]);
}

#[test]
fn subversion() {
    let rule = "===================================================================\n";
    let property = "\nProperty changes on: b/f g\n___________________________________________________________________\nAdded: p\n## -0,0 +1,2 ##\n+Index: x\n+@@ -1 +1 @@\n\\ No newline at end of property\n";
    let text = format!(
        "Index: b/f g\n{rule}--- b/f g\t(revision 3)\n+++ b/f g\t(working copy)\n{HUNK}{property}\
         Index: new\n{rule}--- new\t(nonexistent)\n+++ new\t(working copy)\n@@ -0,0 +1 @@\n+a\n\
         Index: older\n{rule}--- older\t(revision 0)\n+++ older\t(revision 4)\n@@ -0,0 +1 @@\n+a\n\
         Index: gone\n{rule}--- gone\t(.../trunk/gone)\t(revision 3)\n+++ gone\t(nonexistent)\n@@ -1 +0,0 @@\n-a\n\
         Index: empty\n{rule}Index: bin\n{rule}Cannot display: file marked as a binary type.\nsvn:mime-type = application/octet-stream\n\
         Index: b/p\n{rule}--- b/p\t(revision 3)\n+++ b/p\t(working copy)\n{}\nProperty changes on: .\n____\nAdded: q\n   + diff\n\
         Index: away (deleted)\n{rule}Index: g\n{rule}diff --git a/trunk/g b/trunk/g\nnew file mode 100644\n",
        property.replace("f g", "p")
    );
    assert_eq!(
        brief(text),
        [
            "modified b/f g b/f g +1 -1 @1",
            "added - new +1 -0 @1",
            "added - older +1 -0 @1",
            "deleted gone - +0 -1 @1",
            "modified empty empty +0 -0 @0",
            "binary bin bin +0 -0 @0 binary",
            "mode b/p b/p +0 -0 @0",
            "mode . . +0 -0 @0",
            "deleted away - +0 -0 @0",
            "added - trunk/g +0 -0 @0",
        ]
    );
}

#[test]
fn cvs_and_quilt() {
    let rule = "===================================================================\n";
    let cvs = format!(
        "Index: d/f.c\n{rule}RCS file: /cvs/f.c,v\nretrieving revision 1.1\ndiff -u -r1.1 f.c\n--- d/f.c\t1 Jan\n+++ d/f.c\t2 Jan\n{HUNK}"
    );
    assert_eq!(brief(cvs), ["modified d/f.c d/f.c +1 -1 @1"]);
    let quilt = format!("Index: p/d/f\n{rule}--- p.orig/d/f\n+++ p/d/f\n{HUNK}");
    assert_eq!(brief(quilt), ["modified d/f d/f +1 -1 @1"]);
}

#[test]
fn carriage_returns_everywhere_and_blank_context() {
    let text = format!("diff --git a/f b/f\nindex 1..2 100644\n--- a/f\n+++ b/f\n{HUNK}").replace('\n', "\r\n");
    assert_eq!(brief(&text), ["modified f f +1 -1 @1"]);
    for blank in ["", "\r", " "] {
        assert_eq!(brief(format!("--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n{blank}\n-b\n+c")), ["modified f f +1 -1 @1"]);
    }
    let combined = "diff --cc f\n--- a/f\n+++ b/f\n@@@ -1,2 -1,2 +1,2 @@@\n\n--b\n++c\n";
    assert_eq!(brief(combined), ["modified f f +1 -1 @1"]);
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    assert_eq!(brief(format!("\u{feff}--- a/f\n+++ b/f\n{HUNK}")), ["modified f f +1 -1 @1"]);
}

#[test]
fn colored_diffs() {
    let text = b"\x1b[1mdiff --git a/f b/f\x1b[m\n\x1b[1mindex 1..2 100644\x1b[m\n\x1b[1m--- a/f\x1b[m\n\x1b[1m+++ b/f\x1b[m\n\x1b[36m@@ -1,2 +1,2 @@\x1b[m g\n a\x1b[m\n\x1b[31m-b\x1b[m\n\x1b[32m+\x1b[m\x1b[32mc\x1b[41m \x1b[m\n";
    let plain = decolor(text);
    assert_eq!(brief(&plain), ["modified f f +1 -1 @1"]);
    assert_eq!(read(&plain).files[0].hunks[0].lines().last().unwrap().text, b"c ");
}

/// Broke when names without hunks came to be left out of the canonical form: Subversion's property changes may label the
/// two sides of a file differently, and `diff --git` cannot say that without a rename.
#[test]
fn a_change_without_content_is_of_one_file() {
    let text = b"Index: a\n===================================================================\n--- a\t(revision 3)\n+++ b/a b\t(working copy)\n\nProperty changes on: a\n___________________________________________________________________\nAdded: svn:executable\n";
    let read = super::parse(text).unwrap();
    assert_eq!(read.files[0].old_path, read.files[0].new_path);
    let mut printed = Vec::new();
    read.write(&mut printed);
    assert_eq!(super::parse(&printed).unwrap(), read);
}
