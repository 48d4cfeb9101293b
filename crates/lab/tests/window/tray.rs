//! The tray item, driven over D-Bus as a panel does it.

use ropeway_lab::window::{Entry, Item};

use crate::stage::{CLEAN, SOON, Stage, connected, off, until};

#[test]
fn the_tray_item_connects_and_disconnects_and_says_so() {
    let Some(stage) = Stage::set("tray") else { return };
    stage.save_work("server");
    let panel = stage.desktop.open_panel().expect("a panel");
    let app = stage.desktop.open_app().expect("the app opens");
    let item = panel.item(SOON).expect("an item");
    until("everything is off", SOON, || labels(&item).starts_with(&["Work".into(), "This computer".into()]));
    let icon_of_off = item.icon().expect("an icon");
    assert_eq!(item.title().expect("a title"), "Ropeway");

    item.click("Work").expect("Work can be clicked on");
    until("the title says connected", SOON, || {
        item.title().is_ok_and(|title| title == "Ropeway — Work: connected")
    });
    assert_ne!(item.icon().expect("an icon"), icon_of_off, "another state, another drawing");
    assert_eq!(item.tool_tip().expect("a tool tip"), "Work: connected");
    assert_eq!(entry(&item, "Work").checked, Some(true));
    connected(&app);
    stage.assert_reached();

    item.click("Work").expect("Work can be clicked on again");
    until("the title says nothing more", SOON, || item.title().is_ok_and(|title| title == "Ropeway"));
    assert_eq!(item.icon().expect("an icon"), icon_of_off);
    assert_eq!(entry(&item, "Work").checked, Some(false));
    off(&app);
    stage.assert_not_reached();
}

#[test]
fn the_item_brings_the_hidden_window_back_and_quits_everything() {
    let Some(stage) = Stage::set("quit") else { return };
    let panel = stage.desktop.open_panel().expect("a panel");
    let app = stage.connected();
    let item = panel.item(SOON).expect("an item");

    let screen = stage.desktop.screen().expect("X answers");
    let [window] = screen.windows().expect("X answers").try_into().expect("one window");
    screen.close(window).expect("the close button");
    until("the window is hidden", SOON, || screen.windows().is_ok_and(|all| all.is_empty()));
    stage.assert_reached();
    item.click("Show Window").expect("Show Window");
    until("the window is back", SOON, || screen.windows().is_ok_and(|all| all == [window]));
    connected(&app);

    item.click("Disconnect and Quit").expect("Disconnect and Quit");
    app.wait_for_end(SOON).expect("it quits");
    stage.desktop.wait_until_clean(CLEAN).expect("nothing is left");
    assert!(!panel.shows_an_item());
    stage.assert_not_reached();
}

#[test]
fn a_panel_that_restarts_gets_the_item_again() {
    let Some(stage) = Stage::set("panel") else { return };
    stage.save_work("server");
    let app = stage.desktop.open_app().expect("the app opens without a panel");
    let late = stage.desktop.open_panel().expect("a panel that comes late");
    late.item(SOON).expect("the item is there");
    drop(late);
    let second = stage.desktop.open_panel().expect("the next one");
    let item = second.item(SOON).expect("the item is there again");
    item.click("Work").expect("it works there");
    connected(&app);
}

#[test]
fn without_a_panel_closing_an_idle_window_ends_the_app() {
    let Some(stage) = Stage::set("close") else { return };
    let app = stage.desktop.open_app().expect("the app opens");
    let screen = stage.desktop.screen().expect("X answers");
    let [window] = screen.windows().expect("X answers").try_into().expect("one window");
    screen.close(window).expect("the close button");
    app.wait_for_end(SOON).expect("nothing could bring it back");
}

fn labels(item: &Item) -> Vec<String> {
    item.menu().unwrap_or_default().into_iter().map(|entry| entry.label).collect()
}

fn entry(item: &Item, label: &str) -> Entry {
    let menu = item.menu().expect("a menu");
    menu.into_iter().find(|entry| entry.enabled && entry.label == label).expect("an entry")
}
