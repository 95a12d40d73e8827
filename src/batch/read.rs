//! Reads one file into a buffer that its worker keeps: no `fstat`, no allocation per file, no memory map, which measured fastest. Whether the file may
//! speak of MLX at all is decided here on its bytes.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use memchr::memmem::{self, Finder};

/// Files above this many bytes are not analysed, which is reported where they speak of MLX. No hand writes such files, and a
/// tree takes far more memory than its text.
pub const SIZE_LIMIT: usize = 10 << 20;

/// The bytes without which nothing in a file can concern us: every import of MLX holds them.
const MARKER: &[u8] = b"mlx";

/// Whether a file of these bytes can concern us at all.
pub fn speaks_of_mlx(bytes: &[u8]) -> bool {
    memmem::find(bytes, MARKER).is_some()
}

/// What a file holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Content<'b> {
    /// Nothing of MLX.
    Other,
    /// Bytes that speak of MLX.
    Mlx(&'b [u8]),
    /// More than [`SIZE_LIMIT`] bytes, which speak of MLX.
    TooLarge,
}

/// A buffer and a prepared search, one for each worker.
pub(super) struct Reader {
    buffer: Vec<u8>,
    finder: Finder<'static>,
}

impl Reader {
    pub(super) fn new() -> Self {
        Self { buffer: Vec::new(), finder: Finder::new(MARKER) }
    }

    /// Read the file at `path`.
    pub(super) fn read(&mut self, path: &Path) -> io::Result<Content<'_>> {
        let mut file = File::open(path)?;
        let length = self.fill(&mut file)?;
        if length <= SIZE_LIMIT {
            return Ok(if self.finder.find(&self.buffer[..length]).is_some() { Content::Mlx(&self.buffer[..length]) } else { Content::Other });
        }
        let found = self.finder.find(&self.buffer[..length]).is_some() || self.search_rest(&mut file, length)?;
        self.buffer = Vec::new();
        Ok(if found { Content::TooLarge } else { Content::Other })
    }

    /// Read up to one byte more than the limit.
    fn fill(&mut self, file: &mut File) -> io::Result<usize> {
        let mut length = 0;
        while length <= SIZE_LIMIT {
            if length == self.buffer.len() {
                self.buffer.resize((length * 2).clamp(64 << 10, SIZE_LIMIT + 1), 0);
            }
            match file.read(&mut self.buffer[length..]) {
                Ok(0) => break,
                Ok(count) => length += count,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(length)
    }

    /// Whether the marker occurs in what is left of `file`, after `length` bytes in the buffer. Each part is searched with the end of the one before.
    fn search_rest(&mut self, file: &mut File, length: usize) -> io::Result<bool> {
        let keep = MARKER.len() - 1;
        self.buffer.copy_within(length - keep..length, 0);
        loop {
            let count = match file.read(&mut self.buffer[keep..]) {
                Ok(0) => return Ok(false),
                Ok(count) => count,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(e),
            };
            if self.finder.find(&self.buffer[..keep + count]).is_some() {
                return Ok(true);
            }
            self.buffer.copy_within(count..count + keep, 0);
        }
    }
}

/// The whole of a file that a person wrote for this program; nothing that never ends, as a device.
pub fn small_file(path: &Path) -> io::Result<Vec<u8>> {
    let metadata = std::fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    if metadata.len() > SIZE_LIMIT as u64 {
        return Err(io::Error::other("too large"));
    }
    whole(path)
}

/// The whole file, for the comparison before it is replaced.
pub fn whole(path: &Path) -> io::Result<Vec<u8>> {
    std::fs::read(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content_of(bytes: &[u8]) -> &'static str {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        io::Write::write_all(&mut file, bytes).expect("written");
        match Reader::new().read(file.path()).expect("read") {
            Content::Other => "other",
            Content::Mlx(read) => {
                assert_eq!(read, bytes);
                "mlx"
            }
            Content::TooLarge => "too large",
        }
    }

    #[test]
    fn only_files_that_speak_of_mlx_are_lent_out() {
        assert_eq!(content_of(b""), "other");
        assert_eq!(content_of(b"import torch"), "other");
        assert_eq!(content_of(b"import mlx"), "mlx");
        assert_eq!(content_of(&[&b"mlx\n"[..], &vec![b'#'; 300_000]].concat()), "mlx");
    }

    #[test]
    fn a_large_file_is_searched_to_its_end() {
        let filler = vec![b'#'; 2 * SIZE_LIMIT + 2];
        assert_eq!(content_of(&filler), "other");
        assert_eq!(content_of(&[&filler[..], b"mlx"].concat()), "too large");
        // The marker lies across the border of two parts.
        for shift in 0..4 {
            assert_eq!(content_of(&[&filler[..SIZE_LIMIT - shift + 1], b"mlx", &filler[..100]].concat()), "too large");
        }
        assert_eq!(content_of(&[b"mlx", &filler[..SIZE_LIMIT - 3]].concat()), "mlx");
    }
}
