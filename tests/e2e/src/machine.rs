//! A world with a containerd in it, and containers.

use crate::command::{self, Output, Running};
use crate::containerd::{Containerd, Runtime, WITHOUT_CRI, client, ctr};
use crate::image::{ArtifactLayer, Image};
use crate::leaks::Snapshot;
use crate::program::Program;
use crate::world::{Process, World};
use crate::{Result, failed};
use std::cell::{Cell, RefCell};
use std::process::{Command, Stdio};
use std::time::Duration;

/// A world with a containerd in it.
#[derive(Debug)]
pub struct Machine {
    /// Where it runs.
    pub world: World,
    /// What it runs.
    pub containerd: Containerd,
    /// What containers run under.
    pub runtime: Runtime,
    before: RefCell<Snapshot>,
    daemons: RefCell<Vec<u32>>,
    images: Cell<u32>,
}

impl Machine {
    /// Makes one.
    ///
    /// # Errors
    /// What did not come up.
    pub fn new(runtime: Runtime) -> Result<Self> {
        Self::in_world(World::new()?, runtime, WITHOUT_CRI)
    }

    /// Makes one whose first process is systemd, which makes the control groups of containers.
    ///
    /// # Errors
    /// What did not come up.
    pub fn with_systemd(runtime: Runtime) -> Result<Self> {
        Self::in_world(World::with_systemd()?, runtime, WITHOUT_CRI)
    }

    /// Makes one of a world, with a containerd that has these plug-ins.
    ///
    /// # Errors
    /// What did not come up.
    pub fn in_world(world: World, runtime: Runtime, plugins: &str) -> Result<Self> {
        let containerd = Containerd::start(&world, plugins)?;
        let before = Snapshot::of(&world, &[containerd.pid()])?;
        let (before, daemons) = (RefCell::new(before), RefCell::default());
        Ok(Self { world, containerd, runtime, before, daemons, images: Cell::new(0) })
    }

    /// Runs `ctr` to its end.
    ///
    /// # Errors
    /// When it does not end in time.
    pub fn ctr(&self, args: &[&str]) -> Result<Output> {
        ctr(&self.world, args)
    }

    /// Imports an image.
    ///
    /// # Errors
    /// What `ctr` said.
    pub fn import(&self, image: &Image) -> Result<()> {
        let file = image.write(self.world.directory())?;
        let file = file.to_str().ok_or("the world's directory has a name that is no text")?;
        self.ctr(&["image", "import", "--platform", &image.platform(), file])?.success().map(drop)
    }

    /// Imports programs as an OCI artifact, under this image's name.
    ///
    /// # Errors
    /// What `ctr` said.
    pub fn import_artifact(&self, image: &Image, layers: Vec<ArtifactLayer>) -> Result<()> {
        let file = image.write_artifact(self.world.directory(), layers)?;
        let file = file.to_str().ok_or("the world's directory has a name that is no text")?;
        self.ctr(&["image", "import", "--platform", &image.platform(), file])?.success().map(drop)
    }

    /// Imports an image that can do these things; its name.
    ///
    /// # Errors
    /// What `ctr` said, or a guest that is not built.
    pub fn image(&self, programs: &[Program]) -> Result<String> {
        self.image_with(programs, Ok)
    }

    /// As [`image`](Self::image), with more in it.
    ///
    /// # Errors
    /// What `ctr` said, or a guest that is not built.
    pub fn image_with(&self, programs: &[Program], more: impl FnOnce(Image) -> Result<Image>) -> Result<String> {
        let image = more(self.unimported(programs)?)?;
        self.import(&image)?;
        Ok(image.name().to_owned())
    }

    /// An image that can do these things, which is nowhere yet.
    ///
    /// # Errors
    /// A guest that is not built.
    pub fn unimported(&self, programs: &[Program]) -> Result<Image> {
        self.unimported_of(self.runtime.platform(), programs)
    }

    /// As [`unimported`](Self::unimported), of another platform.
    ///
    /// # Errors
    /// A guest that is not built.
    pub fn unimported_of(&self, platform: &str, programs: &[Program]) -> Result<Image> {
        let number = self.images.get();
        self.images.set(number + 1);
        let image = Image::new(&format!("localhost/tools{number}:latest"), platform);
        programs.iter().try_fold(image, |image, program| program.add_to(image, self.runtime.is_wasm()))
    }

