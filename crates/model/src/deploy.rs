//! Redeploys: what the alias points at, the rollout under way, the versions, the HTTP API in front,
//! and what can be done to them.
//!
//! Everything shown is derived from what AWS holds (the alias with its description and weights, the
//! function's tags, the versions, metrics, CloudTrail's events): two portals show the same, and one
//! that was killed has forgotten nothing but an upload.

use serde::{Deserialize, Serialize};

use crate::check::Preflight;
use crate::overview::Reading;
pub use crate::rollout::{Outcome, PRESETS, Shift, Strategy};
use crate::time::Timestamp;

/// The page. Each part is read on its own and fails on its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeploysPage {
    /// When it was put together: ages are counted from here.
    pub now: Timestamp,
    /// What the alias points at.
    pub live: Reading<Live>,
    /// The rollout under way, or the one asked for, or the last one; none where there was none.
    pub rollout: Reading<Option<Rollout>>,
    /// The published versions, the newest first.
    pub versions: Reading<Vec<FunctionVersion>>,
    /// The HTTP API in front of the function.
    pub api: Reading<ApiFront>,
    /// Changes of the alias, the newest first.
    pub history: Reading<Vec<AliasChange>>,
}

/// What the alias points at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Live {
    /// The function's name.
    pub function: String,
    /// The alias's name.
    pub alias: String,
    /// The version that has all requests, or all but `weight` of them.
    pub version: String,
    /// The version that has a share, and that share from 0 to 1.
    pub weight: Option<(String, f64)>,
    /// SHA-256 of the version's zip, in base64, as Lambda gives it.
    pub code_sha256: Option<String>,
    /// The version's description.
    pub description: Option<String>,
    /// The machine the function runs on: `x86_64` or `arm64`.
    pub architecture: String,
    /// Since when it is so, and who made it so, where the alias says so.
    pub since: Option<Timestamp>,
    /// Who.
    pub by: Option<String>,
    /// How the last rollout came out.
    pub outcome: Option<Outcome>,
    /// Why, where there was something to say.
    pub why: Option<String>,
    /// The version to go back to with one click; none where it is not known or no longer there.
    pub previous: Option<String>,
    /// The alias's revision, which changes with each change.
    pub revision: String,
}

/// A rollout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Rollout {
    /// Its id.
    pub id: String,
    /// Who started it.
    pub by: String,
    /// How it stands.
    pub state: RolloutState,
    /// One sentence that says so.
    pub summary: String,
    /// The version that had all requests before it.
    pub old: String,
    /// The version that is to have them; none while it is not published.
    pub new: Option<String>,
    /// The strategy; none where the tags that hold it are gone, and when it is over.
    pub strategy: Option<Strategy>,
    /// What was said about it.
    pub description: Option<String>,
    /// Its steps, in their order; none when it is over.
    pub steps: Vec<RolloutStep>,
    /// The new version's share now, in per cent.
    pub percent: u8,
    /// Since when it is at its present step.
    pub since: Timestamp,
    /// When the present step can end at the earliest.
    pub until: Option<Timestamp>,
    /// What the new version's figures say; none before it has requests.
    pub gate: Option<GateReport>,
    /// Which portal drives it.
    pub driver: Driver,
    /// The smoke request's answer, where it was this portal that sent it.
    pub smoke: Option<SmokeAnswer>,
    /// What the portal that drives it could not do, when it is this one.
    pub trouble: Option<String>,
}

/// How a rollout stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum RolloutState {
    /// Uploading, publishing, asking for the first time.
    Preparing,
    /// The new version has a share and is watched.
    Watching,
    /// Told to stay where it is; a failed gate still takes it back.
    Paused,
    /// The new version has all requests.
    Promoted,
    /// The old version has all requests again.
    RolledBack,
    /// The new version never had any.
    Stopped,
    /// Somebody changed the alias from outside.
    Overtaken,
}

impl RolloutState {
    /// Whether it is over.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Promoted | Self::RolledBack | Self::Stopped | Self::Overtaken)
    }
}

/// A step of a rollout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RolloutStep {
    /// What it does, in a few words.
    pub title: String,
    /// How it stands.
    pub state: RolloutStepState,
    /// More about it, where there is more.
    pub detail: Option<String>,
}

/// How a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum RolloutStepState {
    /// Not begun.
    Waiting,
    /// At work.
    Running,
    /// Done.
    Done,
}

/// Which portal drives a rollout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Driver {
    /// This one.
    This,
    /// Another one, which was heard of at that time.
    Another {
        /// When it said so last.
        heard: Timestamp,
    },
    /// None: the one that did has gone, and none has taken over yet.
    Nobody {
        /// When one was heard of last; none where none ever was.
        heard: Option<Timestamp>,
    },
    /// The rollout is over.
    NotNeeded,
}

