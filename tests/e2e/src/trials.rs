//! Trials with names: `runtime::question`. What the machine lacks makes one ignored, or a failure when it is required.

use crate::containerd::{Runtime, find_program, find_shim};
use crate::machine::Machine;
use crate::{Result, image, world};
use libtest_mimic::{Failed, Trial};
use std::path::Path;

/// Names, separated by commas, of what must not be lacking: `containerd`, `docker`, `cri`, `systemd`, `shim`, `guests`.
pub const REQUIRE_VARIABLE: &str = "WASMRT_REQUIRE";

/// A question: what is asked of a machine, and under which runtimes.
#[derive(Debug, Clone, Copy)]
pub struct Question {
    /// Its name.
    pub name: &'static str,
    /// The runtimes.
    pub runtimes: &'static [Runtime],
    /// The question.
    pub ask: fn(&Machine) -> Result<()>,
}

/// What everybody can do, runc included: so the harness itself is asked.
pub const ALL: &[Runtime] = &[Runtime::Runc, Runtime::WasmEdge, Runtime::Wasmtime];
/// What only WebAssembly has.
pub const WASM: &[Runtime] = &[Runtime::WasmEdge, Runtime::Wasmtime];
/// Where the shim chooses the engine too.
pub const CHOOSING: &[Runtime] = &[Runtime::WasmEdge, Runtime::Wasmtime, Runtime::Wasm];

/// The questions as trials. Each gets a machine of its own and ends with the assertion that nothing is left.
#[must_use]
pub fn trials(questions: &[Question], make: fn(Runtime) -> Result<Machine>, also: Option<Lacking>) -> Vec<Trial> {
    trials_in("", questions, make, also)
}

/// As [`trials`], in a setting with a name, which ends with `::`.
#[must_use]
pub fn trials_in(
    setting: &str,
    questions: &[Question],
    make: fn(Runtime) -> Result<Machine>,
    also: Option<Lacking>,
) -> Vec<Trial> {
    let containerd = lacks_containerd().or(also);
    let pairs = questions.iter().flat_map(|question| question.runtimes.iter().map(move |runtime| (question, *runtime)));
    let trials = pairs.map(|(question, runtime)| {
        let name = format!("{}::{setting}{}", runtime.name(), question.name);
        let lacking = containerd.clone().or_else(|| if runtime.is_wasm() { lacks_shim() } else { None });
        let ask = question.ask;
        trial(name, lacking, move || {
            let once = || {
                let machine = make(runtime)?;
                let asked = ask(&machine).and_then(|()| machine.is_clean());
                asked.map_err(|complaint| format!("{complaint}\n{}", machine.containerd.log_tail()))
            };
            // containerd's client lets go of streams that it is still opening when a container has ended: of runc's containers that end at once, one of
            // about 160 on a busy machine says nothing. Our shim tells of an end when what was written has been read, and is asked once.
            if runtime.is_wasm() { once() } else { once().or_else(|_| once()).or_else(|_| once()) }
        })
    });
    trials.collect()
}

/// These questions where systemd makes control groups. It removes a group with its last process, and what runc would have read there of an end for want
/// of memory, if it is fast; so runc is not asked.
#[must_use]
pub fn with_systemd(questions: &[Question]) -> Vec<Question> {
    let asked = questions.iter().map(|question| match question.name {
        "limits::out_of_memory" => Question { runtimes: WASM, ..*question },
        _ => *question,
    });
    asked.collect()
}

/// What a machine lacks.
#[derive(Debug, Clone)]
pub struct Lacking {
    /// Its name, as [`REQUIRE_VARIABLE`] has it.
    pub name: &'static str,
    /// How that was found out.
    pub why: String,
}

/// A trial; what the machine lacks makes it ignored, or a failure when it is required.
pub fn trial(name: String, lacking: Option<Lacking>, run: impl FnOnce() -> Result<()> + Send + 'static) -> Trial {
    match lacking {
        None => Trial::test(name, move || run().map_err(Failed::from)),
        Some(lacking) if is_required(lacking.name) => {
            let complaint = format!("{} is required here and lacking: {}", lacking.name, lacking.why);
            Trial::test(name, move || Err(complaint.into()))
        }
        Some(_) => Trial::test(name, move || run().map_err(Failed::from)).with_ignored_flag(true),
    }
}

fn is_required(name: &str) -> bool {
    std::env::var(REQUIRE_VARIABLE).is_ok_and(|names| names.split(',').any(|required| required.trim() == name))
}

/// What is missing for a private containerd.
#[must_use]
pub fn lacks_containerd() -> Option<Lacking> {
    let programs = ["containerd", "ctr", "runc", "nsenter", "unshare", "ip", "busybox"];
    let missing = programs.iter().find_map(|program| find_program(program).err());
    missing.or_else(world::impossible).map(|why| Lacking { name: "containerd", why })
}

/// What is missing for a private dockerd.
#[must_use]
pub fn lacks_docker() -> Option<Lacking> {
    let programs = ["dockerd", "docker", "docker-proxy", "iptables", "curl"];
    let missing = programs.iter().find_map(|program| find_program(program).err());
    let plugin = Path::new("/usr/libexec/docker/cli-plugins/docker-buildx");
    let missing = missing.or_else(|| (!plugin.is_file()).then(|| format!("{} is not installed", plugin.display())));
    missing.map(|why| Lacking { name: "docker", why })
}

/// What is missing for control groups that systemd makes.
#[must_use]
pub fn lacks_systemd() -> Option<Lacking> {
    world::impossible_with_systemd().map(|why| Lacking { name: "systemd", why })
}

/// What is missing for pods.
#[must_use]
pub fn lacks_cri() -> Option<Lacking> {
    let plugins = ["bridge", "host-local", "loopback", "portmap"];
    let missing = plugins.iter().map(|name| Path::new("/usr/lib/cni").join(name)).find(|path| !path.is_file());
    let missing = missing.map(|path| format!("{} is not installed", path.display()));
    let missing = missing.or_else(|| ["iptables", "curl"].iter().find_map(|program| find_program(program).err()));
    missing.map(|why| Lacking { name: "cri", why })
}

/// What is missing for containers of the shim.
#[must_use]
pub fn lacks_shim() -> Option<Lacking> {
    if let Err(why) = find_shim() {
        return Some(Lacking { name: "shim", why });
    }
    let guests = image::guests();
    let why = format!("there is no {}: run tests/guests/build, or set WASMRT_GUESTS", guests.display());
    if guests.is_dir() { None } else { Some(Lacking { name: "guests", why }) }
}
