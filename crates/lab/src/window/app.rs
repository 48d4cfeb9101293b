//! The running app, seen through its window.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};
use base64::{Engine, prelude::BASE64_STANDARD};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::driver::Driver;
use crate::{Host, Process, harness::wait_until};

/// How often the page is looked at; each look is a request of a few milliseconds.
const LOOK: Duration = Duration::from_millis(20);

/// How long the page may take to do what was asked of it: a blink, and much more while others compile.
const SOON: Duration = Duration::from_secs(15);

/// How long the app may take to quit: its own limit for tunnels that hang is ten seconds.
const QUIT: Duration = Duration::from_secs(12);

/// Runs in the page: waits for transitions to end, then for two frames, and a little more because what the driver
/// takes a picture of is one frame behind. Animations without end are not waited for.
const SETTLED: &str = "
    const finite = document.getAnimations().filter((one) => one.effect.getComputedTiming().endTime !== Infinity);
    await Promise.allSettled(finite.map((one) => one.finished));
    const frame = () => new Promise((next) => requestAnimationFrame(next));
    await frame();
    await frame();
    await new Promise((next) => setTimeout(next, 50));";

/// The app with its window. Quits when dropped.
///
/// Things of the page are named by their `data-testid`; what follows the name is CSS: `save`,
/// `connection-row[data-state=closed]`, `connection-row [data-col=app]`. What does not start with a name is CSS as
/// a whole: `[aria-label="Which connections"] label`.
#[derive(Debug)]
pub struct App {
    driver: Driver,
    host: Host,
    log: PathBuf,
    process: Process,
}

/// What was found in the page.
#[derive(Debug)]
pub struct Element<'a> {
    driver: &'a Driver,
    id: String,
}

impl App {
    pub(super) fn driven_by(driver: Driver, host: Host, log: PathBuf) -> Result<Self> {
        let process = running(&host).context("the app ended at once")?;
        let app = Self { driver, host, log, process };
        // the session is handed out before the page is there
        app.wait_for("add-profile")?;
        Ok(app)
    }

    /// Waits until there is such a thing.
    pub fn wait_for(&self, what: &str) -> Result<Element<'_>> {
        self.eventually(|| self.find(what))
    }

    /// Whether there is such a thing now.
    pub fn shows(&self, what: &str) -> Result<bool> {
        Ok(!self.driver.find_all(&css(what))?.is_empty())
    }

    /// All such things, from top to bottom.
    pub fn all(&self, what: &str) -> Result<Vec<Element<'_>>> {
        let found = self.driver.find_all(&css(what))?;
        Ok(found.into_iter().map(|id| Element { driver: &self.driver, id }).collect())
    }

    /// Clicks on it with the mouse.
    pub fn click(&self, what: &str) -> Result<()> {
        self.eventually(|| self.find(what)?.click()).with_context(|| format!("click on {what}"))
    }

    /// Types into a field, after what is there.
    pub fn type_into(&self, what: &str, text: &str) -> Result<()> {
        self.eventually(|| self.find(what)?.type_text(text)).with_context(|| format!("type into {what}"))
    }

    /// Its text, as soon as it is there.
    pub fn text(&self, what: &str) -> Result<String> {
        self.eventually(|| self.find(what)?.text())
    }

    /// An attribute of it, as soon as it is there.
    pub fn attribute(&self, what: &str, name: &str) -> Result<String> {
        self.eventually(|| self.find(what)?.attribute(name))
    }

    /// Waits until its text contains `text`.
    pub fn wait_for_text(&self, what: &str, text: &str, within: Duration) -> Result<()> {
        let says = || {
            let said = self.find(what)?.text()?;
            if said.contains(text) { Ok(()) } else { bail!("{what} says {said:?}, not {text:?}") }
        };
        within_time(within, says).with_context(|| self.last_words())
    }

    /// Waits until there is no such thing any more.
    pub fn wait_until_gone(&self, what: &str) -> Result<()> {
        self.eventually(|| if self.shows(what)? { bail!("{what} is still there") } else { Ok(()) })
    }

    /// The window's title, as its page says it.
    pub fn title(&self) -> Result<String> {
        Ok(self.driver.get("title")?.as_str().unwrap_or_default().to_owned())
    }

    /// Waits until nothing moves.
    pub fn settle(&self) -> Result<()> {
        self.driver.run(SETTLED).map(drop)
    }

    /// Keeps a picture of the window as it is when nothing moves.
    pub fn screenshot(&self, file: &Path) -> Result<()> {
        self.settle()?;
        let picture = self.driver.get("screenshot")?;
        let bytes = BASE64_STANDARD.decode(picture.as_str().context("no picture")?)?;
        fs::create_dir_all(file.parent().context("no folder")?)?;
        fs::write(file, bytes).with_context(|| file.display().to_string())
    }

    /// Whether the page was told to be dark.
    pub fn is_dark(&self) -> Result<bool> {
        Ok(self.driver.run("return matchMedia('(prefers-color-scheme: dark)').matches;")?
            == Value::Bool(true))
    }

    /// Its own process; guard, helper and ssh are others.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Whether it still runs.
    pub fn runs(&self) -> bool {
        running(&self.host).is_some_and(|process| process.pid == self.process.pid)
    }

    /// Waits until it has ended.
    pub fn wait_for_end(&self, within: Duration) -> Result<()> {
        if wait_until(within, || !self.runs()) {
            return Ok(());
        }
        bail!("the app still runs after {within:?}")
    }

    /// Asks it to quit, as the end of a desktop session does, and waits.
    pub fn quit(&self) -> Result<()> {
        self.process.signal(Signal::SIGTERM);
        self.wait_for_end(QUIT)
    }

    /// What it wrote to its log.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn find(&self, what: &str) -> Result<Element<'_>> {
        Ok(Element { driver: &self.driver, id: self.driver.find(&css(what))? })
    }

    fn eventually<T>(&self, work: impl FnMut() -> Result<T>) -> Result<T> {
        within_time(SOON, work).with_context(|| self.last_words())
    }

    fn last_words(&self) -> String {
        let log = self.log();
        let lines: Vec<_> = log.lines().rev().take(5).collect();
        format!("the app's last words: {}", lines.into_iter().rev().collect::<Vec<_>>().join(" | "))
    }
}