/// What the new version's figures say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GateReport {
    /// The verdict.
    pub verdict: Verdict,
    /// One sentence with the evidence.
    pub evidence: String,
    /// The new version's figures since it has its present share.
    pub new: Sample,
    /// The old version's, of the same time; where that is too little, of the hour before.
    pub old: Sample,
    /// When the figures were read.
    pub at: Timestamp,
}

/// A gate's verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Verdict {
    /// Enough requests, and all well.
    Pass,
    /// Not enough requests to judge.
    TooFew,
    /// It does worse than it may.
    Fail,
    /// The figures could not be read.
    Unknown,
}

/// Figures of a version.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Sample {
    /// Requests it got, the portal's own among them.
    pub requests: u64,
    /// Of those, how many it failed: errors of the function, and answers from 500 that it counted
    /// itself.
    pub errors: u64,
    /// The 95th percentile of its duration in milliseconds; none without requests.
    pub p95_ms: Option<f64>,
}

/// When a new version is taken back, and when it may go on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Gates {
    /// The share of failed requests, in per cent, beyond the old version's, from which it is taken
    /// back. 0.1 to 100.
    pub max_error_percent: f64,
    /// How many times the old version's 95th percentile its own may be. 1.1 to 100.
    pub max_slowdown: f64,
    /// So many requests are needed at each share before it goes on. 1 to 1,000,000.
    pub min_requests: u32,
}

impl Default for Gates {
    /// 1 % more failures, one and a half times as slow, 50 requests: with fewer than that, one
    /// failure alone would be 2 %.
    fn default() -> Self {
        Self { max_error_percent: 1.0, max_slowdown: 1.5, min_requests: 50 }
    }
}

/// The request that a new version is asked before anybody else asks it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Smoke {
    /// The method, for example `GET`.
    pub method: String,
    /// The path with its query, for example `/status`.
    pub path: String,
    /// The body, where there is one.
    #[serde(default)]
    pub body: Option<String>,
}

impl Default for Smoke {
    fn default() -> Self {
        Self { method: "GET".to_owned(), path: "/status".to_owned(), body: None }
    }
}

/// The answer to a smoke request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SmokeAnswer {
    /// The version that was asked.
    pub version: String,
    /// Whether it passed: an answer with a status from 200 to 299.
    pub passed: bool,
    /// One sentence that says how it went.
    pub summary: String,
    /// The HTTP status; none when the function failed.
    pub status: Option<u16>,
    /// The beginning of the answer's body, or of the function's error.
    pub body: String,
    /// The end of the function's log for this request (4 kB at most, which is what Lambda gives).
    pub log: Vec<String>,
    /// When.
    pub at: Timestamp,
}

/// A published version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FunctionVersion {
    /// Its number.
    pub version: String,
    /// Its description.
    pub description: Option<String>,
    /// The zip's size in bytes.
    pub size: u64,
    /// SHA-256 of the zip, in base64.
    pub code_sha256: String,
    /// When it was published.
    pub published: Option<Timestamp>,
    /// The aliases that name it.
    pub aliases: Vec<String>,
    /// Why it is kept when old versions are pruned; none when it may go.
    pub kept: Option<String>,
}

/// The HTTP API in front of the function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApiFront {
    /// The stage's name.
    pub stage: String,
    /// Whether it deploys changes of the API by itself.
    pub auto_deploy: bool,
    /// The deployment it serves.
    pub deployment: Option<String>,
    /// What became of the last deployment, in API Gateway's words.
    pub last_message: Option<String>,
    /// Its integrations with the function.
    pub integrations: Vec<Integration>,
}

/// An integration with the function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Integration {
    /// Its id.
    pub id: String,
    /// Where it leads.
    pub uri: String,
    /// What of the function it names.
    pub target: IntegrationTarget,
    /// Whether the policy of what it names lets the API in; none where that could not be read.
    pub permitted: Option<bool>,
    /// The change that leads it to the alias; none where it does lead there.
    pub change: Option<IntegrationChange>,
}

/// What of the function an integration names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum IntegrationTarget {
    /// The alias that rollouts move.
    Alias,
    /// The function without a qualifier: whatever was uploaded last, so no canary and no roll back.
    Unqualified,
    /// Another alias or a version.
    Other(String),
}

/// What `PointIntegrationAtAlias` does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct IntegrationChange {
    /// Where it leads now.
    pub from: String,
    /// Where it will lead.
    pub to: String,
    /// The permission that is added first, so that no request fails in between; none where it is
    /// there.
    pub permission: Option<String>,
}

