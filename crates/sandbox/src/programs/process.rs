//! A program that runs for as long as this process does.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::{LONGEST, ProgramError, log};

/// Runs a program, and kills it when standard input is closed: by us, or by the system because we are gone in whatever
/// way. Ends when the program does.
const RUN: &str = r#"
exec 3<&0
"$@" </dev/null 3<&- &
program=$!
{ read -r _ <&3; kill -KILL "$program"; } &
waiting=$!
exec 3<&-
wait "$program"
kill -KILL "$waiting"
"#;

/// How much of a log an error shows, in lines.
const LOG_LINES: usize = 30;

/// A running program. It is killed when this is dropped, and when this process ends, however that happens.
#[derive(Debug)]
pub(super) struct Process {
    name: String,
    log: PathBuf,
    shell: Mutex<Child>,
}

impl Process {
    /// Starts a program whose output goes to `NAME.log` in the folder, behind what is there.
    pub(super) fn start<A: AsRef<OsStr>>(
        name: &str,
        program: &Path,
        arguments: impl IntoIterator<Item = A>,
        environment: &[(&str, &str)],
        folder: &Path,
    ) -> Result<Self, ProgramError> {
        let log = folder.join(format!("{name}.log"));
        let open = || File::options().create(true).append(true).open(&log);
        let output = open().and_then(|file| Ok((file.try_clone()?, file)));
        let (output, errors) = output.map_err(ProgramError::io(format!("{} can't be written", log.display())))?;
        let shell = Command::new("/bin/sh")
            .args(["-c", RUN, "sh"])
            .arg(program)
            .args(arguments)
            .envs(environment.iter().copied())
            .current_dir(folder)
            // Ctrl-C at the terminal is for this process, whose end the shell notices.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .map_err(ProgramError::io("a shell can't be started"))?;
        Ok(Self { name: name.to_owned(), log, shell: Mutex::new(shell) })
    }

    /// An error if it has ended by itself.
    pub(super) fn check(&self) -> Result<(), ProgramError> {
        let mut shell = self.shell.lock().unwrap_or_else(PoisonError::into_inner);
        match shell.try_wait() {
            Ok(None) => Ok(()),
            _ => Err(ProgramError::Ended { program: self.name.clone(), log: self.end_of_log() }),
        }
    }

    /// Waits until the check says that the program serves.
    pub(super) async fn wait_until<F: Future<Output = bool>>(
        &self,
        mut serves: impl FnMut() -> F,
    ) -> Result<(), ProgramError> {
        let waiting = async {
            while !serves().await {
                self.check()?;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Ok(())
        };
        tokio::time::timeout(LONGEST, waiting)
            .await
            .unwrap_or_else(|_| Err(ProgramError::NotReady { program: self.name.clone(), log: self.end_of_log() }))
    }

    fn end_of_log(&self) -> String {
        log::end(&self.log, LOG_LINES)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let shell = self.shell.get_mut().unwrap_or_else(PoisonError::into_inner);
        drop(shell.stdin.take());
        let _ = shell.wait();
    }
}
