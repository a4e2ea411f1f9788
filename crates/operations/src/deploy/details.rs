//! What a rollout keeps in the function's tags: all that does not change while it goes on and does
//! not fit into the alias's description. Pure.
//!
//! Lambda's tags have values of 256 characters at most, of letters, digits, spaces and
//! `_.:/=+-@` (AWS, "TagResource"); text of any kind is in base64. They are written in one call, after
//! the alias has the rollout's note, so they are one rollout's; and they name it, so those that an
//! earlier one left are told from its own.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::deploy::{Deploy, Gates, Smoke};
use model::problem::{Problem, ProblemKind};
use model::rollout::{Shift, Strategy};
use model::time::Timestamp;

/// AWS: the longest value of a tag.
const LONGEST_VALUE: usize = 256;
/// The most bytes of text that base64 fits into that.
pub(crate) const MOST_TEXT: usize = LONGEST_VALUE / 4 * 3;

const ROLLOUT: &str = "lockkeeper:rollout";
const CODE: &str = "lockkeeper:code";
const OBJECT: &str = "lockkeeper:object";
const PLAN: &str = "lockkeeper:plan";
const GATES: &str = "lockkeeper:gates";
const SMOKE: &str = "lockkeeper:smoke";
const WHY: &str = "lockkeeper:why";
const COMMIT: &str = "lockkeeper:commit";
const DRIVER: &str = "lockkeeper:driver";

/// Code that is to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewCode {
    /// Its SHA-256 in base64.
    pub(crate) sha256: String,
    /// Where it is in S3: bucket, key and the object's version; none where it was uploaded, and is in
    /// the memory of the portal that has it.
    pub(crate) object: Option<Object>,
    /// The revision of `$LATEST` that it replaces: another one is not overwritten.
    pub(crate) replaces: String,
}

/// An object in S3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) version: Option<String>,
}

/// What does not change while a rollout goes on.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Details {
    /// The rollout.
    pub(crate) rollout: String,
    /// The new code; none where it is a version that is there.
    pub(crate) code: Option<NewCode>,
    pub(crate) strategy: Strategy,
    pub(crate) gates: Gates,
    pub(crate) fill: bool,
    pub(crate) smoke: Smoke,
    pub(crate) description: String,
    pub(crate) commit: Option<String>,
}

impl Details {
    /// Of a deploy that was checked, with the code to publish.
    pub(crate) fn of(rollout: &str, deploy: &Deploy, code: Option<NewCode>) -> Self {
        Self {
            rollout: rollout.to_owned(),
            code,
            strategy: deploy.strategy.clone(),
            gates: deploy.gates,
            fill: deploy.fill,
            smoke: deploy.smoke.clone(),
            description: deploy.description.trim().to_owned(),
            commit: deploy.commit.clone(),
        }
    }

