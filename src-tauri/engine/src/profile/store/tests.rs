#![allow(clippy::unwrap_used)]

use std::os::unix::fs::{PermissionsExt, symlink};

use tempfile::TempDir;

use super::*;

struct Folder {
    _temp: TempDir,
    path: PathBuf,
    store: Store,
}

impl Folder {
    /// In a folder that is not there yet.
    fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("config/ropeway/profiles");
        Self { store: Store::new(&path), path, _temp: temp }
    }

    fn with(files: &[(&str, &str)]) -> Self {
        let folder = Self::new();
        fs::create_dir_all(&folder.path).unwrap();
        for (name, text) in files {
            fs::write(folder.path.join(name), text).unwrap();
        }
        folder
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path.join(name)).unwrap()
    }

    fn mode(&self, name: &str) -> u32 {
        fs::metadata(self.path.join(name)).unwrap().permissions().mode() & 0o777
    }

    fn ids(&self) -> Vec<String> {
        self.store.load_all().0.into_iter().map(|profile| profile.id.0).collect()
    }

    fn broken(&self) -> Vec<(String, String)> {
        let (_, broken) = self.store.load_all();
        broken.into_iter().map(|broken| (broken.failure.subject, broken.failure.detail)).collect()
    }

    fn files(&self) -> usize {
        fs::read_dir(&self.path).unwrap().count()
    }
}

fn named(name: &str) -> Profile {
    Profile { name: name.into(), server: "host".into(), subnets: vec!["10/8".into()], ..Profile::default() }
}

fn id(id: &str) -> ProfileId {
    ProfileId(id.into())
}

const WORK: &str = "format = 1\nname = \"Work\"\nserver = \"host\"\nsubnets = [\"10/8\"]\n";

#[test]
fn this_computer_is_there_without_any_file() {
    let folder = Folder::new();
    let (profiles, broken) = folder.store.load_all();
    assert_eq!((profiles.len(), broken.len()), (1, 0));
    let Profile { id, name, server, subnets, built_in, .. } = &profiles[0];
    assert_eq!(
        (id.0.as_str(), name.as_str(), server.as_str(), subnets.len(), *built_in),
        (BUILT_IN, "This computer", "", 0, true)
    );
}

#[test]
fn what_is_saved_is_loaded() {
    let folder = Folder::new();
    let saved = folder.store.save(&named("Work")).unwrap();
    assert_eq!(saved, id("work"));
    let (profiles, _) = folder.store.load_all();
    assert_eq!(profiles[0], Profile { id: saved, ..named("Work") });
}

#[test]
fn files_are_for_the_user_alone_and_nothing_else_stays() {
    let folder = Folder::new();
    folder.store.save(&named("Work")).unwrap();
    assert_eq!((folder.mode("work.toml"), folder.mode(".")), (0o600, 0o700));
    folder.store.save(&Profile { id: id("work"), ..named("Other") }).unwrap();
    assert_eq!((folder.mode("work.toml"), folder.files()), (0o600, 1));
}

#[test]
fn ids_are_unique_and_survive_a_new_name() {
    let folder = Folder::new();
    let ids = [(); 3].map(|()| folder.store.save(&named("Work")).unwrap().0);
    assert_eq!(ids, ["work", "work-2", "work-3"]);
    assert_eq!(folder.store.save(&Profile { id: id("work-2"), ..named("Lab") }).unwrap(), id("work-2"));
    assert_eq!(folder.ids(), ["work-2", "work", "work-3", BUILT_IN]);
}

#[test]
fn the_list_is_in_order_whatever_the_case() {
    let folder = Folder::new();
    for name in ["beta", "Alpha", "gamma", "This computer"] {
        folder.store.save(&named(name)).unwrap();
    }
    assert_eq!(folder.ids(), ["alpha", "beta", "gamma", "this-computer-2", BUILT_IN]);
}

#[test]
fn corrupt_files_are_told_and_the_others_load() {
    let folder = Folder::with(&[
        ("work.toml", WORK),
        ("syntax.toml", "format = 1\nname = \"open\nsubnets = []"),
        ("type.toml", "format = 1\nname = 5\n"),
        ("newer.toml", "format = 7\n"),
        ("Big Name.toml", WORK),
        ("big.toml", &"#".repeat((1 << 20) + 1)),
        (".hidden.toml", "nonsense"),
        ("notes.txt", "nonsense"),
    ]);
    fs::write(folder.path.join("bytes.toml"), b"format = 1\n\xff\n").unwrap();
    assert_eq!(folder.ids(), ["work", BUILT_IN]);
    let broken = folder.broken();
    let files: Vec<&str> = broken.iter().map(|(file, _)| file.as_str()).collect();
    assert_eq!(files, ["Big Name.toml", "big.toml", "bytes.toml", "newer.toml", "syntax.toml", "type.toml"]);
    assert!(broken[0].1.contains("small letters"));
    assert!(broken[1].1.contains("1 MiB"));
    assert!(broken[2].1.starts_with("line 2: "));
    assert!(broken[3].1.contains("format 7"));
    assert!(broken[4].1.starts_with("line 2: ") && broken[5].1.starts_with("line 2: "));
    assert!(folder.store.load_all().1.iter().all(|broken| broken.failure.code == Code::ProfileFile));
}