    /// A container that does this, out of an image made for it.
    ///
    /// # Errors
    /// As [`image`](Self::image).
    pub fn container(&self, id: &str, program: &Program) -> Result<Container<'_>> {
        let image = self.image(std::slice::from_ref(program))?;
        Ok(self.container_of(id, &image, program))
    }

    /// A container that does this, out of an image that can.
    #[must_use]
    pub fn container_of(&self, id: &str, image: &str, program: &Program) -> Container<'_> {
        Container {
            machine: self,
            id: id.to_owned(),
            image: image.to_owned(),
            platform: self.runtime.platform().to_owned(),
            argv: program.argv(self.runtime.is_wasm()),
            flags: Vec::new(),
        }
    }

    /// The number of a task's first process.
    ///
    /// # Errors
    /// When there is no such task.
    pub fn pid_of(&self, id: &str) -> Result<u32> {
        let listed = self.ctr(&["task", "ls"])?.success()?;
        let line = listed.stdout.lines().find(|line| line.split_whitespace().next() == Some(id));
        let pid = line.and_then(|line| line.split_whitespace().nth(1)).and_then(|pid| pid.parse().ok());
        pid.ok_or_else(|| format!("no task {id}\n{listed}"))
    }

    /// The processes of shims.
    ///
    /// # Errors
    /// When the world is no more.
    pub fn shims(&self) -> Result<Vec<Process>> {
        let mut processes = self.world.processes()?;
        processes.retain(is_called_shim);
        let numbers: Vec<u32> = processes.iter().map(|process| process.pid).collect();
        // What a shim forks keeps its name.
        processes.retain(|process| !numbers.contains(&process.parent));
        Ok(processes)
    }

    /// The processes that shims of ours have containers made by.
    ///
    /// # Errors
    /// When the world is no more.
    pub fn zygotes(&self) -> Result<Vec<u32>> {
        let shims: Vec<u32> = self.shims()?.iter().map(|shim| shim.pid).collect();
        let mut processes = self.world.processes()?;
        processes.retain(|process| shims.contains(&process.parent) && is_called_shim(process));
        Ok(processes.iter().map(|process| process.pid).collect())
    }

    /// The processes below these.
    ///
    /// # Errors
    /// When the world is no more.
    pub fn below(&self, roots: &[u32]) -> Result<Vec<u32>> {
        let all = self.world.processes()?;
        let mut found: Vec<u32> = roots.to_vec();
        let mut next = 0;
        while let Some(parent) = found.get(next).copied() {
            found.extend(all.iter().filter(|process| process.parent == parent).map(|process| process.pid));
            next += 1;
        }
        Ok(found.split_off(roots.len()))
    }

    /// Waits until a task has this state, as `ctr` words it: `RUNNING`, `STOPPED`, `PAUSED`.
    ///
    /// # Errors
    /// The state that it has instead.
    pub fn wait_for_state(&self, id: &str, state: &str) -> Result<()> {
        crate::eventually(Duration::from_secs(20), || {
            let listed = self.ctr(&["task", "ls"])?.success()?;
            let found = listed.stdout.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
            let is = found.into_iter().any(|words| words.first() == Some(&id) && words.get(2) == Some(&state));
            if is { Ok(()) } else { Err(format!("{id} is not {state}\n{listed}")) }
        })
    }

    /// Ends a task and removes what is left of its container.
    ///
    /// # Errors
    /// What `ctr` said.
    pub fn remove(&self, id: &str) -> Result<()> {
        // A task that has ended, or never was, is as good.
        let killed = self.ctr(&["task", "kill", "--signal", "SIGKILL", id])?;
        let deleted = self.ctr(&["task", "delete", "--force", id])?;
        let removed = self.ctr(&["container", "delete", id])?;
        removed.success().map(drop).map_err(|complaint| format!("{killed}\n{deleted}\n{complaint}"))
    }

    /// Asserts that nothing is left of what ran here.
    ///
    /// # Errors
    /// What is left.
    pub fn is_clean(&self) -> Result<()> {
        let tasks = self.ctr(&["task", "ls", "--quiet"])?.success()?;
        let containers = self.ctr(&["container", "ls", "--quiet"])?.success()?;
        for left in [tasks, containers] {
            if !left.stdout.trim().is_empty() {
                return Err(format!("left behind:\n{left}"));
            }
        }
        if self.world.has_systemd {
            self.has_no_scopes()?;
        }
        // A shim of runc's that was killed leaves its socket.
        let tolerated = if self.runtime.is_wasm() { "" } else { "socket /run/containerd/s/" };
        self.before.borrow().nothing_since(&self.world, &self.daemons(), tolerated)
    }

    /// Asserts that systemd knows of no group of a container's any more.
    fn has_no_scopes(&self) -> Result<()> {
        crate::eventually(Duration::from_secs(15), || {
            let listed = ["list-units", "--all", "--plain", "--no-legend", "--type=scope"];
            let listed = command::run(self.world.systemctl(&listed))?.success()?;
            let left: Vec<_> = listed.stdout.lines().filter(|line| !line.starts_with("init.scope ")).collect();
            if left.is_empty() { Ok(()) } else { Err(format!("left behind:\n{}", left.join("\n"))) }
        })
    }

    /// Lets daemons be, and takes what there is now as what was there before.
    ///
    /// # Errors
    /// When the world is no more.
    pub fn adopt(&self, daemons: &[u32]) -> Result<()> {
        self.daemons.borrow_mut().extend(daemons);
        *self.before.borrow_mut() = Snapshot::of(&self.world, &self.daemons())?;
        Ok(())
    }

    fn daemons(&self) -> Vec<u32> {
        let mut daemons = self.daemons.borrow().clone();
        daemons.push(self.containerd.pid());
        daemons
    }
}

