//! A typed text and the place in it that is wrong: what the parsers of subnets and servers have in common.
//!
//! Nothing here knows a grammar. Start with [`Mistake`], which is what people get to see.

/// Why a typed text cannot be taken as it stands, in words for the person who typed it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Mistake {
    /// First and last wrong character (0-based, in characters, end exclusive).
    pub span: (u32, u32),
    pub message: String,
    /// What was probably meant; replaces the whole text.
    pub suggestion: Option<String>,
}

/// A piece of a typed text that still knows where it stands in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part<'a> {
    whole: &'a str,
    start: usize,
    end: usize,
}

impl Mistake {
    pub(crate) fn suggest(mut self, text: impl Into<String>) -> Self {
        self.suggestion = Some(text.into());
        self
    }
}

impl<'a> Part<'a> {
    pub fn new(whole: &'a str) -> Self {
        Self { whole, start: 0, end: whole.len() }
    }

    pub fn text(self) -> &'a str {
        &self.whole[self.start..self.end]
    }

    /// The text that this is a part of.
    pub fn whole(self) -> &'a str {
        self.whole
    }

    /// The whole text with this part replaced.
    pub fn replaced_by(self, other: &str) -> String {
        [&self.whole[..self.start], other, &self.whole[self.end..]].concat()
    }

    pub fn mistake(self, message: impl Into<String>) -> Mistake {
        let span = (self.characters_before(self.start), self.characters_before(self.end));
        Mistake { span, message: message.into(), suggestion: None }
    }

    /// As [`str::split_once`].
    pub fn split_once(self, separator: char) -> Option<(Self, Self)> {
        let at = self.text().find(separator)?;
        Some((self.slice(0, at), self.slice(at + separator.len_utf8(), self.text().len())))
    }

    /// As [`str::rsplit_once`].
    pub fn rsplit_once(self, separator: char) -> Option<(Self, Self)> {
        let at = self.text().rfind(separator)?;
        Some((self.slice(0, at), self.slice(at + separator.len_utf8(), self.text().len())))
    }

    /// As [`str::split`].
    pub fn split(self, separator: char) -> impl Iterator<Item = Self> {
        let mut rest = Some(self);
        std::iter::from_fn(move || {
            let part = rest?;
            let (head, tail) =
                part.split_once(separator).map_or((part, None), |(head, tail)| (head, Some(tail)));
            rest = tail;
            Some(head)
        })
    }

    /// As [`str::strip_prefix`].
    pub fn strip_prefix(self, prefix: char) -> Option<Self> {
        self.text().starts_with(prefix).then(|| self.slice(prefix.len_utf8(), self.text().len()))
    }

    /// The first character that is wanted, as a part.
    pub fn find(self, wanted: impl Fn(char) -> bool) -> Option<Self> {
        let (at, found) = self.text().char_indices().find(|&(_, c)| wanted(c))?;
        Some(self.slice(at, at + found.len_utf8()))
    }

    /// With the character before it, "`:80`" for "`80`"; at the very start with the one behind it. So that there
    /// is something to point at when the part itself is empty.
    pub fn with_separator(self) -> Self {
        match self.whole[..self.start].chars().next_back() {
            Some(before) => Self { start: self.start - before.len_utf8(), ..self },
            None => Self {
                end: self.end + self.whole[self.end..].chars().next().map_or(0, char::len_utf8),
                ..self
            },
        }
    }

    /// Bytes `from..to` of this part; both must lie between characters.
    pub fn slice(self, from: usize, to: usize) -> Self {
        Self { whole: self.whole, start: self.start + from, end: self.start + to }
    }

    fn characters_before(self, byte: usize) -> u32 {
        self.whole[..byte].chars().count() as u32
    }
}

/// A number of plain decimal digits, None for anything else; too many digits give the largest number.
pub(crate) fn decimal(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u32::MAX))
}