/// A change of the alias.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AliasChange {
    /// When.
    pub at: Timestamp,
    /// Who: the person where the portal did it for them, else as CloudTrail names the caller.
    pub by: String,
    /// Whether it was a portal's doing.
    pub by_portal: bool,
    /// What it was, in words.
    pub what: String,
    /// The version that had the requests before; none where no older change is on record.
    pub from: Option<String>,
    /// The version that the alias named afterwards.
    pub to: String,
    /// The version with a share afterwards, and the share from 0 to 1.
    pub weight: Option<(String, f64)>,
    /// Why, where it was said.
    pub why: Option<String>,
}

/// Where the new code comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Code {
    /// A zip that was uploaded to this portal a moment ago.
    Upload {
        /// Its SHA-256 in base64.
        sha256: String,
    },
    /// A zip in S3.
    S3 {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
        /// The object's version; none for the newest.
        #[serde(default)]
        version: Option<String>,
    },
    /// A version that is there.
    Version {
        /// Its number.
        version: String,
    },
}

/// Puts new code before users: checks, uploads, publishes, asks it once, and moves requests to it by
/// the strategy. Answers when it has begun; the rollout goes on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Deploy {
    /// 32 hexadecimal digits of the caller's own choice, so that a repeated request is the same
    /// rollout; none for a new one.
    #[serde(default)]
    pub id: Option<String>,
    /// The new code.
    pub code: Code,
    /// What is new, for the version's description: at most 150 bytes of text.
    #[serde(default)]
    pub description: String,
    /// The commit it was built from: at most 40 characters of `0-9a-zA-Z._/-`.
    #[serde(default)]
    pub commit: Option<String>,
    /// How it gets its requests.
    pub strategy: Strategy,
    /// What it is asked first.
    #[serde(default)]
    pub smoke: Smoke,
    /// When it is taken back.
    #[serde(default)]
    pub gates: Gates,
    /// Whether the portal sends the smoke request again and again where there are too few requests to
    /// judge by. Only with GET or HEAD.
    #[serde(default)]
    pub fill: bool,
    /// Whether alarms that fire are no obstacle: the new code may be what ends them.
    #[serde(default)]
    pub despite_alarms: bool,
}

/// What a deploy would find: asked before [`Deploy`], changes nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeployPreview {
    /// The checks.
    pub preflight: Preflight,
    /// The version that has all requests now.
    pub live: String,
    /// The strategy in words.
    pub strategy: String,
}

/// A zip that was uploaded to this portal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Uploaded {
    /// Its SHA-256 in base64, to name it by.
    pub sha256: String,
    /// Its size in bytes.
    pub size: u64,
    /// Until when it is kept.
    pub until: Timestamp,
}

/// What was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Started {
    /// The rollout's id, to follow it by.
    pub rollout: String,
}

/// Has a rollout stay where it is. A failed gate still takes the new version back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PauseRollout {
    /// The rollout.
    pub rollout: String,
}

/// Has a paused rollout go on: the time at its present share begins anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ResumeRollout {
    /// The rollout.
    pub rollout: String,
}

/// Gives the new version all requests now, whatever the gate says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Promote {
    /// The rollout.
    pub rollout: String,
}

/// Gives all requests to an older version at once: during a rollout to the old one, else to the one
/// before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RollBack {
    /// The version that has all requests now, or the rollout's new one: if it is another by now,
    /// nothing is done.
    pub from: String,
    /// The version to go back to.
    pub to: String,
    /// Why.
    #[serde(default)]
    pub why: Option<String>,
}

/// Sends the smoke request to the new version a number of times, for a rollout that has too few
/// requests to judge by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SendRequests {
    /// The rollout.
    pub rollout: String,
    /// How many: 1 to 100.
    pub count: u32,
}

/// How the requests of [`SendRequests`] were answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Sent {
    /// Answered with 200 to 299.
    pub passed: u32,
    /// Not so.
    pub failed: u32,
}

/// Deletes old versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PruneVersions {
    /// Which, as the preview showed them. If one of them has to be kept by now, none is deleted.
    pub versions: Vec<String>,
}

/// What was deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Pruned {
    /// The versions' numbers.
    pub versions: Vec<String>,
}

/// Leads an integration of the HTTP API to the alias, so that rollouts have an effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PointIntegrationAtAlias {
    /// The integration's id.
    pub integration: String,
    /// Where it leads now: if it is elsewhere by now, nothing is done.
    pub from: String,
}

/// Deploys the HTTP API's configuration to its stage, where that does not deploy by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeployApi {
    /// Why, for the deployment's description.
    #[serde(default)]
    pub description: String,
}

/// A deployment of the HTTP API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApiDeployed {
    /// Its id.
    pub deployment: String,
    /// `PENDING`, `FAILED` or `DEPLOYED`.
    pub status: String,
    /// More, in API Gateway's words.
    pub message: Option<String>,
}
