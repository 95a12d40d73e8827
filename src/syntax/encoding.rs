//! Bytes to text and back, without loss: UTF-8 with or without a byte order mark, and the encodings a PEP 263 coding line may declare.
//!
//! It is here, and not where files are read, because a coding line is part of Python's syntax. The mark is taken off and remembered, so that offset 0 is
//! the first character the parser sees. It does no I/O, and it never guesses: bytes that do not come back the same are an error.

use std::borrow::Cow;
use std::fmt;

use super::Location;

/// How the text of a file is stored as bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Encoding {
    /// UTF-8, the default.
    Utf8,
    /// UTF-8 after a byte order mark.
    Utf8Mark,
    /// Only bytes below 0x80.
    Ascii,
    /// ISO 8859-1: every byte is the character of that number. (The web's `latin1` is windows-1252; Python's is not.)
    Latin1,
    /// Another encoding that a coding line names.
    Other(&'static encoding_rs::Encoding),
}

/// Why bytes are not the text they say they are, or a text cannot be stored as bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EncodingError {
    /// The first place at fault.
    pub location: Location,
    /// What is wrong there.
    pub message: String,
}

impl fmt::Display for EncodingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.location.row, self.location.column, self.message)
    }
}

impl std::error::Error for EncodingError {}

const MARK: &[u8] = b"\xef\xbb\xbf";

/// The text that `bytes` hold, and how to store it again. On success, storing the text gives exactly `bytes`.
pub fn decode(bytes: &[u8]) -> Result<(Cow<'_, str>, Encoding), EncodingError> {
    let (encoding, body) = declared(bytes)?;
    let text = match encoding {
        Encoding::Utf8 | Encoding::Utf8Mark => match std::str::from_utf8(body) {
            Ok(text) => Cow::Borrowed(text),
            Err(e) => return Err(error_at(body, e.valid_up_to(), "this byte is not UTF-8, and no coding line declares another encoding")),
        },
        Encoding::Ascii => match body.iter().position(|b| !b.is_ascii()) {
            None => String::from_utf8_lossy(body),
            Some(at) => return Err(error_at(body, at, "this byte is not ASCII, which the coding line declares")),
        },
        Encoding::Latin1 => Cow::Owned(body.iter().map(|&b| char::from(b)).collect()),
        Encoding::Other(other) => match other.decode_without_bom_handling_and_without_replacement(body) {
            Some(text) => text,
            None => return Err(error_at(body, first_undecodable(other, body), &format!("this byte is not {}", other.name()))),
        },
    };
    match encoding.encode(&text) {
        Ok(again) if *again == *bytes => Ok((text, encoding)),
        _ => Err(error_at(bytes, 0, "the declared encoding does not give the same bytes back, so the file could not be written unharmed")),
    }
}

impl Encoding {
    /// The bytes that store `text`; an error names the first character that has none.
    pub fn encode<'t>(&self, text: &'t str) -> Result<Cow<'t, [u8]>, EncodingError> {
        match self {
            Self::Utf8 => Ok(Cow::Borrowed(text.as_bytes())),
            Self::Utf8Mark => Ok(Cow::Owned([MARK, text.as_bytes()].concat())),
            Self::Ascii => match text.find(|c: char| !c.is_ascii()) {
                None => Ok(Cow::Borrowed(text.as_bytes())),
                Some(at) => Err(unstorable(text, at, "ASCII")),
            },
            Self::Latin1 => {
                let byte = |(at, c): (usize, char)| u8::try_from(u32::from(c)).map_err(|_| unstorable(text, at, "latin-1"));
                text.char_indices().map(byte).collect::<Result<Vec<u8>, _>>().map(Cow::Owned)
            }
            Self::Other(other) => match other.encode(text) {
                (bytes, _, false) => Ok(bytes),
                _ => {
                    let at = text.char_indices().find(|(_, c)| other.encode(c.encode_utf8(&mut [0; 4])).2).map_or(0, |(at, _)| at);
                    Err(unstorable(text, at, other.name()))
                }
            },
        }
    }
}

