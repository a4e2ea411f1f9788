//! The folder with everything a stack remembers: the sandbox's state, the portal's database, logs.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

/// The file that shows that a folder was made here and so may be emptied here. It is locked while a
/// stack runs on the folder.
const MARKER: &str = "this-is-lockkeeper-state";

/// A state folder that nobody else uses as long as this value lives.
#[derive(Debug)]
pub struct State {
    folder: PathBuf,
    _lock: File,
}

impl State {
    /// Opens `folder`, which is made if it is not there. With `fresh` it is emptied first.
    ///
    /// Refuses a folder that has something in it but was not made here, and one that another stack
    /// is running on. The marker is written first and removed never, so that a crash at any point
    /// leaves a folder that can be opened again.
    pub fn open(folder: &Path, fresh: bool) -> Result<Self> {
        let shown = folder.display();
        let is_link = folder.symlink_metadata().is_ok_and(|there| there.file_type().is_symlink());
        ensure!(!is_link, "{shown} is a symbolic link, and state is kept in folders only");
        let marker = folder.join(MARKER);
        if !marker.is_file() {
            let empty = match fs::read_dir(folder) {
                Ok(mut entries) => entries.next().is_none(),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
                Err(error) => return Err(error).with_context(|| format!("cannot list {shown}")),
            };
            ensure!(empty, "{shown} has something in it that is not Lockkeeper's; move it away");
            fs::create_dir_all(folder).with_context(|| format!("cannot make {shown}"))?;
        }
        let lock = File::options().create(true).append(true).open(&marker)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => bail!("another `cargo xtask` is running on {shown}"),
            Err(TryLockError::Error(error)) => return Err(error).context("cannot lock the state folder"),
        }
        if fresh {
            empty(folder)?;
        }
        fs::create_dir_all(folder.join("log"))?;
        Ok(Self { folder: folder.to_path_buf(), _lock: lock })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The portal's database.
    pub fn database(&self) -> PathBuf {
        self.folder.join("portal.db")
    }

    /// The log file of one program.
    pub fn log(&self, name: &str) -> PathBuf {
        self.folder.join("log").join(format!("{name}.log"))
    }
}

fn empty(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name() == MARKER {
            continue;
        }
        let path = entry.path();
        let gone =
            if entry.file_type()?.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        gone.with_context(|| format!("cannot remove {}", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_is_kept_unless_a_fresh_start_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let state = State::open(&path, false).unwrap();
        fs::create_dir(path.join("sandbox")).unwrap();
        fs::write(path.join("sandbox/secrets.json"), "{}").unwrap();
        drop(state);
        drop(State::open(&path, false).unwrap());
        assert!(path.join("sandbox/secrets.json").exists());
        let state = State::open(&path, true).unwrap();
        assert!(!path.join("sandbox").exists());
        assert!(state.log("portal").parent().unwrap().is_dir());
    }

    #[test]
    fn what_is_not_ours_is_never_touched() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("thesis.txt"), "years of work").unwrap();
        for fresh in [false, true] {
            assert!(State::open(folder.path(), fresh).unwrap_err().to_string().contains("not Lockkeeper's"));
        }
        assert!(folder.path().join("thesis.txt").exists());

        let elsewhere = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(elsewhere.path(), &link).unwrap();
        assert!(State::open(&link, true).unwrap_err().to_string().contains("symbolic link"));
    }

    #[test]
    fn a_link_inside_is_removed_without_what_it_points_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        drop(State::open(&path, false).unwrap());
        let outside = folder.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("kept"), "").unwrap();
        std::os::unix::fs::symlink(&outside, path.join("link")).unwrap();
        drop(State::open(&path, true).unwrap());
        assert!(outside.join("kept").exists() && !path.join("link").exists());
    }

    #[test]
    fn two_stacks_cannot_share_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let first = State::open(&path, false).unwrap();
        assert!(State::open(&path, true).unwrap_err().to_string().contains("another"));
        drop(first);
        State::open(&path, false).unwrap();
    }
}
