//! `man`: the manual pages, made from the options and the words below them.

use crate::args::{ManArgs, whole_command};
use crate::{help, output};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use std::io;
use wasmrt_model::{Error, ErrorKind, Result};

/// Prints the page of the program, or of one command.
pub(crate) fn manual(args: &ManArgs) -> Result<u8> {
    let mut command = whole_command();
    command.build();
    let mut name = "wasm-run".to_owned();
    for word in &args.command {
        let found = command.find_subcommand(word).cloned();
        command = found.ok_or_else(|| {
            Error::new(ErrorKind::InvalidInput, format!("there is no command '{name} {word}'"))
                .with_hint("'wasm-run --help' lists the commands")
        })?;
        name = format!("{name} {word}");
    }
    let about_running = matches!(args.command.as_slice(), [] | [_]) && matches!(command.get_name(), "wasm-run" | "run");
    let page = page(command.name(name.replace(' ', "-")), about_running);
    let page = page.map_err(|source| Error::new(ErrorKind::Internal, "cannot make the page").with_source(source))?;
    output::print_bytes(&page).map(|()| 0)
}

fn page(command: clap::Command, about_running: bool) -> io::Result<Vec<u8>> {
    let has_commands = command.has_subcommands();
    let version = format!("wasm-run {}", env!("CARGO_PKG_VERSION"));
    let man = Man::new(command.disable_help_subcommand(true)).manual("wasm-run manual").source(version);
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    if about_running {
        synopsis(&mut page)?;
    } else {
        man.render_synopsis_section(&mut page)?;
    }
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if has_commands {
        man.render_subcommands_section(&mut page)?;
    }
    if about_running {
        list_section("EXIT STATUS", help::EXIT_CODES, &mut page)?;
        list_section("ENVIRONMENT", help::VARIABLES, &mut page)?;
        list_section("EXAMPLES", help::EXAMPLES, &mut page)?;
    }
    Ok(page)
}

/// The usage in its own words: a list of forty options tells nobody how to begin.
fn synopsis(page: &mut Vec<u8>) -> io::Result<()> {
    let mut roff = Roff::new();
    roff.control("SH", ["SYNOPSIS"]);
    for line in help::USAGE.lines() {
        roff.text([roman(line.trim_start())]);
        roff.control("br", []);
    }
    roff.to_writer(page)
}

fn list_section(title: &str, rows: &[(&str, &str)], page: &mut Vec<u8>) -> io::Result<()> {
    let mut roff = Roff::new();
    roff.control("SH", [title]);
    for (term, words) in rows {
        roff.control("TP", []);
        roff.text([bold(*term)]);
        roff.text([roman(*words)]);
    }
    roff.to_writer(page)
}
