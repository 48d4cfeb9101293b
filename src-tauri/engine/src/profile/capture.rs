//! Whose traffic a profile takes, as typed: nothing (one's own; root's: everybody's), `everyone`, `user:NAME`,
//! `group:NAME`, `cgroup:PATH`. Names are asked of the system, and only where one is typed.

use std::path::{Component, Path, PathBuf};

use nix::unistd::{Group, Uid, User};
use ropeway_helper_api as helper;

use crate::spelling::{Mistake, Part, decimal};

/// What was typed, understood.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Capture {
    /// The least that serves the user: root is asked for by people who mean the whole machine.
    #[default]
    Auto,
    Everyone,
    User(u32),
    Group(u32),
    /// A folder of the cgroup2 tree, from its root.
    Cgroup(PathBuf),
}

impl Capture {
    pub fn parse(text: &str) -> Result<Self, Mistake> {
        let whole = Part::new(text);
        match whole.split_once(':') {
            None if text.is_empty() => Ok(Self::Auto),
            None if text == "everyone" => Ok(Self::Everyone),
            None => Err(suggested(whole)),
            Some((kind, name)) => match kind.text() {
                "user" => user(name).map(Self::User),
                "group" => group(name).map(Self::Group),
                "cgroup" => cgroup(name).map(Self::Cgroup),
                _ => Err(unknown(kind)),
            },
        }
    }

    /// For the helper, on behalf of this user. The cgroup's folder goes along with the plan.
    pub fn of(&self, caller: Uid) -> helper::Capture {
        match *self {
            Self::Auto if caller.is_root() => helper::Capture::Everyone,
            Self::Auto => helper::Capture::User { uid: caller.as_raw() },
            Self::Everyone => helper::Capture::Everyone,
            Self::User(uid) => helper::Capture::User { uid },
            Self::Group(gid) => helper::Capture::Group { gid },
            Self::Cgroup(_) => helper::Capture::Cgroup,
        }
    }
}

fn unknown(kind: Part) -> Mistake {
    kind.mistake(
        "Write everyone, user:NAME, group:NAME or cgroup:PATH; leave it empty for your own programs.",
    )
}

/// A word alone may be the name of somebody.
fn suggested(word: Part) -> Mistake {
    let mistake = unknown(word);
    match word.text() {
        "everybody" | "all" => mistake.suggest("everyone"),
        name if uid(name).is_some() => mistake.suggest(format!("user:{name}")),
        name if gid(name).is_some() => mistake.suggest(format!("group:{name}")),
        _ => mistake,
    }
}

fn user(name: Part) -> Result<u32, Mistake> {
    uid(name.text()).ok_or_else(|| nobody(name, "user"))
}

fn group(name: Part) -> Result<u32, Mistake> {
    gid(name.text()).ok_or_else(|| nobody(name, "group"))
}

fn nobody(name: Part, what: &str) -> Mistake {
    if name.text().is_empty() {
        return name.with_separator().mistake(format!("The name of the {what} is missing."));
    }
    name.mistake(format!("There is no {what} \u{201c}{}\u{201d} on this computer.", name.text()))
}

/// A number serves where there is no name: users of a container have none here.
fn uid(name: &str) -> Option<u32> {
    let named = User::from_name(name).ok().flatten().map(|user| user.uid.as_raw());
    named.or_else(|| number(name))
}

fn gid(name: &str) -> Option<u32> {
    let named = Group::from_name(name).ok().flatten().map(|group| group.gid.as_raw());
    named.or_else(|| number(name))
}

/// The last one means "nobody" to the kernel.
fn number(text: &str) -> Option<u32> {
    decimal(text).filter(|number| *number != u32::MAX)
}

fn cgroup(path: Part) -> Result<PathBuf, Mistake> {
    let text = path.text();
    if text.trim_matches('/').is_empty() {
        return Err(path.with_separator().mistake("The path of the cgroup is missing."));
    }
    let climbs = |part: Component| matches!(part, Component::ParentDir | Component::CurDir);
    if Path::new(text).components().any(climbs) {
        return Err(path.mistake("A cgroup's path goes down from the top, without . and .. in it."));
    }
    if text.contains('\0') {
        return Err(path.mistake("There is an invisible character here."));
    }
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_understood() {
        for (text, expected) in [
            ("", Capture::Auto),
            ("everyone", Capture::Everyone),
            ("user:root", Capture::User(0)),
            ("user:3999999999", Capture::User(3_999_999_999)),
            ("group:root", Capture::Group(0)),
            ("group:0", Capture::Group(0)),
            ("cgroup:/user.slice/a:b.scope", Capture::Cgroup("/user.slice/a:b.scope".into())),
        ] {
            assert_eq!(Capture::parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn mistakes_say_what_is_meant() {
        for (text, wrong, words, suggestion) in [
            ("all", "all", "Write everyone", Some("everyone")),
            ("root", "root", "Write everyone", Some("user:root")),
            ("someone", "someone", "Write everyone", None),
            ("uid:1000", "uid", "Write everyone", None),
            ("user:no-such-user", "no-such-user", "no user \u{201c}no-such-user\u{201d}", None),
            ("group:no-such-group", "no-such-group", "no group \u{201c}no-such-group\u{201d}", None),
            ("user:4294967295", "4294967295", "no user", None),
            ("user:", ":", "missing", None),
            ("cgroup:/", ":/", "missing", None),
            ("cgroup:a/../b", "a/../b", "without . and ..", None),
        ] {
            let mistake = Capture::parse(text).unwrap_err();
            let (start, end) = (mistake.span.0 as usize, mistake.span.1 as usize);
            assert_eq!(&text[start..end], wrong, "{text}");
            assert!(mistake.message.contains(words), "{text}: {}", mistake.message);
            assert_eq!(mistake.suggestion.as_deref(), suggestion, "{text}");
        }
    }

    #[test]
    fn without_a_word_root_means_everybody_and_others_themselves() {
        assert_eq!(Capture::Auto.of(Uid::from_raw(0)), helper::Capture::Everyone);
        assert_eq!(Capture::Auto.of(Uid::from_raw(1000)), helper::Capture::User { uid: 1000 });
        assert_eq!(Capture::User(7).of(Uid::from_raw(1000)), helper::Capture::User { uid: 7 });
    }
}
