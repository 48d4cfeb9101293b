//! Pictures of the main screens, kept for people to look at: `target/screenshots/`.

use std::path::PathBuf;

use ropeway_lab::{
    harness,
    window::{App, Theme},
};

use crate::stage::{SOON, Stage, connected, switch};

#[test]
fn the_main_screens_are_kept_as_pictures() {
    let Some(stage) = Stage::set("looks") else { return };
    stage.save_work("server");
    stage.desktop.save_profile("lab", "format = 1\nname = \"Lab").expect("a corrupt file");
    for theme in [Theme::Light, Theme::Dark] {
        let app = stage.desktop.open_app_in(theme).expect("the app opens");
        let is_dark = app.is_dark().expect("the page answers");
        assert_eq!(is_dark, theme == Theme::Dark, "the page follows the desktop");
        keep_all(&stage, &app, theme);
        app.quit().expect("it quits");
    }
}

fn keep_all(stage: &Stage, app: &App, theme: Theme) {
    let keep = |name: &str| app.screenshot(&file(name, theme)).expect("a picture");
    keep("off");
    app.click("broken-row").expect("the corrupt profile");
    keep("corrupt");
    app.click("add-profile").expect("New profile");
    app.type_into("field-name", "Office").expect("a name");
    app.type_into("field-subnets", "10.0.0.0/8 192.168.7.0/33").expect("a good and a bad network");
    app.wait_for_text("problem[data-field=subnets]", "32", SOON).expect("the problem");
    keep("editor");
    app.click("cancel").expect("Cancel");
    app.click("confirm").expect("Discard");
    app.click("import").expect("Import");
    app.type_into("import-text", "sudo sshuttle -v -r me@bastion 10/8 -x 10.9.0.0/16")
        .expect("a command line");
    app.wait_for("import-preview").expect("a preview");
    keep("import");
    app.click("cancel").expect("Cancel");
    app.click("profile-row[data-profile=work]").expect("Work");
    switch(app);
    connected(app);
    stage.assert_reached();
    keep("overview");
    app.click("tab-connections").expect("the tab");
    app.click("[aria-label=\"Which connections\"] label:last-child").expect("the closed ones");
    app.wait_for("connection-row").expect("curl's");
    keep("connections");
}

fn file(name: &str, theme: Theme) -> PathBuf {
    let theme = format!("{theme:?}").to_lowercase();
    harness::bin("ropeway-app")
        .expect("it is built")
        .with_file_name(format!("../screenshots/{name}-{theme}.png"))
}
