//! An sshuttle command line becomes a profile by way of the window.

use std::{fs, path::Path};

use ropeway_lab::window::Element;

use crate::stage::Stage;

#[test]
fn a_command_line_is_previewed_with_notes_and_imported_when_asked() {
    let Some(stage) = Stage::set("import") else { return };
    let app = stage.desktop.open_app().expect("the app opens");
    let command = "sudo -E sshuttle -v -r me@bastion.example.org:2222 10/8 -x 10.9.0.0/16 --pidfile /run/x";

    app.click("import").expect("Import");
    app.type_into("import-text", command).expect("a command line");
    let preview = app.text("import-preview").expect("a preview");
    for part in ["me@bastion.example.org:2222", "10.0.0.0/8", "10.9.0.0/16"] {
        assert!(preview.contains(part), "{part} in {preview}");
    }
    let notes: Vec<_> = app.all("note").expect("notes").iter().map(Element::text).collect();
    let left_out =
        |part: &str| notes.iter().flatten().any(|note| note.starts_with("Left out") && note.contains(part));
    for part in ["sudo -E", "-v", "--pidfile"] {
        assert!(left_out(part), "{part} in {notes:#?}");
    }
    assert_eq!(files(&stage.desktop.profiles()), Vec::<String>::new(), "a preview changes nothing");

    app.click("run-import").expect("Import");
    app.wait_until_gone("import-text").expect("the sheet closes");
    let [file] = files(&stage.desktop.profiles()).try_into().expect("one file");
    let id = file.trim_end_matches(".toml");
    app.wait_for(&format!("profile-row[data-profile={id}]")).expect("it is in the list");
    let text = fs::read_to_string(stage.desktop.profiles().join(&file)).expect("its file");
    assert!(text.contains("server = \"me@bastion.example.org:2222\""), "{text}");
}

#[test]
fn a_profile_file_is_imported_as_it_was_written() {
    let Some(stage) = Stage::set("file") else { return };
    let app = stage.desktop.open_app().expect("the app opens");
    let file = stage.lab.client().home().join("office.ropeway");
    let text = "format = 1\nname = \"Office\"\nserver = \"gate\"\nsubnets = [\"10.8.0.0/16\"]\n";
    fs::write(&file, text).expect("a file");

    app.click("import").expect("Import");
    app.type_into("import-file", &file.display().to_string()).expect("the file picker");
    app.wait_for("import-preview").expect("a preview");
    app.click("run-import").expect("Import");
    app.wait_for("profile-row[data-profile=office]").expect("it is in the list");
    assert_eq!(fs::read_to_string(stage.desktop.profiles().join("office.toml")).expect("its file"), text);
}

#[test]
fn a_broken_import_says_why_and_changes_nothing() {
    let Some(stage) = Stage::set("badimport") else { return };
    stage.save_work("server");
    let before = fs::read(stage.desktop.profiles().join("work.toml")).expect("its file");
    let app = stage.desktop.open_app().expect("the app opens");

    app.click("import").expect("Import");
    app.type_into("import-text", "format = 1\nname = \"Half a prof").expect("half a file");
    let code = app.text("failure-code").expect("a failure");
    assert_eq!(code, "E-IMPORT");
    assert!(!app.text("failure-title").expect("a title").is_empty());
    assert_eq!(app.attribute("run-import", "disabled").expect("nothing to press"), "true");
    app.click("cancel").expect("Cancel");
    app.wait_until_gone("import-text").expect("the sheet closes");

    assert_eq!(files(&stage.desktop.profiles()), ["work.toml"]);
    assert_eq!(fs::read(stage.desktop.profiles().join("work.toml")).expect("its file"), before);
    assert_eq!(app.all("profile-row").expect("rows").len(), 2, "Work and This computer");
}

fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}
