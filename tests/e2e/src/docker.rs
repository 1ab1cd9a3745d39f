//! A private dockerd that uses the machine's containerd, its image store included.

use crate::command::{self, Output, Running};
use crate::image::{ArtifactLayer, Image};
use crate::machine::Machine;
use crate::program::Program;
use crate::{Result, failed};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

/// A dockerd.
#[derive(Debug)]
pub struct Docker<'m> {
    machine: &'m Machine,
    pid: u32,
    log: PathBuf,
}

impl<'m> Docker<'m> {
    /// Starts one beside a machine's containerd.
    ///
    /// # Errors
    /// When it does not come up: its log.
    pub fn start(machine: &'m Machine) -> Result<Self> {
        let directory = machine.world.directory();
        let config = directory.join("dockerd.json");
        let settings = json!({
            "features": { "containerd-snapshotter": true },
            "containerd": "/run/containerd/containerd.sock",
            "data-root": directory.join("docker"),
            "exec-root": "/run/docker",
            "pidfile": "/run/docker.pid",
            "hosts": ["unix:///run/docker.sock"],
            "log-level": "warn",
        });
        std::fs::write(&config, settings.to_string()).map_err(failed(config.display()))?;
        let config = config.display().to_string();
        let log = directory.join("dockerd.log");
        let pid = machine.world.start(&["dockerd", "--config-file", &config], &[], &log)?;
        let docker = Self { machine, pid, log };
        let up = crate::eventually(Duration::from_secs(30), || docker.run(&["version"])?.success());
        up.map_err(|complaint| format!("dockerd does not come up: {complaint}\n{}", docker.log()))?;
        machine.adopt(&[pid])?;
        Ok(docker)
    }

    /// What it logged.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The machine that it is on.
    #[must_use]
    pub fn machine(&self) -> &'m Machine {
        self.machine
    }

    /// The client `docker`.
    #[must_use]
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = self.machine.world.command("/usr/bin/docker");
        command.args(["--host", "unix:///run/docker.sock"]).args(args);
        command
    }

    /// Runs the client to its end.
    ///
    /// # Errors
    /// When it does not end in time.
    pub fn run(&self, args: &[&str]) -> Result<Output> {
        command::run(self.command(args))
    }

    /// Loads an image.
    ///
    /// # Errors
    /// What the client said.
    pub fn load(&self, image: &Image) -> Result<()> {
        let file = image.write(self.machine.world.directory())?;
        let file = file.to_str().ok_or("the world's directory has a name that is no text")?;
        self.run(&["load", "--input", file])?.success().map(drop)
    }

    /// Loads programs as an OCI artifact, under this image's name.
    ///
    /// # Errors
    /// What the client said.
    pub fn load_artifact(&self, image: &Image, layers: Vec<ArtifactLayer>) -> Result<()> {
        let file = image.write_artifact(self.machine.world.directory(), layers)?;
        let file = file.to_str().ok_or("the world's directory has a name that is no text")?;
        self.run(&["load", "--input", file])?.success().map(drop)
    }

    /// Loads an image that can do these things; its name.
    ///
    /// # Errors
    /// What the client said, or a guest that is not built.
    pub fn image(&self, programs: &[Program]) -> Result<String> {
        let image = self.machine.unimported(programs)?;
        self.load(&image)?;
        Ok(image.name().to_owned())
    }

    /// `docker run` with these flags, out of an image made for this.
    ///
    /// # Errors
    /// As [`image`](Self::image).
    pub fn container(&self, flags: &[&str], program: &Program) -> Result<Command> {
        let image = self.image(std::slice::from_ref(program))?;
        Ok(self.container_of(&image, flags, program))
    }

    /// `docker run` with these flags, out of an image that can do this.
    #[must_use]
    pub fn container_of(&self, image: &str, flags: &[&str], program: &Program) -> Command {
        let runtime = self.machine.runtime;
        let mut command =
            self.command(&["run", "--runtime", runtime.handler(), "--platform", runtime.platform(), "--pull", "never"]);
        command.args(flags).arg(image).args(program.argv(runtime.is_wasm()));
        command
    }

    /// Starts a container in the background and waits until its log has this line.
    ///
    /// # Errors
    /// What was said instead.
    pub fn start_container(&self, name: &str, flags: &[&str], program: &Program, heard: &str) -> Result<()> {
        let mut all = vec!["--detach", "--name", name];
        all.extend_from_slice(flags);
        command::run(self.container(&all, program)?)?.success()?;
        crate::eventually(Duration::from_secs(20), || self.run(&["logs", name])?.success()?.says(heard)).map(drop)
    }

    /// What docker knows of a container.
    ///
    /// # Errors
    /// When it knows nothing.
    pub fn inspect(&self, name: &str) -> Result<Value> {
        let shown = self.run(&["inspect", name])?.success()?;
        let values: Value = serde_json::from_str(&shown.stdout).map_err(|error| format!("{error}\n{shown}"))?;
        Ok(values[0].clone())
    }

    /// Ends and removes a container.
    ///
    /// # Errors
    /// What the client said.
    pub fn remove(&self, name: &str) -> Result<()> {
        self.run(&["rm", "--force", "--volumes", name])?.success().map(drop)
    }

    /// Starts the client with a pipe as its input.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn open(&self, command: Command) -> Result<Running> {
        Running::start(command, Stdio::piped())
    }

    /// Asserts that no container is left, and with them nothing else.
    ///
    /// # Errors
    /// What is left.
    pub fn is_clean(&self) -> Result<()> {
        let left = self.run(&["ps", "--all"])?.success()?;
        if left.stdout.lines().count() > 1 {
            return Err(format!("left behind:\n{left}"));
        }
        self.machine.is_clean()
    }
}

impl Drop for Docker<'_> {
    fn drop(&mut self) {
        // Its world would end it as well, but then it would have no time to put its things in order.
        let _ = self.machine.world.kill(self.pid, Signal::TERM);
    }
}
