//! What a component sees of the world, through the standard library: arguments, environment, standard input, files.
//!
//! Prints the arguments, the environment in order and standard input; then does what the arguments say, one after the other: `read:PATH`,
//! `write:PATH=TEXT`, `list:PATH`, `exit:N`, `panic`. Other arguments are only printed.
//! A component's exit is success or failure: any N but 0 comes out as 1.

use std::fmt::Display;
use std::fs;
use std::io::Read;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    println!("arguments: {}", arguments.join(" "));
    let mut environment: Vec<_> = std::env::vars().collect();
    environment.sort();
    for (name, value) in environment {
        println!("environment: {name}={value}");
    }
    let mut input = String::new();
    match std::io::stdin().read_to_string(&mut input) {
        Ok(_) => println!("input: {}", input.trim_end()),
        Err(error) => println!("input: {:?}", error.kind()),
    }
    for argument in &arguments {
        let (verb, operand) = argument.split_once(':').unwrap_or((argument, ""));
        match verb {
            "read" => told(argument, fs::read_to_string(operand)),
            "write" => {
                let (path, text) = operand.split_once('=').unwrap_or((operand, ""));
                told(argument, fs::write(path, text).map(|()| "ok"));
            }
            "list" => told(argument, names(operand)),
            "exit" => std::process::exit(operand.parse().unwrap_or(64)),
            "panic" => panic!("as asked"),
            _ => {}
        }
    }
}

fn names(path: &str) -> std::io::Result<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names.join(" "))
}

fn told(what: &str, came: std::io::Result<impl Display>) {
    match came {
        Ok(text) => println!("{what}: {}", text.to_string().trim_end()),
        // Not every number has a kind.
        Err(error) if error.kind().to_string() == "uncategorized error" => println!("{what}: {error}"),
        Err(error) => println!("{what}: {:?}", error.kind()),
    }
}
