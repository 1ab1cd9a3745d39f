//! The books of one function: what it has spent, where that is written down, and the instructions that move it from place to place.
//!
//! At each point of a function the fuel really left is, depending on the [`State`],
//! - `Global`: the hidden global, less the local `spent` (if anything was added to it), less what is pending;
//! - `Local`: the local `left`, less what is pending. The global is out of date.
//!
//! What is pending is known while rewriting and costs nothing to carry along: straight code adds to it, and instructions are injected only
//! where ways with different amounts meet. Loops run in `Local`, so that an iteration costs one subtraction and one comparison in registers.

use wasm_encoder::{BlockType, InstructionSink, ValType};

/// Where the books of a function stand at some point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct State {
    /// Where the fuel left is written down.
    pub(crate) place: Place,
    /// What was spent since and is written down nowhere.
    pub(crate) pending: i64,
}

/// Where the fuel left is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the hidden global; `spent` says whether the local of that name may hold something to be subtracted.
    Global {
        /// Whether the local `spent` may be other than 0.
        spent: bool,
    },
    /// In the local `left`. The local `spent` is 0.
    Local,
}

impl State {
    /// The global is exact.
    pub(crate) const EXACT: Self = Self { place: Place::Global { spent: false }, pending: 0 };

    /// Whether two states differ in nothing that takes instructions to change.
    pub(crate) fn agrees_with(self, other: Self) -> bool {
        self.pending == other.pending && matches!(self.place, Place::Local) == matches!(other.place, Place::Local)
    }
}

/// The injected locals of a function, in the order of their first use.
#[derive(Debug)]
pub(crate) struct Locals {
    next: u32,
    types: Vec<ValType>,
    known: [Option<u32>; 6],
}

/// What the injected locals are for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Use {
    /// The fuel left.
    Left = 0,
    /// The fuel spent that the global does not know of.
    Spent = 1,
    /// The calls that this function's callees may nest.
    Depth = 2,
    /// A length of 32 bits.
    Length32 = 3,
    /// A length of 64 bits.
    Length64 = 4,
    /// What is 0 as long as there is fuel, though no compiler can know.
    Nothing = 5,
}

impl Locals {
    /// Those of a function that has this many parameters and locals of its own.
    pub(crate) fn after(count: u32) -> Self {
        Self { next: count, types: Vec::new(), known: [None; 6] }
    }

    /// The local for this use.
    pub(crate) fn get(&mut self, usage: Use) -> u32 {
        if let Some(local) = self.known[usage as usize] {
            return local;
        }
        let local = self.next;
        self.next += 1;
        self.types.push(if matches!(usage, Use::Length32) { ValType::I32 } else { ValType::I64 });
        self.known[usage as usize] = Some(local);
        local
    }

    /// Their types.
    pub(crate) fn types(&self) -> &[ValType] {
        &self.types
    }
}

/// Writes instructions that keep the books. All leave the operand stack as it is.
#[derive(Debug)]
pub(crate) struct Ledger<'a> {
    /// Where they are written.
    pub(crate) code: &'a mut Vec<u8>,
    /// The injected locals.
    pub(crate) locals: &'a mut Locals,
    /// The hidden global.
    pub(crate) fuel: u32,
}

