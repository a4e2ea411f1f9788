//! What a login has, and what another one needs to have the same. Pure: two states in, changes out.
//!
//! What is taken away goes before what is given: a right that was given with the right to pass it on,
//! and is now given without, has to go first.

use std::collections::{BTreeMap, BTreeSet};

/// A right on something.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    /// On what.
    pub on: Securable,
    /// Its name: SELECT, VIEW DEFINITION ...
    pub name: String,
    /// How it is held.
    pub state: State,
}

/// How a right is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Granted.
    Granted,
    /// Granted, and may be passed on.
    Passable,
    /// Denied.
    Denied,
}

/// What a right is on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Securable {
    /// The server, or the database: the right's name says which.
    Whole,
    /// A schema.
    Schema(String),
    /// An object: its schema and its name.
    Object(String, String),
    /// A column of one.
    Column(String, String, String),
}

/// A login.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Login {
    /// The database it begins in.
    pub database: String,
    /// Its language.
    pub language: String,
    /// Whether its passwords must keep to the policy.
    pub policy: bool,
    /// Its server roles.
    pub roles: BTreeSet<String>,
    /// Its rights on the server.
    pub rights: BTreeSet<Right>,
    /// Its users, by the database's name.
    pub users: BTreeMap<String, User>,
}

/// A login's user in a database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct User {
    /// Its name.
    pub name: String,
    /// The schema names without one are looked for in.
    pub schema: Option<String>,
    /// Its roles.
    pub roles: BTreeSet<String>,
    /// Its rights in the database.
    pub rights: BTreeSet<Right>,
}

/// One change, which is one statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The database and the language a login begins with.
    Defaults {
        /// The database.
        database: String,
        /// The language.
        language: String,
    },
    /// A server role is given (true) or taken away.
    ServerRole(String, bool),
    /// A right on the server is given or denied (true) or taken away.
    ServerRight(Right, bool),
    /// A change in a database.
    In(String, InDatabase),
}

/// One change in a database, to the user of this name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InDatabase {
    /// The user is made.
    Create(String),
    /// The user is dropped, with all it has.
    Drop(String),
    /// The user's schema.
    Schema(String, String),
    /// A role is given (true) or taken away.
    Role(String, String, bool),
    /// A right is given or denied (true) or taken away.
    Right(String, Right, bool),
}

/// What makes `clone`, a login of the name `name` that exists, the same as `original`.
pub fn changes(original: &Login, clone: &Login, name: &str) -> Vec<Change> {
    let mut changes = Vec::new();
    if (&original.database, &original.language) != (&clone.database, &clone.language) {
        changes.push(Change::Defaults {
            database: original.database.clone(),
            language: original.language.clone(),
        });
    }
    let differences = |from: &BTreeSet<String>, to: &BTreeSet<String>| {
        let gone: Vec<_> = to.difference(from).map(|role| (role.clone(), false)).collect();
        gone.into_iter().chain(from.difference(to).map(|role| (role.clone(), true))).collect::<Vec<_>>()
    };
    let roles = differences(&original.roles, &clone.roles);
    changes.extend(roles.into_iter().map(|(role, given)| Change::ServerRole(role, given)));
    let rights = rights(&original.rights, &clone.rights);
    changes.extend(rights.into_iter().map(|(right, given)| Change::ServerRight(right, given)));
    for (database, user) in &clone.users {
        if !original.users.contains_key(database) {
            changes.push(Change::In(database.clone(), InDatabase::Drop(user.name.clone())));
        }
    }
    for (database, user) in &original.users {
        let wanted = as_clone(user);
        let mut add = |change| changes.push(Change::In(database.clone(), change));
        let made = User { name: name.to_owned(), schema: Some("dbo".to_owned()), ..User::default() };
        let held = clone.users.get(database).unwrap_or_else(|| {
            add(InDatabase::Create(name.to_owned()));
            &made
        });
        // None where a user has no schema of its own to begin with: dbo then.
        let schema = wanted.schema.as_deref().unwrap_or("dbo");
        if schema != held.schema.as_deref().unwrap_or("dbo") {
            add(InDatabase::Schema(held.name.clone(), schema.to_owned()));
        }
        for (role, given) in differences(&wanted.roles, &held.roles) {
            add(InDatabase::Role(held.name.clone(), role, given));
        }
        for (right, given) in self::rights(&wanted.rights, &held.rights) {
            add(InDatabase::Right(held.name.clone(), right, given));
        }
    }
    changes
}

/// A login that owns a database is its user `dbo` there. Nobody else can be; a member of db_owner may
/// do nearly as much.
fn as_clone(user: &User) -> User {
    if user.name != "dbo" {
        return user.clone();
    }
    User { roles: BTreeSet::from(["db_owner".to_owned()]), schema: Some("dbo".to_owned()), ..User::default() }
}

