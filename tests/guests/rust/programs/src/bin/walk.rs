//! Walks a directory tree and prints every entry, sorted, with its kind and size, without following symbolic links.

use std::path::{Path, PathBuf};

fn main() {
    let roots: Vec<PathBuf> = std::env::args().skip(1).map(PathBuf::from).collect();
    let mut failed = false;
    for root in roots {
        if let Err(complaint) = walk(&root, &root) {
            println!("{}: {:?}", root.display(), complaint.kind());
            failed = true;
        }
    }
    std::process::exit(i32::from(failed));
}

fn walk(root: &Path, directory: &Path) -> std::io::Result<()> {
    let mut entries = std::fs::read_dir(directory)?.collect::<std::io::Result<Vec<_>>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let shown = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        let metadata = std::fs::symlink_metadata(&path)?;
        if metadata.is_dir() {
            println!("dir  {shown}");
            walk(root, &path)?;
        } else if metadata.is_symlink() {
            println!("link {shown} -> {}", std::fs::read_link(&path)?.display());
        } else {
            println!("file {shown} {}", metadata.len());
        }
    }
    Ok(())
}
