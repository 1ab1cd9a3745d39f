//! Carries a script out on one engine, in one passage, and says of each directive whether it holds.

use crate::Result;
use crate::passage::{CALL_DEPTH, FUEL, Passage, Passed};
use crate::script::{Action, Script, Step, What, binary};
use crate::value::{Expected, Value};
use crate::world::{Failure, World};
use std::collections::{BTreeSet, HashMap};
use wasmparser::{Parser, Payload};
use wasmrt_guard::{Exhausted, Meters};
use wasmrt_model::{Feature, FeatureSet};

/// What came of a directive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It holds. For traps: of which kind.
    Passed(String),
    /// It does not.
    Failed(Fault),
    /// It was not carried out, for this reason.
    Skipped(&'static str),
}

/// Why a directive does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The guard does not let the module through.
    Refused(String),
    /// The engine ended it otherwise.
    Engine(Failure),
    /// A meter ran out.
    Exhausted(Exhausted),
    /// What it needs was not made by the directive in this line.
    Follows(usize),
    /// It should have been rejected, or not linked, or not returned.
    Accepted,
    /// It returned something else.
    Results(String),
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        Self::Engine(failure)
    }
}

/// What came of a script.
#[derive(Debug)]
pub struct Outcome {
    /// One for each step.
    pub verdicts: Vec<Verdict>,
    /// The fuel that each step used; nothing where it is not counted.
    pub fuel: Vec<i64>,
}

/// An instance, or the line that failed to make it.
type Slot = std::result::Result<usize, usize>;

struct Run<'a> {
    world: &'a mut dyn World,
    passage: Passage,
    features: FeatureSet,
    definitions: HashMap<Option<String>, &'a [u8]>,
    current: Slot,
    named: HashMap<&'a str, Slot>,
    registered: HashMap<&'a str, Slot>,
    meters: Vec<(usize, Meters)>,
    /// The fuel that the current step has used.
    spent: i64,
}

/// Runs every directive. Those in `skipped` lines are left out.
///
/// # Errors
/// When the harness itself cannot work.
pub fn run(
    script: &Script,
    passage: Passage,
    world: &mut dyn World,
    features: FeatureSet,
    skipped: &BTreeSet<usize>,
) -> Result<Outcome> {
    let spectest = spectest(world, features)?;
    let mut run = Run {
        world,
        passage,
        features,
        definitions: HashMap::new(),
        current: Err(0),
        named: HashMap::new(),
        registered: HashMap::from([("spectest", Ok(spectest))]),
        meters: Vec::new(),
        spent: 0,
    };
    let mut outcome = Outcome { verdicts: Vec::new(), fuel: Vec::new() };
    for step in &script.steps {
        outcome.verdicts.push(run.step(step, skipped));
        outcome.fuel.push(std::mem::take(&mut run.spent));
    }
    Ok(outcome)
}

/// The module that the suite imports from. It is the harness's own, so it does not go through the guard.
fn spectest(world: &mut dyn World, features: FeatureSet) -> Result<usize> {
    let table64 =
        if features.contains(Feature::Memory64) { r#"(table (export "table64") i64 10 20 funcref)"# } else { "" };
    let text = format!(
        r#"(module
            (global (export "global_i32") i32 (i32.const 666))
            (global (export "global_i64") i64 (i64.const 666))
            (global (export "global_f32") f32 (f32.const 666.6))
            (global (export "global_f64") f64 (f64.const 666.6))
            (table (export "table") 10 20 funcref)
            {table64}
            (memory (export "memory") 1 2)
            (func (export "print"))
            (func (export "print_i32") (param i32))
            (func (export "print_i64") (param i64))
            (func (export "print_f32") (param f32))
            (func (export "print_f64") (param f64))
            (func (export "print_i32_f32") (param i32 f32))
            (func (export "print_f64_f64") (param f64 f64)))"#
    );
    let instance = world.instantiate(&binary(&text)?, Some("spectest"), &[]);
    instance.map_err(|failure| format!("there is no spectest: {failure:?}"))
}

