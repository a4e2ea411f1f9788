//! The browser's half of the portal: `site/` under the target directory.
//!
//! cargo builds the wasm module, wasm-bindgen (as a library, so that its version is the one in
//! Cargo.lock, which the module demands to the letter) writes the JavaScript beside it, the
//! stylesheets are joined, and `public/` is copied. What goes into `pkg/` carries a hash of its
//! content in its name and may be cached for ever; `manifest.json` says which names are current.
//! Everything compressible is also there as `.br` and `.gz`, so that nobody compresses at run time.
//!
//! There is no `wasm-opt` here: with the profile `browser` and the name section removed it took half
//! a percent off what a browser loads (106.9 kB to 106.4 kB in brotli, binaryen 132), for a hundred
//! megabytes of tool and eight seconds a build.
//!
//! The folder is built beside the old one and takes its place at the end: a crash in between leaves
//! the old site whole.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use wasm_bindgen_cli_support::Bindgen;

use crate::archive::megabytes;
use crate::workspace::{WASM, Workspace};
use crate::{css, process, setup};

/// Changes whenever this file makes something else of the same inputs.
const RECIPE: &[u8] = b"1";

/// Endings of files that compression makes smaller; pictures and fonts are compressed already.
const COMPRESSIBLE: [&str; 9] = ["css", "html", "ico", "js", "json", "svg", "txt", "wasm", "webmanifest"];

/// What the server reads to know the names: paths from the root of the site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The JavaScript module; its default export starts the wasm module it is given.
    pub js: String,
    /// The wasm module.
    pub wasm: String,
    /// The stylesheet.
    pub css: String,
}

/// A site that is up to date.
#[derive(Debug)]
pub struct Site {
    /// The folder to serve.
    pub folder: PathBuf,
    manifest: Manifest,
}

/// Files to be written: path below the site's root, and content.
type Files = BTreeMap<PathBuf, Vec<u8>>;

/// Builds the site, or finds that nothing it is made of has changed.
pub fn build(workspace: &Workspace) -> Result<Site> {
    setup::rust_target(workspace, WASM)?;
    process::run(workspace.cargo().args([
        "build",
        "--package=lockkeeper",
        "--lib",
        "--no-default-features",
        "--features=hydrate",
        "--profile=browser",
        "--target",
        WASM,
    ]))?;
    let module = fs::read(workspace.target.join(WASM).join("browser/app.wasm"))
        .context("the build left no wasm module")?;
    let sheet = css::bundle(&workspace.root.join("style/main.css"))?;
    let public = public_files(&workspace.root.join("public"))?;

    let folder = workspace.target.join("site");
    let inputs = fingerprint(&module, &sheet, &public);
    let stamp = folder.join(".inputs");
    if fs::read_to_string(&stamp).is_ok_and(|old| old == inputs)
        && let Ok(manifest) = read_manifest(&folder)
    {
        return Ok(Site { folder, manifest });
    }

    let scratch = workspace.target.join("site.new");
    remove(&scratch)?;
    let (mut files, manifest) = assemble(bind(module, &scratch.join("bindgen"))?, sheet);
    files.extend(public);
    remove(&scratch)?;
    write_all(&scratch, &files)?;
    fs::write(scratch.join("manifest.json"), serde_json::to_string_pretty(&manifest)?)?;
    fs::write(scratch.join(".inputs"), inputs)?;
    remove(&folder)?;
    fs::rename(&scratch, &folder).context("cannot put the new site into its place")?;
    Ok(Site { folder, manifest })
}

/// What wasm-bindgen makes of a module.
struct Bound {
    js: String,
    wasm: Vec<u8>,
    /// JavaScript that crates bring along, by its path below `snippets/`.
    snippets: Files,
}

fn bind(module: Vec<u8>, scratch: &Path) -> Result<Bound> {
    let mut bindgen = Bindgen::new();
    bindgen
        .input_bytes("app", module)
        .web(true)?
        .typescript(false)
        // The module's name is not known here: the page gives it to the start function.
        .omit_default_module_path(true)
        .remove_name_section(true)
        .remove_producers_section(true);
    bindgen.generate(scratch).context("wasm-bindgen cannot read the module")?;
    let snippets = scratch.join("snippets");
    Ok(Bound {
        js: fs::read_to_string(scratch.join("app.js"))?,
        wasm: fs::read(scratch.join("app_bg.wasm"))?,
        snippets: if snippets.is_dir() { read_below(&snippets)? } else { Files::new() },
    })
}

