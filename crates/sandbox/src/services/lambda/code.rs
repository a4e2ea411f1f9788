//! Zips: checked, kept under their own hash, and unpacked beside that. A folder that is there is
//! whole: it is unpacked under another name and moved into place, so a crash in between leaves
//! only a stray folder. The next start removes it, and all code that no function has any more;
//! until then environments that still run out of it are left alone.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Cursor, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use zip::ZipArchive;

use super::errors::invalid;
use super::state::Code;
use crate::aws::AwsError;
use crate::context::lock;

/// AWS: 250 MB unzipped.
pub(super) const LARGEST_UNZIPPED: u64 = 262_144_000;
/// A zip of more entries than this is taken for an attack on the disk.
const MOST_ENTRIES: usize = 65_536;

/// The folder of zips.
#[derive(Debug, Clone)]
pub(super) struct CodeStore {
    folder: PathBuf,
    /// One at a time: two uploads of the same zip would unpack in the same place.
    unpacking: Arc<Mutex<()>>,
}

impl CodeStore {
    /// Opens the folder and removes all code but that of the hashes in `used`.
    ///
    /// # Errors
    /// When the folder can't be made or read.
    pub fn open(folder: PathBuf, used: &HashSet<&str>) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if used.contains(name.trim_end_matches(".zip")) {
                continue;
            }
            if path.is_dir() { fs::remove_dir_all(&path)? } else { fs::remove_file(&path)? }
        }
        Ok(Self { folder, unpacking: Arc::default() })
    }

    /// The folder a zip is unpacked in.
    pub fn task_root(&self, code: &Code) -> PathBuf {
        self.folder.join(&code.hex)
    }

    /// Checks a zip and, unless it is a dry run, keeps and unpacks it. Safe to repeat: the same
    /// bytes end in the same place.
    ///
    /// # Errors
    /// AWS's, for what is too large or no zip; `InternalFailure` when the disk refuses.
    pub async fn store(&self, zip: Bytes, dry: bool) -> Result<Code, AwsError> {
        let store = self.clone();
        tokio::task::spawn_blocking(move || store.store_now(&zip, dry))
            .await
            .map_err(|error| AwsError::internal(format!("unpacking broke off: {error}")))?
    }

    fn store_now(&self, zip: &[u8], dry: bool) -> Result<Code, AwsError> {
        let digest = Sha256::digest(zip);
        let code = Code {
            sha256: STANDARD.encode(digest),
            hex: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
            size: zip.len() as u64,
        };
        check(zip, LARGEST_UNZIPPED)?;
        if dry {
            return Ok(code);
        }
        let _one = lock(&self.unpacking);
        if !self.task_root(&code).is_dir() {
            let stray = self.folder.join(format!("{}.new", code.hex));
            self.place(zip, &code, &stray).map_err(|error| {
                AwsError::internal(format!(
                    "the sandbox can't unpack below {}: {error}",
                    self.folder.display()
                ))
            })?;
        }
        Ok(code)
    }

    fn place(&self, zip: &[u8], code: &Code, stray: &Path) -> io::Result<()> {
        if stray.exists() {
            fs::remove_dir_all(stray)?;
        }
        fs::create_dir_all(stray)?;
        unpack(zip, stray)?;
        fs::write(self.folder.join(format!("{}.zip", code.hex)), zip)?;
        fs::rename(stray, self.task_root(code))
    }
}

/// Walks through a zip as unpacking would, without a disk: readable, nothing outside its folder, no
/// links, not too large. Sizes are counted, not read from the directory, which may lie.
fn check(zip: &[u8], largest: u64) -> Result<(), AwsError> {
    let unreadable =
        || invalid("Could not unzip uploaded file. Please check your file, then try to upload again.");
    let mut archive = ZipArchive::new(Cursor::new(zip)).map_err(|_| unreadable())?;
    if archive.is_empty() || archive.len() > MOST_ENTRIES {
        return Err(if archive.is_empty() {
            invalid("Uploaded file must be a non-empty zip")
        } else {
            invalid(format!("a zip of more than {MOST_ENTRIES} entries"))
        });
    }
    let mut left = largest;
    for index in 0..archive.len() {
        let file = archive.by_index(index).map_err(|_| unreadable())?;
        if file.enclosed_name().is_none() {
            return Err(unreadable());
        }
        if file.is_symlink() {
            return Err(AwsError::unsupported(format_args!("a symbolic link in a zip ({})", file.name())));
        }
        let size = io::copy(&mut file.take(left + 1), &mut io::sink()).map_err(|_| unreadable())?;
        left = left
            .checked_sub(size)
            .ok_or_else(|| invalid(format!("Unzipped size must be smaller than {largest} bytes")))?;
    }
    Ok(())
}