impl Drop for App {
    fn drop(&mut self) {
        if self.runs() && self.quit().is_err() {
            self.process.signal(Signal::SIGKILL);
            let _ = self.wait_for_end(SOON);
        }
        if thread::panicking() {
            eprintln!("the app wrote:\n{}", self.log());
        }
    }
}

impl Element<'_> {
    /// Clicks on its middle.
    pub fn click(&self) -> Result<()> {
        self.driver.tell(&self.id, "click", &json!({}))
    }

    /// Its text, as it is seen. `WebDriver`'s own notion of that takes some cells of a table for hidden.
    pub fn text(&self) -> Result<String> {
        let text = self.driver.ask(&self.id, "property/innerText")?;
        Ok(text.as_str().unwrap_or_default().trim().to_owned())
    }

    /// An attribute that it must have.
    pub fn attribute(&self, name: &str) -> Result<String> {
        match self.driver.ask(&self.id, &format!("attribute/{name}"))? {
            Value::String(value) => Ok(value),
            other => Err(anyhow!("no attribute {name}: {other}")),
        }
    }

    /// Its middle, in the window.
    pub fn middle(&self) -> Result<(i16, i16)> {
        let rect = self.driver.ask(&self.id, "rect")?;
        let middle = |start: &str, length: &str| Some(rect[start].as_f64()? + rect[length].as_f64()? / 2.0);
        let point = middle("x", "width").zip(middle("y", "height")).context("not a rectangle")?;
        Ok((point.0 as i16, point.1 as i16))
    }

    fn type_text(&self, text: &str) -> Result<()> {
        self.driver.tell(&self.id, "value", &json!({ "text": text }))
    }
}

/// The app is started with its own name alone; as a guard it has arguments.
fn running(host: &Host) -> Option<Process> {
    host.processes().into_iter().find(|process| process.name == "ropeway-app" && !process.line.contains(' '))
}

fn within_time<T>(within: Duration, mut work: impl FnMut() -> Result<T>) -> Result<T> {
    let deadline = Instant::now() + within;
    loop {
        match work() {
            Err(_) if Instant::now() < deadline => thread::sleep(LOOK),
            result => return result,
        }
    }
}

/// `save` → `[data-testid="save"]`; what follows the name stays as it is.
fn css(what: &str) -> String {
    let end =
        what.find(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '-')).unwrap_or(what.len());
    match what.split_at(end) {
        ("", css) => css.to_owned(),
        (name, rest) => format!("[data-testid=\"{name}\"]{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::css;

    #[test]
    fn names_become_selectors() {
        assert_eq!(css("save"), r#"[data-testid="save"]"#);
        assert_eq!(css("row[data-state=open] b"), r#"[data-testid="row"][data-state=open] b"#);
        assert_eq!(css("#tab-log"), "#tab-log");
    }
}
