//! The file on real file systems: whatever it is and whoever else writes, it ends as it was.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt, chown, symlink},
};

use nix::mount::{MsFlags, mount};
use ropeway_helper::{hosts::HostsError, rules::ClientId, undo};
use ropeway_helper_api::HostRefusal;
use rustix::fs::XattrFlags;

use crate::world::{ORIGINAL, World, become_helper, in_world, inode, key, run, set};

#[test]
fn names_come_and_go_and_the_file_is_as_it_was() {
    in_world(|world| {
        fs::set_permissions(world.hosts(), Permissions::from_mode(0o664)).unwrap();
        become_helper();
        let before = inode(&world.hosts());
        let mut file = world.file();
        set(&mut file, key(1, 1), &["10.0.0.1 db", "10.0.0.2 wiki.corp.example"]).unwrap();
        world.assert_lines(&["10.0.0.1 db", "10.0.0.2 wiki.corp.example"]);
        assert_ne!(inode(&world.hosts()), before, "replaced as a whole");
        set(&mut file, key(1, 1), &["10.0.0.3 db"]).unwrap();
        world.assert_lines(&["10.0.0.3 db"]);
        file.remove(key(1, 1)).unwrap();
        world.assert_untouched();
        assert_eq!(fs::metadata(world.hosts()).unwrap().permissions().mode() & 0o7777, 0o664);
    });
}

#[test]
fn sessions_of_several_users_are_merged() {
    in_world(|world| {
        become_helper();
        let mut file = world.file();
        set(&mut file, key(1, 1), &["10.0.0.1 db"]).unwrap();
        set(&mut file, key(1, 2), &["10.0.0.2 wiki"]).unwrap();
        let refused =
            set(&mut file, key(2, 1), &["10.9.9.9 db", "10.0.0.3 git", "10.0.0.4 printer"]).unwrap();
        let why: Vec<_> = refused.iter().map(|host| (host.name.as_str(), host.why)).collect();
        assert_eq!(why, [("db", HostRefusal::TakenBySession), ("printer", HostRefusal::Taken)]);
        world.assert_lines(&["10.0.0.1 db", "10.0.0.2 wiki", "10.0.0.3 git"]);
        set(&mut file, key(1, 1), &["10.0.0.5 db"]).unwrap();
        world.assert_lines(&["10.0.0.5 db", "10.0.0.2 wiki", "10.0.0.3 git"]);
        file.remove_client(ClientId(1)).unwrap();
        world.assert_lines(&["10.0.0.3 git"]);
        set(&mut file, key(2, 1), &[]).unwrap();
        world.assert_untouched();
    });
}

#[test]
fn the_same_names_again_write_nothing() {
    in_world(|world| {
        become_helper();
        let mut file = world.file();
        set(&mut file, key(1, 1), &["10.0.0.1 db"]).unwrap();
        let before = inode(&world.hosts());
        set(&mut file, key(1, 1), &["10.0.0.1 db"]).unwrap();
        file.remove(key(1, 2)).unwrap();
        assert_eq!(inode(&world.hosts()), before);
    });
}

#[test]
fn a_symlink_stays_and_what_it_leads_to_changes() {
    in_world(|world| {
        let (one, two) = (world.folder.join("etc/one"), world.folder.join("etc/two"));
        fs::rename(world.hosts(), &one).unwrap();
        fs::copy(&one, &two).unwrap();
        symlink("one", world.hosts()).unwrap();
        become_helper();
        let mut file = world.file();
        set(&mut file, key(1, 1), &["10.0.0.1 db"]).unwrap();
        world.assert_lines(&["10.0.0.1 db"]);
        fs::remove_file(world.hosts()).unwrap();
        symlink("two", world.hosts()).unwrap();
        set(&mut file, key(1, 2), &["10.0.0.2 wiki"]).unwrap();
        assert_eq!(fs::read(&one).unwrap(), ORIGINAL, "the file of yesterday");
        world.assert_lines(&["10.0.0.1 db", "10.0.0.2 wiki"]);
        file.remove_client(ClientId(1)).unwrap();
        world.assert_untouched();
        assert_eq!(fs::read_link(world.hosts()).unwrap().to_str(), Some("two"));
    });
}

#[test]
fn a_bind_mount_is_written_in_place() {
    in_world(|world| {
        let place = world.bind();
        become_helper();
        assert_written_in_place(world);
        assert_eq!(fs::read(place).unwrap(), ORIGINAL);
    });
}

#[test]
fn a_file_with_two_names_is_written_in_place() {
    in_world(|world| {
        fs::hard_link(world.hosts(), world.folder.join("etc/other")).unwrap();
        become_helper();
        assert_written_in_place(world);
    });
}

#[test]
fn a_folder_that_nobody_may_write_into_is_no_obstacle() {
    in_world(|world| {
        let etc = world.folder.join("etc");
        fs::set_permissions(&etc, Permissions::from_mode(0o755)).unwrap();
        chown(etc, Some(1000), Some(1000)).unwrap();
        become_helper();
        assert_written_in_place(world);
    });
}