    /// As tags. The text was checked to fit ([`check`]).
    pub(crate) fn tags(&self) -> HashMap<String, String> {
        let Gates { max_error_percent, max_slowdown, min_requests } = self.gates;
        let fill = u8::from(self.fill);
        let gates =
            format!("errors={max_error_percent} slowdown={max_slowdown} least={min_requests} fill={fill}");
        let body = self.smoke.body.as_deref().map(|body| format!("\n{body}")).unwrap_or_default();
        let smoke = format!("{} {}{body}", self.smoke.method, self.smoke.path);
        let code = self.code.as_ref();
        let object = code.and_then(|code| code.object.as_ref());
        let pairs = [
            (ROLLOUT, self.rollout.clone()),
            (CODE, code.map(|code| format!("{} {}", code.sha256, code.replaces)).unwrap_or_default()),
            (OBJECT, object.map(Object::tag).unwrap_or_default()),
            (PLAN, plan(&self.strategy)),
            (GATES, gates),
            (SMOKE, STANDARD.encode(smoke)),
            (WHY, STANDARD.encode(&self.description)),
            (COMMIT, self.commit.clone().unwrap_or_default()),
        ];
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// Out of a function's tags; none where they are not this rollout's, or can't be read.
    pub(crate) fn read(tags: &HashMap<String, String>, rollout: &str) -> Option<Self> {
        let tag = |name: &str| tags.get(name).map(String::as_str);
        let some = |name: &str| tag(name).filter(|value| !value.is_empty()).map(str::to_owned);
        let text = |name: &str| String::from_utf8(STANDARD.decode(tag(name)?).ok()?).ok();
        if tag(ROLLOUT)? != rollout {
            return None;
        }
        let gates = tag(GATES)?;
        let number = |name: &str| -> Option<f64> {
            gates.split(' ').find_map(|part| part.strip_prefix(name)?.strip_prefix('='))?.parse().ok()
        };
        let smoke = text(SMOKE)?;
        let (line, body) = match smoke.split_once('\n') {
            Some((line, body)) => (line, Some(body.to_owned())),
            None => (smoke.as_str(), None),
        };
        let (method, path) = line.split_once(' ')?;
        Some(Self {
            rollout: rollout.to_owned(),
            code: match some(CODE) {
                None => None,
                Some(code) => {
                    let (sha256, replaces) = code.split_once(' ')?;
                    let object = match some(OBJECT) {
                        None => None,
                        Some(_) => Some(Object::read(&text(OBJECT)?)?),
                    };
                    Some(NewCode { sha256: sha256.to_owned(), object, replaces: replaces.to_owned() })
                }
            },
            strategy: strategy(tag(PLAN)?)?,
            gates: Gates {
                max_error_percent: number("errors")?,
                max_slowdown: number("slowdown")?,
                min_requests: gates.split(' ').find_map(|part| part.strip_prefix("least="))?.parse().ok()?,
            },
            fill: number("fill")? > 0.0,
            smoke: Smoke { method: method.to_owned(), path: path.to_owned(), body },
            description: text(WHY)?,
            commit: some(COMMIT),
        })
    }

    /// The new version's description: what is new, the commit, and whose rollout it was.
    pub(crate) fn version_description(&self, by: &str) -> String {
        let commit = self.commit.as_ref().map(|commit| format!("commit {commit}"));
        let short: String = self.rollout.chars().take(8).collect();
        let by: String = by.chars().take(40).collect();
        let parts = [Some(self.description.clone()).filter(|text| !text.is_empty()), commit];
        let mut words: Vec<_> = parts.into_iter().flatten().collect();
        words.push(format!("by {by} ({short})"));
        words.join("; ")
    }
}

impl Object {
    fn text(&self) -> String {
        let version = self.version.as_ref().map(|version| format!("\n{version}")).unwrap_or_default();
        format!("{}\n{}{version}", self.bucket, self.key)
    }

    fn tag(&self) -> String {
        STANDARD.encode(self.text())
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split('\n').map(str::to_owned);
        Some(Self { bucket: parts.next()?, key: parts.next()?, version: parts.next() })
    }

    /// Whether it can be kept.
    ///
    /// # Errors
    /// `Invalid`, with the rule.
    pub(crate) fn check(&self) -> Result<(), Problem> {
        let parts = [Some(&self.bucket), Some(&self.key), self.version.as_ref()];
        let plain = |text: &String| !text.is_empty() && !text.chars().any(char::is_control);
        if parts.into_iter().flatten().all(plain) && self.text().len() <= MOST_TEXT {
            return Ok(());
        }
        let message = format!(
            "An object's bucket, key and version are not empty, and at most {MOST_TEXT} bytes together."
        );
        Err(Problem::new(ProblemKind::Invalid, message))
    }
}

/// A strategy in a tag's characters, which have no `%` and no comma.
fn plan(strategy: &Strategy) -> String {
    let one = |shift: &Shift| format!("{}:{}", shift.percent, shift.seconds);
    match strategy {
        Strategy::AllAtOnce => "all".to_owned(),
        Strategy::Canary(shift) => format!("canary {}", one(shift)),
        Strategy::Linear(shift) => format!("linear {}", one(shift)),
        Strategy::Custom(shifts) => shifts.iter().map(one).collect::<Vec<_>>().join(" "),
    }
}

fn strategy(plan: &str) -> Option<Strategy> {
    let one = |text: &str| {
        let (percent, seconds) = text.split_once(':')?;
        Some(Shift { percent: percent.parse().ok()?, seconds: seconds.parse().ok()? })
    };
    match plan.split_once(' ') {
        _ if plan == "all" => Some(Strategy::AllAtOnce),
        Some(("canary", shift)) => one(shift).map(Strategy::Canary),
        Some(("linear", shift)) => one(shift).map(Strategy::Linear),
        _ => plan.split(' ').map(one).collect::<Option<_>>().map(Strategy::Custom),
    }
}

/// Who drives a rollout, and when they were heard of last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lease {
    /// The portal process.
    pub(crate) portal: String,
    pub(crate) heard: Timestamp,
}