/// The encoding that `bytes` declare, and the bytes after the mark.
fn declared(bytes: &[u8]) -> Result<(Encoding, &[u8]), EncodingError> {
    let (marked, body) = match bytes.strip_prefix(MARK) {
        Some(rest) => (true, rest),
        None => (false, bytes),
    };
    let Some((name, at)) = coding_line(body) else {
        return Ok((if marked { Encoding::Utf8Mark } else { Encoding::Utf8 }, body));
    };
    let encoding = match named(&name) {
        Some(Encoding::Utf8) if marked => Encoding::Utf8Mark,
        Some(encoding) if !marked => encoding,
        Some(_) => return Err(error_at(body, at, &format!("a coding line says {name}, a byte order mark says UTF-8"))),
        None => return Err(error_at(body, at, &format!("the encoding {name} of the coding line is not known"))),
    };
    Ok((encoding, body))
}

/// The encoding Python knows by `name`.
fn named(name: &str) -> Option<Encoding> {
    let name = name.to_ascii_lowercase().replace('_', "-");
    let is = |family: &str| name == family || name.strip_prefix(family).is_some_and(|rest| rest.starts_with('-'));
    if is("utf-8") || name == "utf8" || name == "u8" {
        return Some(Encoding::Utf8);
    }
    if is("latin-1") || is("iso-8859-1") || is("iso-latin-1") || ["latin1", "iso8859-1", "l1", "latin", "8859", "cp819"].contains(&&*name) {
        return Some(Encoding::Latin1);
    }
    if ["ascii", "us-ascii", "646"].contains(&&*name) {
        return Some(Encoding::Ascii);
    }
    // A label may spell with `_` what others spell with `-`: `koi8_r`, but `shift_jis`.
    let other = encoding_rs::Encoding::for_label_no_replacement(name.as_bytes())
        .or_else(|| encoding_rs::Encoding::for_label_no_replacement(name.replace('-', "_").as_bytes()))?;
    // Python reads source files byte by byte up to here, so the declared encoding must hold ASCII: UTF-16 cannot be one.
    other.is_ascii_compatible().then_some(Encoding::Other(other))
}

/// The name a PEP 263 coding line declares, and where that name starts. As in Python it is a comment in the first line, or in the second where the first
/// holds nothing but a comment.
fn coding_line(bytes: &[u8]) -> Option<(String, usize)> {
    let mut start = 0;
    for _ in 0..2 {
        let rest = bytes.get(start..)?;
        let end = rest.iter().position(|b| matches!(b, b'\n' | b'\r')).unwrap_or(rest.len());
        let line = &rest[..end];
        let indent = line.iter().position(|b| !matches!(b, b' ' | b'\t' | b'\x0c')).unwrap_or(end);
        match line.get(indent) {
            Some(b'#') => {
                if let Some((name, at)) = coding_name(&line[indent..]) {
                    return Some((name, start + indent + at));
                }
            }
            Some(_) => return None,
            None => {}
        }
        start += end + if rest[end..].starts_with(b"\r\n") { 2 } else { 1 };
    }
    None
}

/// `coding[:=][ \t]*([-\w.]+)` in a comment, first match.
fn coding_name(comment: &[u8]) -> Option<(String, usize)> {
    const WORD: &[u8] = b"coding";
    memchr::memmem::find_iter(comment, WORD).find_map(|at| {
        let after = at + WORD.len();
        if !matches!(comment.get(after), Some(b':' | b'=')) {
            return None;
        }
        let blank = comment[after + 1..].iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
        let start = after + 1 + blank;
        let in_name = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        let name: String = comment[start..].iter().copied().take_while(in_name).map(char::from).collect();
        (!name.is_empty()).then_some((name, start))
    })
}

/// How many bytes of `body` come before the first that `encoding` cannot read.
fn first_undecodable(encoding: &'static encoding_rs::Encoding, body: &[u8]) -> usize {
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let mut sink = String::with_capacity(decoder.max_utf8_buffer_length_without_replacement(body.len()).unwrap_or(body.len()));
    match decoder.decode_to_string_without_replacement(body, &mut sink, true) {
        (encoding_rs::DecoderResult::Malformed(length, after), read) => read - usize::from(length) - usize::from(after),
        (_, read) => read.min(body.len()),
    }
}

/// An error at byte `at` of `bytes`. Columns count the characters before it; a byte that is no UTF-8 counts as one.
fn error_at(bytes: &[u8], at: usize, message: &str) -> EncodingError {
    let text = String::from_utf8_lossy(&bytes[..at.min(bytes.len())]);
    EncodingError { location: end_of(&text), message: message.to_owned() }
}

/// An error at the character at offset `at` of `text`, which `encoding` cannot store.
fn unstorable(text: &str, at: usize, encoding: &str) -> EncodingError {
    let what = text[at..].chars().next().unwrap_or('\u{fffd}');
    EncodingError { location: end_of(&text[..at]), message: format!("the file is {encoding}, which cannot hold the character {what:?}") }
}

