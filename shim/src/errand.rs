//! What happens in a fork of the zygote: a container, or one more process in it, is made ready and made.
//!
//! The fork prepares the guest while it can still see modules and artifacts, lets libcontainer make the process, which is a fork of this one and has
//! the guest in its memory, and leaves that process to the shim. It mounts the root file system itself, and takes it away again when
//! nothing comes of it.

use crate::background::{self, Later};
use crate::bundle::{ROOTFS, read_spec};
use crate::cgroup::{Begun, Cgroup};
use crate::command_line;
use crate::complaints;
use crate::container::KEPT;
use crate::failure::with_causes;
use crate::making::Making;
use crate::oci::{
    Annotations, AotMode, Config, DEFAULT_PATH, FIND_PROGRAM, Program, ProgramKind, Request, Rootfs, Translated,
    Variables, split_export, translate,
};
use crate::precheck::{self, behind_init};
use crate::quirks;
use crate::stdio::ProcessEnds;
use libcontainer::container::builder::ContainerBuilder;
use libcontainer::syscall::syscall::SyscallType;
use libcontainer::workload::{Executor, ExecutorError, ExecutorSetEnvsError, ExecutorValidationError, default};
use oci_spec::runtime::{Process, Spec};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::ffi::CString;
use std::fs::File;
use std::io::{IoSliceMut, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::SystemTime;
use wasmrt_model::{EngineChoice, Error, ErrorKind, Result, Tier};
use wasmrt_runtime::{Contained, Custody, Parcel, Site, Terms};

/// What is asked for.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) container: String,
    pub(crate) bundle: PathBuf,
    pub(crate) engine: EngineChoice,
    pub(crate) config: Option<PathBuf>,
    pub(crate) terminal: bool,
    /// Whether the program comes with the order, because no file of the container's is one.
    pub(crate) program: bool,
    pub(crate) kind: Kind,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Kind {
    /// The container, with its first process, which waits to be started.
    Init { mounts: Vec<RootfsMount> },
    /// One more process in it, which starts at once.
    Exec { process: Box<Process>, file: PathBuf, init: u32 },
}

/// One of the mounts that make the root file system.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RootfsMount {
    pub(crate) kind: String,
    pub(crate) source: String,
    pub(crate) options: Vec<String>,
}

/// What came of it.
#[derive(Debug, Serialize, Deserialize)]
struct Delivered {
    pid: i32,
    /// None for a program of the kernel's.
    guest: Option<Terms>,
    terminal: bool,
    /// What is to be compiled beside it.
    later: Option<Later>,
}

/// A process that was made, as the shim gets it.
#[derive(Debug)]
pub(crate) struct NewProcess {
    pub(crate) pid: i32,
    pub(crate) custody: Option<Custody>,
    pub(crate) terminal: Option<OwnedFd>,
    /// What is to be compiled beside it, and its module.
    pub(crate) later: Option<(Later, OwnedFd)>,
}

impl Order {
    /// # Errors
    /// `Internal` when it cannot be written down.
    pub(crate) fn parcel(&self, streams: Option<ProcessEnds>) -> Result<Parcel> {
        let bytes = serde_json::to_vec(self)
            .map_err(|source| Error::new(ErrorKind::Internal, "an order cannot be written down").with_source(source))?;
        Ok(Parcel { bytes, descriptors: streams.into_iter().flatten().collect() })
    }

    /// The same again, after it could not be done, with a program for it.
    ///
    /// # Errors
    /// As [`parcel`](Self::parcel).
    pub(crate) fn parcel_with(&mut self, program: OwnedFd, before: Parcel) -> Result<Parcel> {
        self.program = true;
        let Parcel { bytes, .. } = self.parcel(None)?;
        let mut descriptors = before.descriptors;
        descriptors.push(program);
        Ok(Parcel { bytes, descriptors })
    }

    /// What the process calls its program, and whether the container's first process calls its so.
    ///
    /// # Errors
    /// When the container's configuration cannot be read.
    pub(crate) fn program_name(&self) -> Result<(String, bool)> {
        let spec = read_spec(&self.bundle)?;
        let first = |process: Option<&Process>| {
            let args = process.and_then(|process| process.args().as_deref()).unwrap_or_default();
            behind_init(args).unwrap_or(args).first().cloned().unwrap_or_default()
        };
        let own = first(spec.process().as_ref());
        let name = match &self.kind {
            Kind::Init { .. } => own.clone(),
            Kind::Exec { process, .. } => first(Some(process.as_ref())),
        };
        let is_own = split_export(&name).0 == split_export(&own).0;
        Ok((name, is_own))
    }
}

