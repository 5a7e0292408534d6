//! One HTTP request a connection, and its response.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Instant;

use super::Answer;
use super::answer::Gate;

/// A request as the provider got it.
#[derive(Clone, Debug)]
pub struct Request {
    /// When it was whole.
    pub at: Instant,
    /// The request line.
    pub line: String,
    /// The header fields.
    pub headers: Vec<(String, String)>,
    /// The fields of the form, in order.
    pub form: Vec<(String, String)>,
}

impl Request {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// A field of the form.
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.form.iter().filter(|(found, _)| found == name);
        let value = fields.next()?;
        assert!(fields.next().is_none(), "'{name}' was sent twice");
        Some(value.1.as_str())
    }

    /// The names of the form's fields, in order.
    pub fn field_names(&self) -> Vec<&str> {
        self.form.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// The client, however it authenticates.
    pub fn client(&self) -> String {
        self.field("client_id").unwrap_or("(basic)").to_owned()
    }
}

pub(super) fn serve(stream: &TcpStream, answer: impl FnOnce(&Request) -> Answer) {
    let Some(request) = read(stream) else {
        return;
    };
    let answer = answer(&request);
    // A client that is gone has its reasons.
    let _ = write(stream, &answer);
    let _ = stream.shutdown(Shutdown::Both);
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let line = lines.remove(0);
    let headers = lines.iter().filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
    let mut request = Request {
        at: Instant::now(),
        line,
        headers: headers.collect(),
        form: Vec::new(),
    };
    let length = request.header("content-length").unwrap_or("0").parse();
    let mut body = vec![0; length.unwrap()];
    reader.read_exact(&mut body).ok()?;
    request.form = url::form_urlencoded::parse(&body).into_owned().collect();
    request.at = Instant::now();
    Some(request)
}

fn write(mut stream: &TcpStream, answer: &Answer) -> std::io::Result<()> {
    let bytes = answer.bytes();
    let Some(pause) = answer.drip_pause() else {
        return stream.write_all(&bytes);
    };
    let head = bytes.windows(4).position(|it| it == b"\r\n\r\n");
    let (head, body) = bytes.split_at(head.map_or(0, |at| at + 4));
    stream.write_all(head)?;
    let never = Gate::default();
    for byte in body {
        never.pass_within(pause);
        stream.write_all(&[*byte])?;
    }
    Ok(())
}
