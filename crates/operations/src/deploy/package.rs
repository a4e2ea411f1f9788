//! What is in a function package: read before it goes anywhere. Pure.
//!
//! Lambda takes a zip without `bootstrap`, with one that may not be executed, or with one for another
//! machine, and then fails at the first request. Here it is said beforehand.

use std::io::{Cursor, Read};

use zip::ZipArchive;

/// AWS: a zip that is uploaded directly has 50 MB at most; a larger one goes through S3.
pub(crate) const LARGEST_ZIP: usize = 50 * 1024 * 1024;
/// AWS: 250 MB unzipped.
const LARGEST_UNZIPPED: u64 = 250 * 1024 * 1024;
/// More entries than this are taken for an attack.
const MOST_ENTRIES: usize = 65_536;
/// Where ELF says which machine it is for, and the beginning of every ELF file (System V ABI, "ELF
/// header").
const MACHINE_AT: usize = 18;
const ELF: [u8; 4] = *b"\x7fELF";
const X86_64: u16 = 62;
const AARCH64: u16 = 183;

/// What a zip is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Package {
    /// A zip that can be read.
    Zip(Contents),
    /// None, or one that Lambda would refuse, and why.
    Broken(String),
}

/// What matters of a zip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Contents {
    /// The sum of its files' sizes.
    pub(crate) unzipped: u64,
    /// The file `bootstrap` at its root; none when there is none there.
    pub(crate) bootstrap: Option<Bootstrap>,
    /// Where a `bootstrap` is that is not at the root.
    pub(crate) elsewhere: Option<String>,
}

/// The file that Lambda starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bootstrap {
    /// Whether it may be executed.
    pub(crate) executable: bool,
    /// What it is.
    pub(crate) kind: Kind,
}

/// What can be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An ELF program for the machine that Lambda calls so; the number for any other.
    Elf(Result<&'static str, u16>),
    /// A script.
    Script,
    /// Neither.
    Other,
}

/// Looks into a zip. Reads the directory and the first bytes of `bootstrap`; unpacks nothing else.
pub(crate) fn inspect(zip: &[u8]) -> Package {
    if zip.len() > LARGEST_ZIP {
        let megabytes = LARGEST_ZIP / 1024 / 1024;
        return Package::Broken(format!(
            "It is larger than {megabytes} MB, which is what Lambda takes directly."
        ));
    }
    let Ok(mut archive) = ZipArchive::new(Cursor::new(zip)) else {
        return Package::Broken("It is no zip, or not a whole one.".to_owned());
    };
    if archive.is_empty() {
        return Package::Broken("It is an empty zip.".to_owned());
    }
    if archive.len() > MOST_ENTRIES {
        return Package::Broken(format!("It has more than {MOST_ENTRIES} files."));
    }
    let (mut unzipped, mut elsewhere, mut bootstrap) = (0_u64, None, None);
    for index in 0..archive.len() {
        let Ok(mut file) = archive.by_index(index) else {
            return Package::Broken(format!("Its file number {} can't be read.", index + 1));
        };
        unzipped = unzipped.saturating_add(file.size());
        match file.name() {
            "bootstrap" => {
                let mut head = Vec::new();
                if file.by_ref().take(64).read_to_end(&mut head).is_err() {
                    return Package::Broken("Its bootstrap can't be unpacked.".to_owned());
                }
                let executable = file.unix_mode().is_some_and(|mode| mode & 0o111 != 0);
                bootstrap = Some(Bootstrap { executable, kind: kind(&head) });
            }
            name if name.rsplit('/').next() == Some("bootstrap") => elsewhere = Some(name.to_owned()),
            _ => {}
        }
    }
    if unzipped > LARGEST_UNZIPPED {
        let megabytes = LARGEST_UNZIPPED / 1024 / 1024;
        return Package::Broken(format!("Unzipped it is larger than {megabytes} MB."));
    }
    Package::Zip(Contents { unzipped, bootstrap, elsewhere })
}

fn kind(head: &[u8]) -> Kind {
    if head.starts_with(b"#!") {
        return Kind::Script;
    }
    let machine = head.get(MACHINE_AT..MACHINE_AT + 2).filter(|_| head.starts_with(&ELF));
    let Some(&[low, high]) = machine else { return Kind::Other };
    Kind::Elf(match u16::from_le_bytes([low, high]) {
        X86_64 => Ok("x86_64"),
        AARCH64 => Ok("arm64"),
        other => Err(other),
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Write;

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    pub(crate) fn zipped(entries: &[(&str, &[u8], u32)]) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes, mode) in entries {
            writer.start_file(*name, SimpleFileOptions::default().unix_permissions(*mode)).unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    fn elf(machine: u16) -> Vec<u8> {
        let mut head = vec![0; 64];
        head[..4].copy_from_slice(&ELF);
        head[MACHINE_AT..MACHINE_AT + 2].copy_from_slice(&machine.to_le_bytes());
        head
    }

    fn bootstrap(bytes: &[u8], mode: u32) -> Bootstrap {
        match inspect(&zipped(&[("bootstrap", bytes, mode)])) {
            Package::Zip(contents) => contents.bootstrap.unwrap(),
            broken => panic!("{broken:?}"),
        }
    }

    #[test]
    fn what_would_be_started_is_known() {
        let table = [
            (elf(X86_64), 0o755, Bootstrap { executable: true, kind: Kind::Elf(Ok("x86_64")) }),
            (elf(AARCH64), 0o755, Bootstrap { executable: true, kind: Kind::Elf(Ok("arm64")) }),
            (elf(3), 0o755, Bootstrap { executable: true, kind: Kind::Elf(Err(3)) }),
            (elf(X86_64), 0o644, Bootstrap { executable: false, kind: Kind::Elf(Ok("x86_64")) }),
            (b"#!/bin/sh\n".to_vec(), 0o755, Bootstrap { executable: true, kind: Kind::Script }),
            (b"MZ".to_vec(), 0o755, Bootstrap { executable: true, kind: Kind::Other }),
            (ELF.to_vec(), 0o755, Bootstrap { executable: true, kind: Kind::Other }),
        ];
        for (bytes, mode, expected) in table {
            assert_eq!(bootstrap(&bytes, mode), expected);
        }
    }

    #[test]
    fn what_lambda_would_refuse_is_refused() {
        let whole = zipped(&[("bootstrap", &[7; 5_000], 0o755)]);
        for (zip, expected) in [
            (b"PK, but no zip".to_vec(), "no zip"),
            (whole[..whole.len() / 2].to_vec(), "no zip"),
            (zipped(&[]), "empty"),
            (vec![0; LARGEST_ZIP + 1], "larger than 50 MB"),
        ] {
            match inspect(&zip) {
                Package::Broken(why) => assert!(why.contains(expected), "{why}"),
                contents => panic!("{expected}: {contents:?}"),
            }
        }
    }

    #[test]
    fn a_bootstrap_in_a_folder_is_found_there() {
        let zip = zipped(&[("release/bootstrap", &elf(X86_64), 0o755), ("a.txt", b"12", 0o644)]);
        let expected =
            Contents { unzipped: 66, bootstrap: None, elsewhere: Some("release/bootstrap".to_owned()) };
        assert_eq!(inspect(&zip), Package::Zip(expected));
    }
}