#[test]
fn pipes_folders_and_dead_links_hang_nothing() {
    let folder = Folder::with(&[("work.toml", WORK)]);
    nix::unistd::mkfifo(&folder.path.join("pipe.toml"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    fs::create_dir(folder.path.join("folder.toml")).unwrap();
    symlink("/nowhere/at/all", folder.path.join("dead.toml")).unwrap();
    assert_eq!(folder.ids(), ["work", BUILT_IN]);
    let files: Vec<String> = folder.broken().into_iter().map(|(file, _)| file).collect();
    assert_eq!(files, ["dead.toml", "folder.toml", "pipe.toml"]);
}

#[test]
fn a_broken_file_is_never_overwritten() {
    let folder = Folder::with(&[("work.toml", "broken = ")]);
    assert_eq!(folder.store.save(&named("Work")).unwrap(), id("work-2"));
    assert_eq!(folder.store.save(&Profile { id: id("work"), ..named("Work") }).unwrap(), id("work-3"));
    assert_eq!(folder.text("work.toml"), "broken = ");
}

#[test]
fn a_broken_file_of_this_computer_is_not_overwritten_either() {
    let folder = Folder::with(&[("this-computer.toml", "broken = ")]);
    let failure = folder.store.save(&folder.store.load_all().0[0]).unwrap_err();
    assert_eq!(failure.code, Code::ProfileSave);
    assert_eq!(folder.text("this-computer.toml"), "broken = ");
    assert_eq!((folder.ids().len(), folder.broken().len()), (1, 1));
}

#[test]
fn this_computer_keeps_its_networks_and_nothing_else() {
    let folder = Folder::new();
    let edited = Profile { id: id(BUILT_IN), ..named("Mine") };
    assert_eq!(folder.store.save(&edited).unwrap(), id(BUILT_IN));
    let profile = folder.store.load_all().0.remove(0);
    assert_eq!(
        (profile.name.as_str(), profile.server.as_str(), profile.built_in),
        ("This computer", "", true)
    );
    assert_eq!(profile.subnets, ["10/8"]);
    folder.store.delete(&id(BUILT_IN)).unwrap();
    folder.store.delete(&id(BUILT_IN)).unwrap();
    assert!(folder.store.load_all().0[0].subnets.is_empty());
}

#[test]
fn saving_keeps_comments_and_unknown_keys() {
    let folder = Folder::with(&[("work.toml", "# mine\nformat = 1\nname = \"Work\"\nlater = true\n")]);
    folder.store.save(&Profile { id: id("work"), ..named("Work 2") }).unwrap();
    let text = folder.text("work.toml");
    assert!(
        text.starts_with("# mine\n") && text.contains("later = true") && text.contains("Work 2"),
        "{text}"
    );
}

#[test]
fn a_link_stays_a_link() {
    let folder = Folder::with(&[]);
    let elsewhere = folder.path.parent().unwrap().join("dotfiles.toml");
    fs::write(&elsewhere, WORK).unwrap();
    symlink(&elsewhere, folder.path.join("work.toml")).unwrap();
    folder.store.save(&Profile { id: id("work"), ..named("Renamed") }).unwrap();
    assert!(fs::symlink_metadata(folder.path.join("work.toml")).unwrap().is_symlink());
    assert!(fs::read_to_string(elsewhere).unwrap().contains("Renamed"));
    assert_eq!(folder.store.load_all().0[0].name, "Renamed");
}

#[test]
fn ids_reach_nothing_outside_of_the_folder() {
    let folder = Folder::with(&[]);
    let outside = folder.path.parent().unwrap().join("outside.toml");
    fs::write(&outside, WORK).unwrap();
    for bad in ["../outside", "/etc/passwd", "a/b", "Work", "."] {
        assert_eq!(folder.store.delete(&id(bad)).unwrap_err().code, Code::ProfileMissing, "{bad}");
        assert_eq!(
            folder.store.save(&Profile { id: id(bad), ..named("x") }).unwrap_err().code,
            Code::ProfileMissing,
            "{bad}"
        );
    }
    assert_eq!(fs::read_to_string(outside).unwrap(), WORK);
}

#[test]
fn a_deleted_profile_is_gone() {
    let folder = Folder::with(&[("work.toml", WORK)]);
    folder.store.delete(&id("work")).unwrap();
    assert_eq!(folder.ids(), [BUILT_IN]);
    assert_eq!(folder.store.delete(&id("work")).unwrap_err().code, Code::ProfileMissing);
}

#[test]
fn a_folder_that_cannot_be_made_is_told() {
    let temp = tempfile::tempdir().unwrap();
    fs::write(temp.path().join("config"), "").unwrap();
    let store = Store::new(temp.path().join("config/profiles"));
    assert_eq!(store.save(&named("Work")).unwrap_err().code, Code::ProfileSave);
    let (profiles, broken) = store.load_all();
    assert_eq!((profiles.len(), broken.len()), (1, 1));
}
