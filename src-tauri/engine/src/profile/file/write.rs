//! Writes a profile into the text that is there, touching nothing else of it.

use toml_edit::{Array, DocumentMut, Item, Table, Value, value};

use super::{FORMAT, FileError};
use crate::api::{Names, Profile, Reach, WhileDown};

/// The new text of the file; `old` is its text so far, empty for a new file.
pub fn write(old: &str, profile: &Profile) -> Result<String, FileError> {
    let mut document: DocumentMut = old.parse().map_err(|error: toml_edit::TomlError| FileError::Toml {
        line: super::line(old, error.span()),
        message: error.message().replace('\n', " "),
    })?;
    set(&mut document, "format", FORMAT);
    set(&mut document, "name", &profile.name);
    set_unless_empty(&mut document, "server", &profile.server);
    set_unless_empty(&mut document, "ssh-command", &profile.ssh_command);
    set_list(&mut document, "subnets", &profile.subnets);
    set_list(&mut document, "excludes", &profile.excludes);
    set_unless_empty(&mut document, "capture", &profile.capture);
    set_while_down(&mut document, profile.while_down);
    set_latency(&mut document, &profile.latency);
    set_names(&mut document, &profile.names);
    set_reach(&mut document, &profile.reach);
    Ok(document.to_string())
}

fn set_names(document: &mut Table, names: &Names) {
    let Some(table) = table(document, "names", *names == Names::default()) else { return };
    set_unless_off(table, "dns", names.dns);
    set_unless_none(table, "domains", &names.domains);
    set_unless_none(table, "name-servers", &names.name_servers);
    set_unless_none(table, "ns-hosts", &names.ns_hosts);
    set_unless_off(table, "auto-hosts", names.auto_hosts);
    set_unless_none(table, "seed-hosts", &names.seed_hosts);
    set_unless_empty(table, "suffix", &names.suffix);
}

fn set_reach(document: &mut Table, reach: &Reach) {
    let Some(table) = table(document, "reach", *reach == Reach::default()) else { return };
    set_unless_off(table, "auto-nets", reach.auto_nets);
    set_unless_off(table, "local-networks", reach.local_networks);
    set_unless_off(table, "udp", reach.udp);
    set_unless_none(table, "share", &reach.share);
}

/// The table of that name, made where something is to stand in it. What is there and no table is another version's.
fn table<'a>(document: &'a mut Table, key: &str, empty: bool) -> Option<&'a mut Table> {
    if empty && !document.contains_key(key) {
        return None;
    }
    // `names = { dns = true }` is the same in another spelling
    if let Some(inline) = document.get(key).and_then(Item::as_inline_table) {
        let table = inline.clone().into_table();
        document.insert(key, Item::Table(table));
    }
    document.entry(key).or_insert_with(toml_edit::table).as_table_mut()
}

fn set(document: &mut Table, key: &str, new: impl Into<Value>) {
    let mut new = new.into();
    match document.get_mut(key).and_then(Item::as_value_mut) {
        Some(old) if same(old, &new) => {}
        Some(old) => {
            // The decor holds the comment behind the value.
            *new.decor_mut() = old.decor().clone();
            *old = new;
        }
        None => drop(document.insert(key, value(new))),
    }
}

fn same(old: &Value, new: &Value) -> bool {
    match (old, new) {
        (Value::String(old), Value::String(new)) => old.value() == new.value(),
        (Value::Integer(old), Value::Integer(new)) => old.value() == new.value(),
        (Value::Boolean(old), Value::Boolean(new)) => old.value() == new.value(),
        (Value::String(old), Value::Integer(new)) => *old.value() == new.value().to_string(),
        _ => false,
    }
}

/// A key that is not there means the same as an empty text; one that is there is kept, with its comment.
fn set_unless_empty(document: &mut Table, key: &str, text: &str) {
    if !text.is_empty() || document.contains_key(key) {
        set(document, key, text);
    }
}

/// A key that is not there means that traffic goes its usual way.
fn set_while_down(document: &mut Table, wanted: WhileDown) {
    if wanted != WhileDown::Open || document.contains_key("while-down") {
        let name = match wanted {
            WhileDown::Open => "open",
            WhileDown::Networks => "networks",
            WhileDown::Everything => "everything",
        };
        set(document, "while-down", name);
    }
}

/// A number as one, where that reads back as the same text.
fn set_latency(document: &mut Table, text: &str) {
    match text.parse::<i64>() {
        Ok(number) if number.to_string() == text => set(document, "latency", number),
        _ => set_unless_empty(document, "latency", text),
    }
}

/// A switch that is not there is off.
fn set_unless_off(document: &mut Table, key: &str, on: bool) {
    if on || document.contains_key(key) {
        set(document, key, on);
    }
}

/// A list that is not there is empty.
fn set_unless_none(document: &mut Table, key: &str, wanted: &[String]) {
    if !wanted.is_empty() || document.contains_key(key) {
        set_list(document, key, wanted);
    }
}

fn set_list(document: &mut Table, key: &str, wanted: &[String]) {
    match document.get_mut(key).and_then(Item::as_array_mut) {
        Some(list) => rearrange(list, wanted),
        None if wanted.is_empty() && key != "subnets" => {}
        None => drop(document.insert(key, value(fresh(wanted)))),
    }
}

fn fresh(wanted: &[String]) -> Array {
    let mut list: Array = wanted.iter().collect();
    if wanted.len() > 1 {
        list.iter_mut().for_each(|entry| entry.decor_mut().set_prefix("\n    "));
        list.set_trailing("\n");
        list.set_trailing_comma(true);
    }
    list
}

/// Makes the list what is wanted: entries that stay keep their comments, and comments of those that go move to
/// the end of the list.
fn rearrange(list: &mut Array, wanted: &[String]) {
    if list.iter().map(Value::as_str).eq(wanted.iter().map(|text| Some(text.as_str()))) {
        return;
    }
    let mut old: Vec<Value> = list.iter().cloned().collect();
    let prefix = old.iter().find_map(indentation).unwrap_or_default();
    list.clear();
    for text in wanted {
        let found = old.iter().position(|entry| entry.as_str() == Some(text));
        list.push_formatted(
            found.map_or_else(|| Value::from(text).decorated(&prefix, ""), |at| old.remove(at)),
        );
    }
    let orphans: String = old.iter().filter_map(comments).collect();
    let trailing = list.trailing().as_str().unwrap_or_default().to_owned();
    list.set_trailing([orphans, trailing].concat());
}

/// How the entries of this list are set apart: the end of line and blanks in front of them.
fn indentation(entry: &Value) -> Option<String> {
    let prefix = entry.decor().prefix()?.as_str()?;
    let line_end = prefix.rfind('\n')?;
    Some(prefix[line_end..].to_owned())
}

fn comments(entry: &Value) -> Option<String> {
    let decor = entry.decor();
    let parts =
        [decor.prefix(), decor.suffix()].map(|raw| raw.and_then(|raw| raw.as_str()).unwrap_or_default());
    let text = parts.concat();
    text.contains('#').then_some(text)
}
