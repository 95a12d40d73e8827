//! Runs a Python program of ours in a process of its own, within limits of time and memory. The program comes on its standard input.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{self, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Makes modules of texts and runs the last.
const BOOT: &str = include_str!("boot.py");
/// What a process may allocate.
const MEMORY: u64 = 16 << 30;

/// A Python interpreter, and how long it may take.
#[derive(Clone, Debug)]
pub struct Interpreter {
    /// The program.
    pub path: PathBuf,
    /// For one job.
    pub time: Duration,
}

impl Interpreter {
    /// The answer of `main(job)` of the last of `modules`, or why there is none.
    pub(super) fn run(&self, modules: &[(&str, &str)], job: &Value) -> Result<Vec<u8>, String> {
        let mut answers = Vec::new();
        self.each(modules, job, 1, |answer| answers.push(answer))?;
        answers.pop().ok_or_else(|| "the program ended without an answer".to_owned())
    }

    /// Give `take` each answer of `main(job)` of the last of `modules`, of which there are `count`. For each there is as much time as for a job. An error says
    /// why the next one did not come.
    pub(super) fn each(&self, modules: &[(&str, &str)], job: &Value, count: usize, mut take: impl FnMut(Vec<u8>)) -> Result<(), String> {
        let seconds = self.time.as_secs().max(1) * count.max(1) as u64;
        let program = json!({ "modules": modules, "job": job, "seconds": seconds, "bytes": MEMORY }).to_string();
        let mut child = self.command().and_then(|mut c| c.spawn()).map_err(|e| format!("cannot start {}: {e}", self.path.display()))?;
        let (input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let writer = thread::spawn(move || input.map(|mut pipe| pipe.write_all(program.as_bytes())));
        let (sender, answers) = mpsc::channel();
        let reader = thread::spawn(move || {
            let lines = output.into_iter().flat_map(|pipe| BufReader::new(pipe).split(b'\n'));
            lines.map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        let errors = thread::spawn(move || drain(errors));
        let late = loop {
            match answers.recv_timeout(self.time) {
                Ok(answer) => take(answer),
                Err(mpsc::RecvTimeoutError::Disconnected) => break false,
                Err(mpsc::RecvTimeoutError::Timeout) => break true,
            }
        };
        let ended = if late { Err(self.end(&mut child)) } else { self.wait(&mut child) };
        // A process that failed early has not read everything; what it says of itself counts.
        let _ = (writer.join(), reader.join());
        let errors = errors.join().unwrap_or_default();
        match ended? {
            status if status.success() => Ok(()),
            status => {
                Err(self.complaint(&String::from_utf8_lossy(&errors)).unwrap_or_else(|| format!("{} ended with {status}", self.path.display())))
            }
        }
    }

    /// What starts the interpreter. It runs at the root of the file system: an empty or relative entry of `PYTHONPATH` would be the current directory, which may
    /// be one that somebody else has filled.
    fn command(&self) -> io::Result<Command> {
        // A name alone is looked for in `PATH`.
        let path = if self.path.components().count() > 1 { path::absolute(&self.path)? } else { self.path.clone() };
        let mut command = Command::new(path);
        command.args(["-B", "-c", BOOT]).current_dir(path::absolute("/")?);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(command)
    }

    /// Wait for the end of `child`, which has said all that it had to say, and must end in time.
    fn wait(&self, child: &mut Child) -> Result<std::process::ExitStatus, String> {
        let start = Instant::now();
        loop {
            match child.try_wait() {
                Ok(Some(status)) => return Ok(status),
                Ok(None) if start.elapsed() < self.time => thread::sleep(Duration::from_millis(10)),
                Ok(None) => return Err(self.end(child)),
                Err(e) => return Err(e.to_string()),
            }
        }
    }

    /// End `child`, which has taken too long.
    fn end(&self, child: &mut Child) -> String {
        let _ = child.kill();
        let _ = child.wait();
        format!("took more than {} s", self.time.as_secs())
    }

    /// What a traceback comes down to.
    fn complaint(&self, errors: &str) -> Option<String> {
        let last = errors.lines().rev().find(|line| !line.trim().is_empty())?.trim();
        if last.starts_with("ModuleNotFoundError") {
            return Some(format!("{}: {last}; --python or MLXFIX_PYTHON names an interpreter that has mlx and numpy", self.path.display()));
        }
        Some(last.chars().filter(|c| !c.is_control()).take(500).collect())
    }
}

fn drain(pipe: Option<impl Read>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        let _ = pipe.read_to_end(&mut bytes);
    }
    bytes
}
