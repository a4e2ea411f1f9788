//! A function package: a zip with one executable, `bootstrap`, the same to the byte for the same
//! program.
//!
//! `provided.al2023` runs the file `bootstrap` at the root of the zip. Everything in a zip that
//! could differ between two builds is fixed: the time stamp (1980-01-01, the first a zip can hold),
//! the mode, the order (there is one file) and the compression, whose library Cargo.lock pins.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// The largest zip that `CreateFunction` and `UpdateFunctionCode` take directly (AWS: 50 MB).
pub const LARGEST_ZIP: u64 = 50 * 1024 * 1024;

/// The largest package unpacked (AWS: 250 MB, layers included).
pub const LARGEST_UNPACKED: u64 = 250 * 1024 * 1024;

/// How hard to compress.
#[derive(Clone, Copy, Debug)]
pub enum Effort {
    /// For the sandbox, at every start.
    Quick,
    /// For AWS, once.
    Small,
}

/// A package that was written.
#[derive(Clone, Debug)]
pub struct Package {
    /// Its size in bytes.
    pub zipped: u64,
    /// The size of the program in it, in bytes.
    pub unpacked: u64,
    /// SHA-256 of the zip, in hexadecimal.
    pub sha256: String,
}

/// Writes `program` as `bootstrap` into the zip `to`, whole or not at all. Refuses what Lambda
/// would refuse for its size.
pub fn write(program: &Path, to: &Path, effort: Effort) -> Result<Package> {
    write_as("bootstrap", program, to, effort)
}

/// The same under another name, which a managed runtime asks for.
pub fn write_as(name: &str, program: &Path, to: &Path, effort: Effort) -> Result<Package> {
    let unpacked = fs::metadata(program).with_context(|| format!("no {}", program.display()))?.len();
    ensure!(
        unpacked <= LARGEST_UNPACKED,
        "{} has {unpacked} bytes, and Lambda takes {LARGEST_UNPACKED} at most",
        program.display()
    );
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let partial = to.with_extension("zip.part");
    let mut zip = ZipWriter::new(File::create(&partial)?);
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(match effort {
            Effort::Quick => 4,
            Effort::Small => 9,
        }))
        .last_modified_time(DateTime::default())
        .unix_permissions(0o755);
    zip.start_file(name, options)?;
    io::copy(&mut File::open(program)?, &mut zip)?;
    zip.finish()?.flush()?;
    let zipped = fs::metadata(&partial)?.len();
    ensure!(
        zipped <= LARGEST_ZIP,
        "{} has {zipped} bytes, and Lambda takes {LARGEST_ZIP} at most",
        partial.display()
    );
    let sha256 = sha256(&partial)?;
    fs::rename(&partial, to)?;
    Ok(Package { zipped, unpacked, sha256 })
}

/// SHA-256 of a file, in hexadecimal.
pub fn sha256(file: &Path) -> Result<String> {
    let mut hash = Sha256::new();
    let mut content = File::open(file).with_context(|| format!("cannot open {}", file.display()))?;
    io::copy(&mut content, &mut hash)?;
    Ok(format!("{:x}", hash.finalize()))
}

/// Bytes as megabytes (10^6), for people.
pub fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::fs::PermissionsExt;
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn the_same_program_gives_the_same_zip_whatever_its_time_and_mode() {
        let folder = tempfile::tempdir().unwrap();
        let [first, second] = ["first", "second"].map(|name| folder.path().join(name));
        let content: Vec<u8> = (0..200_000_u32).flat_map(|n| (n / 7).to_le_bytes()).collect();
        fs::write(&first, &content).unwrap();
        fs::write(&second, &content).unwrap();
        fs::set_permissions(&second, fs::Permissions::from_mode(0o600)).unwrap();
        let then = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        File::options().write(true).open(&second).unwrap().set_modified(then).unwrap();

        let [one, two] = [("1.zip", &first), ("2.zip", &second)].map(|(name, program)| {
            let zip = folder.path().join(name);
            (write(program, &zip, Effort::Small).unwrap(), fs::read(&zip).unwrap())
        });
        assert_eq!(one.0.sha256, two.0.sha256);
        assert_eq!(one.1, two.1);
        assert_eq!(one.0.sha256, sha256(&folder.path().join("1.zip")).unwrap());
        assert!(one.0.zipped < one.0.unpacked);
    }

    #[test]
    fn the_zip_holds_one_executable_bootstrap() {
        let folder = tempfile::tempdir().unwrap();
        let [program, zip] = ["program", "api.zip"].map(|name| folder.path().join(name));
        fs::write(&program, b"machine code").unwrap();
        write(&program, &zip, Effort::Quick).unwrap();

        let mut archive = zip::ZipArchive::new(File::open(&zip).unwrap()).unwrap();
        assert_eq!(archive.len(), 1);
        let mut bootstrap = archive.by_name("bootstrap").unwrap();
        assert_eq!(bootstrap.unix_mode().map(|mode| mode & 0o777), Some(0o755));
        let mut content = Vec::new();
        bootstrap.read_to_end(&mut content).unwrap();
        assert_eq!(content, b"machine code");
        assert!(!folder.path().join("api.zip.part").exists());
    }
}
