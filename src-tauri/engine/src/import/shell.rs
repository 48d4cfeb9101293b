//! Splits a text into commands and words, as a shell does, and runs nothing.
//!
//! Quotes, backslashes, comments and operators mean what they mean to sh. `$HOME` becomes `~`; what else would
//! have to be asked of a shell (`$NAME`, `$(command)`) stays in the word as it is written, and the word says so.

use std::{iter::Peekable, str::Chars};

/// Commands with at least one word, in order.
pub fn commands(text: &str) -> Result<Vec<Command>, ShellError> {
    let reader = Reader {
        rest: text.chars().peekable(),
        line: 1,
        word: None,
        awaits_target: false,
        command: Command::default(),
        done: vec![],
    };
    reader.run()
}

/// One simple command.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Command {
    pub words: Vec<Word>,
    /// Ends in a single `&`.
    pub background: bool,
    /// Has `> file` or its like; they are not in the words.
    pub redirected: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Word {
    pub text: String,
    /// Parts of the text that only a shell could tell.
    pub unknown: Vec<String>,
    /// `$HOME` was in it.
    pub home: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShellError {
    #[error("line {0}: a quotation mark is opened and never closed")]
    Quote(usize),
    #[error("line {0}: a bracket after $ is opened and never closed")]
    Bracket(usize),
}

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    line: usize,
    word: Option<Word>,
    /// The next word is the file of a redirection.
    awaits_target: bool,
    command: Command,
    done: Vec<Command>,
}

impl Reader<'_> {
    fn run(mut self) -> Result<Vec<Command>, ShellError> {
        while let Some(c) = self.next() {
            match c {
                '\\' => self.escaped(),
                '\'' => self.single_quoted()?,
                '"' => self.double_quoted()?,
                '$' | '`' => self.expansion(c)?,
                '#' if self.word.is_none() => self.skip_comment(),
                '&' if self.rest.peek() == Some(&'>') => self.redirection(),
                '<' | '>' => self.redirection(),
                '&' | '|' | ';' | '(' | ')' | '\n' => self.operator(c),
                // Also those that no shell takes for one: web pages put them where people see a blank.
                blank if blank.is_whitespace() => self.end_word(),
                other => self.push(other),
            }
        }
        self.end_command();
        Ok(self.done)
    }

    fn next(&mut self) -> Option<char> {
        let c = self.rest.next();
        self.line += usize::from(c == Some('\n'));
        c
    }

    fn next_if(&mut self, wanted: impl FnOnce(char) -> bool) -> Option<char> {
        let c = self.rest.next_if(|&c| wanted(c));
        self.line += usize::from(c == Some('\n'));
        c
    }

    fn word(&mut self) -> &mut Word {
        self.word.get_or_insert_default()
    }

    fn push(&mut self, c: char) {
        self.word().text.push(c);
    }

    /// A backslash at the end of a line joins it with the next one.
    fn escaped(&mut self) {
        match self.next() {
            None | Some('\n') => {}
            Some(c) => self.push(c),
        }
    }

    fn single_quoted(&mut self) -> Result<(), ShellError> {
        let line = self.line;
        self.word();
        loop {
            match self.next() {
                None => return Err(ShellError::Quote(line)),
                Some('\'') => return Ok(()),
                Some(c) => self.push(c),
            }
        }
    }

    fn double_quoted(&mut self) -> Result<(), ShellError> {
        let line = self.line;
        self.word();
        loop {
            match self.next() {
                None => return Err(ShellError::Quote(line)),
                Some('"') => return Ok(()),
                Some(c @ ('$' | '`')) => self.expansion(c)?,
                Some('\\') if self.rest.peek().is_some_and(|c| "$`\"\\\n".contains(*c)) => self.escaped(),
                Some(c) => self.push(c),
            }
        }
    }

    /// After `$` or a backtick.
    fn expansion(&mut self, sign: char) -> Result<(), ShellError> {
        let body = match (sign, self.rest.peek()) {
            ('`', _) => self.until_closed('`', '`').map(|body| format!("`{body}"))?,
            (_, Some('{')) => self.until_closed('{', '}').map(|body| format!("${body}"))?,
            (_, Some('(')) => self.until_closed('(', ')').map(|body| format!("${body}"))?,
            _ => format!("${}", self.name()),
        };
        let word = self.word();
        match body.as_str() {
            "$HOME" | "${HOME}" => {
                word.text.push('~');
                word.home = true;
            }
            "$" => word.text.push('$'),
            _ => {
                word.text.push_str(&body);
                word.unknown.push(body);
            }
        }
        Ok(())
    }

    fn name(&mut self) -> String {
        std::iter::from_fn(|| self.next_if(|c| c.is_ascii_alphanumeric() || c == '_')).collect()
    }

    /// Everything up to the sign that closes the one that comes first, both included.
    fn until_closed(&mut self, open: char, close: char) -> Result<String, ShellError> {
        let (line, mut depth, mut body) = (self.line, usize::from(open == close), String::new());
        while let Some(c) = self.next() {
            body.push(c);
            if c == close {
                depth -= 1;
            } else if c == open {
                depth += 1;
            }
            if depth == 0 {
                return Ok(body);
            }
        }
        Err(ShellError::Bracket(line))
    }

    fn skip_comment(&mut self) {
        while self.next_if(|c| c != '\n').is_some() {}
    }

    /// `2>&1`, `>> file`, `&> file`
    fn redirection(&mut self) {
        if self.word.as_ref().is_some_and(|word| word.text.bytes().all(|byte| byte.is_ascii_digit())) {
            self.word = None;
        }
        self.end_word();
        while self.next_if(|c| "<>&|".contains(c)).is_some() {}
        self.command.redirected = true;
        self.awaits_target = true;
    }

    fn operator(&mut self, sign: char) {
        let doubled = self.next_if(|c| c == sign && sign != '\n').is_some();
        self.end_word();
        self.command.background = sign == '&' && !doubled;
        self.end_command();
    }

    fn end_word(&mut self) {
        if let Some(word) = self.word.take()
            && !std::mem::take(&mut self.awaits_target)
        {
            self.command.words.push(word);
        }
    }

    fn end_command(&mut self) {
        self.end_word();
        self.awaits_target = false;
        let command = std::mem::take(&mut self.command);
        if !command.words.is_empty() {
            self.done.push(command);
        }
    }
}

#[cfg(test)]
mod tests;
