//! Route keys: `$default`, or a method and a path such as `GET /courses/{id}` or `ANY /{proxy+}`.

/// The methods a route key can name.
pub const METHODS: [&str; 8] = ["ANY", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

/// A route key, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RouteKey {
    /// `$default`: what no other route takes.
    Default,
    /// A method (or `ANY`) and a path.
    Path {
        /// The method in capitals.
        method: String,
        /// The path's segments; none for `/`.
        segments: Vec<Segment>,
    },
}

/// One segment of a route's path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    /// Itself.
    Literal(String),
    /// `{name}`: any one segment that is not empty.
    Variable(String),
    /// `{name+}`: the rest of the path, at least one character.
    Greedy(String),
}

impl RouteKey {
    /// Takes a key apart. None for what AWS refuses: an unknown method, a path without its slash, a
    /// variable that is only part of a segment or named twice, a greedy one before the end.
    pub fn parse(key: &str) -> Option<Self> {
        if key == "$default" {
            return Some(Self::Default);
        }
        let (method, path) = key.split_once(' ')?;
        if !METHODS.contains(&method) {
            return None;
        }
        let path = path.strip_prefix('/')?;
        if path.contains([' ', '?', '#']) {
            return None;
        }
        let mut segments: Vec<Segment> = Vec::new();
        for text in path.split('/').filter(|_| !path.is_empty()) {
            if matches!(segments.last(), Some(Segment::Greedy(_))) {
                return None;
            }
            segments.push(Segment::parse(text)?);
        }
        let mut names: Vec<&str> = segments.iter().filter_map(Segment::name).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        (names.len() == all).then(|| Self::Path { method: method.to_owned(), segments })
    }
}

impl Segment {
    fn parse(text: &str) -> Option<Self> {
        let Some(inner) = text.strip_prefix('{') else {
            return (!text.contains(['{', '}'])).then(|| Self::Literal(text.to_owned()));
        };
        let inner = inner.strip_suffix('}')?;
        let (name, greedy) = inner.strip_suffix('+').map_or((inner, false), |name| (name, true));
        let usable =
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-:".contains(c));
        usable.then(|| if greedy { Self::Greedy(name.to_owned()) } else { Self::Variable(name.to_owned()) })
    }

    fn name(&self) -> Option<&str> {
        match self {
            Self::Literal(_) => None,
            Self::Variable(name) | Self::Greedy(name) => Some(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_taken_apart() {
        assert_eq!(RouteKey::parse("$default"), Some(RouteKey::Default));
        assert_eq!(
            RouteKey::parse("GET /"),
            Some(RouteKey::Path { method: "GET".into(), segments: Vec::new() })
        );
        assert_eq!(
            RouteKey::parse("ANY /a/{id}/{rest+}"),
            Some(RouteKey::Path {
                method: "ANY".into(),
                segments: vec![
                    Segment::Literal("a".into()),
                    Segment::Variable("id".into()),
                    Segment::Greedy("rest".into())
                ]
            })
        );
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let wrong = [
            "",
            "$Default",
            "GET",
            "GET status",
            "get /status",
            "TRACE /status",
            "GET  /status",
            "GET /{a+}/b",
            "GET /{a}{b}",
            "GET /x{a}",
            "GET /{}",
            "GET /{+}",
            "GET /{a}/{a}",
            "GET /a?b=c",
            "/status",
        ];
        for key in wrong {
            assert_eq!(RouteKey::parse(key), None, "{key}");
        }
    }
}
