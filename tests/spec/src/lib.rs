//! The WebAssembly specification suite, through the guard, on every engine.
//!
//! Each file of the suite is run on each engine and tier several times: with modules as they are, and with modules that went
//! through the guard. What holds raw has to hold through the guard; what does not hold raw, although the backend claims the
//! features for it, needs a reason in `exclusions.toml`, and so does every difference. Metered, it has to use the same fuel
//! everywhere. The suite runs below the sandbox: modules import from each other there, which guests cannot.
//!
//! - [`suite`]: the files; [`script`]: a file as steps; [`value`]: arguments, results and whether they match
//! - [`tier`]: engines and tiers; [`world`]: linked instances on each of them
//! - [`passage`]: ways through the guard; [`run`]: a script on a world in a passage
//! - [`verdict`]: runs compared; [`exclusions`]: expected failures
//! - [`child`]: a file in a process of its own; [`trials`]: all of it as trials with names

pub mod child;
pub mod exclusions;
pub mod passage;
pub mod run;
pub mod script;
pub mod suite;
pub mod tier;
pub mod trials;
pub mod value;
pub mod verdict;
pub mod world;

/// What is wrong, as a sentence for whoever reads the test's output.
pub type Complaint = String;

/// The result of everything in the harness that can fail.
pub type Result<T, E = Complaint> = std::result::Result<T, E>;
