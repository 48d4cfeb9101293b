//! The demo is a program like others: it does what it says.

use std::{
    fs,
    process::{Command, Stdio},
    time::SystemTime,
};

use ropeway_lab::{
    Lab,
    harness::{self, lab_or_skip},
};

#[test]
fn the_demo_tells_its_story_keeps_a_picture_and_leaves_nothing() {
    // only to be skipped where it cannot work
    let Some(_) = lab_or_skip("nodemo") else { return };
    let program = harness::bin("ropeway-demo").expect("it is built");
    let picture = program.with_file_name("../demo.png");
    let started = SystemTime::now();

    let mut demo = Command::new(program);
    let demo =
        demo.env_remove("DISPLAY").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    let lab = format!("demo-{}", demo.id());
    let output = demo.wait_with_output().expect("it ends");
    let story = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{story}{}", String::from_utf8_lossy(&output.stderr));
    assert!(
        story.contains("gets nothing, as it should be") && story.contains("gets nothing again"),
        "{story}"
    );
    assert!(story.contains("the word of this run"), "{story}");
    let kept = fs::metadata(picture).and_then(|picture| picture.modified()).expect("a picture");
    assert!(kept >= started, "of this run");
    assert!(!Lab::names().contains(&lab), "{lab} is left");
}
