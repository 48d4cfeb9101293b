//! A web server of a few pages, HTTP/1.1, one request for each connection.
//!
//! `/` a page with the word · `/whoami` the visitor's address · `/big` the 200 MB stream · `/last-words` what the
//! farewell service heard last · `PUT` or `POST /upload` answers with the checksum and the count of what was sent ·
//! `/zeros?COUNT` and `PUT /discard` for measurements.

use std::{
    io::{self, BufRead, BufReader, BufWriter, Read, Write},
    net::{Shutdown, TcpStream},
    sync::PoisonError,
};

use super::Shared;
use crate::stream;

/// Longest line of a request that is read.
const LINE: u64 = 8 << 10;

struct Request {
    method: String,
    path: String,
    body: Body,
    expects_continue: bool,
}

enum Body {
    Length(u64),
    Chunked,
}

pub fn serve(stream: &TcpStream, shared: &Shared) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut writer = BufWriter::with_capacity(64 << 10, stream);
    let request = read_head(&mut reader)?;
    answer(&request, &mut reader, &mut writer, stream, shared)?;
    writer.flush()?;
    stream.shutdown(Shutdown::Write)?;
    // closing with something unread would reset the connection and lose the answer
    io::copy(&mut reader, &mut io::sink())?;
    Ok(())
}

fn answer(
    request: &Request,
    reader: &mut impl BufRead,
    writer: &mut impl Write,
    stream: &TcpStream,
    shared: &Shared,
) -> io::Result<()> {
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/") => send(writer, "200 OK", &page(&shared.word)),
        ("GET", "/whoami") => {
            send(writer, "200 OK", &format!("{}\n", stream.peer_addr()?.ip().to_canonical()))
        }
        ("GET", "/last-words") => {
            let words = shared.last_words.lock().unwrap_or_else(PoisonError::into_inner).clone();
            send(writer, "200 OK", &String::from_utf8_lossy(&words))
        }
        ("GET", "/big") => {
            head(writer, "200 OK", stream::BIG)?;
            stream::write(writer, stream::BIG)
        }
        ("GET", path) if path.starts_with("/zeros?") => zeros(writer, &path["/zeros?".len()..]),
        ("PUT" | "POST", "/discard") => {
            let Body::Length(length) = request.body else { return Err(io::ErrorKind::Unsupported.into()) };
            let bytes = io::copy(&mut reader.take(length), &mut io::sink())?;
            send(writer, "200 OK", &format!("{bytes}\n"))
        }
        ("PUT" | "POST", "/upload") => {
            let sum = read_body(request, reader, writer)?;
            send(writer, "200 OK", &format!("{} {}\n", sum.sha256, sum.bytes))
        }
        _ => send(writer, "404 Not Found", "no such page\n"),
    }
}

/// For measurements: costs the server next to nothing.
fn zeros(writer: &mut impl Write, count: &str) -> io::Result<()> {
    let mut left: usize = count.parse().map_err(|_| io::ErrorKind::InvalidInput)?;
    head(writer, "200 OK", left as u64)?;
    let block = vec![0; 1 << 18];
    while left > 0 {
        left -= writer.write(&block[..left.min(block.len())])?;
    }
    Ok(())
}

fn page(word: &str) -> String {
    format!(
        "<!doctype html>\n<title>The private network</title>\n<p>The word of this lab is <b>{word}</b>.</p>\n"
    )
}

fn send(writer: &mut impl Write, status: &str, text: &str) -> io::Result<()> {
    head(writer, status, text.len() as u64)?;
    writer.write_all(text.as_bytes())
}

fn head(writer: &mut impl Write, status: &str, length: u64) -> io::Result<()> {
    write!(
        writer,
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    )
}

fn read_head(reader: &mut impl BufRead) -> io::Result<Request> {
    let first = read_line(reader)?;
    let mut words = first.split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut request = Request { method, path, body: Body::Length(0), expects_continue: false };
    loop {
        let line = read_line(reader)?.to_ascii_lowercase();
        match line.split_once(':').map(|(name, value)| (name, value.trim())) {
            None => return Ok(request),
            Some(("content-length", value)) => request.body = Body::Length(value.parse().unwrap_or(0)),
            Some(("transfer-encoding", "chunked")) => request.body = Body::Chunked,
            Some(("expect", "100-continue")) => request.expects_continue = true,
            Some(_) => {}
        }
    }
}

fn read_body(
    request: &Request,
    reader: &mut impl BufRead,
    writer: &mut impl Write,
) -> io::Result<stream::Sum> {
    if request.expects_continue {
        writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        writer.flush()?;
    }
    match request.body {
        Body::Length(length) => stream::sum(&mut reader.take(length)),
        Body::Chunked => stream::sum(&mut Chunks { reader, left: 0, ended: false }),
    }
}

fn read_line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    reader.by_ref().take(LINE).read_line(&mut line)?;
    Ok(line.trim_end().to_owned())
}

/// The content of a chunked body.
struct Chunks<'a, R> {
    reader: &'a mut R,
    left: u64,
    ended: bool,
}

impl<R: BufRead> Read for Chunks<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 && !self.ended {
            self.left = self.next_length()?;
            self.ended = self.left == 0;
        }
        if self.ended {
            return Ok(0);
        }
        let count = self.reader.by_ref().take(self.left).read(buffer)?;
        if count == 0 && !buffer.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= count as u64;
        if self.left == 0 {
            read_line(self.reader)?;
        }
        Ok(count)
    }
}

impl<R: BufRead> Chunks<'_, R> {
    fn next_length(&mut self) -> io::Result<u64> {
        let line = read_line(self.reader)?;
        u64::from_str_radix(&line, 16).map_err(|_| io::ErrorKind::InvalidData.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(wire: &str) -> io::Result<String> {
        let mut reader = BufReader::with_capacity(3, wire.as_bytes());
        let mut text = String::new();
        Chunks { reader: &mut reader, left: 0, ended: false }.read_to_string(&mut text)?;
        Ok(text)
    }

    #[test]
    fn a_chunked_body_is_put_together() {
        assert_eq!(content("4\r\nrope\r\n3\r\nway\r\n0\r\n\r\n").expect("it is whole"), "ropeway");
    }

    #[test]
    fn a_chunked_body_that_is_cut_short_is_an_error() {
        assert!(content("4\r\nro").is_err());
        assert!(content("").is_err());
    }
}
