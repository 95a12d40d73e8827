//! The figures of this machine: where they are kept, and what of them is told.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use etcetera::BaseStrategy;

use crate::batch;
use crate::finding::TransformId;
use crate::profile::Profile;

use super::args::SettingsArgs;
use super::complain;
use super::select::Transforms;

/// Where the figures are kept: `MLXFIX_PROFILE`, or `mlxfix/profile.json` in the folder that the platform has for the data of programs. Nowhere if the
/// variable is empty.
pub(super) fn place() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("MLXFIX_PROFILE") {
        return Some(PathBuf::from(named)).filter(|path| !path.as_os_str().is_empty());
    }
    Some(etcetera::choose_base_strategy().ok()?.data_dir().join("mlxfix").join("profile.json"))
}

/// The figures in the file at `path`; nothing if there is no such file.
pub(super) fn read(path: &Path) -> Result<Option<Profile>> {
    match batch::small_file(path) {
        Ok(bytes) => Profile::read(&bytes).map(Some).map_err(|why| anyhow!("{} {why}", path.display())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// The figures of this user, unless `settings` ask for none. What is wrong with the file is told, and stops nothing.
pub(super) fn of_user(settings: &SettingsArgs) -> Option<Profile> {
    let path = place().filter(|_| !settings.isolated)?;
    read(&path).unwrap_or_else(|why| {
        complain(&format!("warning: {why:#}; the figures that mlxfix ships are shown\n"));
        None
    })
}

/// What was measured of each of `transforms`, as findings quote it.
pub(super) fn gains(profile: Option<&Profile>, transforms: &Transforms) -> BTreeMap<TransformId, String> {
    let Some(profile) = profile else { return BTreeMap::new() };
    transforms.all().filter_map(|(id, text)| Some((TransformId::from(id), profile.of(id, text)?.gain()))).collect()
}
