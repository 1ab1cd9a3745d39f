//! Preopened files: the guest sees a directory that holds exactly those files, as if they were mounted there.
//!
//! Every file has the host directory it lies in open behind a descriptor that the guest cannot name. A path that resolves here, by its
//! text alone, to one of the files becomes a call on that descriptor with the file's host name, links not followed. Nothing else of the
//! host's directory can be reached: there is no way from here to any other name.
//!
//! A file that was replaced on the host by another regular file is seen as that; one that was replaced by anything else is gone.

use crate::descriptors::{Descriptor, OpenFile};
use crate::errno::{Answer, Errno};
use crate::host::{Host, open_flags};
use crate::memory::{aligned, range, read_u32, text, word, write_u32};
use crate::preview1::{Abi, Function};

/// A directory that exists for the guest only.
#[derive(Debug)]
pub(crate) struct FileDirectory {
    guest: String,
    files: Vec<PreopenedFile>,
}

/// A file in it.
#[derive(Debug, Clone)]
pub(crate) struct PreopenedFile {
    /// Its name for the guest.
    pub(crate) name: String,
    /// Its name in the host's directory.
    pub(crate) host_name: String,
    /// The inner descriptor of the host's directory.
    pub(crate) slot: u32,
    /// Whether it may be changed.
    pub(crate) writable: bool,
}

/// What a path in such a directory means.
enum Target<'a> {
    Directory,
    File(&'a PreopenedFile),
    Missing,
}

const DIRECTORY_TYPE: u8 = 3;
const REGULAR_FILE_TYPE: u8 = 4;

impl FileDirectory {
    pub(crate) fn new(guest: &str) -> Self {
        Self { guest: guest.to_owned(), files: Vec::new() }
    }

    /// Its path for the guest.
    pub(crate) fn guest(&self) -> &str {
        &self.guest
    }

    pub(crate) fn files_mut(&mut self) -> &mut Vec<PreopenedFile> {
        &mut self.files
    }

    /// Finds what a path means, without asking the host.
    fn resolve(&self, path: &str) -> Answer<Target<'_>> {
        if path.is_empty() {
            return Err(Errno::NOENT.into());
        }
        if path.contains('\0') {
            return Err(Errno::INVAL.into());
        }
        if path.starts_with('/') {
            return Err(Errno::PERM.into());
        }
        let mut target = Target::Directory;
        for part in path.split('/') {
            target = match (target, part) {
                (Target::Directory, "" | ".") => Target::Directory,
                (Target::Directory, "..") => return Err(Errno::PERM.into()),
                (Target::Directory, name) => match self.files.iter().find(|file| file.name == name) {
                    Some(file) => Target::File(file),
                    None => Target::Missing,
                },
                (Target::File(_), _) => return Err(Errno::NOTDIR.into()),
                // A slash behind a missing name: whatever wanted a directory there would have had to make it.
                (Target::Missing, "") => Target::Missing,
                (Target::Missing, _) => return Err(Errno::NOENT.into()),
            };
        }
        Ok(target)
    }
}

