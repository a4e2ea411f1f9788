//! Access tokens: making and revoking them, and `/tokens`, where somebody sees their own.
//!
//! Both are operations like those on the stack, so that the one way in holds for them too: who may is
//! looked at, "began" is in the audit log before anything is done, "ended" after it. The token is in
//! neither; it is in the one answer that shows it, and nowhere else.

use axum::extract::{Extension, Form, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use model::people::{Actor, Role};
use model::problem::{Problem, ProblemKind};
use model::tokens::{CreateToken, RevokeToken, Scope, Scopes, Token, Tokens};
use operations::{Operation, Portal};
use serde::{Deserialize, Serialize};

use super::accounts::Accounts;
use super::accounts::tokens::{self, TokenText};
use super::answer::{Failure, status_of};
use super::frame::Frame;
use super::secret::{Performed, actor, perform};
use super::session::Visitor;
use super::sign_in::Caller;
use super::{App, confirm};
use crate::pages::tokens::{Made, TokensScreen, TypedToken};

/// Makes a token, in these accounts.
#[derive(Serialize)]
pub struct Create {
    /// What was asked for.
    #[serde(flatten)]
    asked: CreateToken,
    /// The id it gets: by it the audit log's later entries are found.
    id: String,
    #[serde(skip)]
    accounts: Accounts,
}

impl Create {
    /// What is asked for, in these accounts.
    ///
    /// # Errors
    /// `Invalid` for a name or a life that breaks a rule: the audit log is no place for those.
    pub fn new(asked: CreateToken, accounts: &Accounts) -> Result<Self, Problem> {
        let asked = tokens::checked(asked)?;
        Ok(Self { asked, id: accounts.new_token_id(), accounts: accounts.clone() })
    }

    /// What is done; [`Operation::run`] without a portal, which it does not need.
    ///
    /// # Errors
    /// `Forbidden` for more than the owner may; otherwise as [`Accounts::add_token`].
    pub async fn run_for(&self, actor: &Actor) -> Result<(Token, TokenText), Problem> {
        if let Some(scope) = self.asked.scopes.iter().find(|scope| scope.role() > actor.role) {
            let (scope, role) = (scope.name(), actor.role.name());
            let message = format!("The scope {scope} is more than your role, {role}, may do.");
            return Err(Problem::new(ProblemKind::Forbidden, message));
        }
        let latest = actor.token.as_ref().map(|token| token.expires);
        self.accounts.add_token(&actor.name, &self.id, &self.asked, latest).await
    }
}

impl Operation for Create {
    const NAME: &'static str = "CreateToken";
    // One's own, and it is good for no more than oneself.
    const NEEDS: Role = Role::Viewer;
    const SCOPE: Scope = Scope::Admin;
    type Output = (Token, TokenText);

    async fn run(&self, _: &Portal, actor: &Actor) -> Result<Self::Output, Problem> {
        self.run_for(actor).await
    }
}

/// Ends a token, in these accounts.
#[derive(Serialize)]
pub struct Revoke {
    #[serde(flatten)]
    asked: RevokeToken,
    #[serde(skip)]
    accounts: Accounts,
}

impl Revoke {
    /// What is asked for, in these accounts.
    ///
    /// # Errors
    /// `NotFound` for what can't be an id. It may be a whole token, which the audit log must not hold.
    pub fn new(asked: RevokeToken, accounts: &Accounts) -> Result<Self, Problem> {
        match tokens::is_id(&asked.id) {
            true => Ok(Self { asked, accounts: accounts.clone() }),
            false => Err(Problem::new(ProblemKind::NotFound, "That is not the id of a token.").with_next(
                "The id has 12 characters; it stands in the list, and behind `lk_` in the token.",
            )),
        }
    }
}

impl Operation for Revoke {
    const NAME: &'static str = "RevokeToken";
    const NEEDS: Role = Role::Viewer;
    // Every token may end itself; more is looked at below.
    const SCOPE: Scope = Scope::Read;
    type Output = ();

    async fn run(&self, _: &Portal, actor: &Actor) -> Result<(), Problem> {
        let itself = actor.token.as_ref().is_some_and(|token| token.id == self.asked.id);
        if !itself && !actor.token_allows(Scope::Admin) {
            let message = "A token without the scope admin can revoke itself, and no other.";
            return Err(Problem::new(ProblemKind::Forbidden, message));
        }
        self.accounts.revoke_token(&actor.name, &self.asked.id).await
    }
}

/// Performs one of these.
///
/// # Errors
/// The operation's own; `TimedOut` when it goes on in the background: nobody will then ever be shown the
/// token that comes of it.
pub async fn carry_out<O>(app: &App, actor: Actor, operation: O) -> Result<O::Output, Problem>
where
    O: Operation + 'static,
    O::Output: 'static,
{
    match perform(app, actor, operation).await? {
        Performed::Done(output) => Ok(output),
        Performed::GoesOn => {
            Err(Problem::new(ProblemKind::TimedOut, "It takes longer than usual, and goes on.").with_next(
                "Look at the list in a moment, and revoke what was made without having been shown.",
            ))
        }
    }
}

/// Somebody's tokens.
///
/// # Errors
/// `Internal` when the database fails.
pub async fn tokens_of(app: &App, visitor: &Visitor) -> Result<Tokens, Problem> {
    let tokens = app.accounts.tokens(&visitor.email).await?;
    Ok(Tokens { now: (app.clock)(), tokens })
}

/// What may stand behind `/tokens?`.
#[derive(Debug, Default, Deserialize)]
pub struct Wanted {
    done: Option<String>,
}

/// `GET /tokens`
pub async fn page(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    frame: Frame,
    Query(wanted): Query<Wanted>,
) -> Response {
    let came = Came { revoked: wanted.done.as_deref() == Some("revoked"), ..Came::default() };
    show(&app, &visitor, frame, StatusCode::OK, came).await
}

/// What came of a form.
#[derive(Default)]
struct Came {
    revoked: bool,
    made: Option<Made>,
    problem: Option<Problem>,
    typed: TypedToken,
}

async fn show(app: &App, visitor: &Visitor, frame: Frame, status: StatusCode, came: Came) -> Response {
    let Came { revoked, made, problem, typed } = came;
    match tokens_of(app, visitor).await {
        Ok(tokens) => {
            let (role, proof) = (visitor.role, confirm::proof(visitor, (app.clock)()));
            let screen = TokensScreen { tokens, role, proof, revoked, made, problem, typed };
            let title = screen.title();
            // A page with a token on it is kept by no cache: `no-store` is what every page has.
            frame.page(status, title, move || screen.view())
        }
        Err(problem) => Failure::page(frame, problem).into_response(),
    }
}

/// The form that makes a token.
#[derive(Deserialize)]
pub struct CreateForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    hours: String,
    rotate: Option<String>,
    deploy: Option<String>,
    admin: Option<String>,
    #[serde(default)]
    password: String,
}

