use std::{env, fs, process, thread, time::Duration};

fn main() -> std::io::Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["env"] => env::vars().for_each(|(name, value)| println!("{name}={value}")),
        ["cat", file] => print!("{}", fs::read_to_string(file)?),
        ["write", file, text] => fs::write(file, text)?,
        ["ls", directory] => fs::read_dir(directory)?.for_each(|entry| println!("{}", entry.unwrap().path().display())),
        ["echo"] => std::io::stdin().lines().for_each(|line| println!("> {}", line.unwrap())),
        ["sleep"] => thread::sleep(Duration::from_secs(3600)),
        ["flood", file] => std::io::copy(&mut std::io::repeat(0), &mut fs::File::create(file)?).map(drop)?,
        ["spin"] => loop {},
        ["exit", code] => process::exit(code.parse().unwrap()),
        ["fill"] => {
            let mut held = Vec::new();
            while let Some(mebibyte) = allocate(1 << 20) {
                held.push(mebibyte);
            }
            println!("{} MiB, and no more", held.len());
        }
        _ => println!("hello from WebAssembly, {args:?}"),
    }
    Ok(())
}

fn allocate(bytes: usize) -> Option<Vec<u8>> {
    let mut memory = Vec::new();
    memory.try_reserve_exact(bytes).ok()?;
    memory.resize(bytes, 1);
    Some(memory)
}