/// Names everything by its content. The snippets share one folder, since they are imported by
/// relative paths, and the JavaScript, which names that folder, is named last.
fn assemble(bound: Bound, sheet: String) -> (Files, Manifest) {
    let mut files = Files::new();
    let mut js = bound.js;
    if !bound.snippets.is_empty() {
        let all = bound.snippets.iter().fold(Sha256::new(), |hash, (path, content)| {
            hash.chain_update(path.to_string_lossy().as_bytes()).chain_update([0]).chain_update(content)
        });
        let folder = format!("snippets.{}", short_hash(all));
        for quote in ['\'', '"'] {
            js = js.replace(&format!("{quote}./snippets/"), &format!("{quote}./{folder}/"));
        }
        for (path, content) in bound.snippets {
            files.insert(Path::new("pkg").join(&folder).join(path), content);
        }
    }
    let mut add = |stem: &str, ending: &str, content: Vec<u8>| {
        let name = format!("pkg/{stem}.{}.{ending}", short_hash(Sha256::new().chain_update(&content)));
        let path = format!("/{name}");
        files.insert(PathBuf::from(name), content);
        path
    };
    let manifest = Manifest {
        js: add("app", "js", js.into_bytes()),
        wasm: add("app_bg", "wasm", bound.wasm),
        css: add("app", "css", sheet.into_bytes()),
    };
    (files, manifest)
}

fn short_hash(hash: Sha256) -> String {
    format!("{:x}", hash.finalize()).chars().take(16).collect()
}

fn fingerprint(module: &[u8], sheet: &str, public: &Files) -> String {
    let mut hash = Sha256::new().chain_update(RECIPE);
    let mut part = |bytes: &[u8]| {
        hash.update(bytes.len().to_le_bytes());
        hash.update(bytes);
    };
    part(module);
    part(sheet.as_bytes());
    for (path, content) in public {
        part(path.to_string_lossy().as_bytes());
        part(content);
    }
    format!("{:x}", hash.finalize())
}

/// The files of `public/`; a repository without that folder has none.
fn public_files(folder: &Path) -> Result<Files> {
    if !folder.is_dir() {
        return Ok(Files::new());
    }
    let files = read_below(folder)?;
    for taken in ["pkg", "manifest.json", ".inputs"] {
        ensure!(!folder.join(taken).exists(), "public/{taken} would hide what the build writes there");
    }
    Ok(files)
}

fn read_below(root: &Path) -> Result<Files> {
    let mut files = Files::new();
    let mut open = vec![root.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            } else {
                let content = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
                files.insert(path.strip_prefix(root)?.to_path_buf(), content);
            }
        }
    }
    Ok(files)
}

fn write_all(root: &Path, files: &Files) -> Result<()> {
    for (path, content) in files {
        let path = root.join(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        if !COMPRESSIBLE.contains(&ending) {
            continue;
        }
        for (with, smaller) in [("br", brotli(content)?), ("gz", gzip(content)?)] {
            // A file of a few bytes only grows; the server then sends it as it is.
            if smaller.len() < content.len() {
                fs::write(path.with_extension(format!("{ending}.{with}")), smaller)?;
            }
        }
    }
    Ok(())
}

fn brotli(content: &[u8]) -> Result<Vec<u8>> {
    let mut smaller = Vec::new();
    // Quality 11 is the best; a window of 2^22 bytes is what every browser must accept.
    let settings = brotli::enc::BrotliEncoderParams { quality: 11, lgwin: 22, ..Default::default() };
    brotli::BrotliCompress(&mut &*content, &mut smaller, &settings)?;
    Ok(smaller)
}

fn gzip(content: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content)?;
    Ok(encoder.finish()?)
}

fn read_manifest(folder: &Path) -> Result<Manifest> {
    let manifest: Manifest = serde_json::from_str(&fs::read_to_string(folder.join("manifest.json"))?)?;
    for path in [&manifest.js, &manifest.wasm, &manifest.css] {
        ensure!(folder.join(path.trim_start_matches('/')).is_file(), "{path} is gone");
    }
    Ok(manifest)
}

fn remove(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    Ok(())
}