impl NewProcess {
    /// # Errors
    /// `Internal` when it cannot be read.
    pub(crate) fn read(parcel: Parcel) -> Result<Self> {
        let Delivered { pid, guest, terminal, later } = serde_json::from_slice(&parcel.bytes)
            .map_err(|source| Error::new(ErrorKind::Internal, "an answer makes no sense").with_source(source))?;
        let mut descriptors = parcel.descriptors.into_iter();
        let mut next =
            || descriptors.next().ok_or_else(|| Error::new(ErrorKind::Internal, "an answer has too few descriptors"));
        let custody = match guest {
            Some(terms) => Some(Custody::passed_on(terms, [next()?, next()?])),
            None => None,
        };
        let terminal = if terminal { Some(next()?) } else { None };
        let later = match later {
            Some(later) => Some((later, next()?)),
            None => None,
        };
        Ok(Self { pid, custody, terminal, later })
    }
}

/// Whether an order could not be done because no file of the container's is its program.
pub(crate) fn misses_its_program(error: &Error) -> bool {
    error.kind() == ErrorKind::NotFound && error.operation() == FIND_PROGRAM
}

/// Does what is asked for, in a process that is there for nothing else.
///
/// # Errors
/// Whatever keeps the process from being made.
pub(crate) fn carry_out(site: &dyn Site, parcel: Parcel) -> Result<Parcel> {
    // libcontainer names sockets by chance, and forks of one process would have the same.
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    fastrand::seed(u64::from(std::process::id()) << 32 ^ u64::from(now.subsec_nanos()));
    let order: Order = serde_json::from_slice(&parcel.bytes)
        .map_err(|source| Error::new(ErrorKind::Internal, "an order makes no sense").with_source(source))?;
    let _making = Making::begin(&order.bundle)?;
    let mut descriptors = parcel.descriptors;
    let program = if order.program { descriptors.pop().map(File::from) } else { None };
    let mut streams = descriptors.into_iter();
    let streams = match (streams.next(), streams.next(), streams.next()) {
        (Some(stdin), Some(stdout), Some(stderr)) => Some([stdin, stdout, stderr]),
        _ => None,
    };
    let rootfs = order.bundle.join(ROOTFS);
    let Kind::Init { mounts } = &order.kind else { return make(site, &order, program, streams) };
    for mount in mounts {
        if let Err(error) = mount_one(mount, &rootfs) {
            unmount(&rootfs);
            return Err(error);
        }
    }
    let made = make(site, &order, program, streams);
    if made.is_err() && !mounts.is_empty() {
        unmount(&rootfs);
    }
    made
}

fn mount_one(mount: &RootfsMount, rootfs: &Path) -> Result<()> {
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let (kind, source) = (given(&mount.kind), given(&mount.source));
    if !rootfs.exists() {
        std::fs::create_dir_all(rootfs).map_err(|source| {
            Error::io("cannot make a place for the root file system", source).with_context("path", rootfs.display())
        })?;
    }
    containerd_shim::mount::mount_rootfs(kind.as_deref(), source.as_deref(), &mount.options, rootfs)
        .map_err(|error| with_causes("cannot mount the root file system", &error))
}

/// Takes away what is mounted there, however often.
pub(crate) fn unmount(rootfs: &Path) {
    use rustix::mount::{UnmountFlags, unmount};
    while unmount(rootfs, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW).is_ok() {}
}

