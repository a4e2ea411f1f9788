//! One stylesheet out of `style/main.css` and the files it imports.
//!
//! The files are kept apart for people and joined for the browser, in the order of the imports and
//! where these stand, which is what a browser would make of them. Only plain imports of files are
//! known; conditional and remote ones are refused by name, as is an import after the first rule,
//! which a browser would ignore without a word.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

/// Reads `main` and puts every imported file in the place of its `@import`. A file that is imported
/// twice appears once, at its first import. Errors name the file and the line.
pub fn bundle(main: &Path) -> Result<String> {
    let mut sheet = String::new();
    append(main, &mut sheet, &mut Vec::new())?;
    Ok(sheet)
}

fn append(file: &Path, sheet: &mut String, seen: &mut Vec<PathBuf>) -> Result<()> {
    let real = file.canonicalize().with_context(|| format!("no stylesheet {}", file.display()))?;
    if seen.contains(&real) {
        return Ok(());
    }
    seen.push(real);
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut rules_began = false;
    let mut in_comment = false;
    for (number, line) in text.lines().enumerate() {
        let place = || format!("{}:{}", file.display(), number + 1);
        let statement = line.trim();
        if !in_comment && statement.starts_with("@import") {
            ensure!(!rules_began, "{}: @import must stand before every rule", place());
            let name = imported(statement).with_context(place)?;
            append(&file.with_file_name(name), sheet, seen).with_context(place)?;
            continue;
        }
        rules_began |= !in_comment && is_rule(statement);
        in_comment = ends_in_comment(line, in_comment);
        sheet.push_str(line);
        sheet.push('\n');
    }
    Ok(())
}

/// The file of `@import "name.css";` or `@import url("name.css");`, alone on its line.
fn imported(statement: &str) -> Result<&str> {
    let rest = statement.strip_prefix("@import").unwrap_or_default().trim();
    let Some(rest) = rest.strip_suffix(';').map(str::trim) else {
        bail!("@import must end with a semicolon on its own line, without conditions");
    };
    let rest = rest.strip_prefix("url(").and_then(|rest| rest.strip_suffix(')')).unwrap_or(rest).trim();
    let quoted = |quote: char| rest.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    let Some(name) = quoted('"').or_else(|| quoted('\'')) else {
        bail!("only `@import \"file.css\";` is known here: no layers, media queries or conditions");
    };
    ensure!(!name.contains("//"), "{name}: a stylesheet comes from this repository, not from elsewhere");
    Ok(name)
}

/// Whether a line, not beginning inside a comment, holds anything after which CSS allows no import.
fn is_rule(statement: &str) -> bool {
    let plain_layers = statement.starts_with("@layer") && statement.ends_with(';');
    let nothing = statement.is_empty() || statement.starts_with("/*") || statement.starts_with("@charset");
    !nothing && !plain_layers
}

fn ends_in_comment(line: &str, began_in_comment: bool) -> bool {
    let mut inside = began_in_comment;
    let mut rest = line;
    while let Some(at) = rest.find(if inside { "*/" } else { "/*" }) {
        inside = !inside;
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    inside
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    #[test]
    fn imports_are_put_in_their_place_and_once() {
        let files = folder(&[
            (
                "main.css",
                "/* @import in words\n@import \"not.css\"; */\n@import \"tokens.css\";\n@import url('pages/all.css');\nbody {}\n",
            ),
            ("tokens.css", ":root {}\n"),
            ("pages/all.css", "@import \"../tokens.css\";\n@import \"one.css\";\nmain {}\n"),
            ("pages/one.css", "table {}"),
        ]);
        let sheet = bundle(&files.path().join("main.css")).unwrap();
        let rules: Vec<&str> = sheet.lines().filter(|line| line.ends_with("{}")).collect();
        assert_eq!(rules, [":root {}", "table {}", "main {}", "body {}"]);
    }

    #[test]
    fn a_circle_of_imports_ends() {
        let files =
            folder(&[("main.css", "@import \"b.css\";\n"), ("b.css", "@import \"main.css\";\nb {}\n")]);
        assert_eq!(bundle(&files.path().join("main.css")).unwrap(), "b {}\n");
    }

    #[test]
    fn what_is_not_known_is_refused_with_its_place() {
        let cases = [
            ("@import \"gone.css\";", "no stylesheet"),
            ("@import \"a.css\" print;", "no layers"),
            ("@import \"a.css\" layer(base);", "no layers"),
            ("@import \"https://a.example/a.css\";", "not from elsewhere"),
            ("@import \"a.css\"", "semicolon"),
            ("body {}\n@import \"a.css\";", "before every rule"),
        ];
        for (text, reason) in cases {
            let files = folder(&[("main.css", text), ("a.css", "")]);
            let error = format!("{:#}", bundle(&files.path().join("main.css")).unwrap_err());
            assert!(error.contains(reason) && error.contains("main.css:"), "{text}: {error}");
        }
    }
}
