//! What every dependency must fulfil: a licence that lets anybody use the product, a source that
//! stays, and for a few a version that has no known hole.
//!
//! `deny.toml` says the same to cargo-deny, which knows more (advisories, duplicates) but takes
//! minutes to install; a test keeps the two alike.

use std::collections::BTreeSet;

use semver::Version;
use spdx::{Expression, ParseMode};

use crate::metadata::{Metadata, Package};

/// Permissive licences: their texts ask for a notice at most.
const LICENCES: [&str; 14] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "BlueOak-1.0.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// The oldest version of a package without a known hole.
const FLOORS: [(&str, Version); 5] = [
    ("aws-lc-sys", Version::new(0, 39, 0)),
    ("bytes", Version::new(1, 11, 1)),
    ("h2", Version::new(0, 4, 16)),
    ("rustls-webpki", Version::new(0, 103, 13)),
    ("time", Version::new(0, 3, 47)),
];

/// The registry that packages come from, as `Cargo.lock` calls it.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Everything that is wrong with any dependency, in the packages' order.
pub fn problems(metadata: &Metadata) -> Vec<String> {
    let all: BTreeSet<String> = metadata.packages.iter().flat_map(problems_of).collect();
    all.into_iter().collect()
}

fn problems_of(package: &Package) -> Vec<String> {
    let who = format!("{} {}", package.name, package.version);
    let mut found = Vec::new();
    if let Some(source) = &package.source
        && source != REGISTRY
    {
        found.push(format!("{who} comes from {source}: only the registry keeps what it once published"));
    }
    match package.license.as_deref() {
        None => found.push(format!("{who} names no licence")),
        Some(licence) => match permitted(licence) {
            Ok(true) => {}
            Ok(false) => found.push(format!("{who} has the licence {licence}, which is not on the list")),
            Err(error) => {
                found.push(format!("{who} has the licence {licence}, which nobody can read: {error}"))
            }
        },
    }
    for (name, floor) in &FLOORS {
        if package.name == *name && package.version < *floor {
            found
                .push(format!("{who} has a known hole: {floor} or newer, please (`cargo update -p {name}`)"));
        }
    }
    found
}

/// Whether a licence expression can be fulfilled with the listed licences alone. Old packages write
/// a slash for OR.
fn permitted(expression: &str) -> Result<bool, spdx::ParseError> {
    let expression = Expression::parse_mode(expression, ParseMode::LAX)?;
    Ok(expression.evaluate(|licence| LICENCES.contains(&licence.to_string().as_str())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, version: &str, license: Option<&str>, source: Option<&str>) -> Package {
        Package {
            name: name.to_owned(),
            version: version.parse().unwrap(),
            id: String::new(),
            license: license.map(str::to_owned),
            source: source.map(str::to_owned),
        }
    }

    #[test]
    fn licences() {
        let cases = [
            ("MIT", true),
            ("MIT OR Apache-2.0", true),
            ("MIT/Apache-2.0", true),
            ("Apache-2.0 / MIT", true),
            ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
            ("Apache-2.0 WITH LLVM-exception", true),
            ("GPL-3.0-only OR MIT", true),
            ("MIT AND GPL-3.0-only", false),
            ("AGPL-3.0-only", false),
            ("MPL-2.0", false),
            ("SSPL-1.0", false),
        ];
        for (expression, expected) in cases {
            assert_eq!(permitted(expression).unwrap(), expected, "{expression}");
        }
        assert!(permitted("as is").is_err());
    }

    #[test]
    fn floors_are_inclusive() {
        for (name, floor) in &FLOORS {
            let at = |version: &str| problems_of(&package(name, version, Some("MIT"), Some(REGISTRY)));
            assert_eq!(at(&floor.to_string()), Vec::<String>::new());
            assert!(at("0.0.1")[0].contains("known hole"), "{name}");
        }
        let before = problems_of(&package("h2", "0.4.15", Some("MIT"), Some(REGISTRY)));
        assert_eq!(before.len(), 1, "{before:?}");
        let release = problems_of(&package("time", "0.3.47-rc.1", Some("MIT"), Some(REGISTRY)));
        assert_eq!(release.len(), 1, "a release candidate is older than its release");
    }

    #[test]
    fn sources_and_missing_licences() {
        let git = Some("git+https://forge.example/x#abc");
        let found = problems_of(&package("x", "1.0.0", None, git));
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(
            problems_of(&package("own", "0.1.0", Some("MIT OR Apache-2.0"), None)),
            Vec::<String>::new()
        );
    }

    #[test]
    fn deny_toml_says_the_same() {
        let deny = include_str!("../../../../deny.toml");
        let (_, licences) = deny.split_once("\nallow = [").unwrap();
        let (licences, _) = licences.split_once(']').unwrap();
        let listed: Vec<&str> = licences.split('"').skip(1).step_by(2).collect();
        assert_eq!(listed, LICENCES);
        let floors: Vec<&str> = deny.lines().filter(|line| line.contains("known hole")).collect();
        assert_eq!(floors.len(), FLOORS.len(), "{floors:?}");
        for (name, floor) in &FLOORS {
            assert!(deny.contains(&format!("crate = \"{name}:<{floor}\"")), "{name}");
        }
    }
}