impl<'a> Run<'a> {
    fn step(&mut self, step: &'a Step, skipped: &BTreeSet<usize>) -> Verdict {
        let skip = skipped.contains(&step.line).then_some("the engine crashes");
        match &step.what {
            What::Nothing(reason) => Verdict::Skipped(reason),
            What::Definition(name, bytes) => {
                self.definitions.insert(name.clone(), bytes);
                self.definitions.insert(None, bytes);
                hold(self.pass(bytes).and_then(|passed| Ok(self.world.check(&passed.bytes)?)))
            }
            What::Module(name, bytes) => self.make(step, name.as_deref(), Some(bytes), skip),
            What::Instance { instance, module } => {
                let bytes = self.definitions.get(module).copied();
                self.make(step, instance.as_deref(), bytes, skip)
            }
            What::Register(alias, instance) => {
                let slot = self.slot(instance.as_deref());
                self.registered.insert(alias, slot);
                hold(slot.map_err(Fault::Follows))
            }
            _ if skip.is_some() => skip.map_or(Verdict::Passed(String::new()), Verdict::Skipped),
            What::Run(action) => hold(self.act(action)),
            What::Return(action, expected) => match self.act(action) {
                Ok(results) => compare(&results, expected),
                Err(fault) => Verdict::Failed(fault),
            },
            What::Trap(action) => match self.act(action) {
                Err(Fault::Engine(Failure::Trap(kind))) => Verdict::Passed(kind),
                other => unexpected(other),
            },
            What::Exception(action) => match self.act(action) {
                Err(Fault::Engine(Failure::Exception)) => Verdict::Passed(String::new()),
                other => unexpected(other),
            },
            What::Exhaustion(action) => {
                if self.passage != Passage::Metered && !self.world.bounds_recursion() {
                    return Verdict::Skipped("the engine does not bound recursion");
                }
                match self.act(action) {
                    Err(Fault::Exhausted(Exhausted::CallDepth) | Fault::Engine(Failure::Exhausted)) => {
                        Verdict::Passed(String::new())
                    }
                    other => unexpected(other),
                }
            }
            What::Reject(bytes) => match self.pass(bytes) {
                // The engine would reject what the guard lets through, but the guard has to know by itself.
                Ok(_) if self.passage != Passage::Raw => Verdict::Failed(Fault::Accepted),
                Ok(passed) => match self.world.check(&passed.bytes) {
                    Err(_) => Verdict::Passed(String::new()),
                    Ok(()) => Verdict::Failed(Fault::Accepted),
                },
                Err(_) => Verdict::Passed(String::new()),
            },
            What::Unlinkable(bytes) => match self.instantiate(bytes, None) {
                Err(Fault::Engine(Failure::Unlinkable(_))) => Verdict::Passed(String::new()),
                other => unexpected(other),
            },
        }
    }

    fn make(
        &mut self,
        step: &'a Step,
        name: Option<&'a str>,
        bytes: Option<&'a [u8]>,
        skip: Option<&'static str>,
    ) -> Verdict {
        let made = match (skip, bytes) {
            (Some(_), _) | (_, None) => Err(Fault::Follows(step.line)),
            (None, Some(bytes)) => self.instantiate(bytes, step.alias.as_deref()),
        };
        let slot = match &made {
            Ok(instance) => Ok(*instance),
            Err(Fault::Follows(line)) => Err(*line),
            Err(_) => Err(step.line),
        };
        self.current = slot;
        if let Some(name) = name {
            self.named.insert(name, slot);
        }
        skip.map_or_else(|| hold(made), Verdict::Skipped)
    }

    fn slot(&self, name: Option<&str>) -> Slot {
        name.map_or(self.current, |name| self.named.get(name).copied().unwrap_or(Err(0)))
    }

    fn pass(&self, bytes: &[u8]) -> Result<Passed, Fault> {
        self.passage.pass(bytes, self.features).map_err(|refusal| Fault::Refused(refusal.to_string()))
    }

