//! Paths in a diff, quoted as git quotes them, so that `git apply` and `patch` find the file again whatever its name holds.

use std::path::Path;

/// The name `side/path` (`side` is `a` or `b`) as it stands in a `diff --git` line.
pub(super) fn in_header(side: &str, path: &Path) -> Vec<u8> {
    let mut name = side.as_bytes().to_vec();
    name.push(b'/');
    name.extend(slashed(path));
    if name.iter().copied().any(needs_quotes) { quoted(&name) } else { name }
}

/// The same as it stands after `---` and `+++`, where a name with a blank is followed by a tab, or it would end at the blank.
pub(super) fn in_file_line(side: &str, path: &Path) -> Vec<u8> {
    let mut name = in_header(side, path);
    if !name.starts_with(b"\"") && name.contains(&b' ') {
        name.push(b'\t');
    }
    name
}

fn slashed(path: &Path) -> Vec<u8> {
    let bytes = path.as_os_str().as_encoded_bytes();
    bytes.iter().map(|&b| if cfg!(windows) && b == b'\\' { b'/' } else { b }).collect()
}

fn needs_quotes(byte: u8) -> bool {
    !(0x20..0x7f).contains(&byte) || byte == b'"' || byte == b'\\'
}

/// `name` in double quotes, with the escapes of C.
fn quoted(name: &[u8]) -> Vec<u8> {
    let mut result = vec![b'"'];
    for &byte in name {
        match byte {
            b'"' | b'\\' => result.extend([b'\\', byte]),
            0x07 => result.extend(b"\\a"),
            0x08 => result.extend(b"\\b"),
            b'\t' => result.extend(b"\\t"),
            b'\n' => result.extend(b"\\n"),
            0x0b => result.extend(b"\\v"),
            0x0c => result.extend(b"\\f"),
            b'\r' => result.extend(b"\\r"),
            _ if needs_quotes(byte) => result.extend(format!("\\{byte:03o}").bytes()),
            _ => result.push(byte),
        }
    }
    result.push(b'"');
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_odd_names_are_quoted() {
        let line = |name: &str| String::from_utf8(in_file_line("a", Path::new(name))).expect("quoted names are ASCII");
        assert_eq!(line("x/y.py"), "a/x/y.py");
        assert_eq!(line("x y.py"), "a/x y.py\t");
        assert_eq!(line("é\"\t.py"), r#""a/\303\251\"\t.py""#);
    }
}