/// What a shim forks keeps its name, too.
fn is_called_shim(process: &Process) -> bool {
    process.command.split(' ').next().is_some_and(|name| name.contains("containerd-shim-"))
}

/// Writes the shim's configuration of a machine.
///
/// # Errors
/// What the machine refused.
pub fn write_settings(machine: &Machine, text: &str) -> Result<()> {
    let directory = machine.world.path("/etc/wasmrt");
    std::fs::create_dir_all(&directory).map_err(failed(directory.display()))?;
    std::fs::write(directory.join("config.toml"), text).map_err(failed(directory.display()))
}

/// A container to be run.
#[derive(Debug, Clone)]
pub struct Container<'m> {
    machine: &'m Machine,
    id: String,
    image: String,
    platform: String,
    argv: Vec<String>,
    flags: Vec<String>,
}

impl Container<'_> {
    /// Adds flags of `ctr run`.
    #[must_use]
    pub fn with(mut self, flags: &[&str]) -> Self {
        self.flags.extend(flags.iter().map(|flag| (*flag).to_owned()));
        self
    }

    /// Takes the image of another platform.
    #[must_use]
    pub fn on(mut self, platform: &str) -> Self {
        platform.clone_into(&mut self.platform);
        self
    }

    /// Replaces the arguments.
    #[must_use]
    pub fn doing(mut self, argv: &[&str]) -> Self {
        self.argv = argv.iter().map(|arg| (*arg).to_owned()).collect();
        self
    }

    /// The command: `ctr run`, with these flags before all others.
    #[must_use]
    pub fn command(&self, flags: &[&str]) -> Command {
        let machine = self.machine;
        let mut command = client(&machine.world, &["run"]);
        command.args(flags).args(["--runtime", machine.runtime.handler(), "--platform", &self.platform]);
        if machine.world.has_systemd && !self.flags.iter().any(|flag| flag == "--cgroup") {
            command.args(["--cgroup", &format!("system.slice:e2e:{}", self.id)]);
        }
        if machine.world.has_systemd && !machine.runtime.is_wasm() {
            // Its client asks this for runc alone, and the shim looks at the path.
            command.arg("--runc-systemd-cgroup");
        }
        command.args(&self.flags).arg(&self.image).arg(&self.id).args(&self.argv);
        command
    }

    /// Runs it to its end and removes it.
    ///
    /// # Errors
    /// When it does not end in time.
    pub fn run(&self) -> Result<Output> {
        command::run(self.command(&["--rm"]))
    }

    /// Runs it to its end, fed with this text, and removes it.
    ///
    /// # Errors
    /// When it does not end in time.
    pub fn feed(&self, input: &str) -> Result<Output> {
        let mut running = Running::start(self.command(&["--rm"]), Stdio::piped())?;
        running.write(input)?;
        // The client forgets an end of its input that comes before the task is there.
        self.machine.wait_for_state(&self.id, "RUNNING").map_err(|error| format!("{error}\n{}", running.stdout()))?;
        running.close_input();
        running.finish()
    }

    /// Runs it in the foreground, to be removed at its end; returns when it has printed this text.
    ///
    /// # Errors
    /// What it printed instead.
    pub fn start(&self, heard: &str) -> Result<Running> {
        let running = Running::start(self.command(&["--rm"]), Stdio::piped())?;
        running.wait_for(heard).map_err(failed(&self.id))?;
        Ok(running)
    }

    /// Runs it in the background; it stays when it has ended.
    ///
    /// # Errors
    /// What `ctr` said.
    pub fn detach(&self) -> Result<()> {
        command::run(self.command(&["--detach"]))?.success().map(drop)
    }
}
