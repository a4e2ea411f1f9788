//! State that survives a restart: one JSON file per service, written whole and moved into place
//! after every change, so that a kill at any moment leaves the state before or after it. The files
//! are their owner's only (mode 0600): one of them holds secrets.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::aws::AwsError;
use crate::context::lock;

/// A value in memory and in a file.
#[derive(Debug)]
pub struct Persisted<T> {
    path: PathBuf,
    value: Mutex<T>,
}

impl<T: Clone + Default + Serialize + DeserializeOwned> Persisted<T> {
    /// Opens the file, or starts with the default where there is none.
    ///
    /// # Errors
    /// When the file can't be read or does not hold a `T`: a state that can't be understood is
    /// never thrown away silently.
    pub fn open(path: &Path) -> io::Result<Self> {
        let value = match fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("{} does not hold what it should: {error}", path.display()),
                )
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => T::default(),
            Err(error) => return Err(error),
        };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        Ok(Self { path: path.to_owned(), value: Mutex::new(value) })
    }

    /// Looks at the value. Do not await inside.
    pub fn read<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&lock(&self.value))
    }

    /// Changes the value. When `change` fails, nothing was changed: it works on a copy, which takes
    /// the value's place once it is in the file.
    ///
    /// # Errors
    /// What `change` returns, or `InternalFailure` when the file can't be written.
    pub fn change<R>(&self, change: impl FnOnce(&mut T) -> Result<R, AwsError>) -> Result<R, AwsError> {
        let mut held = lock(&self.value);
        let mut copy = held.clone();
        let result = change(&mut copy)?;
        self.write(&copy).map_err(|error| {
            AwsError::internal(format!("the sandbox can't write {}: {error}", self.path.display()))
        })?;
        *held = copy;
        Ok(result)
    }

    fn write(&self, value: &T) -> io::Result<()> {
        let beside = self.path.with_extension("json.new");
        // A file left by a kill may have another mode, which opening it again would keep.
        match fs::remove_file(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        file.write_all(&serde_json::to_vec_pretty(value)?)?;
        fs::rename(&beside, &self.path)
    }
}
