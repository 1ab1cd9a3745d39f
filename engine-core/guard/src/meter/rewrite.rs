//! Writes one metered function: its instructions byte by byte, and between them what keeps the books of fuel and depth.
//!
//! One walk over the events of a [`Scan`]. Each open block has a frame that says in which [`State`] control has to arrive at its label; the
//! first way that leads there sets it, every other one is converted. Code that cannot be reached is copied as it is.
//!
//! Depth: the hidden global holds how many calls may still be nested. A function takes it at its entry, less what it counts for, into a local, and writes
//! that back before each of its calls; so nothing has to be undone on any way out, exceptions included. A small function that calls none of the
//! guest's functions is not counted at all: there is at most one of them, at the end of a chain of calls.

use super::Globals;
use super::calls::Calls;
use super::cost;
use super::ledger::{Ledger, Locals, Place, State, Use};
use super::scan::{Event, Grows, Kind, Module, Scan, Shape};
use crate::grow::Growers;
use wasm_encoder::{BlockType, Encode, InstructionSink};
use wasmparser::FuncType;

/// How much code may lie between two checks, in units of its own fixed cost.
const CHECK_EVERY: u64 = 10_000;

/// How much a function may have pending when it calls one that is sure to come back. Bounds what deep recursion can leave unsettled.
const CARRIED: i64 = 1_000;

/// The opcode of `else`.
const ELSE: u8 = 0x05;

/// What is the same for all functions of a module.
pub(crate) struct Rules<'a> {
    /// The hidden globals.
    pub(crate) globals: Globals,
    /// Which calls may not come back.
    pub(crate) calls: &'a Calls,
    /// What is called instead of grow instructions.
    pub(crate) growers: &'a Growers,
    /// The module.
    pub(crate) module: Module<'a>,
}

/// A block that is open.
#[derive(Debug)]
struct Frame {
    shape: Option<Shape>,
    carries: bool,
    /// The state in which control has to arrive at the label; None until a way there has set it.
    agreed: Option<State>,
    /// Whether a br_table goes to the label.
    in_table: bool,
    /// Whether only an exact global will do: exceptions arrive here too, or the function ends here.
    exact: bool,
    /// Whether a way leads to what follows the block.
    reached: bool,
    /// Whether some of these ways may have spent something in the local.
    spent: bool,
    /// The state at an `if` whose other arm has not begun yet.
    fork: Option<State>,
    /// Whether the block itself can be reached.
    live: bool,
}

/// The body of a metered function, without its size.
pub(crate) fn rewrite(rules: &Rules<'_>, scan: &Scan, source: &[u8], signature: &FuncType) -> Vec<u8> {
    let parameters = u32::try_from(signature.params().len()).unwrap_or(u32::MAX);
    let own_locals = u32::try_from(scan.locals).unwrap_or(u32::MAX);
    let mut writer = Writer {
        rules,
        scan,
        source,
        code: Vec::with_capacity(source.len() + source.len() / 2),
        copied: scan.code_start,
        locals: Locals::after(parameters.saturating_add(own_locals)),
        state: Some(State::EXACT),
        frames: Vec::new(),
        unchecked: 0,
        returns: !signature.results().is_empty(),
        counts: cost::calls(u64::from(parameters) + scan.locals + scan.values, source.len()),
    };
    writer.function();
    let Writer { code, locals, .. } = writer;
    let mut body = Vec::with_capacity(code.len() + 16);
    write_locals(source.get(..scan.code_start).unwrap_or_default(), &locals, &mut body);
    body.extend(code);
    body
}

/// Writes the groups of locals as they are, and one more for each injected local.
fn write_locals(groups: &[u8], locals: &Locals, body: &mut Vec<u8>) {
    let injected = locals.types();
    let mut reader = wasmparser::BinaryReader::new(groups, 0);
    let count = reader.read_var_u32().unwrap_or_default();
    let added = u32::try_from(injected.len()).unwrap_or_default();
    (count + added).encode(body);
    body.extend_from_slice(groups.get(reader.current_position()..).unwrap_or_default());
    for value_type in injected {
        1u32.encode(body);
        value_type.encode(body);
    }
}

