//! Why a command did not do what it was told, and the exit code that says so.

use serde_json::{Value, json};

/// What the manual says of exit codes.
pub(crate) const EXIT_CODES: &str = "Exit codes:
  0  done
  1  refused by the server: the text says why
  2  wrong usage
  3  the server cannot be reached, or cannot answer now
  4  not allowed: no token, a wrong one, or one with too few rights
  5  not found
  6  a file of this machine cannot be read or written";

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The command line, beyond what its grammar can say.
    #[error("{0}")]
    Usage(String),
    /// No connection, no TLS, no answer.
    #[error("{0}: {1}")]
    Unreachable(String, String),
    /// The server's no.
    #[error("{}", refusal(.status, .body))]
    Refused {
        /// HTTP's.
        status: u16,
        /// `Error` of the API.
        body: Value,
    },
    /// What is named is not there, as a list of the server says.
    #[error("{0}: not found")]
    NotFound(String),
    /// This machine's no.
    #[error("{0}: {1}")]
    Local(String, #[source] std::io::Error),
}

fn refusal(status: &u16, body: &Value) -> String {
    let text = |name: &str| body[name].as_str().filter(|text| !text.is_empty());
    let mut said = text("error").map_or_else(|| format!("HTTP {status}"), str::to_owned);
    if let Some(field) = text("field") {
        said = format!("{said} ({field})");
    }
    if let Some(detail) = text("detail") {
        said = format!("{said}: {detail}");
    }
    said
}

impl Failure {
    /// The same for programs: what the server said of a refusal, and the exit code.
    pub(crate) fn as_json(&self) -> Value {
        let mut said = match self {
            Self::Refused { body: Value::Object(fields), .. } => Value::Object(fields.clone()),
            Self::Refused { status, .. } => json!({ "error": format!("http-{status}") }),
            Self::Usage(_) => json!({ "error": "usage", "detail": self.to_string() }),
            Self::Unreachable(..) => json!({ "error": "unreachable", "detail": self.to_string() }),
            Self::NotFound(_) => json!({ "error": "not-found", "detail": self.to_string() }),
            Self::Local(..) => json!({ "error": "local", "detail": self.to_string() }),
        };
        said["exit"] = json!(self.exit_code());
        said
    }

    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Unreachable(..) => 3,
            Self::Refused { status: 401 | 403, .. } => 4,
            Self::Refused { status: 404 | 410, .. } | Self::NotFound(_) => 5,
            Self::Refused { status: 408 | 429 | 500.., .. } => 3,
            Self::Refused { .. } => 1,
            Self::Local(..) => 6,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_says_what_to_do_about_it() {
        for (status, code) in
            [(401, 4), (403, 4), (404, 5), (409, 1), (422, 1), (429, 3), (500, 3), (503, 3)]
        {
            let refused = Failure::Refused { status, body: Value::Null };
            assert_eq!(refused.exit_code(), code, "{status}");
        }
        let body =
            json!({ "error": "address-taken", "field": "address", "detail": "a@b is taken" });
        let refused = Failure::Refused { status: 409, body };
        assert_eq!(refused.to_string(), "address-taken (address): a@b is taken");
        let expected = json!({ "error": "address-taken", "field": "address",
            "detail": "a@b is taken", "exit": 1 });
        assert_eq!(refused.as_json(), expected);
        let missing = Failure::NotFound("a@b".to_owned()).as_json();
        assert_eq!(missing, json!({ "error": "not-found", "detail": "a@b: not found", "exit": 5 }));
    }
}