impl CreateForm {
    fn scopes(&self) -> Scopes {
        let ticked =
            [(&self.rotate, Scope::Rotate), (&self.deploy, Scope::Deploy), (&self.admin, Scope::Admin)];
        Scopes::new(ticked.into_iter().filter(|(tick, _)| tick.is_some()).map(|(_, scope)| scope))
    }
}

/// `POST /tokens`: answered with the page itself, which alone ever shows the token.
pub async fn create(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    caller: Caller,
    frame: Frame,
    Form(form): Form<CreateForm>,
) -> Response {
    let scopes = form.scopes();
    let typed = TypedToken { name: form.name.clone(), scopes: scopes.clone(), hours: form.hours.clone() };
    let outcome = async {
        let hours =
            form.hours.trim().parse().map_err(|_| {
                Problem::new(ProblemKind::Invalid, "Choose how long the token is to be good.")
            })?;
        confirm::in_form(&app, &visitor, caller.0, &form.password).await?;
        let asked = CreateToken { name: form.name, scopes, hours: Some(hours) };
        carry_out(&app, actor(&visitor, caller), Create::new(asked, &app.accounts)?).await
    };
    match outcome.await {
        Ok((token, text)) => {
            let made = Made { name: token.name, text: text.expose().to_owned() };
            show(&app, &visitor, frame, StatusCode::OK, Came { made: Some(made), ..Came::default() }).await
        }
        Err(problem) => {
            let status = status_of(problem.kind);
            let came = Came { problem: Some(problem), typed, ..Came::default() };
            show(&app, &visitor, frame, status, came).await
        }
    }
}

/// The form that ends a token.
#[derive(Deserialize)]
pub struct RevokeForm {
    #[serde(default)]
    id: String,
}

/// `POST /tokens/revoke`. It asks for no confirmation: whoever suspects something acts at once.
pub async fn revoke(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    caller: Caller,
    frame: Frame,
    Form(RevokeForm { id }): Form<RevokeForm>,
) -> Response {
    let outcome = match Revoke::new(RevokeToken { id }, &app.accounts) {
        Ok(operation) => carry_out(&app, actor(&visitor, caller), operation).await,
        Err(problem) => Err(problem),
    };
    match outcome {
        // One that is gone already is what was wanted.
        Ok(()) => Redirect::to("/tokens?done=revoked").into_response(),
        Err(problem) if problem.kind == ProblemKind::NotFound => {
            Redirect::to("/tokens?done=revoked").into_response()
        }
        Err(problem) => Failure::page(frame, problem).into_response(),
    }
}