/// The sizes as a browser loads them.
impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "    {}:", self.folder.display())?;
        for path in [&self.manifest.js, &self.manifest.wasm, &self.manifest.css] {
            let file = self.folder.join(path.trim_start_matches('/'));
            let size = |file: &Path| fs::metadata(file).map(|file| file.len()).unwrap_or_default();
            let brotli = size(Path::new(&format!("{}.br", file.display())));
            let kilobytes = |bytes: u64| megabytes(bytes) * 1e3;
            write!(
                f,
                "\n      {path}  {:.0} kB, {:.0} kB in brotli",
                kilobytes(size(&file)),
                kilobytes(brotli)
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn bound(js: &str) -> Bound {
        Bound { js: js.to_owned(), wasm: b"\0asm".to_vec(), snippets: Files::new() }
    }

    #[test]
    fn names_follow_the_content() {
        let (files, one) = assemble(bound("export default 1"), "body {}".to_owned());
        let (_, other) = assemble(bound("export default 2"), "body {}".to_owned());
        assert_ne!(one.js, other.js);
        assert_eq!((&one.wasm, &one.css), (&other.wasm, &other.css));
        assert!(one.js.starts_with("/pkg/app.") && one.js.ends_with(".js"), "{}", one.js);
        assert!(one.wasm.starts_with("/pkg/app_bg."), "{}", one.wasm);
        assert_eq!(files.len(), 3);
        assert!(files.contains_key(Path::new(one.css.trim_start_matches('/'))));
    }

    #[test]
    fn snippets_move_to_a_folder_named_by_their_content() {
        let with = |content: &str| {
            let mut bound = bound("import { f } from './snippets/leptos-1/inline0.js';");
            bound.snippets.insert("leptos-1/inline0.js".into(), content.as_bytes().to_vec());
            assemble(bound, String::new())
        };
        let ((files, one), (_, other)) = (with("f"), with("g"));
        assert_ne!(one.js, other.js, "a changed snippet must change the name of what imports it");
        let js = String::from_utf8(files[Path::new(one.js.trim_start_matches('/'))].clone()).unwrap();
        let folder = js.split(['\'', '/']).nth(2).unwrap();
        assert!(folder.starts_with("snippets."), "{js}");
        assert!(files.contains_key(&Path::new("pkg").join(folder).join("leptos-1/inline0.js")));
    }

    #[test]
    fn the_fingerprint_sees_every_input() {
        let public = |path: &str, content: &str| Files::from([(path.into(), content.as_bytes().to_vec())]);
        let prints = [
            fingerprint(b"wasm", "css", &Files::new()),
            fingerprint(b"was", "mcss", &Files::new()),
            fingerprint(b"wasm", "css2", &Files::new()),
            fingerprint(b"wasm", "css", &public("a.txt", "a")),
            fingerprint(b"wasm", "css", &public("b.txt", "a")),
            fingerprint(b"wasm", "css", &public("a.txt", "b")),
        ];
        let distinct: std::collections::BTreeSet<_> = prints.iter().collect();
        assert_eq!(distinct.len(), prints.len());
    }

    #[test]
    fn what_compresses_is_there_in_three_forms_and_the_rest_in_one() {
        let folder = tempfile::tempdir().unwrap();
        let text = "figures ".repeat(500).into_bytes();
        let files = Files::from([
            ("pkg/app.css".into(), text.clone()),
            ("logo.png".into(), text.clone()),
            ("tiny.txt".into(), b"a".to_vec()),
        ]);
        write_all(folder.path(), &files).unwrap();
        let there = |name: &str| folder.path().join(name).is_file();
        for name in ["pkg/app.css", "pkg/app.css.br", "pkg/app.css.gz", "logo.png", "tiny.txt"] {
            assert!(there(name), "{name}");
        }
        for name in ["logo.png.br", "logo.png.gz", "tiny.txt.br", "tiny.txt.gz"] {
            assert!(!there(name), "{name}");
        }
        let packed = fs::File::open(folder.path().join("pkg/app.css.gz")).unwrap();
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(packed).read_to_end(&mut unpacked).unwrap();
        assert_eq!(unpacked, text);
        let packed = fs::read(folder.path().join("pkg/app.css.br")).unwrap();
        let mut unpacked = Vec::new();
        brotli::BrotliDecompress(&mut packed.as_slice(), &mut unpacked).unwrap();
        assert_eq!(unpacked, text);
    }

    #[test]
    fn a_manifest_whose_files_are_gone_is_no_manifest() {
        let folder = tempfile::tempdir().unwrap();
        let (files, manifest) = assemble(bound("js"), String::new());
        write_all(folder.path(), &files).unwrap();
        fs::write(folder.path().join("manifest.json"), serde_json::to_string(&manifest).unwrap()).unwrap();
        assert_eq!(read_manifest(folder.path()).unwrap(), manifest);
        fs::remove_file(folder.path().join(manifest.wasm.trim_start_matches('/'))).unwrap();
        assert!(read_manifest(folder.path()).is_err());
    }
}
