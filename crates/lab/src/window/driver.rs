//! `WebDriver`, as much of it as is needed: the driver program of `WebKit`, a session in it, and the commands of one.
//! A client of a few requests over plain HTTP is shorter than the adaption of a library to a network namespace.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::service::Service;
use crate::{Host, harness::wait_until};

/// How long the driver may take to listen, and then a command to be answered: the slowest is the start of the
/// program with its first page, a second alone and several while others compile.
const PATIENCE: Duration = Duration::from_mins(1);

/// The key under which `WebDriver` hands over elements, from the specification.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// The driver program with one session.
#[derive(Debug)]
pub struct Driver {
    host: Host,
    address: SocketAddr,
    session: String,
    _program: Service,
}

impl Driver {
    /// Starts `binary` under the driver. `prepare` sets what both get from their environment.
    pub fn start(host: &Host, binary: &Path, log: &Path, prepare: impl Fn(&mut Command)) -> Result<Self> {
        let address = free_address(host)?;
        let mut command = host.command("WebKitWebDriver")?;
        command.arg(format!("--port={}", address.port())).stdout(Stdio::null());
        // tells Tauri's web view that it may be driven
        command.env("TAURI_WEBVIEW_AUTOMATION", "true");
        prepare(&mut command);
        let program = Service::start(&mut command, log)?;
        let mut driver = Self { host: host.clone(), address, session: String::new(), _program: program };
        driver.open(binary)?;
        Ok(driver)
    }

    /// The first element that the selector matches, for [`Driver::ask`] and [`Driver::tell`].
    pub fn find(&self, css: &str) -> Result<String> {
        let found = self.post("element", &json!({ "using": "css selector", "value": css }))?;
        element(&found).with_context(|| format!("not an element: {found}"))
    }

    /// Everything that the selector matches, in the page's order.
    pub fn find_all(&self, css: &str) -> Result<Vec<String>> {
        let found = self.post("elements", &json!({ "using": "css selector", "value": css }))?;
        Ok(found.as_array().into_iter().flatten().filter_map(element).collect())
    }

    /// Asks an element: `attribute/NAME`, `property/NAME`.
    pub fn ask(&self, element: &str, what: &str) -> Result<Value> {
        self.get(&format!("element/{element}/{what}"))
    }

    /// Does something to an element: `click`, `clear`, `value`.
    pub fn tell(&self, element: &str, what: &str, details: &Value) -> Result<()> {
        self.post(&format!("element/{element}/{what}"), details).map(drop)
    }

    /// Runs the body of an `async` function in the page.
    pub fn run(&self, script: &str) -> Result<Value> {
        let script = format!(
            "const done = arguments[arguments.length - 1]; (async () => {{ {script} }})().then(done);"
        );
        self.post("execute/async", &json!({ "script": script, "args": [] }))
    }

    /// A question to the session: `title`, `screenshot`.
    pub fn get(&self, what: &str) -> Result<Value> {
        self.request("GET", &format!("/session/{}/{what}", self.session), None)
    }

    /// A command to the session.
    pub fn post(&self, what: &str, details: &Value) -> Result<Value> {
        self.request("POST", &format!("/session/{}/{what}", self.session), Some(details))
    }

    fn open(&mut self, binary: &Path) -> Result<()> {
        let listens = || self.connect().is_ok();
        if !wait_until(PATIENCE, listens) {
            bail!("WebKitWebDriver does not listen on {}", self.address);
        }
        let options = json!({ "webkitgtk:browserOptions": { "binary": binary, "args": [] } });
        let answer =
            self.request("POST", "/session", Some(&json!({ "capabilities": { "alwaysMatch": options } })))?;
        answer["sessionId"].as_str().context("no session")?.clone_into(&mut self.session);
        Ok(())
    }

    fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        let mut stream = self.connect()?;
        let body = body.map(Value::to_string).unwrap_or_default();
        // 1.0: the answer ends with the connection, and nothing is chunked
        write!(
            stream,
            "{method} {path} HTTP/1.0\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).with_context(|| format!("{method} {path}"))?;
        let (head, body) = answer.split_once("\r\n\r\n").context("not an HTTP answer")?;
        value(head, body).with_context(|| format!("{method} {path}"))
    }

    /// The socket is made inside the host and works from everywhere.
    fn connect(&self) -> Result<TcpStream> {
        let stream = self.host.run(|| TcpStream::connect(self.address))??;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(stream)
    }
}

fn element(value: &Value) -> Option<String> {
    value[ELEMENT].as_str().map(str::to_owned)
}

fn value(head: &str, body: &str) -> Result<Value> {
    let mut answer: Value =
        serde_json::from_str(body).with_context(|| format!("not JSON: {head}\n{body}"))?;
    let value = answer["value"].take();
    let status = head.split(' ').nth(1).unwrap_or_default();
    if status == "200" {
        return Ok(value);
    }
    bail!("{}: {}", value["error"].as_str().unwrap_or(status), value["message"].as_str().unwrap_or_default())
}

/// Nobody else is in the host's network, so it is still free a moment later.
fn free_address(host: &Host) -> Result<SocketAddr> {
    Ok(host.run(|| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr())??)
}