impl Host {
    /// Carries out a function on at least one descriptor of a directory of preopened files. None: it is the inner function's to do.
    pub(crate) fn on_file_directory(
        &mut self,
        function: Function,
        abi: Abi,
        memory: &mut [u8],
        args: &[u64],
        directory: usize,
    ) -> Option<Answer> {
        Some(match function {
            Function::PathOpen => self.open_preopened(memory, args, directory),
            Function::PathFilestatGet => self.stat_preopened(abi, memory, args, directory),
            Function::PathFilestatSetTimes => self.touch_preopened(memory, args, directory),
            Function::FdReaddir => self.list_preopened(memory, args, directory),
            Function::FdFilestatGet => self.write_directory_stat(abi, memory, word(args[1]), directory),
            Function::FdFilestatSetTimes => Err(Errno::ROFS.into()),
            Function::PathReadlink => {
                self.refuse(memory, directory, args, 1, [Errno::INVAL, Errno::INVAL, Errno::NOENT])
            }
            Function::PathUnlinkFile => {
                self.refuse(memory, directory, args, 1, [Errno::ISDIR, Errno::BUSY, Errno::NOENT])
            }
            Function::PathRemoveDirectory => {
                self.refuse(memory, directory, args, 1, [Errno::BUSY, Errno::NOTDIR, Errno::NOENT])
            }
            Function::PathCreateDirectory => {
                self.refuse(memory, directory, args, 1, [Errno::EXIST, Errno::EXIST, Errno::ROFS])
            }
            Function::PathSymlink => self.refuse(memory, directory, args, 3, [Errno::EXIST, Errno::EXIST, Errno::ROFS]),
            Function::PathLink => self.move_preopened(memory, args, [(0, 2), (4, 5)], [Errno::PERM, Errno::XDEV]),
            Function::PathRename => self.move_preopened(memory, args, [(0, 1), (3, 4)], [Errno::BUSY, Errno::BUSY]),
            _ => return None,
        })
    }

    /// Answers with the error for a directory, a file or a missing name, whichever the path at argument `at` is.
    fn refuse(&self, memory: &[u8], directory: usize, args: &[u64], at: usize, errors: [Errno; 3]) -> Answer {
        let path = text(memory, word(args[at]), word(args[at + 1]))?;
        let [of_directory, of_file, of_missing] = errors;
        Err(match self.file_directories[directory].resolve(path)? {
            Target::Directory => of_directory,
            Target::File(_) => of_file,
            Target::Missing => of_missing,
        }
        .into())
    }

    /// Renaming and linking: nothing moves into, out of or within such a directory. `ends`: the arguments of descriptor and path.
    fn move_preopened(&self, memory: &[u8], args: &[u64], ends: [(usize, usize); 2], errors: [Errno; 2]) -> Answer {
        let [(from_fd, from_path), (to_fd, to_path)] = ends;
        let [of_directory, of_file] = errors;
        let from = text(memory, word(args[from_path]), word(args[from_path + 1]))?;
        let to = text(memory, word(args[to_path]), word(args[to_path + 1]))?;
        if let Descriptor::FileDirectory { directory } = self.descriptors.get(word(args[from_fd]))? {
            match self.file_directories[directory].resolve(from)? {
                Target::Missing => return Err(Errno::NOENT.into()),
                Target::Directory => return Err(of_directory.into()),
                Target::File(_) => return Err(of_file.into()),
            }
        }
        if let Descriptor::FileDirectory { directory } = self.descriptors.get(word(args[to_fd]))? {
            self.file_directories[directory].resolve(to)?;
        }
        Err(Errno::XDEV.into())
    }

    /// The file that the path at argument `at` means; `of_directory` if it means the directory.
    fn preopened_file(
        &self,
        memory: &[u8],
        directory: usize,
        args: &[u64],
        at: usize,
        of_directory: Errno,
    ) -> Answer<PreopenedFile> {
        let path = text(memory, word(args[at]), word(args[at + 1]))?;
        match self.file_directories[directory].resolve(path)? {
            Target::File(file) => Ok(file.clone()),
            Target::Directory => Err(of_directory.into()),
            Target::Missing => Err(Errno::NOENT.into()),
        }
    }

    /// Calls a path function on the file's host name. `path_at`: where the path's pointer goes in `args`; `room`: bytes for results,
    /// whose place in the scratch memory is 0. Returns those bytes.
    fn on_host_file(
        &mut self,
        function: Function,
        abi: Abi,
        slot: u32,
        host_name: &str,
        args: &mut [u64],
        path_at: usize,
    ) -> Answer<[u8; 64]> {
        let name = host_name.as_bytes();
        let memory = self.scratch.take(64 + name.len());
        memory[..64].fill(0);
        memory[64..64 + name.len()].copy_from_slice(name);
        args[0] = u64::from(slot);
        args[path_at] = 64;
        args[path_at + 1] = u64::try_from(name.len()).unwrap_or_default();
        self.inner.call(function, abi, memory, args, &self.waiter)?;
        let mut results = [0; 64];
        results.copy_from_slice(&memory[..64]);
        Ok(results)
    }

