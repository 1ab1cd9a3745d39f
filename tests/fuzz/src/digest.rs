//! Numbers that follow from other numbers: the same on every engine, at no cost in fuzz bytes.

/// A stream of numbers from a seed (splitmix64).
#[derive(Debug, Clone)]
pub(crate) struct Stream(u64);

impl Stream {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number below this one, which is not 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    /// True once in so many times.
    pub(crate) fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// Bits of which many stand at an edge: small numbers, powers of two, floats' special values.
    pub(crate) fn edgy(&mut self) -> u64 {
        const EDGES: [u64; 12] = [
            0,
            1,
            u64::MAX,
            0x7fff_ffff,
            0x8000_0000,
            0xffff_ffff,
            0x7fff_ffff_ffff_ffff,
            0x8000_0000_0000_0000,
            0x3f80_0000,
            0x3ff0_0000_0000_0000,
            0x7f80_0000,
            0x7ff0_0000_0000_0000,
        ];
        let bits = self.next();
        match self.below(4) {
            0 => EDGES[usize::try_from(bits % 12).unwrap_or(0)],
            1 => bits & 0xff,
            2 => bits & 0xf_ffff,
            _ => bits,
        }
    }
}

/// Spreads every bit over all.
pub(crate) fn mix(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