#[test]
fn what_needs_more_power_than_the_helper_has_is_written_in_place() {
    in_world(|world| {
        fs::set_permissions(world.hosts(), Permissions::from_mode(0o666)).unwrap();
        chown(world.hosts(), Some(1000), Some(1000)).unwrap();
        let label = || {
            rustix::fs::setxattr(
                world.hosts(),
                "security.selinux",
                b"system_u:object_r:net_conf_t:s0\0",
                XattrFlags::empty(),
            )
        };
        label().unwrap();
        become_helper();
        label().expect_err("no such power");
        let before = run("getfattr", &["-d", "-m", "-", "--absolute-names"], &world.hosts());
        assert!(before.contains("net_conf_t"), "{before}");
        assert_written_in_place(world);
        assert_eq!(run("getfattr", &["-d", "-m", "-", "--absolute-names"], &world.hosts()), before);
    });
}

#[test]
fn access_lists_and_attributes_come_along() {
    in_world(|world| {
        run("setfacl", &["-m", "u:1000:rw,g:1001:r"], &world.hosts());
        run("setfattr", &["-n", "user.note", "-v", "keep me"], &world.hosts());
        run("setfacl", &["-d", "-m", "u:1002:rw"], &world.folder.join("etc"));
        become_helper();
        let shown = || {
            let acl = run("getfacl", &["-n", "--absolute-names"], &world.hosts());
            acl + &run("getfattr", &["-d", "-m", "-", "--absolute-names"], &world.hosts())
        };
        let before = shown();
        let node = inode(&world.hosts());
        let mut file = world.file();
        set(&mut file, key(1, 1), &["10.0.0.1 db"]).unwrap();
        assert_eq!(shown(), before);
        assert_ne!(inode(&world.hosts()), node, "replaced as a whole");
        file.remove(key(1, 1)).unwrap();
        assert_eq!(shown(), before);
        world.assert_untouched();
    });
}

#[test]
fn a_read_only_file_system_is_said_and_changes_nothing() {
    in_world(|world| {
        let etc = world.folder.join("etc");
        let read_only = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
        mount(None::<&str>, &etc, None::<&str>, read_only, None::<&str>).unwrap();
        become_helper();
        let error = set(&mut world.file(), key(1, 1), &["10.0.0.1 db"]).unwrap_err().to_string();
        let path = world.hosts();
        assert_eq!(error, format!("open {}: Read-only file system (os error 30)", path.display()));
        world.assert_untouched();
    });
}

#[test]
fn somebody_elses_file_is_left_alone() {
    in_world(|world| {
        chown(world.hosts(), Some(1000), Some(1000)).unwrap();
        become_helper();
        let error = set(&mut world.file(), key(1, 1), &["10.0.0.1 db"]).unwrap_err().to_string();
        assert!(error.ends_with("Permission denied (os error 13)"), "{error}");
        world.assert_untouched();
    });
}

