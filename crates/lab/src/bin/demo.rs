//! Shows on this machine what Ropeway does: a private network that only a tunnel reaches, the app's own window,
//! and curl as the witness. Uses nothing that a user could not use, and leaves nothing behind.

use std::{
    env,
    fmt::Display,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use ropeway_lab::{
    Family, Host, Lab, Place, harness,
    window::{App, Desktop, Visit, visit},
};

/// Longer than every single step takes on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// How long curl tries: the lab says at once that there is no way.
const CURL: Duration = Duration::from_secs(10);

/// Everything must be gone this long after the window has closed.
const CLEAN: Duration = Duration::from_secs(2);

/// So that a person at a screen can see what the picture shows.
const LOOK: Duration = Duration::from_secs(3);

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

fn main() -> ExitCode {
    listen_for_interrupts();
    match demo() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nThe demo did not work: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn demo() -> Result<()> {
    let mut story = Story::default();
    let lab = Lab::for_test("demo")?;
    let name = lab.name().to_owned();
    let picture = tell(&mut story, &lab)?;
    drop(lab);
    check_nothing_is_left(&name)?;
    story.tell("Everything is cleared away: no namespace, no rule, no process.")?;
    println!("\nThe picture: {}", shown(&picture));
    println!("Your own tunnels: make run");
    println!("This network again, to look around: {}", look_around());
    Ok(())
}

/// Everything that happens while the network is up. The result is the screenshot.
fn tell(story: &mut Story, lab: &Lab) -> Result<PathBuf> {
    let net = lab.private_net(Family::V4);
    story.tell(format_args!(
        "A private network is up, {net}. One server reaches it; ssh is the way to that."
    ))?;
    without_tunnel(story, lab, "nothing, as it should be")?;
    let desktop = desktop(&lab.client())?;
    let app = open(story, &desktop, lab)?;
    connect(story, &app)?;
    through_tunnel(story, &app, lab)?;
    let picture = keep_picture(story, &app, &desktop)?;
    disconnect(story, &app)?;
    without_tunnel(story, lab, "nothing again")?;
    app.quit()?;
    desktop.wait_until_clean(CLEAN)?;
    let left = lab.server().processes();
    ensure!(left.is_empty(), "on the server there are still {left:?}");
    Ok(picture)
}

/// Steps with their numbers.
#[derive(Default)]
struct Story {
    steps: usize,
}

impl Story {
    fn tell(&mut self, step: impl Display) -> Result<()> {
        if INTERRUPTED.load(Ordering::Relaxed) {
            bail!("interrupted");
        }
        self.steps += 1;
        println!("{:>3}  {step}", self.steps);
        Ok(())
    }
}

fn without_tunnel(story: &mut Story, lab: &Lab, words: &str) -> Result<()> {
    let page = fetch(lab)?;
    ensure!(!page.succeeded(), "curl got a page without the tunnel: {}", page.body);
    story.tell(format_args!("curl {} gets {words}.", url(lab)))
}

fn open(story: &mut Story, desktop: &Desktop, lab: &Lab) -> Result<App> {
    save_profile(desktop, lab)?;
    let app = desktop.open_app()?;
    let place =
        if desktop.is_virtual() { "a virtual display, as there is no screen here" } else { "your screen" };
    story.tell(format_args!("Ropeway's window is open on {place}."))?;
    Ok(app)
}

fn connect(story: &mut Story, app: &App) -> Result<()> {
    let started = Instant::now();
    app.click("connect-switch")?;
    app.wait_for_text("state-words", "Connected", PATIENCE)?;
    let took = started.elapsed().as_secs_f32();
    story.tell(format_args!("A click on its switch: connected after {took:.1} s."))
}

fn through_tunnel(story: &mut Story, app: &App, lab: &Lab) -> Result<()> {
    let (page, word) = (fetch(lab)?, lab.word());
    ensure!(page.succeeded() && page.body.contains(word), "curl got no page through the tunnel: {page:?}");
    story.tell(format_args!("curl {} gets the page, with the word of this run: {word}", url(lab)))?;
    let (address, listed) = listed(app)?;
    ensure!(listed == page.received, "the app lists {listed} bytes, and curl counted {}", page.received);
    story
        .tell(format_args!("The window lists {listed} bytes from {address}. curl counted {}.", page.received))
}

/// The one connection in the app's table: where to, and how much came.
fn listed(app: &App) -> Result<(String, u64)> {
    app.click("tab-connections")?;
    app.click("[aria-label=\"Which connections\"] label:last-child")?;
    let bytes = app.attribute("connection-row[data-state=closed]", "data-down")?.parse()?;
    Ok((app.text("connection-row [data-col=address]")?, bytes))
}

fn keep_picture(story: &mut Story, app: &App, desktop: &Desktop) -> Result<PathBuf> {
    let programs = harness::bin("ropeway-demo")?;
    let file = programs.parent().and_then(Path::parent).context("no folder")?.join("demo.png");
    app.screenshot(&file)?;
    story.tell("A picture of the window is kept.")?;
    if !desktop.is_virtual() {
        thread::sleep(LOOK);
    }
    Ok(file)
}

fn disconnect(story: &mut Story, app: &App) -> Result<()> {
    app.click("tab-overview")?;
    app.click("connect-switch")?;
    app.wait_for_text("state-words", "Off", PATIENCE)?;
    story.tell("Another click on the switch: off.")
}

fn url(lab: &Lab) -> String {
    lab.web_url(Family::V4, "/")
}

fn fetch(lab: &Lab) -> Result<Visit> {
    visit(&lab.client(), &url(lab), CURL)
}

/// The user's own screen, if there is one that lets us in.
fn desktop(client: &Host) -> Result<Desktop> {
    let users = Desktop::on_users_screen(client)?.filter(|desktop| desktop.screen().is_ok());
    users.map_or_else(|| Desktop::start(client), Ok)
}

fn save_profile(desktop: &Desktop, lab: &Lab) -> Result<()> {
    let (ssh, net) = (lab.ssh_config(), lab.private_net(Family::V4));
    let text = format!(
        "format = 1\nname = \"Private network\"\nserver = \"server\"\nssh-command = \"ssh -F {}\"\nsubnets = [\"{net}\"]\n",
        ssh.display()
    );
    desktop.save_profile("private-network", &text).map(drop)
}

fn check_nothing_is_left(lab: &str) -> Result<()> {
    ensure!(!Lab::names().contains(&lab.to_owned()), "files of the network are left");
    for place in Place::ALL {
        let namespace = format!("/run/netns/ropeway-{lab}-{}", place.name());
        ensure!(!Path::new(&namespace).exists(), "{namespace} is left");
    }
    Ok(())
}

/// As short as it can be said from here.
fn shown(file: &Path) -> String {
    let here = env::current_dir().unwrap_or_default();
    file.strip_prefix(here).unwrap_or(file).display().to_string()
}

fn look_around() -> String {
    let lab = harness::bin("ropeway-lab").map_or_else(|_| "ropeway-lab".into(), |file| shown(&file));
    let sudo = if env::var_os("SUDO_USER").is_some() { "sudo " } else { "" };
    format!("{sudo}{lab} up && {sudo}{lab} exec client -- bash")
}

/// A Ctrl-C ends the story at the next step, so that everything is cleared away as always.
fn listen_for_interrupts() {
    let handler = SigHandler::Handler(note_interrupt);
    let action = SigAction::new(handler, SaFlags::SA_RESTART, SigSet::empty());
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        // SAFETY: the handler stores one atomic value and nothing else
        let _ = unsafe { sigaction(signal, &action) };
    }
}

extern "C" fn note_interrupt(_: i32) {
    INTERRUPTED.store(true, Ordering::Relaxed);
}
