//! Zips to deploy: the real API function behaving well and in every way it should not
//! (`api-function/examples/misbehaving.rs`), and what is no function at all. Each has a file `label` in
//! it, so that each has a hash of its own.
#![allow(dead_code, unreachable_pub, missing_docs, clippy::expect_used)]

use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::UNIX_EPOCH;

use zip::write::{FileOptions, SimpleFileOptions};
use zip::{CompressionMethod, ZipArchive, ZipWriter};

/// AWS: 50 MB zipped for a direct upload.
pub const LARGEST: usize = 52_428_800;
/// ELF's number for aarch64, and where it stands in the header.
const AARCH64: [u8; 2] = 183_u16.to_le_bytes();
const E_MACHINE: std::ops::Range<usize> = 18..20;

/// A good function. Each label gives another hash, the same one the same.
pub fn good(label: &str) -> Vec<u8> {
    function(label, None)
}

/// One that answers this share of its requests, 0 to 1, with 500.
pub fn erring(share: f64) -> Vec<u8> {
    misbehaving(&format!("erring {share}"), &format!(r#"{{"error_share":{share}}}"#))
}

/// One that takes so many milliseconds longer for each answer.
pub fn slow(ms: u64) -> Vec<u8> {
    misbehaving(&format!("slow {ms}"), &format!(r#"{{"delay_ms":{ms}}}"#))
}

/// One that exits before it takes its first event.
pub fn crashing_at_init() -> Vec<u8> {
    misbehaving("crashing", r#"{"init":"crash"}"#)
}

/// One whose `GET /status` is 503 and whose other answers are good.
pub fn failing_smoke() -> Vec<u8> {
    misbehaving("failing smoke", r#"{"status":503}"#)
}

/// One that is built for aarch64, by its own header; more than the program's head nobody looks at.
pub fn wrong_architecture() -> Vec<u8> {
    let mut binary = fs::read(binary()).expect("the function is read");
    binary.truncate(64 * 1024);
    binary[E_MACHINE].copy_from_slice(&AARCH64);
    zipped(&[("bootstrap", &binary, 0o755), ("label", b"wrong architecture", 0o644)])
}

/// No zip.
pub fn not_a_zip() -> Vec<u8> {
    b"#!/bin/sh\necho no zip\n".to_vec()
}

/// A zip without a bootstrap at its root.
pub fn no_bootstrap() -> Vec<u8> {
    zipped(&[("bin/bootstrap", b"#!/bin/sh\n", 0o755), ("label", b"no bootstrap", 0o644)])
}

/// A zip of one byte more than may be uploaded directly, and good otherwise.
pub fn too_large() -> Vec<u8> {
    // The padding is stored: a byte of it is a byte of the zip.
    let padded = |bytes: usize| {
        let padding = vec![0_u8; bytes];
        with_function(&[("label", b"too large"), ("padding", &padding)])
    };
    let without = padded(0).len();
    padded(LARGEST + 1 - without)
}

fn misbehaving(label: &str, faults: &str) -> Vec<u8> {
    function(label, Some(faults))
}

fn function(label: &str, faults: Option<&str>) -> Vec<u8> {
    let mut files = vec![("label", label.as_bytes())];
    files.extend(faults.map(|faults| ("misbehave.json", faults.as_bytes())));
    with_function(&files)
}

/// A zip of the function and these files.
fn with_function(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut compressed = ZipArchive::new(Cursor::new(base())).expect("the function's zip is read");
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer
        .raw_copy_file(compressed.by_index_raw(0).expect("the function is in its zip"))
        .expect("the function is copied");
    for (name, bytes) in files {
        writer.start_file(*name, options(0o644)).expect("a file begins");
        writer.write_all(bytes).expect("a file is written");
    }
    writer.finish().expect("the zip is written").into_inner()
}

/// A zip of files: name, content and mode.
pub fn zipped(files: &[(&str, &[u8], u32)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes, mode) in files {
        let options = options(*mode).compression_method(CompressionMethod::Deflated);
        writer.start_file(*name, options.compression_level(Some(1))).expect("a file begins");
        writer.write_all(bytes).expect("a file is written");
    }
    writer.finish().expect("the zip is written").into_inner()
}

/// Always of the same time, so that the same content has the same hash.
fn options(mode: u32) -> FileOptions<'static, ()> {
    SimpleFileOptions::default()
        .unix_permissions(mode)
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(zip::DateTime::default())
}

/// The function by itself, compressed once for each build of it: that takes seconds.
fn base() -> &'static [u8] {
    static BASE: OnceLock<Vec<u8>> = OnceLock::new();
    BASE.get_or_init(|| {
        let binary = binary();
        let of = fs::metadata(&binary).expect("the function is there");
        let changed = of.modified().expect("a time").duration_since(UNIX_EPOCH).expect("after 1970");
        let cache = binary.with_extension(format!("{}-{}.zip", of.len(), changed.as_nanos()));
        if let Ok(zip) = fs::read(&cache) {
            return zip;
        }
        forget_older(&binary);
        let zip = zipped(&[("bootstrap", &fs::read(&binary).expect("the function is read"), 0o755)]);
        // Another test may be at it too: both write the same, and a half is never seen.
        let part = cache.with_extension(format!("{}.part", std::process::id()));
        fs::write(&part, &zip).and_then(|()| fs::rename(&part, &cache)).expect("the zip is kept");
        zip
    })
}

/// Removes the zips of earlier builds.
fn forget_older(binary: &Path) {
    let name = binary.file_name().expect("a name").to_string_lossy().into_owned() + ".";
    let files = fs::read_dir(binary.parent().expect("a folder")).expect("the folder is read");
    for path in files.filter_map(|entry| entry.ok().map(|entry| entry.path())) {
        let is_zip = path.extension().is_some_and(|extension| extension == "zip");
        if is_zip && path.file_name().is_some_and(|file| file.to_string_lossy().starts_with(&name)) {
            // Err is another test that was quicker.
            let _ = fs::remove_file(path);
        }
    }
}

/// The program, which `cargo test --workspace` and nextest build beside the tests.
fn binary() -> PathBuf {
    // target/PROFILE/deps/test-HASH, beside target/PROFILE/examples/NAME.
    let test = std::env::current_exe().expect("this test's own path");
    let folder = test.parent().and_then(Path::parent).expect("the profile's folder");
    let binary = folder.join("examples/misbehaving");
    assert!(binary.exists(), "{} is not built: run the tests with --workspace", binary.display());
    binary
}