fn make(site: &dyn Site, order: &Order, program: Option<File>, streams: Option<ProcessEnds>) -> Result<Parcel> {
    let spec = read_spec(&order.bundle)?;
    let process = match &order.kind {
        Kind::Exec { process, .. } => process.as_ref(),
        Kind::Init { .. } => {
            let process = spec.process().as_ref();
            process
                .ok_or_else(|| Error::new(ErrorKind::InvalidInput, "the container's configuration has no process"))?
        }
    };
    precheck::check(&spec, process)?;
    let bare = process.args().as_deref().and_then(behind_init).map(|args| {
        let mut bare = process.clone();
        bare.set_args(Some(args.to_vec()));
        bare
    });
    // What is no guest is started as it was asked for.
    let wanted = bare.as_ref().unwrap_or(process);
    let config = Config::load(order.config.as_deref())?;
    let rootfs = match &order.kind {
        Kind::Init { .. } => Rootfs::of_bundle(&order.bundle, &spec)?,
        Kind::Exec { init, .. } => Rootfs::of_running(&PathBuf::from(format!("/proc/{init}/root")), &spec)?,
    };
    let variables = Variables::read(process.env().as_deref().unwrap_or_default())?;
    let name = wanted.args().as_ref().and_then(|args| args.first()).map(String::as_str).unwrap_or_default();
    let must_be_wasm = match order.kind {
        Kind::Init { .. } => Annotations::must_be_wasm(spec.annotations().as_ref()),
        Kind::Exec { .. } => None,
    };
    let program = match program {
        Some(bytes) => Program::without_a_file(bytes, name)?,
        None => rootfs.find_program(name, &variables, process.cwd(), must_be_wasm.as_deref())?,
    };
    let mut background = None;
    let guest = match program.kind {
        ProgramKind::Linux => None,
        ProgramKind::Wasm => {
            // Those of a pod reach its sidecars, too, which have nothing to do with them.
            let annotations = Annotations::read(spec.annotations().as_ref())?;
            let request = Request {
                spec: &spec,
                process: wanted,
                rootfs: &rootfs,
                annotations: &annotations,
                export: program.export.as_deref(),
                engine: order.engine,
                config: &config,
            };
            let Translated { spec: mut run, ceiling, aot, enable_wasi, .. } = translate(request)?;
            let bytes = read(program.file)?;
            let (contained, custody) = if site.answers_requests(&bytes) {
                let server = annotations.requests.server(&variables, &mut run)?;
                site.contain_server(&bytes, &run, &ceiling, server)?
            } else {
                site.contain(&bytes, &run, &ceiling)?
            };
            if !enable_wasi && contained.imports_wasi() {
                return Err(Error::new(
                    ErrorKind::Denied,
                    "the module imports WASI, and the config has enable_wasi = false",
                )
                .with_hint("set enable_wasi, or build the module without WASI"));
            }
            let name = program.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let terms = custody.terms();
            if aot == AotMode::Background && terms.tier() == Tier::Interpreter {
                let later = Later::of(terms.engine(), &run, ceiling, (order.engine, order.config.clone()));
                background = Some((later, background::in_memory(&bytes)?));
            }
            Some((GuestExecutor { guest: Rc::new(contained), name }, custody))
        }
    };
    let (guest, custody) = guest.map_or((None, None), |(guest, custody)| (Some(guest), Some(custody)));
    let (later, module) = background.map_or((None, None), |(later, module)| (Some(later), Some(module)));
    let mut begun = None;
    if let Kind::Init { .. } = order.kind {
        rootfs.make_directory(process.cwd())?;
        quirks::without_control_groups(&spec, &order.bundle)?;
        begun = Cgroup::of(&spec, &order.container).begin(&spec, &order.bundle)?;
    }
    if guest.is_some() {
        // Where it cannot be shown the guest runs all the same.
        let _ = command_line::show(wanted.args().as_deref().unwrap_or_default());
    }
    let console = if order.terminal { Some(Console::new()?) } else { None };
    let pid = build(order, guest, streams, console.as_ref())?;
    begun.map_or(Ok(()), Begun::leave)?;
    let terminal = console.map(|console| console.receive()).transpose()?;
    let guest = custody.as_ref().map(|custody| custody.terms().clone());
    let delivered = Delivered { pid, guest, terminal: terminal.is_some(), later };
    let bytes = serde_json::to_vec(&delivered)
        .map_err(|source| Error::new(ErrorKind::Internal, "an answer cannot be written down").with_source(source))?;
    let mut descriptors = Vec::new();
    if let Some(custody) = &custody {
        for descriptor in custody.descriptors() {
            descriptors
                .push(descriptor.try_clone_to_owned().map_err(|source| Error::io("cannot pass a guest on", source))?);
        }
    }
    descriptors.extend(terminal);
    descriptors.extend(module);
    Ok(Parcel { bytes, descriptors })
}

