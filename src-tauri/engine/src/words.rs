//! The one table of words for people, by code.

use crate::api::{Code, Failure};

/// Title and cause of a code; `{}` in them is the subject.
pub struct Words {
    pub title: &'static str,
    pub cause: &'static str,
}

impl Failure {
    pub fn new(code: Code, subject: impl Into<String>, detail: impl Into<String>) -> Self {
        let (subject, words) = (subject.into(), of(code));
        Self {
            code,
            title: words.title.replace("{}", &subject),
            cause: words.cause.replace("{}", &subject),
            subject,
            detail: detail.into(),
        }
    }
}

/// The words of a code.
pub fn of(_code: Code) -> Words {
    Words { title: "", cause: "" }
}
