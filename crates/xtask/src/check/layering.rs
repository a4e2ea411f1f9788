//! The arrows between the crates, which run one way: `app -> operations -> model`,
//! `api-function -> model`, and the sandbox imports none of the others.
//!
//! Cargo keeps circles out; this keeps out the arrows that would compile but must not be there, and
//! the libraries that would bring the wrong concern into a layer. Only what is linked into the
//! program counts: a test may start the sandbox.

use crate::metadata::{Graph, Metadata};

/// What one crate of the workspace may not or may only use.
struct Layer {
    /// The package.
    name: &'static str,
    /// The packages of the workspace it may depend on.
    may_use: &'static [&'static str],
    /// Packages it may not name in its manifest; a star at the end stands for any ending.
    not_directly: &'static [&'static str],
    /// Packages that may not be there even through others.
    not_at_all: &'static [&'static str],
    /// Why, for whoever is stopped by it.
    because: &'static str,
}

const LAYERS: [Layer; 7] = [
    Layer {
        name: "lockkeeper-model",
        may_use: &[],
        not_directly: &[],
        not_at_all: &[
            "tokio*",
            "mio",
            "socket2",
            "hyper*",
            "h2",
            "http",
            "reqwest",
            "ureq",
            "rustls*",
            "axum*",
            "tower*",
            "leptos*",
            "sqlx*",
            "rusqlite",
            "tiberius",
            "aws-*",
            "lambda_*",
            "tempfile",
            "nix",
            "rand*",
            "getrandom*",
        ],
        because: "the model is plain data: no I/O, no clock, no randomness, and it builds for the browser",
    },
    Layer {
        name: "lockkeeper-operations",
        may_use: &["lockkeeper-model"],
        // A client that probes the API is fine (reqwest, which brings tower-http along); what serves
        // requests is not.
        not_directly: &["tower*", "lambda_*"],
        not_at_all: &["leptos*", "axum*", "tower-sessions*", "sqlx*", "tiberius"],
        because: "operations know AWS, and nothing of how a person or a program asked for them",
    },
    Layer {
        name: "lockkeeper",
        may_use: &["lockkeeper-model", "lockkeeper-operations"],
        not_directly: &["aws-*", "tiberius", "lambda_*"],
        not_at_all: &["tiberius", "lambda_*"],
        because: "the portal acts on AWS through its operations, and never talks to the database itself",
    },
    Layer {
        name: "api-function",
        may_use: &["lockkeeper-model"],
        not_directly: &[],
        not_at_all: &["leptos*", "sqlx*", "rusqlite", "aws-sdk-ec2"],
        because: "a function is small and starts quickly, and shares only words with the portal",
    },
    Layer {
        name: "lockkeeper-sandbox",
        may_use: &[],
        not_directly: &[],
        not_at_all: &["leptos*", "lambda_*"],
        because: "portal and functions meet the sandbox over the wire only, so that it can stand in for AWS",
    },
    Layer {
        name: "lockkeeper-bench",
        may_use: &["lockkeeper-sandbox"],
        not_directly: &[],
        not_at_all: &["leptos*", "lambda_*"],
        because: "the benchmark meets the functions as Lambda does: as programs, over the Runtime API",
    },
    Layer {
        name: "xtask",
        may_use: &[],
        not_directly: &[],
        not_at_all: &["tokio", "leptos*", "axum*", "aws-*"],
        because: "xtask builds before anything else does, and so must stay light",
    },
];

/// Every arrow that must not be there, explained.
pub fn violations(metadata: &Metadata) -> Vec<String> {
    let graph = metadata.graph();
    let members = metadata.members();
    members.iter().flat_map(|member| violations_of(member, &members, &graph)).collect()
}

fn violations_of(member: &str, members: &[&str], graph: &Graph) -> Vec<String> {
    let Some(layer) = LAYERS.iter().find(|layer| layer.name == member) else {
        return vec![format!("{member} is in no layer: say in the layering check of xtask what it may use")];
    };
    let mut found = Vec::new();
    for used in graph.direct(member) {
        if members.contains(&used.as_str()) && !layer.may_use.contains(&used.as_str()) {
            found.push(format!("{member} -> {used}: {}", layer.because));
        } else if matches_any(used, layer.not_directly) {
            found.push(format!("{member} -> {used} is named in its manifest: {}", layer.because));
        }
    }
    for way in graph.ways(member) {
        if way.last().is_some_and(|end| matches_any(end, layer.not_at_all)) {
            found.push(format!("{}: {}", way.join(" -> "), layer.because));
        }
    }
    found
}

fn matches_any(name: &str, patterns: &[&str]) -> bool {
    patterns.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == *pattern,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMBERS: [&str; 3] = ["lockkeeper-model", "lockkeeper-operations", "lockkeeper-sandbox"];

    fn found(arrows: &[(&str, &str)]) -> Vec<String> {
        let mut graph = Graph::default();
        for (from, to) in arrows {
            graph.add(from, to);
        }
        MEMBERS.iter().flat_map(|member| violations_of(member, &MEMBERS, &graph)).collect()
    }

    #[test]
    fn the_arrows_of_the_design_are_fine() {
        let arrows = [
            ("lockkeeper-operations", "lockkeeper-model"),
            ("lockkeeper-operations", "aws-sdk-lambda"),
            ("aws-sdk-lambda", "hyper"),
            ("lockkeeper-model", "serde"),
            ("lockkeeper-sandbox", "axum"),
        ];
        assert_eq!(found(&arrows), Vec::<String>::new());
    }

    #[test]
    fn every_wrong_arrow_is_found_and_explained() {
        let cases = [
            (vec![("lockkeeper-model", "lockkeeper-operations")], "plain data"),
            (vec![("lockkeeper-sandbox", "lockkeeper-model")], "over the wire only"),
            (vec![("lockkeeper-operations", "lockkeeper-sandbox")], "operations know AWS"),
            (vec![("lockkeeper-operations", "tower")], "named in its manifest"),
            (vec![("lockkeeper-operations", "harmless"), ("harmless", "axum-core")], "harmless -> axum-core"),
            (vec![("lockkeeper-model", "chrono"), ("chrono", "tokio")], "chrono -> tokio"),
        ];
        for (arrows, explained) in cases {
            let found = found(&arrows);
            assert!(found.iter().any(|text| text.contains(explained)), "{arrows:?}: {found:?}");
        }
    }

    #[test]
    fn a_crate_without_a_layer_is_told() {
        let found = violations_of("newcomer", &["newcomer"], &Graph::default());
        assert!(found[0].contains("newcomer is in no layer"), "{found:?}");
    }

    #[test]
    fn a_star_stands_for_any_ending() {
        let patterns = ["leptos*", "tower-http"];
        assert!(matches_any("leptos_router", &patterns) && matches_any("leptos", &patterns));
        assert!(matches_any("tower-http", &patterns) && !matches_any("tower-http-client", &patterns));
        assert!(!matches_any("my-leptos", &patterns));
    }
}
