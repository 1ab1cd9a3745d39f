//! Rules about system calls as a program for the kernel.
//!
//! Owns the shape of the program. The kernel runs it once for each system call that there is when it takes it, to know which are decided whatever their
//! arguments are, and walks the compiler's list of all rules to its end nearly each time. A tree of short lists decides the same, and is taken in little more than half the time.

use seccompiler::{BackendError, BpfProgram, SeccompAction, SeccompFilter, SeccompRule, TargetArch, sock_filter};
use std::collections::BTreeMap;

/// By the number of a call, what its arguments may be: one of these, or anything where there is none.
pub(super) type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Lists that are no longer are not cut: every part has instructions of its own, and the program is translated as a whole.
const LIST: usize = 12;

/// Where a program finds the number of the call.
const NUMBER: u32 = 0;

/// What this machine is. None where there are no filters for it.
pub(super) fn arch() -> Option<TargetArch> {
    std::env::consts::ARCH.try_into().ok()
}

/// A program that does `these` where a rule matches, and `others` everywhere else.
///
/// # Errors
/// Those of the compiler.
pub(super) fn compiled(
    mut rules: Rules,
    others: SeccompAction,
    these: SeccompAction,
) -> Result<BpfProgram, BackendError> {
    let arch = arch().ok_or(BackendError::InvalidTargetArch(std::env::consts::ARCH.to_owned()))?;
    let middle = rules.keys().nth(rules.len() / 2).filter(|_| rules.len() > LIST);
    let Some((first, number)) = middle.and_then(|call| Some((*call, u32::try_from(*call).ok()?))) else {
        return SeccompFilter::new(rules, others, these, arch)?.try_into();
    };
    let above = compiled(rules.split_off(&first), others.clone(), these.clone())?;
    let below = compiled(rules, others, these)?;
    let over = u32::try_from(below.len()).map_err(|_| BackendError::FilterTooLarge(below.len()))?;
    // Either part is a program by itself, which looks at the architecture first; where one is makes no difference to it.
    let choice = [
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, NUMBER, 0),
        step(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, number, 1),
        step(libc::BPF_JMP | libc::BPF_JA, over, 0),
    ];
    Ok(choice.into_iter().chain(below).chain(above).collect())
}

/// One instruction, and how many it passes over when its condition does not hold.
#[expect(clippy::cast_possible_truncation, reason = "codes of instructions are small")]
fn step(code: u32, k: u32, otherwise: u8) -> sock_filter {
    sock_filter { code: code as u16, jt: 0, jf: otherwise, k }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use seccompiler::{SeccompCmpArgLen, SeccompCmpOp, SeccompCondition};

    const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
    const REFUSE: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM.cast_unsigned();

    /// What a call with this first argument comes to, and after how many steps: the part of the kernel's interpreter that filters use.
    fn decide(program: &[sock_filter], data: &[u32; 16]) -> (u32, usize) {
        let (mut at, mut accumulator) = (0, 0);
        for steps in 1.. {
            let sock_filter { code, jt, jf, k } = program[at].clone();
            let jump = |taken: bool| 1 + usize::from(if taken { jt } else { jf });
            at += match code {
                0x20 => {
                    accumulator = data[k as usize / 4];
                    1
                }
                0x05 => 1 + k as usize,
                0x15 => jump(accumulator == k),
                0x25 => jump(accumulator > k),
                0x35 => jump(accumulator >= k),
                0x54 => {
                    accumulator &= k;
                    1
                }
                0x06 => return (k, steps),
                other => panic!("{other:#x} is not known here"),
            };
        }
        unreachable!()
    }

    fn call(number: u32, argument: u32) -> [u32; 16] {
        // As `struct seccomp_data` has it: the number, the architecture, the place of the call, the arguments.
        let here = if cfg!(target_arch = "x86_64") { 0xc000_003e } else { 0xc000_00b7 };
        let mut data = [0; 16];
        (data[0], data[1], data[4]) = (number, here, argument);
        data
    }

    fn first_is(value: u64) -> SeccompRule {
        let condition = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value).unwrap();
        SeccompRule::new(vec![condition]).unwrap()
    }

    proptest! {
        #[test]
        fn a_tree_decides_as_the_rules_say(calls in proptest::collection::btree_map(0..600_i64, any::<bool>(), 1..120)) {
            let rules = |any: bool| if any { Vec::new() } else { vec![first_is(7)] };
            let rules: Rules = calls.iter().map(|(number, any)| (*number, rules(*any))).collect();
            let errno = SeccompAction::Errno(libc::EPERM.cast_unsigned());
            let program = compiled(rules, errno, SeccompAction::Allow).unwrap();
            for number in (0..700).chain([0x4000_0000, u32::MAX]) {
                for argument in [7, 8] {
                    let allowed = calls.get(&i64::from(number)).is_some_and(|any| *any || argument == 7);
                    let (decided, steps) = decide(&program, &call(number, argument));
                    prop_assert_eq!(decided, if allowed { ALLOW } else { REFUSE }, "{} with {}", number, argument);
                    prop_assert!(steps < 80, "{} takes {} steps", number, steps);
                }
            }
            let mut elsewhere = call(0, 7);
            elsewhere[1] ^= 1;
            prop_assert_eq!(decide(&program, &elsewhere).0, libc::SECCOMP_RET_KILL_PROCESS);
        }
    }
}
