//! Zips that were uploaded to this portal and wait for their deploy. In memory, because a rollout
//! needs its code for a few seconds only; bounded, because memory is.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::deploy::Uploaded;
use model::problem::{Problem, ProblemKind};
use model::time::Timestamp;
use sha2::{Digest, Sha256};

use super::package::LARGEST_ZIP;

/// At most so many are kept: 100 MB.
const MOST: usize = 2;
/// For so long: from an upload to the form's last button, with a look at the checks.
const KEPT_MS: i64 = 15 * 60 * 1_000;

/// The zips.
#[derive(Default)]
pub(crate) struct Staged {
    zips: Vec<Zip>,
}

struct Zip {
    sha256: String,
    bytes: Arc<[u8]>,
    until: Timestamp,
}

impl Staged {
    /// Keeps a zip; the oldest goes where there are too many.
    ///
    /// # Errors
    /// `Invalid` for one that is empty, or larger than Lambda takes directly.
    pub(crate) fn keep(&mut self, bytes: Vec<u8>, now: Timestamp) -> Result<Uploaded, Problem> {
        if bytes.is_empty() {
            return Err(Problem::new(ProblemKind::Invalid, "The file is empty."));
        }
        if bytes.len() > LARGEST_ZIP {
            return Err(too_large());
        }
        self.forget_old(now);
        let sha256 = STANDARD.encode(Sha256::digest(&bytes));
        let until = Timestamp(now.0 + KEPT_MS);
        let size = bytes.len() as u64;
        self.zips.retain(|zip| zip.sha256 != sha256);
        if self.zips.len() >= MOST {
            self.zips.remove(0);
        }
        self.zips.push(Zip { sha256: sha256.clone(), bytes: bytes.into(), until });
        Ok(Uploaded { sha256, size, until })
    }

    /// The zip with this SHA-256.
    pub(crate) fn get(&mut self, sha256: &str, now: Timestamp) -> Option<Arc<[u8]>> {
        self.forget_old(now);
        self.zips.iter().find(|zip| zip.sha256 == sha256).map(|zip| Arc::clone(&zip.bytes))
    }

    /// Forgets a zip that Lambda has.
    pub(crate) fn forget(&mut self, sha256: &str) {
        self.zips.retain(|zip| zip.sha256 != sha256);
    }

    fn forget_old(&mut self, now: Timestamp) {
        self.zips.retain(|zip| now < zip.until);
    }
}

/// That a zip has to go through S3.
pub(crate) fn too_large() -> Problem {
    let megabytes = LARGEST_ZIP / 1024 / 1024;
    Problem::new(
        ProblemKind::Invalid,
        format!("The zip is larger than {megabytes} MB, which is what Lambda takes directly."),
    )
    .with_next("Put it into an S3 bucket and name the object, or make it smaller.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_kept_for_a_while() {
        let mut staged = Staged::default();
        let one = staged.keep(vec![1], Timestamp(0)).unwrap();
        let two = staged.keep(vec![2], Timestamp(1)).unwrap();
        assert_eq!(staged.keep(vec![1], Timestamp(2)).unwrap().sha256, one.sha256);
        let three = staged.keep(vec![3], Timestamp(3)).unwrap();
        assert!(staged.get(&two.sha256, Timestamp(4)).is_none());
        assert_eq!(staged.get(&one.sha256, Timestamp(4)).as_deref(), Some([1].as_slice()));
        staged.forget(&one.sha256);
        assert!(staged.get(&one.sha256, Timestamp(4)).is_none());
        assert!(staged.get(&three.sha256, Timestamp(KEPT_MS + 3)).is_none());
        assert!(staged.keep(vec![], Timestamp(0)).is_err());
        assert!(staged.keep(vec![0; LARGEST_ZIP + 1], Timestamp(0)).is_err());
    }
}