impl Lease {
    pub(crate) fn tag(&self) -> (String, String) {
        (DRIVER.to_owned(), format!("{} {}", self.portal, self.heard.0))
    }

    pub(crate) fn read(tags: &HashMap<String, String>) -> Option<Self> {
        let (portal, heard) = tags.get(DRIVER)?.split_once(' ')?;
        Some(Self { portal: portal.to_owned(), heard: Timestamp(heard.parse().ok()?) })
    }
}

/// Whether a deploy's words are such as can be kept.
///
/// # Errors
/// `Invalid`, with the member and its rule.
pub(crate) fn check(deploy: &Deploy) -> Result<(), Problem> {
    let invalid = |message: String| Err(Problem::new(ProblemKind::Invalid, message));
    if deploy.description.trim().len() > 150 {
        return invalid("The description is longer than 150 bytes.".to_owned());
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "._/-".contains(c);
    if deploy.commit.as_ref().is_some_and(|commit| commit.len() > 40 || !commit.chars().all(plain)) {
        return invalid(
            "The commit is at most 40 characters of 0-9, a-z, A-Z, `.`, `_`, `/` and `-`.".to_owned(),
        );
    }
    let Smoke { method, path, body } = &deploy.smoke;
    if !["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"].contains(&method.as_str()) {
        return invalid("The smoke request's method is GET, HEAD, POST, PUT, PATCH or DELETE.".to_owned());
    }
    if !path.starts_with('/') || path.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return invalid("The smoke request's path begins with `/` and has no blanks.".to_owned());
    }
    if method.len() + path.len() + body.as_ref().map_or(0, String::len) + 2 > MOST_TEXT {
        return invalid(format!("The smoke request is longer than {MOST_TEXT} bytes with its body."));
    }
    if deploy.fill && !["GET", "HEAD"].contains(&method.as_str()) {
        return invalid("Only a smoke request with GET or HEAD may be sent again and again.".to_owned());
    }
    let Gates { max_error_percent, max_slowdown, min_requests } = deploy.gates;
    if !(0.1..=100.0).contains(&max_error_percent) {
        return invalid("The share of failed requests is 0.1 to 100 per cent.".to_owned());
    }
    if !(1.1..=100.0).contains(&max_slowdown) {
        return invalid("The slowdown is 1.1 to 100 times.".to_owned());
    }
    if !(1..=1_000_000).contains(&min_requests) {
        return invalid("The fewest requests are 1 to 1,000,000.".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use model::deploy::Code;

    use super::*;

    fn deploy() -> Deploy {
        Deploy {
            id: None,
            code: Code::Upload { sha256: "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=".to_owned() },
            description: "  Päge two, faster; 50 % less\n".to_owned(),
            commit: Some("feature/x-1.2_3".to_owned()),
            strategy: "5%/10m, 50%/90s".parse().unwrap(),
            smoke: Smoke {
                method: "POST".to_owned(),
                path: "/courses?x=%20".to_owned(),
                body: Some("{\"ä\":\n1}".to_owned()),
            },
            gates: Gates { max_error_percent: 0.5, max_slowdown: 2.25, min_requests: 1_000_000 },
            fill: false,
            despite_alarms: true,
        }
    }

    #[test]
    fn details_are_in_the_tags_and_out_again() {
        let table = [
            deploy(),
            Deploy { strategy: "all".parse().unwrap(), fill: true, smoke: Smoke::default(), ..deploy() },
            Deploy { strategy: "linear 10%/3m".parse().unwrap(), commit: None, ..deploy() },
            Deploy {
                strategy: "canary 10%/5m".parse().unwrap(),
                description: "x".repeat(150),
                code: Code::Version { version: "7".to_owned() },
                smoke: Smoke { path: format!("/{}", "x".repeat(180)), ..Smoke::default() },
                ..deploy()
            },
        ];
        let object = Object { bucket: "b".to_owned(), key: "x".repeat(100), version: Some("v".repeat(88)) };
        object.check().unwrap();
        let code = NewCode {
            sha256: "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=".to_owned(),
            object: None,
            replaces: "0f8b2c3e-1a2b-4c3d-8e9f-0123456789ab".to_owned(),
        };
        let codes = [
            None,
            Some(code.clone()),
            Some(NewCode { object: Some(object.clone()), ..code.clone() }),
            Some(NewCode { object: Some(Object { version: None, ..object }), ..code }),
        ];
        for (deploy, code) in table.into_iter().zip(codes) {
            check(&deploy).unwrap();
            let details = Details::of("0123456789abcdef0123456789abcdef", &deploy, code);
            let tags = details.tags();
            for (name, value) in &tags {
                let allowed = |c: char| c.is_ascii_alphanumeric() || " _.:/=+-@".contains(c);
                assert!(value.len() <= LONGEST_VALUE && value.chars().all(allowed), "{name}: {value}");
            }
            assert_eq!(Details::read(&tags, &details.rollout).as_ref(), Some(&details));
            assert_eq!(Details::read(&tags, "another"), None);
            let description = details.version_description(&"m".repeat(300));
            assert!(description.chars().count() <= 256, "{description}");
        }
    }

    #[test]
    fn what_can_not_be_kept_is_refused() {
        let smoke =
            |method: &str, path: &str| Smoke { method: method.to_owned(), path: path.to_owned(), body: None };
        let table = [
            (Deploy { description: "ä".repeat(76), ..deploy() }, "150 bytes"),
            (Deploy { commit: Some("a b".to_owned()), ..deploy() }, "commit"),
            (Deploy { commit: Some("a".repeat(41)), ..deploy() }, "commit"),
            (Deploy { smoke: smoke("TRACE", "/"), ..deploy() }, "method"),
            (Deploy { smoke: smoke("GET", "status"), ..deploy() }, "path"),
            (Deploy { smoke: smoke("GET", "/a b"), ..deploy() }, "path"),
            (Deploy { smoke: smoke("GET", &format!("/{}", "x".repeat(190))), ..deploy() }, "192 bytes"),
            (Deploy { fill: true, ..deploy() }, "again and again"),
            (
                Deploy { gates: Gates { max_error_percent: f64::NAN, ..Gates::default() }, ..deploy() },
                "per cent",
            ),
            (Deploy { gates: Gates { max_slowdown: 1.0, ..Gates::default() }, ..deploy() }, "times"),
            (Deploy { gates: Gates { min_requests: 0, ..Gates::default() }, ..deploy() }, "fewest"),
        ];
        for (deploy, expected) in table {
            let problem = check(&deploy).unwrap_err();
            assert!(problem.message.contains(expected), "{problem}");
        }
    }

    #[test]
    fn a_lease_is_in_a_tag_and_out_again() {
        let lease = Lease { portal: "0123abcd".to_owned(), heard: Timestamp(1_795_300_000_123) };
        assert_eq!(Lease::read(&HashMap::from([lease.tag()])), Some(lease));
        assert_eq!(Lease::read(&HashMap::from([(DRIVER.to_owned(), "x".to_owned())])), None);
    }
}
