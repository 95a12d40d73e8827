//! The arguments as users write them; ruff's names wherever it has one. What they mean together is decided in `check`.

use std::num::NonZero;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::batch::Allowed;
use crate::platform::{Target, Version};

/// Makes MLX code fast: finds slow computations in Python that uses mlx and shows, or writes, the fast form.
#[derive(Parser, Debug)]
#[command(version, args_conflicts_with_subcommands = true, after_help = AFTER)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    #[command(flatten)]
    pub(super) check: CheckArgs,
}

const AFTER: &str = "\
Without --write nothing is changed: the diff goes to standard output, the summary to standard error.
A file or folder named like a command is reached as ./NAME.

Exit codes: 0 nothing left to report; 1 findings remain, a diff was shown, or a file could not be read or parsed;
2 bad usage, an internal error, an edit that was run and differs, or a file that could not be written or has
uncommitted changes.";

/// What `--rule` means to the commands that run what rule files say.
const EXECUTED: &str = "Add the rule in this Python file, which is executed (repeatable)";

#[derive(Subcommand, Debug)]
pub(super) enum Command {
    /// Show what would be changed, or with --write change it (the same as without a command)
    Check(CheckArgs),
    /// Say what a transform does and why
    #[command(visible_alias = "rule")]
    Explain {
        /// The transform, as `mlxfix list` names it
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        id: Option<String>,
        /// Say it of every transform, in the order in which they run
        #[arg(long)]
        all: bool,
        /// How it is shown
        #[arg(long, value_name = "FORMAT", default_value = "text")]
        output_format: RecordFormat,
        #[command(flatten)]
        settings: SettingsArgs,
    },
    /// List the transforms, in the order in which they run
    List {
        /// How they are shown; the records hold all that `explain` says
        #[arg(long, value_name = "FORMAT", default_value = "text")]
        output_format: RecordFormat,
        #[command(flatten)]
        settings: SettingsArgs,
    },
    /// Run each proposed edit under MLX: the code of its site, before and after, on arrays that fit it. The file itself is never executed
    Verify(CheckArgs),
    /// Run transforms under MLX, before and after, and compare both with float64. This executes the rules, those of the configuration too
    #[command(mut_arg("rule", |rule| rule.help(EXECUTED)))]
    Prove(ProveArgs),
    /// Measure transforms, before and after, on this machine; findings then quote its figures. This executes the rules, those of the configuration too
    #[command(mut_arg("rule", |rule| rule.help(EXECUTED)))]
    Bench(BenchArgs),
    /// Print the value graph of a file, or of one function of it
    Graph {
        /// A file, or FILE:FUNCTION
        place: String,
    },
    /// Say what is known of the dtypes of a file's named values, and what makes float32 of half precision
    Dtypes {
        /// A file, or FILE:FUNCTION
        place: String,
        /// How they are shown
        #[arg(long, value_name = "FORMAT", default_value = "text")]
        output_format: RecordFormat,
    },
    /// Say where a transform nearly applies, and what stands in its way
    Why {
        /// A file, or FILE:LINE
        place: String,
        /// Only these transforms (comma-separated, repeatable)
        #[arg(long, value_name = "ID", value_delimiter = ',')]
        select: Vec<String>,
        #[command(flatten)]
        settings: SettingsArgs,
        #[command(flatten)]
        platform: PlatformArgs,
        /// How reasons are shown
        #[arg(long, value_name = "FORMAT", default_value = "text")]
        output_format: RecordFormat,
    },
}

#[derive(Args, Debug)]
pub(super) struct ProveArgs {
    /// The transforms, as `mlxfix list` names them [default: all]
    pub(super) ids: Vec<String>,
    #[command(flatten)]
    pub(super) settings: SettingsArgs,
    #[command(flatten)]
    pub(super) python: PythonArgs,
    /// How many run at the same time [default: one for each core]
    #[arg(short, long, value_name = "N")]
    pub(super) jobs: Option<NonZero<usize>>,
    /// How the result is shown
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(super) output_format: ProofFormat,
}

#[derive(Args, Debug)]
pub(super) struct BenchArgs {
    /// The transforms, as `mlxfix list` names them [default: all]
    pub(super) ids: Vec<String>,
    #[command(flatten)]
    pub(super) settings: SettingsArgs,
    #[command(flatten)]
    pub(super) python: PythonArgs,
    /// How long each size is measured in each dtype
    #[arg(long, value_name = "SECONDS", default_value = "1")]
    pub(super) seconds: f64,
    /// The file that takes the figures [default: $MLXFIX_PROFILE, or mlxfix/profile.json in the user's folder for data]
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// How the result is shown
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(super) output_format: ProofFormat,
}

