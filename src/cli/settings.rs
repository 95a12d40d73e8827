//! What the arguments and a configuration say together: the arguments have the last word.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Error, Result, anyhow};
use clap::ValueEnum;

use crate::batch::{Configuration, Configurations, Lookup};
use crate::config::{Config, Word};
use crate::engine::Options;
use crate::finding::Applicability;
use crate::platform::{Platform, Version};
use crate::profile::Profile;

use super::args::{CheckArgs, OutputFormat, PlatformArgs, SettingsArgs};
use super::profile;
use super::select::{Selector, Transforms};

impl SettingsArgs {
    /// Where configuration comes from in this run.
    pub(super) fn configurations(&self) -> Arc<Configurations> {
        let lookup = match &self.config {
            Some(path) => Lookup::Only(path.clone()),
            None if self.isolated => Lookup::Isolated,
            None => Lookup::Closest,
        };
        Arc::new(Configurations::new(lookup))
    }

    /// The transforms of files that `configuration` governs.
    pub(super) fn transforms(&self, configuration: Option<&Configuration>) -> Result<Transforms> {
        let named = configuration.map(|c| &c.rules[..]).unwrap_or_default();
        Transforms::with_rules(named.iter().chain(&self.rule))
    }

    /// The transforms that commands without a file speak of.
    pub(super) fn transforms_here(&self) -> Result<Transforms> {
        let configuration = self.configurations().of_here().map_err(Error::msg)?;
        self.transforms(configuration.as_deref())
    }
}

/// The configuration that governs `file`, or without one the current directory.
pub(super) fn governing(configurations: &Configurations, file: Option<&Path>) -> Result<Option<Arc<Configuration>>> {
    match file.and_then(folder_of) {
        Some(folder) => configurations.of(&folder).map_err(Error::msg),
        None => configurations.of_here().map_err(Error::msg),
    }
}

/// The oldest MLX that the project of `file` admits, as far as it says so.
pub(super) fn project_mlx(configurations: &Configurations, file: Option<&Path>) -> Option<Version> {
    configurations.oldest_mlx_of(&file.and_then(folder_of)?)
}

/// The full name of the folder of `file`, which need not be there yet: an editor may name one that was never written.
fn folder_of(file: &Path) -> Option<PathBuf> {
    let full = file.canonicalize().or_else(|_| std::path::absolute(file)).ok()?;
    full.parent().map(Path::to_path_buf)
}

impl PlatformArgs {
    /// What the code will run on, by the arguments, else the configuration, else its project.
    pub(super) fn over(&self, config: &Config, project_mlx: Option<Version>) -> Platform {
        let mlx = self.mlx_version.clone().or_else(|| config.mlx_version.clone()).or(project_mlx);
        Platform { target: self.target.or(config.target).unwrap_or_default(), mlx, is_single: false }
    }
}

impl CheckArgs {
    /// What to look for in files that `configuration` governs.
    pub(super) fn options(&self, configuration: Option<&Configuration>, project_mlx: Option<Version>, figures: Option<&Profile>) -> Result<Options> {
        let nothing = Config::default();
        let config = configuration.map_or(&nothing, |c| &c.config);
        let said = |selectors: &[String]| selectors.iter().map(|text| Selector { text: text.clone(), place: None }).collect::<Vec<_>>();
        let written =
            |words: &[Word]| words.iter().map(|word| Selector { text: word.text.clone(), place: Some(word.place.clone()) }).collect::<Vec<_>>();
        // Who selects by hand selects from everything.
        let (mut select, mut ignore) = match &config.select {
            _ if !self.select.is_empty() => (Some(said(&self.select)), Vec::new()),
            select => (select.as_deref().map(written), config.ignore.as_deref().map(written).unwrap_or_default()),
        };
        let mut more = if self.select.is_empty() { written(&config.extend_select) } else { Vec::new() };
        more.extend(said(&self.extend_select));
        ignore.extend(said(&self.ignore));
        let transforms = self.settings.transforms(configuration)?;
        // Without a selection everything is selected, and there is no more; but a word that names nothing is wrong all the same.
        transforms.check(&more)?;
        if let Some(select) = &mut select {
            select.extend(more);
        }
        let options = transforms.options(select.as_deref(), &ignore, self.admit(config))?;
        let measured = profile::gains(figures, &transforms);
        Ok(Options { exact: self.exact, platform: self.platform.over(config, project_mlx), measured, ..options })
    }

    /// The least trusted edit that may be applied: the same with and without `--write`, so that what was shown is what is written.
    fn admit(&self, config: &Config) -> Applicability {
        let unsafe_ = self.unsafe_ || !self.no_unsafe && config.unsafe_ == Some(true);
        let narrow = self.narrow || !self.no_narrow && config.narrow == Some(true);
        match (unsafe_, narrow) {
            (true, _) => Applicability::Unsafe,
            (false, true) => Applicability::Narrowing,
            (false, false) => Applicability::Safe,
        }
    }

    /// How findings are shown, where `configuration` governs the run.
    pub(super) fn format(&self, configuration: Option<&Configuration>) -> Result<OutputFormat> {
        let word = configuration.and_then(|c| c.config.output_format.as_ref());
        match (self.output_format, word) {
            (Some(format), _) => Ok(format),
            (None, None) => Ok(OutputFormat::Diff),
            (None, Some(word)) => OutputFormat::from_str(&word.text, false).map_err(|_| {
                let known: Vec<String> =
                    OutputFormat::value_variants().iter().filter_map(|f| Some(f.to_possible_value()?.get_name().to_owned())).collect();
                anyhow!("{}: there is no output format {:?}; there are {}", word.place, word.text, known.join(", "))
            }),
        }
    }

    /// Whether `.gitignore` counts, where `configuration` governs the run.
    pub(super) fn respects_gitignore(&self, configuration: Option<&Configuration>) -> bool {
        !self.no_respect_gitignore && configuration.is_none_or(|c| c.config.respect_gitignore != Some(false))
    }
}
