//! The item in the menu bar, by Tauri's own tray. There always is a menu bar.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tauri::{
    AppHandle, Wry,
    image::Image,
    menu::{CheckMenuItem, IsMenuItem, Menu as NativeMenu, MenuItem, PredefinedMenuItem},
    tray::{TrayIcon, TrayIconBuilder},
};

use super::{
    Action, Host,
    icons::{self, Glyph},
    look::Look,
    menu::{Item, Menu},
};

/// macOS scales the icon to the height of the menu bar, 22 points, from twice as many pixels.
const ICON_SIZE: usize = 44;

pub struct Panel {
    app: AppHandle,
    item: TrayIcon,
    /// What the entries of the menu shown now do, by their place.
    actions: Arc<Mutex<Vec<Option<Action>>>>,
}

impl Panel {
    pub async fn open(
        app: &AppHandle,
        look: Look,
        host: Host,
        act: impl Fn(Action) + Send + Sync + 'static,
    ) -> tauri::Result<Self> {
        let actions = Arc::new(Mutex::new(Vec::new()));
        let chosen = actions.clone();
        let item = TrayIconBuilder::with_id("tray")
            .icon_as_template(true)
            .on_menu_event(move |_, event| {
                if let Some(action) = action_at(&chosen, event.id().as_ref()) {
                    act(action);
                }
            })
            .build(app)?;
        host.set_present(true);
        let panel = Self { app: app.clone(), item, actions };
        panel.show(look).await;
        Ok(panel)
    }

    // Async because other systems' panels are.
    #[allow(clippy::unused_async)]
    pub async fn show(&self, look: Look) {
        if let Err(error) = self.try_show(&look) {
            tracing::warn!(%error, "cannot change the tray item");
        }
    }

    fn try_show(&self, look: &Look) -> tauri::Result<()> {
        let menu = self.native_menu(&look.menu)?;
        *lock(&self.actions) = look.menu.items.iter().map(action_of).collect();
        self.item.set_menu(Some(menu))?;
        self.item.set_tooltip(Some(&look.title))?;
        let glyph = icons::glyphs(look.shape).into_iter().find(|glyph| glyph.size == ICON_SIZE);
        self.item.set_icon_with_as_template(glyph.as_ref().map(template), true)
    }

    fn native_menu(&self, menu: &Menu) -> tauri::Result<NativeMenu<Wry>> {
        let native = NativeMenu::new(&self.app)?;
        for (place, item) in menu.items.iter().enumerate() {
            native.append(self.native_item(place, item)?.as_ref())?;
        }
        Ok(native)
    }

    fn native_item(&self, place: usize, item: &Item) -> tauri::Result<Box<dyn IsMenuItem<Wry>>> {
        let (app, id) = (&self.app, place.to_string());
        Ok(match item {
            Item::Separator => Box::new(PredefinedMenuItem::separator(app)?),
            Item::Line(line) => {
                Box::new(MenuItem::with_id(app, id, without_access_keys(line), false, None::<&str>)?)
            }
            Item::Entry { label, checked: None, .. } => {
                Box::new(MenuItem::with_id(app, id, without_access_keys(label), true, None::<&str>)?)
            }
            Item::Entry { label, checked: Some(checked), .. } => {
                let label = without_access_keys(label);
                Box::new(CheckMenuItem::with_id(app, id, label, true, *checked, None::<&str>)?)
            }
        })
    }
}

fn action_at(actions: &Mutex<Vec<Option<Action>>>, id: &str) -> Option<Action> {
    lock(actions).get(id.parse::<usize>().ok()?)?.clone()
}

fn action_of(item: &Item) -> Option<Action> {
    match item {
        Item::Entry { action, .. } => Some(action.clone()),
        Item::Line(_) | Item::Separator => None,
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Black with transparency; the system gives it the menu bar's colour.
fn template(glyph: &Glyph) -> Image<'static> {
    let rgba = glyph.alpha.iter().flat_map(|alpha| [0, 0, 0, *alpha]).collect();
    Image::new_owned(rgba, glyph.size as u32, glyph.size as u32)
}

/// An ampersand in a label would mark the next letter as its key and not be seen.
fn without_access_keys(label: &str) -> String {
    label.replace('&', "&&")
}
