//! The page that `make bench` writes, and the pictures beside it: [`goals`] first, then [`tables`], each part's own.

mod cell;
mod goals;
pub mod machine;
mod plot;
mod plots;
mod tables;

use std::{fmt::Write as _, fs, path::Path};

use anyhow::{Context, Result};

use super::{record::Record, tunnel};

/// Writes the page, and its pictures into a folder of its name. A file `reasons.txt` there says why a goal is not met,
/// `goal: reason` in each line; no program knows that.
pub fn write(file: &Path, record: &Record) -> Result<()> {
    let folder = file.with_extension("");
    let reasons = fs::read_to_string(folder.join("reasons.txt")).unwrap_or_default();
    fs::write(file, page(record, &reasons)).with_context(|| file.display().to_string())?;
    fs::create_dir_all(&folder)?;
    for (name, svg) in plots::all(record) {
        fs::write(folder.join(name), svg)?;
    }
    Ok(())
}

/// What a part says on the page.
type Section = fn(&Record) -> String;

/// The whole page.
fn page(record: &Record, reasons: &str) -> String {
    let has = |part: &str| record.runs.contains_key(part);
    let sections: [(&str, Section); 9] = [
        ("bulk", tables::bulk),
        ("load", tables::load),
        ("step", tables::step),
        ("both", tables::both),
        ("connections", tables::connections),
        ("names", tables::names),
        ("start", tables::start),
        ("idle", tables::idle),
        ("stopped", tables::stopped),
    ];
    let mut text = format!("{HEAD}{}\n\n", with_what());
    text += &goals::table(record, reasons);
    for (_, section) in sections.iter().filter(|(part, _)| has(part)) {
        text.push('\n');
        text += &section(record);
    }
    text += &failures(record);
    text + &runs(record)
}

const HEAD: &str = "# Performance

`make bench` writes this page. Everything is measured in the lab (network namespaces on one machine, real sshd), all
kinds in turn in the same run, so that ratios mean something where absolute numbers depend on the machine. Emulated
links are two TUN devices with a rate, a delay and a queue of 200 ms in each direction that drops what does not fit; TCP
uses cubic. Values are medians of the rounds.

Client, ssh, sshd, the server's side, the target and the link share this machine's processors. Without delay the
processor is what all of them are short of, and a tunnel's price is processor time; on the emulated links it is not.

`make bench PARTS='step load/50M50ms/ropeway'` measures these again and keeps the rest of the page; `QUICK=1` takes a
glance.

";

fn with_what() -> String {
    let sshuttle = tunnel::sshuttle_version().unwrap_or_else(|_| "not installed".to_owned());
    let versions = machine::versions().join(", ");
    format!("On {}; {versions}, sshuttle {sshuttle}.", machine::machine())
}

fn failures(record: &Record) -> String {
    if record.failures.is_empty() {
        return String::new();
    }
    let rows = record.failures.iter().fold(String::new(), |mut rows, (path, why)| {
        let why = why.replace(['\n', '|'], " ");
        let _ = writeln!(rows, "| `{path}` | {why} |");
        rows
    });
    format!("\n## What could not be measured\n\n| what | why |\n|---|---|\n{rows}")
}

fn runs(record: &Record) -> String {
    let rows = record.runs.iter().fold(String::new(), |mut rows, (part, run)| {
        let pace = if run.quick { "a glance, no medians" } else { "" };
        let _ = writeln!(
            rows,
            "| {part} | {} | {:.0} | {:.0} % | {pace} |",
            run.commit,
            run.seconds,
            run.busy * 100.0
        );
        rows
    });
    format!(
        "\n## The runs\n\n*busy* is the share of the processors' time that was used meanwhile, by whatever ran on the \
         machine.\n\n| part | commit | seconds | busy | |\n|---|---|---:|---:|---|\n{rows}"
    )
}
