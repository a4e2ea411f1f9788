//! What is kept: buckets with their objects, and uploads that are under way.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::RangeInclusive;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::aws::AwsError;
use crate::context::Context;
use crate::persisted::Persisted;

/// Bytes of an object. AWS: 5 TB, of which no more than 5 GB at once.
pub(super) const LARGEST_OBJECT: u64 = 300 * 1024 * 1024;
/// Bytes of all contents, parts of uploads included. AWS names no limit, for this one or the next.
const LARGEST_TOTAL: u64 = 2 * 1024 * 1024 * 1024;
/// Objects of all buckets: the file that names them is written with each change.
const MOST_OBJECTS: usize = 10_000;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct State {
    pub buckets: BTreeMap<String, Bucket>,
    pub uploads: BTreeMap<String, Upload>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Bucket {
    pub created: DateTime<Utc>,
    pub objects: BTreeMap<String, Object>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Object {
    pub kept: Kept,
    pub content_type: String,
    pub modified: DateTime<Utc>,
}

/// A content on the disk.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Kept {
    /// The file's name.
    pub file: String,
    pub size: u64,
    /// Without the quotes: MD5 in hexadecimal, and for several parts their number behind it.
    pub etag: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Upload {
    pub bucket: String,
    pub key: String,
    pub content_type: String,
    pub parts: BTreeMap<u32, Kept>,
}

/// A content that is open for reading: it can be read to its end whatever becomes of its object.
pub(super) struct Content(fs::File);

/// The state and the folder of the contents.
pub(super) struct Store {
    pub state: Persisted<State>,
    folder: PathBuf,
}

impl Store {
    /// Opens both, and removes contents that nothing names.
    pub fn open(state: PathBuf, folder: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        let state = Persisted::<State>::open(&state)?;
        let named: HashSet<String> = state.read(|state| state.contents().map(|it| it.file.clone()).collect());
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if !named.contains(entry.file_name().to_string_lossy().as_ref()) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(Self { state, folder })
    }

    /// Writes a content. Nothing names it yet.
    pub fn keep(&self, context: &Context, content: &[u8], etag: String) -> Result<Kept, AwsError> {
        let kept = Kept { file: context.random.uuid(), size: content.len() as u64, etag };
        self.state.read(|state| state.check_room(kept.size))?;
        let path = self.folder.join(&kept.file);
        let written = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .and_then(|mut file| file.write_all(content));
        written.map_err(|error| {
            // Err is a file that was not even made; the next start would remove it too.
            let _ = fs::remove_file(&path);
            AwsError::internal(format!("the sandbox can't write {}: {error}", path.display()))
        })?;
        Ok(kept)
    }

    /// Changes the state and removes the contents that nothing names after it: those the change gives
    /// back, and `new` when it fails.
    pub fn change<R>(
        &self,
        new: Option<&Kept>,
        change: impl FnOnce(&mut State) -> Result<(R, Vec<Kept>), AwsError>,
    ) -> Result<R, AwsError> {
        match self.state.change(change) {
            Ok((result, gone)) => {
                self.forget(&gone);
                Ok(result)
            }
            Err(error) => {
                self.forget(new.map(std::slice::from_ref).unwrap_or_default());
                Err(error)
            }
        }
    }

    fn forget(&self, gone: &[Kept]) {
        for kept in gone {
            if let Err(error) = fs::remove_file(self.folder.join(&kept.file)) {
                tracing::warn!(%error, file = kept.file, "a content of S3 is not removed");
            }
        }
    }

    /// Opens an object. The file is opened while the state is held, so that nothing removes it in
    /// between.
    pub fn open_object(&self, bucket: &str, key: &str) -> Result<(Object, Content), AwsError> {
        self.state.read(|state| {
            let object = state.bucket(bucket)?.objects.get(key).ok_or_else(|| no_key(key))?;
            Ok((object.clone(), self.open_content(&object.kept)?))
        })
    }

    pub fn open_content(&self, kept: &Kept) -> Result<Content, AwsError> {
        let path = self.folder.join(&kept.file);
        fs::File::open(&path).map(Content).map_err(|error| {
            AwsError::internal(format!("the sandbox can't read {}: {error}", path.display()))
        })
    }
}

impl Content {
    /// All of it, or a part: the first and the last byte.
    pub fn read(mut self, part: Option<RangeInclusive<u64>>) -> Result<Vec<u8>, AwsError> {
        let mut bytes = Vec::new();
        let read = match part {
            None => self.0.read_to_end(&mut bytes),
            Some(part) => {
                let length = part.end() - part.start() + 1;
                self.0
                    .seek(SeekFrom::Start(*part.start()))
                    .and_then(|_| self.0.take(length).read_to_end(&mut bytes))
            }
        };
        read.map_err(|error| AwsError::internal(format!("the sandbox can't read a content of S3: {error}")))?;
        Ok(bytes)
    }
}

impl State {
    pub fn bucket(&self, name: &str) -> Result<&Bucket, AwsError> {
        self.buckets.get(name).ok_or_else(|| no_bucket(name))
    }

    pub fn bucket_mut(&mut self, name: &str) -> Result<&mut Bucket, AwsError> {
        self.buckets.get_mut(name).ok_or_else(|| no_bucket(name))
    }

    fn contents(&self) -> impl Iterator<Item = &Kept> {
        let objects =
            self.buckets.values().flat_map(|bucket| bucket.objects.values().map(|object| &object.kept));
        objects.chain(self.uploads.values().flat_map(|upload| upload.parts.values()))
    }

    fn check_room(&self, more: u64) -> Result<(), AwsError> {
        let (count, total) =
            self.contents().fold((0, 0), |(count, total), kept| (count + 1, total + kept.size));
        if count >= MOST_OBJECTS || total + more > LARGEST_TOTAL {
            let most = LARGEST_TOTAL / (1024 * 1024 * 1024);
            return Err(AwsError::unsupported(format_args!(
                "more than {MOST_OBJECTS} objects or {most} GB in S3; delete some"
            )));
        }
        Ok(())
    }
}

pub(super) fn no_bucket(name: &str) -> AwsError {
    AwsError::new("NoSuchBucket", "The specified bucket does not exist")
        .with_status(404)
        .with("BucketName", name)
}

pub(super) fn no_key(key: &str) -> AwsError {
    AwsError::new("NoSuchKey", "The specified key does not exist.").with_status(404).with("Key", key)
}