    fn instantiate(&mut self, bytes: &[u8], alias: Option<&str>) -> Result<usize, Fault> {
        let passed = self.pass(bytes)?;
        let mut offers = Vec::new();
        for module in imported_modules(bytes) {
            match self.registered.get(module) {
                Some(Ok(instance)) => offers.push((module, *instance)),
                Some(Err(line)) => return Err(Fault::Follows(*line)),
                None => {}
            }
        }
        self.fill();
        let instance = self.world.instantiate(&passed.bytes, alias, &offers)?;
        if let Some(meters) = passed.meters {
            let start = meters.start().map(str::to_owned);
            self.meters.push((instance, meters));
            if let Some(start) = start {
                self.call(instance, &start, &[])?;
            }
        }
        Ok(instance)
    }

    fn act(&mut self, action: &Action) -> Result<Vec<Value>, Fault> {
        match action {
            Action::Instantiate(bytes) => self.instantiate(bytes, None).map(|_| Vec::new()),
            Action::Invoke { instance, export, args } => {
                let instance = self.slot(instance.as_deref()).map_err(Fault::Follows)?;
                self.call(instance, export, args)
            }
            Action::Get { instance, export } => {
                let instance = self.slot(instance.as_deref()).map_err(Fault::Follows)?;
                let value = self.world.global(instance, export);
                let missing = || Failure::Other(format!("there is no global {export}"));
                Ok(vec![value.ok_or_else(missing)?])
            }
        }
    }

    /// Calls an export with full meters. What ran out says more than how the call ended.
    fn call(&mut self, instance: usize, export: &str, args: &[Value]) -> Result<Vec<Value>, Fault> {
        self.fill();
        let result = self.world.call(instance, export, args);
        for (instance, meters) in &self.meters {
            let mut left = |export: Option<&str>| match self.world.global(*instance, export?) {
                Some(Value::I64(bits)) => Some(bits.cast_signed()),
                _ => None,
            };
            let (Some(fuel), Some(depth)) = (left(meters.fuel()), left(meters.depth())) else {
                return Err(Failure::Other("a meter is not there".to_owned()).into());
            };
            self.spent += FUEL - fuel;
            if let Some(exhausted) = meters.exhausted(Some(fuel), Some(depth)) {
                return Err(Fault::Exhausted(exhausted));
            }
        }
        Ok(result?)
    }

    /// Fills every meter of every instance: a call of one may lead to others.
    fn fill(&mut self) {
        for (instance, meters) in &self.meters {
            for (meter, amount) in [(meters.fuel(), FUEL), (meters.depth(), CALL_DEPTH)] {
                if let Some(meter) = meter {
                    // A meter that cannot be set stays empty, which is found out at the call.
                    self.world.set_global(*instance, meter, amount);
                }
            }
        }
    }
}

fn hold<T>(result: Result<T, Fault>) -> Verdict {
    match result {
        Ok(_) => Verdict::Passed(String::new()),
        Err(fault) => Verdict::Failed(fault),
    }
}

fn unexpected<T>(result: Result<T, Fault>) -> Verdict {
    Verdict::Failed(result.err().unwrap_or(Fault::Accepted))
}

fn compare(results: &[Value], expected: &[Expected]) -> Verdict {
    let equal = results.len() == expected.len()
        && expected.iter().zip(results).all(|(expected, result)| expected.matches(*result));
    if equal {
        Verdict::Passed(String::new())
    } else {
        Verdict::Failed(Fault::Results(format!("{results:x?} instead of {expected:x?}")))
    }
}

/// The modules that this one imports from, as far as it can be read.
fn imported_modules(bytes: &[u8]) -> BTreeSet<&str> {
    let sections = Parser::new(0).parse_all(bytes).map_while(|payload| payload.ok());
    let imports = sections.filter_map(|payload| match payload {
        Payload::ImportSection(imports) => Some(imports.into_imports()),
        _ => None,
    });
    imports.flatten().map_while(|import| import.ok()).map(|import| import.module).collect()
}