#[test]
fn what_is_no_file_is_an_error() {
    in_world(|world| {
        fs::remove_file(world.hosts()).unwrap();
        become_helper();
        let mut file = world.file();
        let error = set(&mut file, key(1, 1), &["10.0.0.1 db"]).unwrap_err();
        assert!(matches!(error, HostsError::File { .. }), "{error}");
        nix::unistd::mkfifo(&world.hosts(), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let error = set(&mut file, key(1, 1), &["10.0.0.1 db"]).unwrap_err().to_string();
        assert!(error.ends_with("not a regular file"), "{error}");
        world.assert_nothing_left();
    });
}

#[test]
fn a_full_disk_leaves_the_old_text_also_in_place() {
    for bound in [false, true] {
        in_world(|world| {
            world.mount_memory("etc", "size=12k"); // three pages
            fs::write(world.hosts(), ORIGINAL).unwrap();
            if bound {
                fs::hard_link(world.hosts(), world.folder.join("etc/other")).unwrap();
            }
            become_helper();
            let mut file = world.file();
            set(&mut file, key(1, 1), &["10.0.0.1 db"]).unwrap();
            let names: Vec<_> = (0..1000).map(|n| format!("10.0.0.2 name-{n}")).collect();
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            let error = set(&mut file, key(1, 2), &names).unwrap_err().to_string();
            assert!(error.ends_with("No space left on device (os error 28)"), "{error}");
            world.assert_lines(&["10.0.0.1 db"]);
            file.remove(key(1, 1)).unwrap();
            world.assert_untouched();
        });
    }
}

#[test]
fn large_files_are_handled() {
    in_world(|world| {
        let large = b"0.0.0.0 ads.example\n".repeat(60_000);
        fs::write(world.hosts(), &large).unwrap();
        for bound in [false, true] {
            if bound {
                fs::hard_link(world.hosts(), world.folder.join("etc/other")).unwrap();
            }
            let mut file = world.file();
            set(&mut file, key(1, 1), &["10.0.0.1 db"]).unwrap();
            assert!(fs::read(world.hosts()).unwrap().len() > large.len());
            file.remove(key(1, 1)).unwrap();
            assert!(fs::read(world.hosts()).unwrap() == large);
            world.assert_nothing_left();
        }
    });
}

#[test]
fn no_file_becomes_larger_than_resolvers_like() {
    in_world(|world| {
        let large = vec![b'#'; (16 << 20) - 50];
        fs::write(world.hosts(), &large).unwrap();
        become_helper();
        let mut file = world.file();
        let error = set(&mut file, key(1, 1), &["10.0.0.1 db"]).unwrap_err().to_string();
        assert_eq!(
            error,
            "with these names the file would have 16777259 bytes, at most 16777216 are allowed"
        );
        assert!(fs::read(world.hosts()).unwrap() == large);
        world.assert_nothing_left();
    });
}

#[test]
fn what_a_dead_helper_left_is_undone_and_what_a_living_one_has_is_not() {
    for bound in [false, true] {
        in_world(|world| {
            if bound {
                world.bind();
            }
            become_helper();
            let mut file = world.file();
            set(&mut file, key(1, 1), &["10.0.0.1 db"]).unwrap();
            undo::run(&world.store()).unwrap();
            let error = set(&mut world.file(), key(1, 1), &["10.0.0.2 wiki"]).unwrap_err();
            assert!(matches!(error, HostsError::Busy), "{error}");
            world.assert_lines(&["10.0.0.1 db"]);
            drop(file); // as the kernel closes what a dead process had open
            undo::run(&world.store()).unwrap();
            world.assert_untouched();
            undo::run(&world.store()).unwrap();
            world.assert_untouched();
        });
    }
}

#[test]
fn a_new_helper_undoes_before_it_begins() {
    in_world(|world| {
        become_helper();
        set(&mut world.file(), key(1, 1), &["10.0.0.1 db"]).unwrap();
        let mut file = world.file();
        set(&mut file, key(1, 1), &["10.0.0.2 wiki"]).unwrap();
        world.assert_lines(&["10.0.0.2 wiki"]);
        file.remove(key(1, 1)).unwrap();
        world.assert_untouched();
    });
}

#[test]
fn a_damaged_journal_is_no_reason_to_stop() {
    in_world(|world| {
        become_helper();
        fs::create_dir_all(world.folder.join("state")).unwrap();
        fs::write(world.folder.join("state/journal"), "{").unwrap();
        undo::run(&world.store()).unwrap();
        world.assert_untouched();
    });
}

#[test]
fn edits_of_users_while_names_are_there_are_kept() {
    for bound in [false, true] {
        in_world(|world| {
            if bound {
                world.bind();
            }
            become_helper();
            let mut file = world.file();
            set(&mut file, key(1, 1), &["10.0.0.1 db"]).unwrap();
            let edited =
                [b"9.9.9.9 above\n", &fs::read(world.hosts()).unwrap()[..], b"9.9.9.9 below\n"].concat();
            fs::write(world.hosts(), edited).unwrap();
            set(&mut file, key(1, 2), &["10.0.0.2 wiki"]).unwrap();
            file.remove_client(ClientId(1)).unwrap();
            let expected = [b"9.9.9.9 above\n", ORIGINAL, b"\n9.9.9.9 below\n"].concat();
            assert_eq!(fs::read(world.hosts()).unwrap(), expected);
            world.assert_nothing_left();
        });
    }
}

#[test]
fn a_file_that_vanished_has_no_names() {
    in_world(|world| {
        become_helper();
        let mut file = world.file();
        set(&mut file, key(1, 1), &["10.0.0.1 db"]).unwrap();
        fs::remove_file(world.hosts()).unwrap();
        file.remove(key(1, 1)).unwrap();
        world.assert_nothing_left();
    });
}

/// Three changes: the same inode all the time, and at the end nothing has happened.
fn assert_written_in_place(world: &World) {
    let (node, metadata) = (inode(&world.hosts()), fs::metadata(world.hosts()).unwrap());
    let mut file = world.file();
    set(&mut file, key(1, 1), &["10.0.0.1 db"]).unwrap();
    world.assert_lines(&["10.0.0.1 db"]);
    set(&mut file, key(1, 2), &["10.0.0.2 wiki"]).unwrap();
    world.assert_lines(&["10.0.0.1 db", "10.0.0.2 wiki"]);
    file.remove(key(1, 1)).unwrap();
    world.assert_lines(&["10.0.0.2 wiki"]);
    file.remove(key(1, 2)).unwrap();
    world.assert_untouched();
    assert_eq!(inode(&world.hosts()), node);
    assert_eq!(fs::metadata(world.hosts()).unwrap().permissions(), metadata.permissions());
}
