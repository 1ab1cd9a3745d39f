//! Metering: how the runtime sets and reads what injected code counts.

/// The hidden exports through which a metered module is run.
///
/// Both globals are of type i64 and start at 0, so that a module whose meters nobody set is exhausted at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meters {
    fuel: Option<String>,
    depth: Option<String>,
    start: Option<String>,
}

/// What a metered guest has used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exhausted {
    /// Its fuel.
    Fuel,
    /// The calls that may be nested.
    CallDepth,
}

impl Meters {
    /// The exported global that holds the fuel left. Set it once, before anything is called.
    #[must_use]
    pub fn fuel(&self) -> Option<&str> {
        self.fuel.as_deref()
    }

    /// The exported global that holds how many calls may still be nested. Set it before every call from outside.
    #[must_use]
    pub fn depth(&self) -> Option<&str> {
        self.depth.as_deref()
    }

    /// The exported function that was the start section. Call it first, once the meters are set; a trap in it is a failed instantiation.
    #[must_use]
    pub fn start(&self) -> Option<&str> {
        self.start.as_deref()
    }

    /// What was used up, if anything, given what the globals say after the guest has ended, in whatever way: also one that has returned
    /// may have used more than it had in its last stretch of code.
    #[must_use]
    pub fn exhausted(&self, fuel_left: Option<i64>, depth_left: Option<i64>) -> Option<Exhausted> {
        if self.fuel.is_some() && fuel_left.is_some_and(|left| left < 0) {
            Some(Exhausted::Fuel)
        } else if self.depth.is_some() && depth_left.is_some_and(|left| left < 0) {
            Some(Exhausted::CallDepth)
        } else {
            None
        }
    }
}