impl Ledger<'_> {
    fn sink(&mut self) -> InstructionSink<'_> {
        InstructionSink::new(self.code)
    }

    /// Subtracts a constant from what is on the stack, if it is not 0.
    fn less(&mut self, amount: i64) {
        if amount != 0 {
            self.sink().i64_const(amount).i64_sub();
        }
    }

    /// Puts the global less `spent` on the stack, and makes `spent` 0.
    fn take_global(&mut self, spent: bool) {
        let fuel = self.fuel;
        self.sink().global_get(fuel);
        if spent {
            let local = self.locals.get(Use::Spent);
            self.sink().local_get(local).i64_sub().i64_const(0).local_set(local);
        }
    }

    /// Makes the global exact.
    pub(crate) fn settle(&mut self, from: State) -> State {
        let fuel = self.fuel;
        match from.place {
            Place::Global { spent } => {
                if spent || from.pending != 0 {
                    self.take_global(spent);
                    self.less(from.pending);
                    self.sink().global_set(fuel);
                }
            }
            Place::Local => {
                let left = self.locals.get(Use::Left);
                self.sink().local_get(left);
                self.less(from.pending);
                self.sink().global_set(fuel);
            }
        }
        State::EXACT
    }

    /// Makes the state agree with another one, and gives what it then is.
    pub(crate) fn convert(&mut self, from: State, to: State) -> State {
        let difference = from.pending - to.pending;
        let fuel = self.fuel;
        let place = match (from.place, to.place) {
            (Place::Global { spent }, Place::Global { .. }) => {
                if difference != 0 {
                    let local = self.locals.get(Use::Spent);
                    self.sink().local_get(local).i64_const(difference).i64_add().local_set(local);
                }
                Place::Global { spent: spent || difference != 0 }
            }
            (Place::Local, Place::Local) => {
                if difference != 0 {
                    let left = self.locals.get(Use::Left);
                    self.sink().local_get(left).i64_const(difference).i64_sub().local_set(left);
                }
                Place::Local
            }
            (Place::Global { spent }, Place::Local) => {
                let left = self.locals.get(Use::Left);
                self.take_global(spent);
                self.less(difference);
                self.sink().local_set(left);
                Place::Local
            }
            (Place::Local, Place::Global { .. }) => {
                let left = self.locals.get(Use::Left);
                self.sink().local_get(left);
                self.less(difference);
                self.sink().global_set(fuel);
                Place::Global { spent: false }
            }
        };
        State { place, pending: to.pending }
    }

    /// Ends the guest if there is less than nothing left. Valid at any point, since all that was spent counts and nothing else.
    pub(crate) fn check(&mut self, state: State) {
        let fuel = self.fuel;
        match state.place {
            Place::Global { spent } => {
                self.sink().global_get(fuel);
                if spent {
                    let local = self.locals.get(Use::Spent);
                    self.sink().local_get(local).i64_sub();
                }
            }
            Place::Local => {
                let left = self.locals.get(Use::Left);
                self.sink().local_get(left);
            }
        }
        self.sink().i64_const(state.pending).i64_lt_s();
        self.exhausted_if();
    }

    /// Begins a function that costs this much before its first instruction. Loops need what they subtract by.
    pub(crate) fn enter(&mut self, cost: u64, loops: bool) -> State {
        if loops {
            let fuel = self.fuel;
            let nothing = self.locals.get(Use::Nothing);
            self.sink().global_get(fuel).i64_const(63).i64_shr_u().local_set(nothing);
        }
        State { pending: i64::try_from(cost).unwrap_or(i64::MAX), ..State::EXACT }
    }

    /// Goes on from a state with the fuel for a loop's next iteration, or ends the guest.
    pub(crate) fn next_iteration(&mut self, from: State, to: State) -> State {
        // The usual case. Compared before it is subtracted: compilers would make the difference twice otherwise, for its two uses.
        if from.place == Place::Local && to.place == Place::Local && from.pending != to.pending {
            let left = self.locals.get(Use::Left);
            self.sink().local_get(left).i64_const(from.pending).i64_lt_s();
            self.exhausted_if();
            // Not by a constant: Cranelift computes such a difference anew in each block that uses it, and folds what is subtracted behind the
            // loop into it. Both need the old value beside the new one, and so a copy and a jump for each iteration.
            let nothing = self.locals.get(Use::Nothing);
            self.sink().local_get(left).local_get(nothing).i64_const(from.pending - to.pending).i64_add();
            self.sink().i64_sub().local_set(left);
            return to;
        }
        let state = self.convert(from, to);
        self.check(state);
        state
    }

    /// Charges for the length on top of the stack, which stays there, and ends the guest if it cannot pay. Gives the state after it.
    pub(crate) fn charge_length(&mut self, from: State, scale: i64, is_64: bool) -> State {
        let length = self.locals.get(if is_64 { Use::Length64 } else { Use::Length32 });
        let fuel = self.fuel;
        self.sink().local_tee(length);
        let state = match from.place {
            Place::Local => {
                let left = self.locals.get(Use::Left);
                self.sink().local_get(left);
                self.push_scaled(length, scale, is_64);
                self.sink().i64_sub().local_set(left);
                from
            }
            Place::Global { spent } => {
                self.take_global(spent);
                self.less(from.pending);
                self.push_scaled(length, scale, is_64);
                self.sink().i64_sub().global_set(fuel);
                State::EXACT
            }
        };
        self.check(state);
        state
    }

    /// Puts on the stack what a length costs. At most 2^60, so that the books cannot wrap before the check.
    fn push_scaled(&mut self, length: u32, scale: i64, is_64: bool) {
        if !is_64 {
            self.sink().local_get(length).i64_extend_i32_u();
        } else if scale >= 0 {
            let most = 1 << (60 - scale);
            self.sink().local_get(length).i64_const(most).local_get(length).i64_const(most).i64_lt_u().select();
        } else {
            self.sink().local_get(length);
        }
        match scale {
            0 => {}
            up if up > 0 => {
                self.sink().i64_const(up).i64_shl();
            }
            down => {
                self.sink().i64_const(-down).i64_shr_u();
            }
        }
    }

    /// Ends the guest as out of fuel if the condition on the stack holds.
    fn exhausted_if(&mut self) {
        let fuel = self.fuel;
        self.sink().if_(BlockType::Empty).i64_const(-1).global_set(fuel).unreachable().end();
    }
}