/// Unpacks a zip that was checked. Modes are the zip's own, without the right to write, as the
/// task root is read-only on AWS.
fn unpack(zip: &[u8], folder: &Path) -> io::Result<()> {
    let mut archive = ZipArchive::new(Cursor::new(zip)).map_err(io::Error::other)?;
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).map_err(io::Error::other)?;
        let Some(below) = file.enclosed_name() else {
            return Err(io::Error::other("an entry outside its folder"));
        };
        let path = folder.join(below);
        if file.is_dir() {
            fs::create_dir_all(&path)?;
            continue;
        }
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let mode = file.unix_mode().unwrap_or(0o644);
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        // A name that comes twice: the later entry wins, as with unzip.
        if path.exists() {
            fs::remove_file(&path)?;
        }
        fs::File::create(&path)?.write_all(&bytes)?;
        fs::set_permissions(&path, fs::Permissions::from_mode((mode & 0o555) | 0o400))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    fn zipped(entries: &[(&str, &[u8], u32)]) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes, mode) in entries {
            writer.start_file(*name, SimpleFileOptions::default().unix_permissions(*mode)).unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    #[test]
    fn what_is_stored_is_there_with_its_mode_and_what_is_unused_goes() {
        let folder = tempfile::tempdir().unwrap();
        let store = CodeStore::open(folder.path().join("code"), &HashSet::new()).unwrap();
        let zip = zipped(&[("bootstrap", b"#!/bin/sh", 0o755), ("lib/data.txt", b"data", 0o644)]);
        let dry = store.store_now(&zip, true).unwrap();
        assert!(!store.task_root(&dry).exists());
        let code = store.store_now(&zip, false).unwrap();
        assert_eq!(store.store_now(&zip, false).unwrap(), code);
        assert_eq!(code.sha256, STANDARD.encode(Sha256::digest(&zip)));
        let root = store.task_root(&code);
        assert_eq!(fs::read(root.join("lib/data.txt")).unwrap(), b"data");
        assert_eq!(fs::metadata(root.join("bootstrap")).unwrap().permissions().mode() & 0o777, 0o555);
        CodeStore::open(folder.path().join("code"), &HashSet::from([code.hex.as_str()])).unwrap();
        assert!(root.exists());
        CodeStore::open(folder.path().join("code"), &HashSet::new()).unwrap();
        assert!(!root.exists());
    }

    #[test]
    fn bad_zips_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let store = CodeStore::open(folder.path().to_owned(), &HashSet::new()).unwrap();
        let mut link = ZipWriter::new(Cursor::new(Vec::new()));
        link.add_symlink("bootstrap", "/bin/sh", SimpleFileOptions::default()).unwrap();
        let whole = zipped(&[("bootstrap", &[7; 5000], 0o755)]);
        for (what, zip, code) in [
            ("text", b"not a zip".to_vec(), "InvalidParameterValueException"),
            ("empty", zipped(&[]), "InvalidParameterValueException"),
            ("slip", zipped(&[("../outside", b"x", 0o644)]), "InvalidParameterValueException"),
            ("cut", whole[..whole.len() / 2].to_vec(), "InvalidParameterValueException"),
            ("link", link.finish().unwrap().into_inner(), "SandboxUnsupported"),
        ] {
            let error = store.store_now(&zip, false).expect_err(what);
            assert_eq!(error.code, code, "{what}: {error}");
        }
        let bomb = zipped(&[("a", &[0; 600], 0o644), ("b", &[0; 600], 0o644)]);
        let error = check(&bomb, 1_000).expect_err("bomb");
        assert!(error.message.contains("smaller than 1000 bytes"), "{error}");
        check(&bomb, 1_200).expect("just fits");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
