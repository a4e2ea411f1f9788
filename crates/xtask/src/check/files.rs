//! The files as git has them: nothing that is true on one machine only, and nothing too long to
//! read.

use std::process::Command;

use anyhow::{Context, Result};

use super::problems;
use crate::process;
use crate::workspace::Workspace;

/// From here on a file is likely to hold two things. A word of warning, never a failure: a table of
/// tests or a grammar may have its reasons.
const LONG: usize = 500;

/// Files that a tool writes.
const GENERATED: [&str; 3] = ["Cargo.lock", "package-lock.json", "openapi.json"];

/// Beginnings of paths that exist on somebody's machine, in two parts so that this file holds none.
const HOMES: [(&str, &str); 3] = [("/ho", "me/"), ("/Us", "ers/"), ("/ro", "ot/")];

/// Checks every text file that git knows, as it is in the work tree.
pub fn check(workspace: &Workspace) -> Result<()> {
    let mut git = Command::new("git");
    git.current_dir(&workspace.root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let listed = process::capture(&mut git).context("cannot ask git for the files")?;
    let mut found = Vec::new();
    for name in listed.split('\0').filter(|name| !name.is_empty()) {
        // Not text, or deleted and not yet committed: nothing to read.
        let Ok(text) = std::fs::read_to_string(workspace.root.join(name)) else { continue };
        found.extend(wrong_with(name, &text));
        if let Some(lines) = too_long(name, &text) {
            println!("    {name} has {lines} lines: is it two things?");
        }
    }
    problems("the files", found)
}

fn wrong_with(name: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let place = format!("{name}:{}", number + 1);
        if name.ends_with("package-lock.json") && line.trim_start().starts_with("\"resolved\": \"http") {
            found.push(format!(
                "{place} names the registry a package was fetched from; `npm install` with \
                 `omit-lockfile-registry-resolved=true` leaves it out"
            ));
        }
        if HOMES.iter().any(|(first, second)| holds_path(line, &format!("{first}{second}"))) {
            found.push(format!("{place} holds a path of one machine: {}", line.trim()));
        }
    }
    found
}

/// Whether `line` has `home` where a path begins: not in the middle of another path or an address.
fn holds_path(line: &str, home: &str) -> bool {
    line.match_indices(home).any(|(at, _)| {
        let before = line.get(..at).and_then(|before| before.chars().next_back());
        let after = line.get(at + home.len()..).and_then(|after| after.chars().next());
        let begins = before.is_none_or(|c| !(c.is_alphanumeric() || "._-/}$~".contains(c)));
        begins && after.is_some_and(|c| c.is_alphanumeric() || c == '.')
    })
}

fn too_long(name: &str, text: &str) -> Option<usize> {
    let generated = GENERATED.iter().any(|generated| name.ends_with(generated));
    let lines = text.lines().count();
    (lines > LONG && !generated).then_some(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_one_machine_are_found() {
        let [home, users, root] = HOMES.map(|(first, second)| format!("{first}{second}"));
        let cases = [
            (format!("let x = \"{home}ada/work\";"), true),
            (format!("cd {users}ada"), true),
            (format!("{root}.cargo/registry"), true),
            (format!("https://a.example{home}page"), false),
            (format!("$HOME{root}x"), false),
            (format!("GET {home}"), false),
            ("a home, users and root".to_owned(), false),
        ];
        for (line, expected) in cases {
            assert_eq!(!wrong_with("a.rs", &line).is_empty(), expected, "{line}");
        }
    }

    #[test]
    fn a_lock_file_names_no_registry() {
        let with = "{\n  \"resolved\": \"https://registry.example/a.tgz\",\n}";
        assert!(wrong_with("end2end/package-lock.json", with)[0].contains("package-lock.json:2"));
        assert!(wrong_with("end2end/package-lock.json", "{\"integrity\": \"sha512\"}").is_empty());
        assert!(wrong_with("notes.json", with).is_empty());
    }

    #[test]
    fn long_files_are_told_unless_a_tool_wrote_them() {
        let text = "line\n".repeat(LONG + 1);
        assert_eq!(too_long("src/a.rs", &text), Some(LONG + 1));
        assert_eq!(too_long("Cargo.lock", &text), None);
        assert_eq!(too_long("src/a.rs", &"line\n".repeat(LONG)), None);
    }
}
