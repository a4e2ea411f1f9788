//! The form of a new deploy as it was sent: texts, which are kept whatever is wrong with them.

use model::deploy::{Code, Deploy, Gates, PRESETS, Smoke, Strategy};
use model::problem::{Problem, ProblemKind};
use serde::Deserialize;

/// What stands in the form's fields.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Typed {
    /// 32 hexadecimal digits: a form that is sent twice begins one rollout.
    pub id: String,
    /// `upload`, `s3` or `version`.
    pub source: String,
    /// SHA-256 in base64 of a zip that this portal keeps.
    pub upload: String,
    /// Its name and size, to be told from another.
    pub upload_name: String,
    /// In bytes.
    pub upload_size: String,
    /// Where it is in S3.
    pub bucket: String,
    /// As above.
    pub key: String,
    /// As above; empty for the newest.
    pub object_version: String,
    /// The number of a version that is there.
    pub version: String,
    /// What is new.
    pub description: String,
    /// What it was built from.
    pub commit: String,
    /// One of the presets, or `custom`.
    pub strategy: String,
    /// One's own strategy.
    pub custom: String,
    /// The smoke request.
    pub method: String,
    /// As above.
    pub path: String,
    /// As above.
    pub body: String,
    /// The gates.
    pub max_error_percent: String,
    /// As above.
    pub max_slowdown: String,
    /// As above.
    pub min_requests: String,
    /// `yes`, or nothing.
    pub fill: String,
    /// `yes`, or nothing.
    pub despite_alarms: String,
}

/// A field that has to be mended, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// Its id; none where it is no single field.
    pub field: Option<&'static str>,
    /// Why.
    pub problem: Problem,
}

impl From<Problem> for Wrong {
    fn from(problem: Problem) -> Self {
        Self { field: None, problem }
    }
}

impl Typed {
    /// The form as it is opened.
    pub fn fresh(id: String, version: Option<String>) -> Self {
        let (smoke, gates) = (Smoke::default(), Gates::default());
        Self {
            id,
            source: if version.is_some() { "version" } else { "upload" }.to_owned(),
            version: version.unwrap_or_default(),
            // The first canary: all at once is the one that can't be taken back in time.
            strategy: PRESETS[1].to_owned(),
            method: smoke.method,
            path: smoke.path,
            max_error_percent: gates.max_error_percent.to_string(),
            max_slowdown: gates.max_slowdown.to_string(),
            min_requests: gates.min_requests.to_string(),
            fill: "yes".to_owned(),
            ..Self::default()
        }
    }

