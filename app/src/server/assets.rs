//! The browser's files, as `cargo xtask` lays them out in the site folder: below `pkg/` under names
//! that hold their hash, so that they may be kept for ever, and the icons beside them.
//!
//! All of it is read into memory at the start (about 1 MB): no path from a request ever reaches the
//! file system, and a page never points at a file that a newer build has taken away.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::App;

/// Files and folders read at most: far more than a site has, far less than a wrong folder.
const MOST_FILES: usize = 1_000;

/// For files with a hash in their name.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// For icons, whose names stay.
const FOR_A_DAY: &str = "public, max-age=86400";

/// Names of the files that pages point at, `manifest.json` in the site folder.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The script that wasm-bindgen wrote.
    pub js: String,
    /// The program.
    pub wasm: String,
    /// The style sheet.
    pub css: String,
}

/// The files, by the path of their address.
pub struct Assets {
    manifest: Manifest,
    files: HashMap<String, File>,
}

struct File {
    media_type: &'static str,
    cache: &'static str,
    plain: Bytes,
    gzip: Option<Bytes>,
    brotli: Option<Bytes>,
}

impl Assets {
    /// Reads all of `folder`: `manifest.json`, the files, and the `.br` and `.gz` beside them.
    ///
    /// # Errors
    /// When a file that the manifest names is missing, its name would need quoting in a page, or the
    /// folder is far larger than a site.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join("manifest.json");
        let text = std::fs::read(&path).with_context(|| {
            format!("LOCKKEEPER_SITE: can't read {}; `cargo xtask run` builds it", path.display())
        })?;
        let manifest: Manifest = serde_json::from_slice(&text).with_context(|| path.display().to_string())?;
        let files = read_all(folder).context("LOCKKEEPER_SITE")?;
        for name in [&manifest.js, &manifest.wasm, &manifest.css] {
            let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
            ensure!(
                plain && name.starts_with("/pkg/"),
                "LOCKKEEPER_SITE: `{name}` is not /pkg/ and a plain name"
            );
            ensure!(files.contains_key(name), "LOCKKEEPER_SITE: {name} is missing");
        }
        Ok(Self { manifest, files })
    }

    /// The paths that pages point at.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The addresses outside of `/pkg/`.
    pub fn icons(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str).filter(|path| !path.starts_with("/pkg/"))
    }
}

/// `GET /pkg/...` and the icons.
pub async fn file(State(app): State<App>, request: Request) -> Response {
    match app.assets.files.get(request.uri().path()) {
        Some(file) => file.answer(request.headers()),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Everything below `root` whose kind is known, each with its compressed forms.
fn read_all(root: &Path) -> Result<HashMap<String, File>> {
    let mut files = HashMap::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(root.join(folder.trim_start_matches('/')))? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let address = format!("{folder}/{name}");
            if entry.file_type()?.is_dir() {
                folders.push(address);
            } else if let Some(media_type) = media_type(&name).filter(|_| address != "/manifest.json") {
                files.insert(address.clone(), File::read(&entry.path(), &address, media_type)?);
            }
            ensure!(
                files.len() + folders.len() <= MOST_FILES,
                "{} is no site: too many files",
                root.display()
            );
        }
    }
    Ok(files)
}

/// By the name's ending; none for what is not served.
fn media_type(name: &str) -> Option<&'static str> {
    let (_, ending) = name.rsplit_once('.')?;
    Some(match ending {
        "js" => "text/javascript; charset=utf-8",
        "wasm" => "application/wasm",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "txt" => "text/plain; charset=utf-8",
        _ => return None,
    })
}

impl File {
    fn read(path: &Path, address: &str, media_type: &'static str) -> Result<Self> {
        let plain = std::fs::read(path).with_context(|| path.display().to_string())?;
        let beside = |suffix: &str| {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            std::fs::read(name).ok().map(Bytes::from)
        };
        let cache = if address.starts_with("/pkg/") { FOR_EVER } else { FOR_A_DAY };
        Ok(Self { media_type, cache, plain: plain.into(), gzip: beside(".gz"), brotli: beside(".br") })
    }

    /// The smallest form the browser takes.
    fn answer(&self, accepted: &HeaderMap) -> Response {
        let takes = |coding: &str| accepts(accepted, coding);
        let (body, coding) = match (&self.brotli, &self.gzip) {
            (Some(brotli), _) if takes("br") => (brotli, Some("br")),
            (_, Some(gzip)) if takes("gzip") => (gzip, Some("gzip")),
            _ => (&self.plain, None),
        };
        let headers = [
            (header::CONTENT_TYPE, self.media_type),
            (header::CACHE_CONTROL, self.cache),
            (header::VARY, "Accept-Encoding"),
        ];
        let mut response = (headers, body.clone()).into_response();
        if let Some(coding) = coding {
            response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
        }
        response
    }
}

/// Whether `Accept-Encoding` names a coding and does not rule it out with `q=0`.
fn accepts(headers: &HeaderMap, coding: &str) -> bool {
    let lists = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|entry| {
        let (name, weight) = entry.split_once(';').unwrap_or((entry, ""));
        let zero = weight.trim().strip_prefix("q=").and_then(|q| q.parse::<f32>().ok()) == Some(0.0);
        name.trim().eq_ignore_ascii_case(coding) && !zero
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codings_are_taken_as_the_browser_says() {
        let table = [
            ("gzip, deflate, br, zstd", true),
            ("br;q=0.5", true),
            ("BR", true),
            ("br;q=0, gzip", false),
            ("br; q=0.0", false),
            ("brotli", false),
            ("", false),
        ];
        for (value, taken) in table {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(value));
            assert_eq!(accepts(&headers, "br"), taken, "{value}");
        }
    }

    fn site(manifest_css: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let pkg = folder.path().join("pkg");
        std::fs::create_dir_all(pkg.join("snippets.1/a")).unwrap();
        for name in ["a.js", "a.wasm", "a.css", "a.css.br", "snippets.1/a/b.js"] {
            std::fs::write(pkg.join(name), name).unwrap();
        }
        std::fs::write(folder.path().join("favicon.svg"), "<svg/>").unwrap();
        std::fs::write(folder.path().join(".inputs"), "x").unwrap();
        let manifest = format!(r#"{{"js":"/pkg/a.js","wasm":"/pkg/a.wasm","css":"{manifest_css}"}}"#);
        std::fs::write(folder.path().join("manifest.json"), manifest).unwrap();
        folder
    }

    #[test]
    fn the_whole_site_is_read_and_nothing_but_the_site() {
        let assets = Assets::read(site("/pkg/a.css").path()).unwrap();
        let mut paths: Vec<&str> = assets.files.keys().map(String::as_str).collect();
        paths.sort_unstable();
        let expected = ["/favicon.svg", "/pkg/a.css", "/pkg/a.js", "/pkg/a.wasm", "/pkg/snippets.1/a/b.js"];
        assert_eq!(paths, expected);
        assert!(assets.files["/pkg/a.css"].brotli.is_some());
        assert_eq!(assets.icons().collect::<Vec<_>>(), ["/favicon.svg"]);
    }

    #[test]
    fn a_manifest_that_names_what_is_not_there_is_refused() {
        for css in ["/pkg/../../etc/passwd", "/pkg/b.css", "/favicon.svg", "/pkg/\"><script>"] {
            let error = Assets::read(site(css).path()).err().unwrap().to_string();
            assert!(error.contains("LOCKKEEPER_SITE") || error.contains("manifest.json"), "{error}");
        }
    }
}
