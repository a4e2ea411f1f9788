//! The dependency graph, as `cargo metadata` tells it: what the layering and dependency checks
//! look at.

use std::collections::{BTreeMap, VecDeque};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::process;
use crate::workspace::{WASM, Workspace};

/// The resolved graph of the workspace, over every platform it is built for.
#[derive(Debug, Deserialize)]
pub struct Metadata {
    /// Every package in the graph.
    pub packages: Vec<Package>,
    /// The ids of the workspace's own packages.
    pub workspace_members: Vec<String>,
    resolve: Resolve,
}

/// One version of one package.
#[derive(Debug, Deserialize)]
pub struct Package {
    /// Its name, as in `Cargo.toml`.
    pub name: String,
    /// Its version.
    pub version: semver::Version,
    /// Cargo's opaque name for it.
    pub id: String,
    /// The SPDX expression its author wrote, if any.
    pub license: Option<String>,
    /// Where it comes from; none for the workspace's own.
    pub source: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<DependencyKind>,
}

#[derive(Debug, Deserialize)]
struct DependencyKind {
    /// None for a normal dependency, else `dev` or `build`.
    kind: Option<String>,
}

/// Which package depends on which in the program that runs, by name: normal dependencies only, for
/// what a test or a build script uses is not part of it. Versions of one package are one here.
#[derive(Debug, Default)]
pub struct Graph {
    arrows: BTreeMap<String, Vec<String>>,
}

impl Metadata {
    /// Asks cargo, with all features of the workspace and for the platforms it is built for: the
    /// host, the browser, and both of Lambda's architectures.
    pub fn load(workspace: &Workspace) -> Result<Self> {
        let mut ask = workspace.cargo();
        ask.args(["metadata", "--format-version", "1", "--all-features", "--locked"]);
        for platform in [&host(workspace)?, WASM, "x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl"] {
            ask.args(["--filter-platform", platform]);
        }
        serde_json::from_str(&process::capture(&mut ask)?)
            .context("cannot read what `cargo metadata` printed")
    }

    /// The names of the workspace's own packages.
    pub fn members(&self) -> Vec<&str> {
        let own = |package: &&Package| self.workspace_members.contains(&package.id);
        self.packages.iter().filter(own).map(|package| package.name.as_str()).collect()
    }

    /// The graph of normal dependencies.
    pub fn graph(&self) -> Graph {
        let names: BTreeMap<&str, &str> =
            self.packages.iter().map(|package| (package.id.as_str(), package.name.as_str())).collect();
        let mut graph = Graph::default();
        for node in &self.resolve.nodes {
            for dependency in &node.deps {
                let normal = dependency.dep_kinds.iter().any(|kind| kind.kind.is_none());
                let ends = (names.get(node.id.as_str()), names.get(dependency.pkg.as_str()));
                if let (true, (Some(from), Some(to))) = (normal, ends) {
                    graph.add(from, to);
                }
            }
        }
        graph
    }
}

impl Graph {
    /// Adds an arrow.
    pub fn add(&mut self, from: &str, to: &str) {
        self.arrows.entry(from.to_owned()).or_default().push(to.to_owned());
    }

    /// What `from` names itself.
    pub fn direct(&self, from: &str) -> &[String] {
        self.arrows.get(from).map_or(&[], Vec::as_slice)
    }

    /// A shortest way from `from` to each package it needs, `from` first, in the packages' order.
    pub fn ways(&self, from: &str) -> Vec<Vec<String>> {
        let mut ways = BTreeMap::from([(from.to_owned(), vec![from.to_owned()])]);
        let mut open = VecDeque::from([from.to_owned()]);
        while let Some(here) = open.pop_front() {
            for next in self.direct(&here) {
                if !ways.contains_key(next) {
                    let mut way = ways.get(&here).cloned().unwrap_or_default();
                    way.push(next.clone());
                    ways.insert(next.clone(), way);
                    open.push_back(next.clone());
                }
            }
        }
        ways.remove(from);
        ways.into_values().collect()
    }
}

fn host(workspace: &Workspace) -> Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let said = process::capture(std::process::Command::new(rustc).arg("-vV").current_dir(&workspace.root))?;
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc -vV names no host")?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_graph_holds_normal_dependencies_only() {
        let text = r#"{
          "packages": [
            {"name": "a", "version": "0.1.0", "id": "A", "license": null, "source": null},
            {"name": "b", "version": "1.0.0", "id": "B", "license": "MIT", "source": "registry"},
            {"name": "c", "version": "1.0.0", "id": "C", "license": "MIT", "source": "registry"}],
          "workspace_members": ["A"],
          "resolve": {"nodes": [
            {"id": "A", "deps": [
              {"pkg": "B", "dep_kinds": [{"kind": "dev"}, {"kind": null}]},
              {"pkg": "C", "dep_kinds": [{"kind": "dev"}]}]},
            {"id": "B", "deps": [{"pkg": "C", "dep_kinds": [{"kind": "build"}]}]}]}}"#;
        let metadata: Metadata = serde_json::from_str(text).unwrap();
        assert_eq!(metadata.members(), ["a"]);
        assert_eq!(metadata.graph().ways("a"), [["a", "b"]]);
    }

    #[test]
    fn the_shortest_way_is_told_and_circles_end() {
        let mut graph = Graph::default();
        for (from, to) in [("a", "b"), ("b", "c"), ("c", "a"), ("c", "d"), ("b", "d")] {
            graph.add(from, to);
        }
        assert_eq!(graph.ways("a"), [vec!["a", "b"], vec!["a", "b", "c"], vec!["a", "b", "d"]]);
    }
}