    fn open_preopened(&mut self, memory: &mut [u8], args: &[u64], directory: usize) -> Answer {
        let path = text(memory, word(args[2]), word(args[3]))?;
        let opened_at = word(args[8]);
        aligned(memory, opened_at, 4, 4)?;
        let flags = word(args[4]);
        let wants_write = args[5] & open_flags::RIGHT_FD_WRITE != 0;
        let mut inner_args: [u64; 9] = std::array::from_fn(|index| args[index]);
        // Links are never followed, and the result goes to the start of the scratch memory.
        inner_args[1] = 0;
        inner_args[8] = 0;
        let exclusive = flags & open_flags::CREATE != 0 && flags & open_flags::EXCLUSIVE != 0;
        let (slot, name, descriptor) = match self.file_directories[directory].resolve(path)? {
            Target::Missing if flags & open_flags::CREATE != 0 => return Err(Errno::ROFS.into()),
            Target::Missing => return Err(Errno::NOENT.into()),
            _ if exclusive => return Err(Errno::EXIST.into()),
            Target::Directory => {
                if wants_write || flags & (open_flags::CREATE | open_flags::TRUNCATE) != 0 {
                    return Err(Errno::ISDIR.into());
                }
                let slot = self.file_directories[directory].files.first().map(|file| file.slot).ok_or(Errno::NOENT)?;
                inner_args[4] = u64::from(open_flags::DIRECTORY);
                (slot, ".".to_owned(), Descriptor::FileDirectory { directory })
            }
            Target::File(file) => {
                if flags & open_flags::DIRECTORY != 0 {
                    return Err(Errno::NOTDIR.into());
                }
                let writable = wants_write || flags & open_flags::TRUNCATE != 0;
                if writable && !file.writable {
                    return Err(Errno::ROFS.into());
                }
                // Should it be gone from the host, it must not come back as something that the guest has made.
                inner_args[4] = u64::from(flags & open_flags::TRUNCATE);
                let append = word(args[7]) & open_flags::APPEND != 0;
                (file.slot, file.host_name.clone(), Descriptor::File(OpenFile { writable, append, known_size: 0 }))
            }
        };
        self.descriptors.check_room()?;
        let opened = self.on_host_file(Function::PathOpen, Abi::Snapshot1, slot, &name, &mut inner_args, 2)?;
        let fd = read_u32(&opened, 0)?;
        if matches!(descriptor, Descriptor::File(_)) && self.inner_stat(fd)?[16] != REGULAR_FILE_TYPE {
            self.inner_close(fd)?;
            return Err(Errno::NOENT.into());
        }
        self.descriptors.insert(fd, descriptor);
        if flags & open_flags::TRUNCATE != 0 {
            self.forget_sizes();
        }
        write_u32(memory, opened_at, fd)
    }

    fn stat_preopened(&mut self, abi: Abi, memory: &mut [u8], args: &[u64], directory: usize) -> Answer {
        let path = text(memory, word(args[2]), word(args[3]))?;
        let file = match self.file_directories[directory].resolve(path)? {
            Target::Directory => return self.write_directory_stat(abi, memory, word(args[4]), directory),
            Target::Missing => return Err(Errno::NOENT.into()),
            Target::File(file) => file.clone(),
        };
        let size = stat_size(abi);
        let place = aligned(memory, word(args[4]), size, 8)?;
        let stat = self.host_file_stat(abi, &file)?;
        let size = place.len();
        memory[place].copy_from_slice(&stat[..size]);
        Ok(())
    }