/// The place just after `text`.
fn end_of(text: &str) -> Location {
    let ends = text.as_bytes().iter().zip(text.as_bytes().iter().skip(1).map(Some).chain([None]));
    let row = 1 + ends.filter(|&(&b, next)| b == b'\n' || (b == b'\r' && next != Some(&b'\n'))).count();
    let last = text.rfind(['\n', '\r']).map_or(text, |at| &text[at + 1..]);
    Location { row, column: last.chars().count() + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoding_of(bytes: &[u8]) -> Encoding {
        let (text, encoding) = decode(bytes).expect("decodes");
        assert_eq!(*encoding.encode(&text).expect("encodes"), *bytes);
        encoding
    }

    fn place_of_error(bytes: &[u8]) -> (usize, usize) {
        let error = decode(bytes).expect_err("does not decode");
        (error.location.row, error.location.column)
    }

    #[test]
    fn files_without_a_coding_line_are_utf8() {
        assert_eq!(encoding_of("x = 'é'\r\n".as_bytes()), Encoding::Utf8);
        assert_eq!(encoding_of(b""), Encoding::Utf8);
        assert_eq!(encoding_of(b"x = 1\n# coding: latin-1\n"), Encoding::Utf8, "a coding line after code is a comment");
        assert_eq!(encoding_of(b"\n\n# coding: latin-1\n"), Encoding::Utf8, "and so is one in the third line");
        assert_eq!(place_of_error(b"a = 1\r\nb = '\xc3\xa9\xff'\n"), (2, 7));
    }

    #[test]
    fn a_mark_is_taken_off_and_put_back() {
        let bytes = b"\xef\xbb\xbfx = 1\n";
        let (text, encoding) = decode(bytes).expect("decodes");
        assert_eq!((&*text, encoding), ("x = 1\n", Encoding::Utf8Mark));
        assert_eq!(*encoding.encode(&text).expect("encodes"), *bytes);
        assert_eq!(encoding_of(b"\xef\xbb\xbf# coding: utf-8\n"), Encoding::Utf8Mark);
        assert_eq!(place_of_error(b"\xef\xbb\xbf# coding: latin-1\n"), (1, 11));
    }

    #[test]
    fn coding_lines_are_read_as_python_reads_them() {
        for line in [
            "# -*- coding: latin-1 -*-",
            "# vim: set fileencoding=iso_8859_1 :",
            "\x0c #coding:Latin_1",
            "#!/bin/x\r# coding=l1",
            "\n#coding: iso-8859-1-unix",
        ] {
            let bytes = [line.as_bytes(), b"\nx = '\xe9\x80'\n"].concat();
            let (text, encoding) = decode(&bytes).expect("decodes");
            assert_eq!(encoding, Encoding::Latin1, "{line}");
            assert!(text.contains("é\u{80}"), "latin-1 is not windows-1252");
        }
        assert_eq!(encoding_of(b"# coding: utf-8-unix\n"), Encoding::Utf8);
        assert_eq!(encoding_of(b"# coding : latin-1\n"), Encoding::Utf8, "no blank is allowed there");
    }

    #[test]
    fn other_encodings_keep_every_byte() {
        for (name, bytes) in [("cp1252", &b"\x80\x81\xff"[..]), ("koi8_r", b"\xc1\xc2"), ("shift_jis", b"\x83\x65"), ("euc_jp", b"\xa5\xc6")] {
            let bytes = [b"# coding: ", name.as_bytes(), b"\nx = '", bytes, b"'\n"].concat();
            assert!(matches!(encoding_of(&bytes), Encoding::Other(_)), "{name}");
        }
        assert_eq!(place_of_error(b"# coding: shift_jis\nx = '\x83\n'"), (2, 6));
    }

    #[test]
    fn what_cannot_be_kept_is_an_error() {
        assert_eq!(place_of_error(b"# coding: klingon\n"), (1, 11));
        assert_eq!(place_of_error(b"# coding: utf-16\n"), (1, 11));
        assert_eq!(place_of_error(b"# coding: ascii\n\xe9"), (2, 1));
        let error = Encoding::Latin1.encode("a\nb€").expect_err("latin-1 has no euro sign");
        assert_eq!((error.location.row, error.location.column), (2, 2));
        assert!(Encoding::Ascii.encode("é").is_err());
    }
}
