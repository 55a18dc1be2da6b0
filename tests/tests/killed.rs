//! Builds that die: the model that was there stays whole, and what they leave behind does not grow.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use crate::cli::Folder;

/// Tests enough for a build of some tenths of a second, so that it can be killed at any of its stages.
fn input(tests: u32) -> String {
    let test = |at: u32| {
        let file = at % 97;
        format!(
            "{{\"test\": \"tests/test_{}.py::test_{at:05}\", \"cost\": 0.01, \"lines\": {{\"src/m{file}.py\": [[{}, {}], 90], \
             \"src/common.py\": [[{}, 40]]}}, \"text\": \"some words of number{}\"}}\n",
            at / 50,
            1 + at % 7,
            20 + at % 13,
            1 + at % 30,
            at % 500,
        )
    };
    (0..tests).map(test).collect()
}

#[test]
fn a_killed_build_leaves_the_old_model_and_one_file_at_most() {
    let folder = Folder::with_model(&input(20));
    let old = fs::read(folder.path().join(".covopt")).unwrap();
    folder.write("large.jsonl", input(6_000));
    let build = ["build", "large.jsonl", "--force", "--memory", "16M"];
    let mut killed = 0;
    for at in 0..40u32 {
        let mut child = folder.command(&build).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(u64::from(at * at)));
        let _ = child.kill();
        if child.wait().unwrap().success() {
            break;
        }
        killed += 1;
        assert!(fs::read(folder.path().join(".covopt")).unwrap() == old, "killed after {} ms", at * at);
        let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(names.len() <= 4, "{names:?}");
    }
    assert!(killed > 3, "{killed} builds were killed");
    let ran = folder.run(&build, "");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(folder.run(&["verify"], "").code, 0);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3, "the two inputs and the model");
}

#[test]
fn a_folder_that_cannot_be_written_is_told_and_the_model_stays() {
    let folder = Folder::with_model(&input(20));
    let old = fs::read(folder.path().join(".covopt")).unwrap();
    // A folder under the name of what is written aside: nobody, not even root, can write a file there.
    fs::create_dir(folder.path().join(".covopt.aside")).unwrap();
    let ran = folder.run(&["build", "input"], "");
    assert_eq!(ran.code, 73, "{}", ran.stderr);
    assert!(ran.stderr.contains("write `"), "{}", ran.stderr);
    assert!(fs::read(folder.path().join(".covopt")).unwrap() == old);
}

/// A limit on the size of files stands for a disk that is full.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_and_the_model_stays() {
    use std::os::unix::process::CommandExt as _;

    let folder = Folder::with_model(&input(20));
    let old = fs::read(folder.path().join(".covopt")).unwrap();
    folder.write("large.jsonl", input(3_000));
    // Without the signal, writing beyond the limit (of 8 blocks) fails as on a full disk.
    let covopt = env!("CARGO_BIN_EXE_covopt");
    let script = format!("trap '' XFSZ; ulimit -f 8; exec '{covopt}' build large.jsonl --force");
    let mut command = std::process::Command::new("sh");
    command.arg0("sh").args(["-c", &script]).current_dir(folder.path()).env_clear();
    let ended = command.output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(73), "{said}");
    assert!(said.contains("write `"), "{said}");
    assert!(fs::read(folder.path().join(".covopt")).unwrap() == old);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3, "the two inputs and the model");
}