    /// What the host knows of a preopened file; `noent` when it is a file no more.
    fn host_file_stat(&mut self, abi: Abi, file: &PreopenedFile) -> Answer<[u8; 64]> {
        let mut args = [0; 5];
        let stat = self.on_host_file(Function::PathFilestatGet, abi, file.slot, &file.host_name, &mut args, 2)?;
        if stat[16] == REGULAR_FILE_TYPE { Ok(stat) } else { Err(Errno::NOENT.into()) }
    }

    fn touch_preopened(&mut self, memory: &[u8], args: &[u64], directory: usize) -> Answer {
        let file = self.preopened_file(memory, directory, args, 2, Errno::ROFS)?;
        if !file.writable {
            return Err(Errno::ROFS.into());
        }
        self.host_file_stat(Abi::Snapshot1, &file)?;
        let mut args: [u64; 7] = std::array::from_fn(|index| args[index]);
        args[1] = 0;
        let function = Function::PathFilestatSetTimes;
        self.on_host_file(function, Abi::Snapshot1, file.slot, &file.host_name, &mut args, 2).map(|_| ())
    }

    /// The attributes of a directory of preopened files: its own, not those of any directory of the host.
    fn write_directory_stat(&self, abi: Abi, memory: &mut [u8], at: u32, directory: usize) -> Answer {
        let place = aligned(memory, at, stat_size(abi), 8)?;
        let stat = &mut memory[place];
        stat.fill(0);
        stat[0..8].copy_from_slice(&1u64.to_le_bytes());
        stat[8..16].copy_from_slice(&inode(directory).to_le_bytes());
        stat[16] = DIRECTORY_TYPE;
        match abi {
            Abi::Snapshot1 => stat[24] = 1,
            Abi::Unstable => stat[20] = 1,
        }
        Ok(())
    }

    fn list_preopened(&mut self, memory: &mut [u8], args: &[u64], directory: usize) -> Answer {
        let (length, used_at) = (word(args[2]), word(args[4]));
        let buffer = range(memory, word(args[1]), length)?;
        aligned(memory, used_at, 4, 4)?;
        let files = self.file_directories[directory].files.clone();
        let mut entries = Vec::new();
        let mut add = |cookie: u64, inode: u64, file_type: u8, name: &str| {
            entries.extend_from_slice(&(cookie + 1).to_le_bytes());
            entries.extend_from_slice(&inode.to_le_bytes());
            entries.extend_from_slice(&u32::try_from(name.len()).unwrap_or_default().to_le_bytes());
            entries.extend_from_slice(&[file_type, 0, 0, 0]);
            entries.extend_from_slice(name.as_bytes());
        };
        let names = [".", ".."].into_iter().map(|name| (name, None));
        let names = names.chain(files.iter().map(|file| (file.name.as_str(), Some(file))));
        for ((name, file), cookie) in names.zip(0u64..) {
            if cookie < args[3] {
                continue;
            }
            match file {
                None => add(cookie, inode(directory), DIRECTORY_TYPE, name),
                Some(file) => {
                    if let Ok(stat) = self.host_file_stat(Abi::Snapshot1, file) {
                        let inode = stat[8..16].iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
                        add(cookie, inode, REGULAR_FILE_TYPE, name);
                    }
                }
            }
        }
        entries.truncate(buffer.len());
        memory[buffer.start..buffer.start + entries.len()].copy_from_slice(&entries);
        write_u32(memory, used_at, u32::try_from(entries.len()).unwrap_or(length))
    }
}

fn stat_size(abi: Abi) -> u32 {
    match abi {
        Abi::Snapshot1 => 64,
        Abi::Unstable => 56,
    }
}

/// A number that no file of the host is likely to have.
fn inode(directory: usize) -> u64 {
    u64::MAX - u64::try_from(directory).unwrap_or_default()
}
