//! The display as its user has it: windows to be seen, a mouse, the close button. It needs no `WebDriver`, so it also
//! tells what became of a window that `WebDriver` has lost.

use anyhow::{Context, Result};
use x11rb::{
    connection::Connection,
    protocol::{
        xproto::{
            BUTTON_PRESS_EVENT, BUTTON_RELEASE_EVENT, ClientMessageEvent, ConnectionExt as _, EventMask,
            ImageFormat, MOTION_NOTIFY_EVENT, MapState, Window,
        },
        xtest::ConnectionExt as _,
    },
    rust_connection::RustConnection,
};

/// GTK keeps invisible helpers of a few pixels beside the real windows.
const SMALLEST: u16 = 100;

/// A client of the display.
#[derive(Debug)]
pub struct Screen {
    display: RustConnection,
    root: Window,
}

impl Screen {
    /// Joins the display of that name.
    pub fn open(name: &str) -> Result<Self> {
        let (display, screen) = x11rb::connect(Some(name)).context("cannot join the display")?;
        let root = display.setup().roots[screen].root;
        Ok(Self { display, root })
    }

    /// Windows that can be seen.
    pub fn windows(&self) -> Result<Vec<Window>> {
        let all = self.display.query_tree(self.root)?.reply()?.children;
        Ok(all.into_iter().filter(|window| self.is_seen(*window).unwrap_or(false)).collect())
    }

    /// What the close button of a window's frame does.
    pub fn close(&self, window: Window) -> Result<()> {
        let (protocols, delete) = (self.atom("WM_PROTOCOLS")?, self.atom("WM_DELETE_WINDOW")?);
        let message = ClientMessageEvent::new(32, window, protocols, [delete, 0, 0, 0, 0]);
        self.display.send_event(false, window, EventMask::NO_EVENT, message)?.check()?;
        Ok(())
    }

    /// Everything on the screen, pixel by pixel.
    pub fn picture(&self) -> Result<Vec<u8>> {
        let size = self.display.get_geometry(self.root)?.reply()?;
        let image = self.display.get_image(
            ImageFormat::Z_PIXMAP,
            self.root,
            0,
            0,
            size.width,
            size.height,
            u32::MAX,
        )?;
        Ok(image.reply()?.data)
    }

    /// Clicks there with the first button of the mouse.
    pub fn click(&self, x: i16, y: i16) -> Result<()> {
        for (event, detail) in [(MOTION_NOTIFY_EVENT, 0), (BUTTON_PRESS_EVENT, 1), (BUTTON_RELEASE_EVENT, 1)]
        {
            self.display.xtest_fake_input(event, detail, x11rb::CURRENT_TIME, self.root, x, y, 0)?.check()?;
        }
        Ok(())
    }

    fn is_seen(&self, window: Window) -> Result<bool> {
        let size = self.display.get_geometry(window)?.reply()?;
        let mapped = self.display.get_window_attributes(window)?.reply()?.map_state == MapState::VIEWABLE;
        Ok(mapped && size.width >= SMALLEST && size.height >= SMALLEST)
    }

    fn atom(&self, name: &str) -> Result<u32> {
        Ok(self.display.intern_atom(false, name.as_bytes())?.reply()?.atom)
    }
}