/// Has libcontainer make the process.
fn build(
    order: &Order,
    guest: Option<GuestExecutor>,
    streams: Option<ProcessEnds>,
    console: Option<&Console>,
) -> Result<i32> {
    complaints::gather()?;
    let failed = |error: libcontainer::error::LibcontainerError| {
        let error = with_causes("cannot make the container's process", &error);
        match complaints::first() {
            Some(why) => Error::new(error.kind(), format!("{}: {why}", error.message())),
            None => error,
        }
    };
    let mut builder = ContainerBuilder::new(order.container.clone(), SyscallType::default())
        .with_root_path(order.bundle.join(KEPT))
        .map_err(failed)?
        .with_console_socket(console.map(Console::path));
    builder = match guest {
        Some(guest) => builder.with_executor(guest),
        None => builder.with_executor(ProgramExecutor),
    };
    if let Some([stdin, stdout, stderr]) = streams {
        builder = builder.with_stdin(stdin).with_stdout(stdout).with_stderr(stderr);
    }
    let builder = builder.validate_id().map_err(failed)?;
    match &order.kind {
        Kind::Init { .. } => {
            let container =
                builder.as_init(&order.bundle).with_systemd(false).with_detach(true).build().map_err(failed)?;
            let pid = container.pid().map(|pid| pid.as_raw());
            pid.ok_or_else(|| Error::new(ErrorKind::Internal, "the container was made without a process"))
        }
        Kind::Exec { file, .. } => {
            let pid = builder.as_tenant().with_detach(true).with_process(Some(file)).build().map_err(failed)?;
            Ok(pid.as_raw())
        }
    }
}

fn read(mut file: File) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(|source| Error::io("cannot read the module", source))?;
    Ok(bytes)
}

/// Becomes the guest where other containers become a program.
#[derive(Clone)]
struct GuestExecutor {
    guest: Rc<Contained>,
    /// What lists of processes show.
    name: String,
}

impl Executor for GuestExecutor {
    fn exec(&self, _: &Spec) -> Result<(), ExecutorError> {
        if let Ok(name) = CString::new(self.name.as_str()) {
            // A name that is too long is cut.
            let _ = rustix::thread::set_name(&name);
        }
        complaints::stop();
        self.guest.enter()
    }

    fn validate(&self, _: &Spec) -> Result<(), ExecutorValidationError> {
        Ok(())
    }

    /// A guest's environment is the guest's: this process has none.
    fn setup_envs(&self, _: HashMap<String, String>) -> Result<(), ExecutorSetEnvsError> {
        Ok(())
    }
}

/// Becomes a program of the kernel's. Where nobody says where programs are, they are where they usually are.
#[derive(Clone)]
struct ProgramExecutor;

impl Executor for ProgramExecutor {
    fn exec(&self, spec: &Spec) -> Result<(), ExecutorError> {
        default::get_executor().exec(spec)
    }

    fn validate(&self, spec: &Spec) -> Result<(), ExecutorValidationError> {
        let mut spec = spec.clone();
        if let Some(process) = spec.process_mut() {
            let mut variables = process.env().clone().unwrap_or_default();
            if !variables.iter().any(|variable| variable.starts_with("PATH=")) {
                variables.push(format!("PATH={DEFAULT_PATH}"));
                process.set_env(Some(variables));
            }
        }
        default::get_executor().validate(&spec)
    }

    fn setup_envs(&self, envs: HashMap<String, String>) -> Result<(), ExecutorSetEnvsError> {
        default::get_executor().setup_envs(envs)
    }
}

/// Where the process sends our end of its terminal.
struct Console {
    directory: tempfile::TempDir,
    listener: UnixListener,
}

impl Console {
    fn new() -> Result<Self> {
        let failed = |source| Error::io("cannot prepare the container's terminal", source);
        let directory = tempfile::Builder::new().prefix("wasmrt-").tempdir_in("/run").map_err(failed)?;
        let listener = UnixListener::bind(directory.path().join("console")).map_err(failed)?;
        Ok(Self { directory, listener })
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("console")
    }

    /// It has been sent, since the process is there.
    fn receive(self) -> Result<OwnedFd> {
        let failed = |source| Error::io("cannot take over the container's terminal", source);
        self.listener.set_nonblocking(true).map_err(failed)?;
        let (connection, _) = self.listener.accept().map_err(failed)?;
        let mut bytes = [0; 256];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        rustix::net::recvmsg(
            connection.as_fd(),
            &mut [IoSliceMut::new(&mut bytes)],
            &mut control,
            RecvFlags::CMSG_CLOEXEC,
        )
        .map_err(|errno| failed(errno.into()))?;
        let terminal = control.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
            _ => None,
        });
        terminal.ok_or_else(|| failed(std::io::ErrorKind::UnexpectedEof.into()))
    }
}
