//! Who lives on the computer, and what polkit says of them.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use anyhow::Result;

/// An account; everybody's home is below `/home`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct User {
    /// As in `passwd`.
    pub name: &'static str,
    /// The same number for the group.
    pub uid: u32,
}

impl User {
    /// The administrator of everything.
    pub const ROOT: Self = Self { name: "root", uid: 0 };
    /// polkit says yes, without a question.
    pub const YES: Self = Self { name: "lab-yes", uid: 2001 };
    /// polkit says no, without a question.
    pub const NO: Self = Self { name: "lab-no", uid: 2002 };
    /// polkit says yes to one's own traffic, and no to everything else.
    pub const OWN: Self = Self { name: "lab-own", uid: 2005 };
    /// polkit asks for an administrator's password.
    pub const ASK: Self = Self { name: "lab-ask", uid: 2003 };
    /// The only administrator with a password, [`PASSWORD`].
    pub const ADMIN: Self = Self { name: "lab-admin", uid: 2004 };

    const PEOPLE: [Self; 5] = [Self::YES, Self::NO, Self::OWN, Self::ASK, Self::ADMIN];
}

/// Of [`User::ADMIN`].
pub const PASSWORD: &str = "correct horse";

/// What `openssl passwd -6` makes of [`PASSWORD`].
const HASH: &str =
    "$6$ropewaylab$SNXr3LATvdz2sU1UaPpvdTS7I.EKbkiMhX1Q3J8nluFVlFBBMgkQJP0BHvDqP82wbY0hrWz1P/QHDAdx3Ufjr0";

/// Whatever other rules the machine has, `10-` comes before them.
const RULES: &str = r#"
polkit.addAdminRule(function (action, subject) { return ["unix-user:lab-admin"]; });
polkit.addRule(function (action, subject) {
    if (subject.user == "lab-yes") return polkit.Result.YES;
    if (subject.user == "lab-no") return polkit.Result.NO;
    if (subject.user == "lab-own")
        return action.id == "org.ropeway.helper.setup-own" ? polkit.Result.YES : polkit.Result.NO;
});
"#;

/// Into a folder that is laid over the root.
pub fn write(root: &Path) -> Result<()> {
    let people = User::PEOPLE.iter();
    let passwd =
        people.clone().map(|User { name, uid }| format!("{name}:x:{uid}:{uid}::/home/{name}:/bin/sh\n"));
    let group = people.clone().map(|User { name, uid }| format!("{name}:x:{uid}:\n"));
    let shadow = people.map(|user| {
        let hash = if *user == User::ADMIN { HASH } else { "!" };
        format!("{}:{hash}:20000::::::\n", user.name)
    });
    extend(root, "passwd", 0o644, passwd)?;
    extend(root, "group", 0o644, group)?;
    extend(root, "shadow", 0o640, shadow)?;
    for user in User::PEOPLE {
        let home = root.join("home").join(user.name);
        fs::create_dir_all(&home)?;
        std::os::unix::fs::chown(&home, Some(user.uid), Some(user.uid))?;
    }
    let rules = root.join("etc/polkit-1/rules.d");
    fs::create_dir_all(&rules)?;
    Ok(fs::write(rules.join("10-lab.rules"), RULES)?)
}

fn extend(root: &Path, name: &str, mode: u32, lines: impl Iterator<Item = String>) -> Result<()> {
    let all = fs::read_to_string(Path::new("/etc").join(name))? + &lines.collect::<String>();
    fs::create_dir_all(root.join("etc"))?;
    let file = root.join("etc").join(name);
    fs::write(&file, all)?;
    Ok(fs::set_permissions(file, fs::Permissions::from_mode(mode))?)
}
