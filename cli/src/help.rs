//! The words below the options in `--help`, and the same words for the manual page.

/// The usage of the whole program.
pub(crate) const USAGE: &str =
    "wasm-run [run] [OPTIONS] MODULE [ARGS]...\n       wasm-run COMMAND [OPTIONS] ...\n       wasm-run help COMMAND";

/// The usage of `run`.
pub(crate) const RUN_USAGE: &str = "wasm-run [run] [OPTIONS] MODULE [ARGS]...";

/// Where to find more, for `-h`.
pub(crate) const SHORT_EPILOGUE: &str = "More with --help: every option at length, exit codes and examples.";

/// What the exit code of `run` means.
pub(crate) const EXIT_CODES: &[(&str, &str)] = &[
    ("0-255", "the guest returned (0) or called proc_exit (the low 8 bits; all of them are in the report)"),
    ("124", "--timeout passed"),
    ("125", "wasm-run itself failed, or was called wrongly"),
    ("126", "not runnable: not WebAssembly, not valid, refused by a limit, or the engine cannot"),
    ("127", "the module, or another file that was named, does not exist"),
    ("128+n", "ended by signal n: 130 after Ctrl-C, 143 after SIGTERM"),
    ("134", "a trap; what it was and where stands on stderr"),
    ("137", "the guest's process reached its hard memory cap"),
    ("152", "--fuel or --cpu-time used up"),
    ("153", "--output-limit or --write-limit passed"),
];

/// What people do first.
pub(crate) const EXAMPLES: &[(&str, &str)] = &[
    ("wasm-run app.wasm --verbose input.txt", "run a module with arguments"),
    ("wasm-run -v .:/data:ro -e LANG -m 64m --timeout 10s app.wasm", "a directory to read, a variable, limits"),
    ("wasm-run --invoke add math.wasm 2 3", "call an export and print what it returns"),
    ("wasm-run --report json app.wasm 2>report.json", "how it went, for programs"),
    ("wasm-run compile app.wasm", "make native code once, for later runs"),
    ("wasm-run ./compile", "a module whose name is a command's"),
];

/// The variables that wasm-run itself looks at.
pub(crate) const VARIABLES: &[(&str, &str)] = &[
    ("WASMRT_CACHE_DIR", "where compiled code is kept; a directory that only you can enter"),
    ("XDG_CACHE_HOME", "else it is wasmrt/artifacts in here, or in ~/.cache"),
    ("NO_COLOR, CLICOLOR_FORCE", "no colours at all, or colours also where stderr is not a terminal"),
];

/// What stands at the end of `--help`.
pub(crate) fn epilogue() -> String {
    let section = |title: &str, rows: &[(&str, &str)]| {
        let width = rows.iter().map(|(left, _)| left.len()).max().unwrap_or(0);
        let rows: Vec<String> = rows.iter().map(|(left, right)| format!("  {left:width$}  {right}")).collect();
        format!("{title}:\n{}", rows.join("\n"))
    };
    let examples: Vec<String> = EXAMPLES.iter().map(|(line, what)| format!("  # {what}\n  {line}")).collect();
    format!(
        "{}\n\n{}\n\nExamples:\n{}",
        section("Exit codes of a run", EXIT_CODES),
        section("Environment", VARIABLES),
        examples.join("\n")
    )
}
