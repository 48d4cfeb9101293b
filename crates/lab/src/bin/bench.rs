//! `ropeway-bench [--quick] PAGE [PART…]`: measures, keeps the numbers, and writes the page. Called by `make bench`.

use std::{env, path::Path, process::ExitCode, time::Instant};

use anyhow::{Result, bail};
use ropeway_lab::bench::{
    limits,
    load::hold,
    page::{self, machine},
    parts::{self, Pace, Part},
    record::{Record, Run},
    stage::{self, Stage},
    target, tunnel, usage,
};

const USAGE: &str = "\
Usage: ropeway-bench [--quick] PAGE [PART[/WORD...]...]
Measures the parts (all, when none is named) and writes PAGE from these and from what was measured before.
Parts: bulk load step both connections start idle stopped. `load/50M50ms/ropeway` measures of one part only
what has these words in its name; the names are those of the lines that are printed.
`--quick` spends a few seconds on each and takes no medians.

       ropeway-bench --page PAGE
Writes PAGE from what was measured before.";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ropeway-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    let mut words: Vec<&str> = args.iter().map(String::as_str).collect();
    let quick = words.contains(&"--quick");
    words.retain(|word| *word != "--quick");
    match words[..] {
        ["__target"] => target::serve(),
        ["__redirect", listen, socks] => tunnel::redirect::serve(listen, socks),
        ["__hold", count] => hold::hold(count.parse()?),
        ["--page", page] => {
            page::write(Path::new(page), &Record::load(&stage::folder()?.join("record.json"))?)
        }
        [page, ref names @ ..] if !page.starts_with('-') => bench(page, names, Pace { quick }),
        _ => bail!("{USAGE}"),
    }
}

fn bench(page: &str, names: &[&str], pace: Pace) -> Result<()> {
    let parts: Vec<(&Part, Vec<String>)> = match names {
        [] => parts::ALL.iter().map(|part| (part, Vec::new())).collect(),
        names => names.iter().map(|name| wanted(name)).collect::<Result<_>>()?,
    };
    limits::be_usual()?;
    let file = stage::folder()?.join("record.json");
    let mut record = Record::load(&file)?;
    let mut stage = Stage::up()?;
    for ((name, measure), only) in parts {
        println!("{name}");
        record.only = only;
        record.forget(name);
        let watch = Watch::start();
        if let Err(error) = measure(&mut stage, &mut record, pace) {
            println!("  {name}: FAILED: {error:#}");
            record.failures.insert((*name).to_owned(), format!("{error:#}"));
        }
        let run = watch.stop(pace);
        println!("  {:.0} s, processors {:.0} % busy", run.seconds, run.busy * 100.0);
        // what was measured of it before is still most of it
        if record.only.is_empty() || !record.runs.contains_key(*name) {
            record.runs.insert((*name).to_owned(), run);
        }
        record.save(&file)?;
    }
    page::write(Path::new(page), &record)
}

/// A part, and what of it.
fn wanted(name: &str) -> Result<(&'static Part, Vec<String>)> {
    let mut words = name.split('/');
    let part = parts::named(words.next().unwrap_or_default())?;
    Ok((part, words.map(str::to_owned).collect()))
}

/// How long a part takes, and how busy the machine is meanwhile.
struct Watch {
    commit: String,
    began: Instant,
    used: Option<(f64, f64)>,
}

impl Watch {
    fn start() -> Self {
        Self { commit: machine::commit(), began: Instant::now(), used: usage::machine() }
    }

    fn stop(self, pace: Pace) -> Run {
        let used = self.used.zip(usage::machine());
        let busy = used
            .map_or(0.0, |((busy, total), (busy_now, total_now))| (busy_now - busy) / (total_now - total));
        Run { commit: self.commit, quick: pace.quick, seconds: self.began.elapsed().as_secs_f64(), busy }
    }
}
