//! Replaces a file so that, whenever the process or the machine dies, the file is whole: old or new. The new bytes go to a temporary file beside it, which is
//! then renamed over it. A kill can leave `.mlxfix-*.tmp` behind, which nothing reads. Hard links are parted, as by every tool that renames.

use std::fs::{self, File, Metadata};
use std::io::{self, Write};
use std::path::Path;

use tempfile::NamedTempFile;

use super::read;

/// Make the file at `path` hold `new`, if it still holds `old`. Symbolic links are followed, the mode and if possible the owner are kept. On an error the
/// file is as it was; the message says what stood in the way.
pub fn replace(path: &Path, old: &[u8], new: &[u8]) -> Result<(), String> {
    let target = path.canonicalize().map_err(|e| format!("cannot be found: {e}"))?;
    let metadata = fs::metadata(&target).map_err(|e| format!("cannot be examined: {e}"))?;
    if !metadata.is_file() {
        return Err("is not a regular file".to_owned());
    }
    // A rename would succeed, but whoever took the permission away meant the file to stay as it is.
    if metadata.permissions().readonly() {
        return Err("is read-only".to_owned());
    }
    let directory = target.parent().ok_or("has no directory")?;
    let temporary = filled(directory, &metadata, new).map_err(|e| format!("cannot write a temporary file in {}: {e}", directory.display()))?;
    let now = read::whole(&target).map_err(|e| format!("cannot be read again: {e}"))?;
    if now != old {
        return Err("changed since it was read, so it was not overwritten; run again".to_owned());
    }
    temporary.persist(&target).map_err(|e| format!("cannot be replaced: {}", e.error))?;
    sync_directory(directory).map_err(|e| format!("was replaced, but the directory could not be flushed to disk: {e}"))
}

/// Make the file at `path` hold `bytes`, whole at any moment, and the folders above it where they are missing.
pub fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(directory)?;
    let mut temporary = tempfile::Builder::new().prefix(".mlxfix-").suffix(".tmp").tempfile_in(directory)?;
    temporary.write_all(bytes)?;
    temporary.as_file().sync_all()?;
    temporary.persist(path).map_err(|e| e.error)?;
    sync_directory(directory)
}

/// A file for the report of a run.
pub fn output_file(path: &Path) -> io::Result<File> {
    File::create(path)
}

/// A temporary file in `directory` that holds `bytes`, on disk, with the mode and owner of the file it will replace.
fn filled(directory: &Path, metadata: &Metadata, bytes: &[u8]) -> io::Result<NamedTempFile> {
    let mut temporary = tempfile::Builder::new().prefix(".mlxfix-").suffix(".tmp").tempfile_in(directory)?;
    temporary.write_all(bytes)?;
    keep_owner(temporary.as_file(), metadata);
    // After the owner, for changing that clears some bits of the mode.
    temporary.as_file().set_permissions(metadata.permissions())?;
    temporary.as_file().sync_all()?;
    Ok(temporary)
}

/// Give `file` the owner that `metadata` tells. Only root may give files away, so a refusal is expected: then the file belongs to who runs us, as with any
/// editor that saves by renaming.
#[cfg(unix)]
fn keep_owner(file: &File, metadata: &Metadata) {
    use std::os::unix::fs::{MetadataExt, fchown};
    let Ok(own) = file.metadata() else { return };
    if own.gid() != metadata.gid() {
        let _ = fchown(file, None, Some(metadata.gid()));
    }
    if own.uid() != metadata.uid() {
        let _ = fchown(file, Some(metadata.uid()), None);
    }
}

#[cfg(not(unix))]
fn keep_owner(_: &File, _: &Metadata) {}

/// Put the rename itself on disk.
#[cfg(unix)]
fn sync_directory(directory: &Path) -> io::Result<()> {
    match File::open(directory)?.sync_all() {
        // Some file systems cannot flush a directory; the rename is atomic there all the same.
        Err(e) if matches!(e.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
        result => result,
    }
}

#[cfg(not(unix))]
fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(directory).expect("listed").map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_and_nothing_is_left_beside_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("x.py");
        fs::write(&path, "old").expect("written");
        replace(&path, b"old", b"new").expect("replaced");
        assert_eq!(fs::read(&path).expect("read"), b"new");
        assert_eq!(names(dir.path()), ["x.py"]);
    }

    #[test]
    fn a_file_that_changed_meanwhile_is_not_overwritten() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("x.py");
        fs::write(&path, "newer").expect("written");
        let error = replace(&path, b"old", b"new").expect_err("refused");
        assert!(error.contains("changed since"), "{error}");
        assert_eq!(fs::read(&path).expect("read"), b"newer");
        assert_eq!(names(dir.path()), ["x.py"]);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_modes_kept() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let dir = tempfile::tempdir().expect("a directory");
        let (path, link) = (dir.path().join("x.py"), dir.path().join("link.py"));
        fs::write(&path, "old").expect("written");
        fs::set_permissions(&path, PermissionsExt::from_mode(0o751)).expect("mode set");
        symlink("x.py", &link).expect("linked");
        replace(&link, b"old", b"new").expect("replaced");
        assert!(fs::symlink_metadata(&link).expect("exists").is_symlink());
        assert_eq!(fs::read(&path).expect("read"), b"new");
        assert_eq!(fs::metadata(&path).expect("exists").permissions().mode() & 0o777, 0o751);
    }

    #[test]
    fn a_read_only_file_is_left_alone() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("x.py");
        fs::write(&path, "old").expect("written");
        let mut permissions = fs::metadata(&path).expect("exists").permissions();
        permissions.set_readonly(true);
        fs::set_permissions(&path, permissions).expect("mode set");
        assert_eq!(replace(&path, b"old", b"new").expect_err("refused"), "is read-only");
        assert_eq!(fs::read(&path).expect("read"), b"old");
    }
}