    /// Names and values, as the form sends them.
    pub fn fields(&mut self) -> [(&'static str, &mut String); 21] {
        [
            ("id", &mut self.id),
            ("source", &mut self.source),
            ("upload", &mut self.upload),
            ("upload_name", &mut self.upload_name),
            ("upload_size", &mut self.upload_size),
            ("bucket", &mut self.bucket),
            ("key", &mut self.key),
            ("object_version", &mut self.object_version),
            ("version", &mut self.version),
            ("description", &mut self.description),
            ("commit", &mut self.commit),
            ("strategy", &mut self.strategy),
            ("custom", &mut self.custom),
            ("method", &mut self.method),
            ("path", &mut self.path),
            ("body", &mut self.body),
            ("max_error_percent", &mut self.max_error_percent),
            ("max_slowdown", &mut self.max_slowdown),
            ("min_requests", &mut self.min_requests),
            ("fill", &mut self.fill),
            ("despite_alarms", &mut self.despite_alarms),
        ]
    }

    /// Sets a field; what is no field is left alone.
    pub fn set(&mut self, name: &str, value: String) {
        if let Some((_, field)) = self.fields().into_iter().find(|(field, _)| *field == name) {
            *field = value;
        }
    }

    /// As an operation. What is left to check is checked by the operation itself.
    ///
    /// # Errors
    /// The first field that is no such thing.
    pub fn deploy(&self) -> Result<Deploy, Wrong> {
        Ok(Deploy {
            id: Some(self.id.clone()).filter(|id| !id.is_empty()),
            code: self.code()?,
            description: self.description.trim().to_owned(),
            commit: given(&self.commit),
            strategy: self.chosen()?,
            smoke: Smoke {
                method: self.method.trim().to_owned(),
                path: self.path.trim().to_owned(),
                body: Some(self.body.clone()).filter(|body| !body.is_empty()),
            },
            gates: Gates {
                max_error_percent: number(
                    &self.max_error_percent,
                    "max-error-percent",
                    "share of failed requests",
                )?,
                max_slowdown: number(&self.max_slowdown, "max-slowdown", "slowdown")?,
                min_requests: number(&self.min_requests, "min-requests", "number of requests")?,
            },
            fill: !self.fill.is_empty(),
            despite_alarms: !self.despite_alarms.is_empty(),
        })
    }

    fn code(&self) -> Result<Code, Wrong> {
        let needed = |text: &str, field, message: &str| given(text).ok_or_else(|| wrong(field, message));
        match self.source.as_str() {
            "upload" => {
                Ok(Code::Upload { sha256: needed(&self.upload, "zip", "Choose the zip with the new code.")? })
            }
            "s3" => Ok(Code::S3 {
                bucket: needed(&self.bucket, "bucket", "Name the bucket.")?,
                key: needed(&self.key, "key", "Name the object's key.")?,
                version: given(&self.object_version),
            }),
            "version" => {
                Ok(Code::Version { version: needed(&self.version, "version", "Choose the version.")? })
            }
            _ => Err(wrong("source-upload", "Say where the new code is.")),
        }
    }

    fn chosen(&self) -> Result<Strategy, Wrong> {
        let (text, field) = match self.strategy.as_str() {
            "custom" => (&self.custom, "custom"),
            _ => (&self.strategy, "strategy"),
        };
        text.parse().map_err(|problem| Wrong { field: Some(field), problem })
    }
}

fn given(text: &str) -> Option<String> {
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn wrong(field: &'static str, message: &str) -> Wrong {
    Wrong { field: Some(field), problem: Problem::new(ProblemKind::Invalid, message) }
}

fn number<T: std::str::FromStr>(text: &str, field: &'static str, what: &str) -> Result<T, Wrong> {
    text.trim().parse().map_err(|_| wrong(field, &format!("The {what} is a number; {text:?} is none.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed() -> Typed {
        Typed { upload: "abc=".to_owned(), ..Typed::fresh("0".repeat(32), None) }
    }

    #[test]
    fn the_form_as_it_opens_is_a_deploy_with_everything_at_its_default() {
        let deploy = typed().deploy().unwrap();
        assert_eq!(deploy.code, Code::Upload { sha256: "abc=".to_owned() });
        assert_eq!(deploy.strategy.to_string(), "canary 10%/5m");
        assert_eq!((deploy.smoke, deploy.gates), (Smoke::default(), Gates::default()));
        assert!(deploy.fill && !deploy.despite_alarms && deploy.commit.is_none());
    }

    #[test]
    fn the_field_to_mend_is_named() {
        type Change = fn(&mut Typed);
        let table: [(Change, &str); 8] = [
            (|typed| typed.upload.clear(), "zip"),
            (|typed| typed.source = "s3".to_owned(), "bucket"),
            (|typed| (typed.source, typed.bucket) = ("s3".to_owned(), "b".to_owned()), "key"),
            (|typed| typed.source = "version".to_owned(), "version"),
            (|typed| typed.source = "elsewhere".to_owned(), "source-upload"),
            (|typed| (typed.strategy, typed.custom) = ("custom".to_owned(), "5".to_owned()), "custom"),
            (|typed| typed.min_requests = "-1".to_owned(), "min-requests"),
            (|typed| typed.max_slowdown = "twice".to_owned(), "max-slowdown"),
        ];
        for (change, field) in table {
            let mut typed = typed();
            change(&mut typed);
            assert_eq!(typed.deploy().unwrap_err().field, Some(field));
        }
    }

    #[test]
    fn every_field_is_set_by_its_name() {
        let (mut typed, mut copy) = (Typed::default(), Typed::default());
        for (index, (_, field)) in typed.fields().into_iter().enumerate() {
            *field = index.to_string();
        }
        for (name, value) in typed.clone().fields() {
            copy.set(name, value.clone());
        }
        copy.set("password", "not a field of it".to_owned());
        assert_eq!(copy, typed);
    }
}
