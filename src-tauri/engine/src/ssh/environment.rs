//! What children inherit. An `AppImage` puts its own libraries before everybody else's; ssh and pkexec must not see them.

use std::ffi::{OsStr, OsString};

/// Loaders and tool kits read these; a value that points into the image would break a program of the system.
const PATHS_OF_LIBRARIES: &[&str] = &[
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "GIO_MODULE_DIR",
    "GIO_EXTRA_MODULES",
    "GDK_PIXBUF_MODULE_FILE",
    "GSETTINGS_SCHEMA_DIR",
    "GST_PLUGIN_SYSTEM_PATH",
    "GTK_PATH",
    "GTK_EXE_PREFIX",
    "GTK_DATA_PREFIX",
    "PYTHONHOME",
    "PYTHONPATH",
    "PERLLIB",
    "QT_PLUGIN_PATH",
    "XDG_DATA_DIRS",
    "PATH",
];

/// Set by the image's runtime or by tools of ours; no child of ours needs them.
const OURS: &[&str] = &["APPDIR", "APPIMAGE", "ARGV0", "OWD", "TAURI_WEBVIEW_AUTOMATION", "RUST_LOG"];

/// The variables for a child, cleaned of what an `AppImage` at `APPDIR` added.
pub fn cleaned(all: impl IntoIterator<Item = (OsString, OsString)>) -> Vec<(OsString, OsString)> {
    let all: Vec<_> = all.into_iter().collect();
    let image = all.iter().find(|(name, _)| name == "APPDIR").map(|(_, value)| value.clone());
    all.into_iter()
        .filter(|(name, _)| !OURS.iter().any(|ours| name == *ours))
        .filter_map(|(name, value)| match &image {
            Some(image) if PATHS_OF_LIBRARIES.iter().any(|path| name == *path) => {
                outside(&value, image).map(|value| (name, value))
            }
            _ => Some((name, value)),
        })
        .collect()
}

/// A list of paths without those inside `image`; None when nothing is left.
fn outside(list: &OsStr, image: &OsStr) -> Option<OsString> {
    let (list, image) = (list.to_string_lossy(), image.to_string_lossy());
    let kept: Vec<&str> = list.split(':').filter(|path| !path.starts_with(&*image)).collect();
    (!kept.is_empty()).then(|| kept.join(":").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clean(all: &[(&str, &str)]) -> Vec<(String, String)> {
        cleaned(all.iter().map(|(n, v)| (n.into(), v.into())))
            .into_iter()
            .map(|(n, v)| (n.to_string_lossy().into(), v.to_string_lossy().into()))
            .collect()
    }

    #[test]
    fn nothing_of_an_image_reaches_a_child() {
        let left = clean(&[
            ("APPDIR", "/tmp/.mount_x"),
            ("LD_LIBRARY_PATH", "/tmp/.mount_x/usr/lib"),
            ("PATH", "/tmp/.mount_x/usr/bin:/usr/bin:/bin"),
            ("SSH_AUTH_SOCK", "/run/user/1000/agent"),
        ]);
        assert_eq!(
            left,
            [
                ("PATH".into(), "/usr/bin:/bin".into()),
                ("SSH_AUTH_SOCK".into(), "/run/user/1000/agent".into())
            ]
        );
    }

    #[test]
    fn the_users_own_settings_stay_where_there_is_no_image() {
        let left = clean(&[("LD_LIBRARY_PATH", "/opt/lib"), ("PATH", "/bin")]);
        assert_eq!(left.len(), 2);
    }
}