/// Rights that go, and then those that come. A right to connect that comes with a new user is not
/// counted: it is there by the time somebody looks again.
fn rights(wanted: &BTreeSet<Right>, held: &BTreeSet<Right>) -> Vec<(Right, bool)> {
    let gone = held.difference(wanted).map(|right| (right.clone(), false));
    gone.chain(wanted.difference(held).map(|right| (right.clone(), true))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn right(on: Securable, name: &str, state: State) -> Right {
        Right { on, name: name.to_owned(), state }
    }

    fn original() -> Login {
        let object = || Securable::Object("dbo".to_owned(), "t".to_owned());
        let column = Securable::Column("dbo".to_owned(), "t".to_owned(), "c".to_owned());
        let user = User {
            name: "app_user".to_owned(),
            schema: Some("sales".to_owned()),
            roles: set(&["db_datareader", "mine"]),
            rights: BTreeSet::from([
                right(object(), "INSERT", State::Passable),
                right(object(), "DELETE", State::Denied),
                right(column, "UPDATE", State::Granted),
                right(Securable::Schema("sales".to_owned()), "EXECUTE", State::Granted),
            ]),
        };
        Login {
            database: "lab".to_owned(),
            language: "us_english".to_owned(),
            policy: true,
            roles: set(&["dbcreator"]),
            rights: BTreeSet::from([right(Securable::Whole, "VIEW SERVER STATE", State::Granted)]),
            users: BTreeMap::from([("lab".to_owned(), user)]),
        }
    }

    /// What the changes make of a clone, so that a second round finds nothing to do.
    fn apply(clone: &mut Login, changes: &[Change]) {
        fn change<T: Ord + Clone>(set: &mut BTreeSet<T>, item: &T, given: bool) {
            assert!(if given { set.insert(item.clone()) } else { set.remove(item) });
        }
        for one in changes {
            match one {
                Change::Defaults { database, language } => {
                    (clone.database, clone.language) = (database.clone(), language.clone());
                }
                Change::ServerRole(role, given) => change(&mut clone.roles, role, *given),
                Change::ServerRight(right, given) => change(&mut clone.rights, right, *given),
                Change::In(database, InDatabase::Create(name)) => {
                    let user = User { name: name.clone(), ..User::default() };
                    assert!(clone.users.insert(database.clone(), user).is_none());
                }
                Change::In(database, InDatabase::Drop(_)) => {
                    clone.users.remove(database).unwrap();
                }
                Change::In(database, within) => {
                    let user = clone.users.get_mut(database).unwrap();
                    match within {
                        InDatabase::Schema(_, schema) => user.schema = Some(schema.clone()),
                        InDatabase::Role(_, role, given) => change(&mut user.roles, role, *given),
                        InDatabase::Right(_, right, given) => change(&mut user.rights, right, *given),
                        InDatabase::Create(_) | InDatabase::Drop(_) => unreachable!(),
                    }
                }
            }
        }
    }

    #[test]
    fn a_new_clone_gets_everything_and_then_nothing() {
        let original = original();
        let mut clone = Login { database: "master".to_owned(), ..Login::default() };
        let found = changes(&original, &clone, "app_clone");
        apply(&mut clone, &found);
        assert_eq!((&clone.roles, &clone.rights), (&original.roles, &original.rights));
        let (from, to) = (&original.users["lab"], &clone.users["lab"]);
        assert_eq!((&to.roles, &to.rights, &to.schema), (&from.roles, &from.rights, &from.schema));
        assert_eq!(to.name, "app_clone");
        assert_eq!(changes(&original, &clone, "app_clone"), []);
    }

    #[test]
    fn what_the_original_has_no_longer_goes() {
        let mut clone = Login { policy: false, ..original() };
        clone.users.get_mut("lab").unwrap().name = "app_clone".to_owned();
        clone.users.insert("old".to_owned(), User { name: "other".to_owned(), ..User::default() });
        let mut less = original();
        less.roles.clear();
        less.rights.clear();
        let user = less.users.get_mut("lab").unwrap();
        user.roles = set(&["mine"]);
        user.schema = None;
        user.rights = BTreeSet::from([right(
            Securable::Object("dbo".to_owned(), "t".to_owned()),
            "INSERT",
            State::Granted,
        )]);
        let found = changes(&less, &clone, "app_clone");
        assert!(found.contains(&Change::In("old".to_owned(), InDatabase::Drop("other".to_owned()))));
        // Passable becomes granted: taken away first, then given.
        let insert = |state| right(Securable::Object("dbo".to_owned(), "t".to_owned()), "INSERT", state);
        let at = |right: Right, given| {
            let change =
                Change::In("lab".to_owned(), InDatabase::Right("app_clone".to_owned(), right, given));
            found.iter().position(|one| *one == change).unwrap()
        };
        assert!(at(insert(State::Passable), false) < at(insert(State::Granted), true));
        apply(&mut clone, &found);
        assert_eq!(changes(&less, &clone, "app_clone"), []);
    }

    #[test]
    fn the_owner_of_a_database_is_cloned_as_a_member_of_db_owner() {
        let mut original = Login::default();
        original.users.insert("lab".to_owned(), User { name: "dbo".to_owned(), ..User::default() });
        let found = changes(&original, &Login::default(), "c");
        let within = |change| Change::In("lab".to_owned(), change);
        assert_eq!(
            found,
            [
                within(InDatabase::Create("c".to_owned())),
                within(InDatabase::Role("c".to_owned(), "db_owner".to_owned(), true)),
            ]
        );
    }
}
