//! How functions are named: by name, partial ARN or ARN, with or without a qualifier.

use super::errors::{at_most, invalid, not_found, pattern};
use crate::aws::AwsError;
use crate::context::Context;

/// The qualifier of the code that can still be changed.
pub(super) const LATEST: &str = "$LATEST";

const NAME_PATTERN: &str = "(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:)?\
     (\\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\\$LATEST|[a-zA-Z0-9-_]+))?";
const QUALIFIER_PATTERN: &str = "(|[a-zA-Z0-9$_-]+)";

/// A function as a caller named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FunctionRef {
    /// The bare name.
    pub name: String,
    /// A version, an alias or [`LATEST`], if one was given.
    pub qualifier: Option<String>,
}

impl FunctionRef {
    /// Reads a name and a qualifier that came beside it.
    ///
    /// # Errors
    /// `ValidationException` for what is no name, `ResourceNotFoundException` for another region,
    /// `AccessDeniedException` for another account, `InvalidParameterValueException` when the two
    /// qualifiers differ.
    pub fn parse(context: &Context, given: &str, qualifier: Option<&str>) -> Result<Self, AwsError> {
        at_most(given, "functionName", 140)?;
        let no_name = || pattern(given, "functionName", NAME_PATTERN);
        let (name, inner) = split(context, given)?.ok_or_else(no_name)?;
        if !is_word(name) || inner.is_some_and(|q| q != LATEST && !is_word(q)) {
            return Err(no_name());
        }
        at_most(name, "functionName", 64)?;
        let qualifier = qualifier.filter(|q| !q.is_empty());
        if let Some(qualifier) = qualifier {
            at_most(qualifier, "qualifier", 128)?;
            if qualifier != LATEST && !is_word(qualifier) {
                return Err(pattern(qualifier, "qualifier", QUALIFIER_PATTERN));
            }
        }
        match (inner, qualifier) {
            (Some(a), Some(b)) if a != b => Err(invalid(
                "The derived qualifier from the function name does not match the specified qualifier.",
            )),
            (a, b) => Ok(Self { name: name.to_owned(), qualifier: a.or(b).map(str::to_owned) }),
        }
    }

    /// The same, where only the function as a whole makes sense.
    ///
    /// # Errors
    /// As [`FunctionRef::parse`], and `InvalidParameterValueException` when there is a qualifier
    /// other than [`LATEST`].
    pub fn whole(context: &Context, given: &str) -> Result<String, AwsError> {
        let found = Self::parse(context, given, None)?;
        match found.qualifier.as_deref() {
            None | Some(LATEST) => Ok(found.name),
            Some(_) => Err(invalid(
                "This operation is permitted on Lambda functions only. Aliases and versions do not support \
                 this operation. Please specify either a function name or an unqualified function ARN.",
            )),
        }
    }

    /// The ARN, with the qualifier that was given.
    pub fn arn(&self, context: &Context) -> String {
        arn(context, &self.name, self.qualifier.as_deref())
    }
}

/// The ARN of a function, with a qualifier or without.
pub(super) fn arn(context: &Context, name: &str, qualifier: Option<&str>) -> String {
    match qualifier {
        Some(qualifier) => context.arn("lambda", &format!("function:{name}:{qualifier}")),
        None => context.arn("lambda", &format!("function:{name}")),
    }
}

/// Name and qualifier inside what was given, `None` for what has not the form of either.
fn split<'a>(context: &Context, given: &'a str) -> Result<Option<(&'a str, Option<&'a str>)>, AwsError> {
    let parts: Vec<&str> = given.split(':').collect();
    let rest = match parts.as_slice() {
        ["arn", partition, "lambda", region, account, "function", rest @ ..]
            if partition.starts_with("aws") =>
        {
            if *region != context.region {
                return Err(not_found(format!(
                    "Functions from '{region}' are not reachable in this region ('{}')",
                    context.region
                )));
            }
            same_account(context, account)?;
            rest
        }
        ["arn", ..] => return Ok(None),
        [account, "function", rest @ ..] if account.len() == 12 && is_number(account) => {
            same_account(context, account)?;
            rest
        }
        ["function", rest @ ..] if !rest.is_empty() => rest,
        rest => rest,
    };
    Ok(match rest {
        [name] => Some((name, None)),
        [name, qualifier] => Some((name, Some(qualifier))),
        _ => None,
    })
}

fn same_account(context: &Context, account: &str) -> Result<(), AwsError> {
    if account == context.account {
        return Ok(());
    }
    Err(AwsError::new(
        "AccessDeniedException",
        format!("this is account {}; no policy of account {account} is known here", context.account),
    )
    .with_status(403))
}

/// Letters, digits, hyphen and underscore, at least one.
pub(super) fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// Digits only, at least one.
pub(super) fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::context::SystemClock;

    #[test]
    fn names_in_every_form() {
        let context = Context::for_tests(Path::new("/nowhere"), std::sync::Arc::new(SystemClock));
        let whole = "arn:aws:lambda:eu-west-1:123456789012:function:api";
        for (given, qualifier, expected) in [
            ("api", None, Ok(("api", None))),
            ("api:live", None, Ok(("api", Some("live")))),
            ("api", Some("7"), Ok(("api", Some("7")))),
            ("api:7", Some("7"), Ok(("api", Some("7")))),
            ("api:7", Some("8"), Err("InvalidParameterValueException")),
            ("api:$LATEST", None, Ok(("api", Some("$LATEST")))),
            (whole, Some(""), Ok(("api", None))),
            (&format!("{whole}:live"), None, Ok(("api", Some("live")))),
            ("123456789012:function:api:live", None, Ok(("api", Some("live")))),
            ("function:api", None, Ok(("api", None))),
            ("arn:aws:lambda:us-east-1:123456789012:function:api", None, Err("ResourceNotFoundException")),
            ("arn:aws:lambda:eu-west-1:999999999999:function:api", None, Err("AccessDeniedException")),
            ("arn:aws:iam::123456789012:role/x", None, Err("ValidationException")),
            ("with space", None, Err("ValidationException")),
            ("", None, Err("ValidationException")),
            ("a:b:c", None, Err("ValidationException")),
        ] {
            let found = FunctionRef::parse(&context, given, qualifier);
            match (&found, expected) {
                (Ok(f), Ok((name, q))) => assert_eq!((f.name.as_str(), f.qualifier.as_deref()), (name, q)),
                (Err(error), Err(code)) => assert_eq!(error.code, code, "{given}"),
                _ => panic!("{given} with {qualifier:?}: {found:?}"),
            }
        }
        assert!(FunctionRef::whole(&context, "api:live").is_err());
        assert_eq!(FunctionRef::whole(&context, "api:$LATEST").unwrap(), "api");
        assert_eq!(
            FunctionRef::parse(&context, &"a".repeat(65), None).unwrap_err().code,
            "ValidationException"
        );
    }
}
