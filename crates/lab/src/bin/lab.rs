//! The lab on the command line.

use std::{env, os::unix::process::CommandExt, path::Path, process::ExitCode};

use anyhow::{Context, Result, bail};
use ropeway_lab::{Lab, Place, serve, system};

const USAGE: &str = "\
Usage: ropeway-lab up [NAME]                 bring a lab up (in place of one of that name)
       ropeway-lab down [NAME]               take it down
       ropeway-lab exec [NAME] HOST -- CMD…  run a command on client, jump, server, private or hub;
                                             on root@client as root
       ropeway-lab info [NAME]               tell addresses and files, as JSON
NAME is `lab` if it is not given. A lab needs root.";

const DEFAULT: &str = "lab";

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ropeway-lab: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str]) -> Result<()> {
    match words {
        ["up", name @ ..] => up(one(name)?),
        ["down", name @ ..] => Lab::down(one(name)?),
        ["info", name @ ..] => info(one(name)?),
        ["exec", host, "--", command @ ..] => exec(DEFAULT, host, command),
        ["exec", name, host, "--", command @ ..] => exec(name, host, command),
        ["__serve", word, zone @ ..] => Ok(serve::run(word, zone.first().map(Path::new))?),
        ["__call"] => system::run_caller(),
        ["__neighbour"] => system::run_neighbour(),
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            Ok(())
        }
        _ => bail!("{USAGE}"),
    }
}

fn one<'a>(names: &[&'a str]) -> Result<&'a str> {
    match names {
        [] => Ok(DEFAULT),
        [name] => Ok(name),
        _ => bail!("{USAGE}"),
    }
}

fn up(name: &str) -> Result<()> {
    Lab::up(name)?.leave_up();
    info(name)
}

fn info(name: &str) -> Result<()> {
    println!("{}", serde_json::to_string_pretty(&Lab::open(name)?.info())?);
    Ok(())
}

fn exec(name: &str, host: &str, command: &[&str]) -> Result<()> {
    let (place, as_root) = host.strip_prefix("root@").map_or((host, false), |place| (place, true));
    let place = Place::named(place).with_context(|| format!("a lab has no host {place}"))?;
    let [program, args @ ..] = command else { bail!("{USAGE}") };
    let host = Lab::open(name)?.host(place);
    let host = if as_root { host.as_root() } else { host };
    let error = host.command(program)?.args(args).exec();
    Err(error).with_context(|| format!("cannot run {program}"))
}
