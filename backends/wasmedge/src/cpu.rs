//! What this CPU is, as far as native code made for it depends on that.
//!
//! WasmEdge compiles for the machine it runs on, and says nowhere for which. Code that was made on another CPU could die of
//! an illegal instruction, so this text is part of every artifact's key.

/// A text that differs between CPUs for which different code might be made.
pub(crate) fn description() -> String {
    format!("{} {}", std::env::consts::ARCH, detect())
}

/// Family, model and stepping, and every instruction set that the compiler may use (and the system has switched on).
#[cfg(target_arch = "x86_64")]
fn detect() -> String {
    use std::arch::x86_64::__cpuid;
    macro_rules! detected {
        ($($feature:tt)*) => {{
            let mut names: Vec<&str> = Vec::new();
            $(if std::arch::is_x86_feature_detected!($feature) { names.push($feature); })*
            names
        }};
    }
    let vendor = __cpuid(0);
    let model = __cpuid(1);
    let names = detected!(
        "adx" "aes" "avx" "avx2" "avx512bf16" "avx512bitalg" "avx512bw" "avx512cd" "avx512dq" "avx512f" "avx512fp16"
        "avx512ifma" "avx512vbmi" "avx512vbmi2" "avx512vl" "avx512vnni" "avx512vp2intersect" "avx512vpopcntdq" "avxifma"
        "avxneconvert" "avxvnni" "avxvnniint16" "avxvnniint8" "bmi1" "bmi2" "cmpxchg16b" "f16c" "fma" "fxsr" "gfni" "kl"
        "lzcnt" "movbe" "pclmulqdq" "popcnt" "rdrand" "rdseed" "rtm" "sha" "sha512" "sm3" "sm4" "sse" "sse2" "sse3"
        "sse4.1" "sse4.2" "sse4a" "ssse3" "tbm" "vaes" "vpclmulqdq" "widekl" "xsave" "xsavec" "xsaveopt" "xsaves"
    );
    format!("{:08x}{:08x}{:08x}-{:08x} {}", vendor.ebx, vendor.edx, vendor.ecx, model.eax, names.join(","))
}

/// What the kernel says of the first CPU.
#[cfg(not(target_arch = "x86_64"))]
fn detect() -> String {
    const TELLING: &[&str] = &[
        "CPU implementer",
        "CPU architecture",
        "CPU variant",
        "CPU part",
        "CPU revision",
        "Features",
        "isa",
        "uarch",
        "mmu",
        "vendor_id",
        "features",
        "processor 0",
    ];
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let first = text.split("\n\n").next().unwrap_or_default();
    let mut lines: Vec<_> = first
        .lines()
        .filter(|line| TELLING.iter().any(|key| line.starts_with(key)))
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    lines.sort();
    lines.join("; ")
}
