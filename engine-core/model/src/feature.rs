//! The WebAssembly proposals by name, and sets of them.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! features {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// A WebAssembly proposal that a module may need and an engine may have.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum Feature { $($(#[$doc])* #[serde(rename = $name)] $variant,)* }

        impl Feature {
            /// Every feature, in the order of standardisation.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The proposal's usual name.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

features! {
    /// Imported and exported mutable globals.
    MutableGlobal = "mutable-global",
    /// Saturating float to integer conversions.
    SaturatingFloatToInt = "saturating-float-to-int",
    /// Sign extension instructions.
    SignExtension = "sign-extension",
    /// Several results, and blocks with parameters.
    MultiValue = "multi-value",
    /// memory.copy and friends.
    BulkMemory = "bulk-memory",
    /// externref, funcref as values, several tables.
    ReferenceTypes = "reference-types",
    /// 128-bit vectors.
    Simd = "simd",
    /// Vectors whose results may differ between machines.
    RelaxedSimd = "relaxed-simd",
    /// Atomics.
    Threads = "threads",
    /// return_call.
    TailCall = "tail-call",
    /// Arithmetic in constant expressions.
    ExtendedConst = "extended-const",
    /// More than one memory.
    MultiMemory = "multi-memory",
    /// 64-bit memories and tables.
    Memory64 = "memory64",
    /// Exceptions with try_table.
    Exceptions = "exceptions",
    /// Exceptions as first proposed, with try and catch.
    LegacyExceptions = "legacy-exceptions",
    /// Typed function references.
    FunctionReferences = "function-references",
    /// Garbage-collected structs and arrays.
    Gc = "gc",
    /// Pages of other sizes than 64 KiB.
    CustomPageSizes = "custom-page-sizes",
    /// 128-bit integer arithmetic.
    WideArithmetic = "wide-arithmetic",
    /// Components rather than core modules.
    ComponentModel = "component-model",
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of [`Feature`]s.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct FeatureSet(u32);

impl FeatureSet {
    /// No feature: WebAssembly 1.0 without mutable globals.
    pub const EMPTY: Self = Self(0);

    /// The set of these features.
    #[must_use]
    pub const fn of(features: &[Feature]) -> Self {
        let mut bits = 0;
        let mut index = 0;
        while index < features.len() {
            bits |= 1 << features[index] as u32;
            index += 1;
        }
        Self(bits)
    }

    /// This set and one more.
    #[must_use]
    pub const fn with(self, feature: Feature) -> Self {
        Self(self.0 | (1 << feature as u32))
    }

    /// This set less one.
    #[must_use]
    pub const fn without(self, feature: Feature) -> Self {
        Self(self.0 & !(1 << feature as u32))
    }

    /// Both sets together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What stands here and not there.
    #[must_use]
    pub const fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether the feature is in it.
    #[must_use]
    pub const fn contains(self, feature: Feature) -> bool {
        self.0 & (1 << feature as u32) != 0
    }

    /// Whether nothing is in it.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The features in it, in order.
    pub fn iter(self) -> impl Iterator<Item = Feature> {
        Feature::ALL.iter().copied().filter(move |feature| self.contains(*feature))
    }
}

impl FromIterator<Feature> for FeatureSet {
    fn from_iter<I: IntoIterator<Item = Feature>>(features: I) -> Self {
        features.into_iter().fold(Self::EMPTY, Self::with)
    }
}

impl fmt::Debug for FeatureSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// The names, separated by commas; "none" when empty.
impl fmt::Display for FeatureSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("none");
        }
        let names: Vec<_> = self.iter().map(Feature::name).collect();
        f.write_str(&names.join(", "))
    }
}

impl Serialize for FeatureSet {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for FeatureSet {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<Feature>::deserialize(deserializer)?.into_iter().collect())
    }
}