struct Writer<'a> {
    rules: &'a Rules<'a>,
    scan: &'a Scan,
    source: &'a [u8],
    code: Vec<u8>,
    /// How far the source has been copied, or left out.
    copied: usize,
    locals: Locals,
    /// None where control cannot be.
    state: Option<State>,
    frames: Vec<Frame>,
    /// The fixed cost of the code since the last check, by the order of the text: no way through it costs more.
    unchecked: u64,
    /// Whether the function has results.
    returns: bool,
    /// How many calls a call of the function counts for.
    counts: i64,
}

impl Writer<'_> {
    fn function(&mut self) {
        self.entry();
        self.frames.push(Frame {
            shape: None,
            carries: self.returns,
            agreed: Some(State::EXACT),
            in_table: false,
            exact: true,
            reached: false,
            spent: false,
            fork: None,
            live: true,
        });
        for event in &self.scan.events {
            self.event(event);
        }
        self.copy_to(self.source.len());
    }

    fn sink(&mut self) -> InstructionSink<'_> {
        InstructionSink::new(&mut self.code)
    }

    /// The books, if they are kept.
    fn ledger(&mut self) -> Option<Ledger<'_>> {
        let fuel = self.rules.globals.fuel?;
        Some(Ledger { code: &mut self.code, locals: &mut self.locals, fuel })
    }

    fn copy_to(&mut self, position: usize) {
        self.code.extend_from_slice(self.source.get(self.copied..position).unwrap_or_default());
        self.copied = position;
    }

    /// What is done before the first instruction.
    fn entry(&mut self) {
        let (calls, counts) = (self.scan.calls, self.counts);
        if let Some(depth) = self.rules.globals.depth {
            if calls {
                let mine = self.locals.get(Use::Depth);
                if let Some(fuel) = self.rules.globals.fuel {
                    // One branch for both meters: either number is below 0 if its meter is exhausted.
                    self.sink().global_get(depth).i64_const(counts).i64_sub().local_tee(mine);
                    self.sink().global_get(fuel).i64_or().i64_const(0).i64_lt_s().if_(BlockType::Empty);
                    self.sink().local_get(mine).global_set(depth).unreachable().end();
                } else {
                    self.sink().global_get(depth).local_tee(mine).i64_const(counts).i64_lt_s().if_(BlockType::Empty);
                    self.sink().i64_const(-1).global_set(depth).unreachable().end();
                    self.sink().local_get(mine).i64_const(counts).i64_sub().local_set(mine);
                }
            } else if counts > 1 {
                self.sink().global_get(depth).i64_const(counts).i64_lt_s().if_(BlockType::Empty);
                self.sink().i64_const(-1).global_set(depth).unreachable().end();
            }
        } else if calls && let Some(mut ledger) = self.ledger() {
            ledger.check(State::EXACT);
        }
        if calls {
            self.heed_interruption();
        }
        let (cost, loops) = (cost::entry(self.scan.locals), self.scan.has_loops());
        if let Some(mut ledger) = self.ledger() {
            self.state = Some(ledger.enter(cost, loops));
        }
    }

    /// Ends the guest if somebody wants that.
    fn heed_interruption(&mut self) {
        if let Some(interruption) = self.rules.globals.interruption {
            self.sink().global_get(interruption).i64_const(0).i64_ne();
            self.sink().if_(BlockType::Empty).unreachable().end();
        }
    }

    fn event(&mut self, event: &Event) {
        if self.rules.globals.fuel.is_some() {
            self.unchecked = self.unchecked.saturating_add(event.cost);
            if let Some(state) = &mut self.state {
                state.pending += i64::try_from(event.cost).unwrap_or(i64::MAX);
            }
            self.check_if_due(event);
        }
        match event.kind {
            Kind::Open(block) => self.open(block, event),
            Kind::Else => self.other_arm(event),
            Kind::Handler => self.handler(event),
            Kind::Close => self.close(event),
            Kind::Checkpoint => self.copy_to(event.end),
            Kind::Trap => {
                self.copy_to(event.end);
                self.state = None;
            }
            _ if self.state.is_none() => self.dead(event),
            Kind::Branch(label) => {
                self.copy_to(event.start);
                self.branch(label);
                self.copy_to(event.end);
                self.state = None;
            }
            Kind::BranchIf(label) => self.branch_if(label, event),
            Kind::BranchOn(label) => {
                self.copy_to(event.start);
                self.branch_maybe(label);
                self.copy_to(event.end);
            }
            Kind::BranchTable(table) => self.branch_table(table, event),
            Kind::Return | Kind::Throw => {
                self.copy_to(event.start);
                self.settle();
                self.copy_to(event.end);
                self.state = None;
            }
            Kind::Call(function) => self.call(function, event),
            Kind::CallThrough(type_index) => {
                let ends = self.rules.calls.ends_through(self.rules.module.types, type_index);
                self.call_guest(ends, ends && self.rules.calls.host_through, event);
            }
            Kind::TailCall(function) => {
                self.tail_call(function < self.rules.module.imported_functions, event);
            }
            Kind::TailCallThrough(type_index) => {
                let ends = self.rules.calls.ends_through(self.rules.module.types, type_index);
                self.tail_call(ends && self.rules.calls.host_through, event);
            }
            Kind::Bulk { scale, is_64, grows } => {
                self.copy_to(event.start);
                if let (Some(scale), Some(state)) = (scale, self.state)
                    && let Some(mut ledger) = self.ledger()
                {
                    self.state = Some(ledger.charge_length(state, scale, is_64));
                }
                self.grow(grows, event);
            }
        }
    }

    /// An instruction that is never executed.
    fn dead(&mut self, event: &Event) {
        self.copy_to(event.start);
        match event.kind {
            Kind::Bulk { grows, .. } => self.grow(grows, event),
            _ => self.copy_to(event.end),
        }
    }

    /// Copies a grow instruction, or puts a call in its place.
    fn grow(&mut self, grows: Grows, event: &Event) {
        let instead = match grows {
            Grows::Nothing => None,
            Grows::Memory(memory) => self.rules.growers.memories.get(&memory),
            Grows::Table(table) => self.rules.growers.tables.get(&table),
        };
        match instead {
            Some(function) => {
                self.sink().call(*function);
                self.copied = event.end;
            }
            None => self.copy_to(event.end),
        }
    }

    /// Puts a check before the event if much code lies behind.
    fn check_if_due(&mut self, event: &Event) {
        if self.unchecked > CHECK_EVERY
            && let Some(state) = self.state
        {
            self.copy_to(event.start);
            if let Some(mut ledger) = self.ledger() {
                ledger.check(state);
            }
            self.unchecked = 0;
        }
    }

    /// Makes the global exact.
    fn settle(&mut self) {
        if let Some(state) = self.state
            && let Some(mut ledger) = self.ledger()
        {
            self.state = Some(ledger.settle(state));
        }
    }

    fn open(&mut self, number: usize, event: &Event) {
        let Some(block) = self.scan.blocks.get(number) else { return };
        self.copy_to(event.start);
        let mut frame = Frame {
            shape: Some(block.shape),
            carries: block.carries,
            agreed: None,
            in_table: block.in_table,
            exact: block.catches,
            // Exceptions arrive at a catching label without any branch.
            reached: block.catches && self.state.is_some(),
            spent: false,
            fork: None,
            live: self.state.is_some(),
        };
        if let Some(state) = self.state {
            match block.shape {
                Shape::Loop => {
                    let header = State {
                        place: if self.rules.globals.fuel.is_some() { Place::Local } else { state.place },
                        pending: if block.in_table { 0 } else { state.pending },
                    };
                    frame.agreed = Some(if block.catches { State::EXACT } else { header });
                    self.state = Some(self.convert(&frame, state));
                }
                Shape::If => {
                    frame.fork = Some(state);
                    // Without another arm, the way around costs nothing and is not worth an instruction.
                    if !block.has_else && !block.in_table && !block.catches {
                        frame.agreed = Some(state);
                    }
                }
                Shape::Block | Shape::Try => {}
            }
        }
        self.frames.push(frame);
        self.copy_to(event.end);
        if block.shape == Shape::Loop {
            self.heed_interruption();
            // Exceptions arrive without any branch on whose way something could be checked.
            if block.catches
                && let (Some(state), Some(mut ledger)) = (self.state, self.ledger())
            {
                ledger.check(state);
            }
        }
    }

    /// Writes what leads from a state to the one that a frame wants, and gives that.
    fn convert(&mut self, frame: &Frame, from: State) -> State {
        let goal = frame.goal(from);
        let exact = frame.exact;
        match self.ledger() {
            Some(mut ledger) if exact => ledger.settle(from),
            Some(mut ledger) => ledger.convert(from, goal),
            None => from,
        }
    }

    /// The frame that a label means, counted from the function inwards.
    fn frame_of(&self, label: u32) -> usize {
        let from_inside = usize::try_from(label).unwrap_or(usize::MAX);
        self.frames.len().saturating_sub(1).saturating_sub(from_inside)
    }

    /// Writes what leads from a state to a frame's label, and notes that control arrives there.
    fn arrive(&mut self, target: usize, from: State) -> State {
        let Some(frame) = self.frames.get(target) else { return from };
        let (goal, exact, is_loop) = (frame.goal(from), frame.exact, frame.shape == Some(Shape::Loop));
        let arrived = match self.ledger() {
            // A loop that wants this checks at its head.
            Some(mut ledger) if exact => ledger.settle(from),
            Some(mut ledger) if is_loop => ledger.next_iteration(from, goal),
            Some(mut ledger) => ledger.convert(from, goal),
            None => from,
        };
        self.note(target, arrived);
        arrived
    }

    fn note(&mut self, target: usize, arrived: State) {
        if let Some(frame) = self.frames.get_mut(target) {
            frame.agreed.get_or_insert(arrived);
            frame.reached = true;
            frame.spent |= arrived.place == Place::Global { spent: true };
        }
    }

    /// An unconditional way to a label.
    fn branch(&mut self, label: u32) {
        if let Some(state) = self.state {
            self.arrive(self.frame_of(label), state);
        }
    }

    /// br_if: what has to be done on the way is done only on the way where that is cheaper, and possible.
    fn branch_if(&mut self, label: u32, event: &Event) {
        self.copy_to(event.start);
        let target = self.frame_of(label);
        let (Some(state), Some(frame)) = (self.state, self.frames.get(target)) else { return };
        let is_loop = frame.shape == Some(Shape::Loop);
        if self.rules.globals.fuel.is_none() || (!is_loop && frame.is_met_by(state)) {
            self.note(target, state);
            self.copy_to(event.end);
            return;
        }
        let on_the_way = if frame.carries {
            // The values would have to be carried into the block that the way needs.
            false
        } else if is_loop {
            // At a loop's end it goes back nearly always, and a branch around a branch would be one more for each iteration.
            label != 0 || state.place != Place::Local
        } else {
            let same_place =
                !frame.exact && matches!(frame.goal(state).place, Place::Local) == matches!(state.place, Place::Local);
            let leaves_loop = self.frames.iter().skip(target + 1).any(|frame| frame.shape == Some(Shape::Loop));
            leaves_loop || !same_place
        };
        if on_the_way {
            self.sink().if_(BlockType::Empty);
            self.arrive(target, state);
            self.sink().br(label + 1).end();
            self.copied = event.end;
        } else {
            self.branch_maybe(label);
            self.copy_to(event.end);
        }
    }

    /// Writes, before a conditional branch, what makes both ways right: to the label, and on.
    fn branch_maybe(&mut self, label: u32) {
        let target = self.frame_of(label);
        let Some(state) = self.state else { return };
        let arrived = self.arrive(target, state);
        // Writing down the same amount in the other place leaves the first one as it was, unless `spent` had to be emptied.
        let both = matches!(
            (state.place, arrived.place),
            (Place::Local, Place::Global { .. }) | (Place::Global { spent: false }, Place::Local)
        );
        self.state = Some(if both { state } else { arrived });
    }

    /// br_table: whatever the label, control has to arrive in the right state without anything done on the way.
    fn branch_table(&mut self, table: usize, event: &Event) {
        self.copy_to(event.start);
        let labels = self.scan.tables.get(table).map_or(&[][..], Vec::as_slice);
        let targets: Vec<usize> = labels.iter().map(|label| self.frame_of(*label)).collect();
        let frames = || targets.iter().filter_map(|target| self.frames.get(*target));
        let place_of = |frame: &Frame| frame.agreed.filter(|_| !frame.exact).map(|state| state.place);
        let exact = frames().any(|frame| frame.exact);
        let local = frames().any(|frame| place_of(frame) == Some(Place::Local));
        let global = exact || frames().any(|frame| matches!(place_of(frame), Some(Place::Global { .. })));
        let loops = frames().any(|frame| frame.shape == Some(Shape::Loop));
        let Some(mut state) = self.state else { return };
        if let Some(mut ledger) = self.ledger() {
            if local || state.place == Place::Local {
                state = ledger.convert(state, State { place: Place::Local, pending: 0 });
                if global {
                    ledger.settle(state);
                }
            } else if exact {
                state = ledger.settle(state);
            } else {
                state = ledger.convert(state, State::EXACT);
            }
            if loops {
                ledger.check(state);
            }
        }
        for target in targets {
            let elsewhere = self.frames.get(target).is_some_and(|frame| {
                state.place == Place::Local
                    && (frame.exact || matches!(frame.agreed, Some(State { place: Place::Global { .. }, .. })))
            });
            self.note(target, if elsewhere { State::EXACT } else { state });
        }
        self.copy_to(event.end);
        self.state = None;
    }

    /// else: the first arm ends.
    fn other_arm(&mut self, event: &Event) {
        self.copy_to(event.start);
        self.branch(0);
        self.state = self.frames.last_mut().and_then(|frame| frame.fork.take());
        self.copy_to(event.end);
    }

    /// catch, catch_all: what was tried, or another handler, ends. Exceptions arrive with an exact global.
    fn handler(&mut self, event: &Event) {
        self.copy_to(event.start);
        self.branch(0);
        let live = self.frames.last().is_some_and(|frame| frame.live);
        self.state = live.then_some(State::EXACT);
        self.copy_to(event.end);
    }

    /// end, delegate.
    fn close(&mut self, event: &Event) {
        self.copy_to(event.start);
        if self.frames.last().is_some_and(|frame| frame.shape == Some(Shape::Loop)) {
            // What follows a loop is reached by falling out of it, and only so.
            self.frames.pop();
            self.copy_to(event.end);
            return;
        }
        self.branch(0);
        let around = self.frames.last_mut().and_then(|frame| frame.fork.take());
        if let (Some(state), Some(frame)) = (around, self.frames.last()) {
            if self.rules.globals.fuel.is_some() && !frame.is_met_by(state) {
                self.code.push(ELSE);
            }
            self.state = Some(state);
            self.branch(0);
        }
        self.state = self.frames.pop().and_then(|frame| frame.after());
        self.copy_to(event.end);
    }

    fn call(&mut self, function: u32, event: &Event) {
        if function >= self.rules.module.imported_functions {
            let ends = self.rules.calls.ends(function);
            return self.call_guest(ends, false, event);
        }
        self.copy_to(event.start);
        self.settle_for(true);
        self.copy_to(event.end);
    }

    /// A call of one of the guest's own functions, or of one that may also be the host's.
    fn call_guest(&mut self, ends: bool, host: bool, event: &Event) {
        self.copy_to(event.start);
        let carried = |state: State| state.place == Place::Global { spent: false } && state.pending <= CARRIED;
        if ends || !self.state.is_some_and(carried) {
            self.settle_for(host);
        }
        if let Some(depth) = self.rules.globals.depth {
            let mine = self.locals.get(Use::Depth);
            self.sink().local_get(mine).global_set(depth);
        }
        self.copy_to(event.end);
    }

    /// A call in whose place this function is left: it may nest as many as this one might.
    fn tail_call(&mut self, host: bool, event: &Event) {
        self.copy_to(event.start);
        self.settle_for(host);
        if let Some(depth) = self.rules.globals.depth.filter(|_| self.scan.calls) {
            let (mine, counts) = (self.locals.get(Use::Depth), self.counts);
            self.sink().local_get(mine).i64_const(counts).i64_add().global_set(depth);
        }
        self.copy_to(event.end);
        self.state = None;
    }

    /// Makes the global exact before a call. The host does nothing for a guest that has nothing left.
    fn settle_for(&mut self, host: bool) {
        self.settle();
        if host && let Some(mut ledger) = self.ledger() {
            ledger.check(State::EXACT);
        }
    }
}

impl Frame {
    /// The state in which control has to arrive from this one.
    fn goal(&self, from: State) -> State {
        match self.agreed {
            _ if self.exact => State::EXACT,
            Some(agreed) => agreed,
            // Nothing can be done on the way from a br_table, so nothing may be pending.
            None if self.in_table => State { pending: 0, ..from },
            None => from,
        }
    }

    /// Whether control may arrive from this state as it is.
    fn is_met_by(&self, state: State) -> bool {
        if self.exact { state == State::EXACT } else { state.agrees_with(self.goal(state)) }
    }

    /// The state behind the block; None when control never gets there.
    fn after(self) -> Option<State> {
        if !self.reached {
            return None;
        }
        if self.exact {
            return Some(State::EXACT);
        }
        self.agreed.map(|agreed| match agreed.place {
            Place::Global { .. } => State { place: Place::Global { spent: self.spent }, ..agreed },
            Place::Local => agreed,
        })
    }
}