/// Where MLX is, and how long it may take.
#[derive(Args, Debug)]
pub(super) struct PythonArgs {
    /// A Python that has mlx and numpy [default: $MLXFIX_PYTHON, the active virtual environment, or python3]
    #[arg(long, value_name = "PROGRAM")]
    pub(super) python: Option<PathBuf>,
    /// After how many seconds a transform or a site is given up [default: 600 for a transform, 60 for a site]
    #[arg(long, value_name = "SECONDS")]
    pub(super) timeout: Option<NonZero<u64>>,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ProofFormat {
    /// A table, and each counterexample
    Text,
    /// All that was seen
    Json,
}

/// What commands know besides the catalog and the code.
#[derive(Args, Debug)]
pub(super) struct SettingsArgs {
    /// Add the rule in this Python file, which is read and not executed (repeatable)
    #[arg(long, value_name = "FILE")]
    pub(super) rule: Vec<PathBuf>,
    /// Take the configuration from this file [default: the closest mlxfix.toml or pyproject.toml above each file]
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Read no configuration
    #[arg(long, conflicts_with = "config")]
    pub(super) isolated: bool,
}

/// What the code will run on.
#[derive(Args, Debug)]
pub(super) struct PlatformArgs {
    /// The backend that the code is for: metal, cuda or cpu. What was measured to be slower there is not proposed [default: metal]
    #[arg(long, value_name = "BACKEND")]
    pub(super) target: Option<Target>,
    /// The oldest MLX that must run the code; nothing newer is brought in [default: what the project depends on]
    #[arg(long, value_name = "VERSION")]
    pub(super) mlx_version: Option<Version>,
}

#[derive(Args, Debug)]
pub(super) struct CheckArgs {
    /// Files and folders; `-` for standard input
    #[arg(default_value = ".")]
    pub(super) paths: Vec<PathBuf>,
    /// Write the changes into the files
    #[arg(long, visible_alias = "fix")]
    pub(super) write: bool,
    /// Also write files with changes that are not committed
    #[arg(long)]
    pub(super) allow_dirty: bool,
    /// Also write files with changes that are staged, if no others
    #[arg(long)]
    pub(super) allow_staged: bool,
    /// Also write files of which git cannot tell whether they have changes
    #[arg(long)]
    pub(super) allow_no_vcs: bool,
    /// Also apply edits that keep a half-precision model in half precision
    #[arg(long)]
    pub(super) narrow: bool,
    /// Do not, whatever the configuration says
    #[arg(long, overrides_with = "narrow")]
    pub(super) no_narrow: bool,
    /// Apply all edits, those that rest on an assumption too
    #[arg(long = "unsafe", visible_alias = "unsafe-fixes")]
    pub(super) unsafe_: bool,
    /// Do not, whatever the configuration says
    #[arg(long, visible_alias = "no-unsafe-fixes", overrides_with = "unsafe_")]
    pub(super) no_unsafe: bool,
    /// Of the edits that may be applied, apply only those that keep every bit of the results
    #[arg(long)]
    pub(super) exact: bool,
    /// Of the edits that may be applied, apply only those that hold where the code of their site is run under MLX
    #[arg(long)]
    pub(super) verify: bool,
    #[command(flatten)]
    pub(super) python: PythonArgs,
    /// Run only these transforms (comma-separated, repeatable)
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub(super) select: Vec<String>,
    /// Run these too, besides those that the configuration selects (comma-separated, repeatable)
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub(super) extend_select: Vec<String>,
    /// Leave these transforms out (comma-separated, repeatable)
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub(super) ignore: Vec<String>,
    #[command(flatten)]
    pub(super) settings: SettingsArgs,
    #[command(flatten)]
    pub(super) platform: PlatformArgs,
    /// How many threads work [default: one for each core]
    #[arg(short, long, value_name = "N")]
    pub(super) jobs: Option<NonZero<usize>>,
    /// How findings are shown [default: diff]
    #[arg(long, value_name = "FORMAT")]
    pub(super) output_format: Option<OutputFormat>,
    /// Write what would go to standard output into this file
    #[arg(short, long, value_name = "FILE")]
    pub(super) output_file: Option<PathBuf>,
    /// Leave out what matches these patterns, written as in .gitignore (comma-separated, repeatable), beside build, dist, .venv, site-packages and the like
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    pub(super) exclude: Vec<String>,
    /// Also look at files that .gitignore leaves out
    #[arg(long)]
    pub(super) no_respect_gitignore: bool,
    /// The name to report for standard input
    #[arg(long, value_name = "NAME")]
    pub(super) stdin_filename: Option<PathBuf>,
    /// Exit with 0 even if there are findings (never hides exit code 2)
    #[arg(short, long)]
    pub(super) exit_zero: bool,
    /// Print no summary
    #[arg(short, long, conflicts_with = "verbose")]
    pub(super) quiet: bool,
    /// Print nothing at all; only the exit code speaks
    #[arg(short, long, conflicts_with_all = ["verbose", "quiet"])]
    pub(super) silent: bool,
    /// Say more about the run itself
    #[arg(short, long)]
    pub(super) verbose: bool,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum RecordFormat {
    /// For people
    Text,
    /// An array of records
    Json,
    /// The same, one object a line
    JsonLines,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum OutputFormat {
    /// A unified diff with the reasons before each file; `git apply` and `patch` take it
    Diff,
    /// An array of findings, in the shape of ruff's
    Json,
    /// The same, one object a line
    JsonLines,
}

impl CheckArgs {
    /// Which files may be written although version control does not hold what is in them.
    pub(super) fn allowed(&self) -> Allowed {
        Allowed { dirty: self.allow_dirty, staged: self.allow_staged, no_vcs: self.allow_no_vcs }
    }
}
