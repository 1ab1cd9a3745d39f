//! Stand-ins for the libraries that hold the compiler, so that they need not be loaded to run guests.
//!
//! libwasmedge wants all of LLVM when it is loaded, and calls nothing of it but to compile. That costs seven eighths of the time of
//! loading it and nine tenths of the memory (7 MiB that no two processes share). A stand-in has the name, the versions and the
//! symbols that the dynamic loader looks for, and nothing behind them.
//!
//! Owns what libwasmedge asks for, and the shared object that answers. Loads nothing.

use object::Endianness;
use object::elf::{self, FileHeader64};
use object::read::ReadCache;
use object::read::elf::{FileHeader, SectionHeader, Sym, VersionTable};
use object::read::{ReadRef, StringTable};
use object::write::elf::{FileHeader as Header, ProgramHeader, Sym as Symbol, Verdef, Writer};
use std::collections::BTreeMap;
use std::fs::File;

/// The libraries of the compiler, by the beginnings of their names: LLVM and its linker.
const COMPILER: &[&[u8]] = &[b"libLLVM", b"liblld"];

/// What each object gets. Nobody looks at one; static initialisers may write to it.
const OBJECT_BYTES: u64 = 4096;
const PAGE: usize = 4096;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// What a library asks of one that it needs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    machine: u16,
    endian: Endianness,
    /// The name by which it is needed.
    name: Vec<u8>,
    /// By version, what is looked for.
    symbols: BTreeMap<Vec<u8>, Vec<Sought>>,
}

/// A symbol that somebody looks for.
#[derive(Debug, PartialEq, Eq)]
struct Sought {
    name: Vec<u8>,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Function,
    Object,
    ThreadLocal,
}

/// What a library asks of the compiler's libraries. Nothing, where the compiler is part of it.
///
/// # Errors
/// A file that cannot be read, or that is no shared object for 64 bits.
pub(crate) fn wanted(library: &File) -> Result<Vec<Wanted>> {
    let data = ReadCache::new(library);
    let data = &data;
    let header = FileHeader64::<Endianness>::parse(data)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, data)?;
    let table = sections.symbols(endian, data, elf::SHT_DYNSYM)?;
    let strings = sections.section(table.string_section())?;
    // At once: there are thousands of names.
    let (start, size) = strings.file_range(endian).unwrap_or_default();
    let strings = data.read_bytes_at(start, size).map_err(|()| "the names of its symbols cannot be read")?;
    let strings = StringTable::new(strings, 0, size);
    let versions: VersionTable<'_, FileHeader64<Endianness>> = sections.versions(endian, data)?.unwrap_or_default();

    let mut wanted: BTreeMap<&[u8], Wanted> = BTreeMap::new();
    for (index, symbol) in table.enumerate().filter(|(_, symbol)| symbol.is_undefined(endian)) {
        let Some(version) = versions.version(versions.version_index(endian, index))? else { continue };
        let Some(file) = version.file().filter(|file| COMPILER.iter().any(|name| file.starts_with(name))) else {
            continue;
        };
        let kind = match symbol.st_type() {
            elf::STT_TLS => Kind::ThreadLocal,
            elf::STT_OBJECT => Kind::Object,
            _ => Kind::Function,
        };
        let name = strings.get(symbol.st_name(endian)).map_err(|()| "the name of a symbol cannot be read")?;
        let of_file = wanted.entry(file).or_insert_with(|| Wanted {
            machine: header.e_machine(endian),
            endian,
            name: file.to_vec(),
            symbols: BTreeMap::new(),
        });
        of_file.symbols.entry(version.name().to_vec()).or_default().push(Sought { name: name.to_vec(), kind });
    }
    Ok(wanted.into_values().collect())
}

/// Where what has a place in the stand-in is found.
#[derive(Debug, Default)]
struct Room {
    objects: u64,
    thread_locals: u64,
}

impl Room {
    fn place(&mut self, kind: Kind, function: u64, objects: u64) -> (u8, u64, u16) {
        /// Anything that is no reserved number: nobody looks for the section.
        const SOME_SECTION: u16 = 1;
        let next = |count: &mut u64| {
            *count += 1;
            (*count - 1) * OBJECT_BYTES
        };
        match kind {
            Kind::Function => (elf::STT_FUNC, function, elf::SHN_ABS),
            Kind::Object => (elf::STT_OBJECT, objects + next(&mut self.objects), SOME_SECTION),
            Kind::ThreadLocal => (elf::STT_TLS, next(&mut self.thread_locals), SOME_SECTION),
        }
    }
}

impl Wanted {
    fn count(&self, kind: Kind) -> u64 {
        self.symbols.values().flatten().filter(|sought| sought.kind == kind).fold(0, |count, _| count + 1)
    }

    /// The name of a function, if one is asked for.
    pub(crate) fn some_function(&self) -> Option<&[u8]> {
        let mut all = self.symbols.values().flatten();
        all.find(|sought| sought.kind == Kind::Function).map(|sought| sought.name.as_slice())
    }

    /// The bytes of a shared object that has all that is asked for. Every function is the one at the address `function`, which is not part
    /// of it; every object is all zeroes. It has no code of its own.
    ///
    /// # Errors
    /// More than such a file can hold.
    pub(crate) fn stand_in(&self, function: u64) -> Result<Vec<u8>> {
        const ENTRIES: usize = 10;
        let mut bytes = Vec::new();
        let mut writer = Writer::new(self.endian, true, &mut bytes);
        let name = writer.add_dynamic_string(&self.name);
        let versions: Vec<_> = self.symbols.keys().map(|version| writer.add_dynamic_string(version)).collect();
        let sought: Vec<_> = (2_u16..)
            .zip(self.symbols.values())
            .flat_map(|(version, sought)| sought.iter().map(move |sought| (version, sought)))
            .map(|(version, sought)| (version, sought, writer.add_dynamic_string(&sought.name)))
            .collect();

        writer.reserve_file_header();
        writer.reserve_program_headers(5);
        writer.reserve_null_dynamic_symbol_index();
        for _ in &sought {
            writer.reserve_dynamic_symbol_index();
        }
        let chain = writer.dynamic_symbol_count();
        let buckets = chain;
        let hash = writer.reserve_hash(buckets, chain);
        let versym = writer.reserve_gnu_versym();
        let verdef = writer.reserve_gnu_verdef(versions.len() + 1, versions.len() + 1);
        let dynsym = writer.reserve_dynsym();
        let dynstr = writer.reserve_dynstr();
        let (dynstr_bytes, read_only) = (writer.dynstr_len(), writer.reserved_len());
        writer.reserve(0, PAGE);
        let dynamic = writer.reserve_dynamic(ENTRIES);
        let (start, end) = (u64::try_from(dynamic)?, u64::try_from(writer.reserved_len())?);
        // Behind what is in the file: pages of zeroes, that take memory when they are written to.
        let objects = end.next_multiple_of(OBJECT_BYTES);
        let objects_end = objects + self.count(Kind::Object) * OBJECT_BYTES;

        writer.write_file_header(&Header {
            os_abi: elf::ELFOSABI_NONE,
            abi_version: 0,
            e_type: elf::ET_DYN,
            e_machine: self.machine,
            e_entry: 0,
            e_flags: 0,
        })?;
        writer.write_align_program_headers();
        let program = |p_type, p_flags, offset: u64, file: u64, memory: u64, align: u64| ProgramHeader {
            p_type,
            p_flags,
            p_offset: offset,
            p_vaddr: offset,
            p_paddr: offset,
            p_filesz: file,
            p_memsz: memory,
            p_align: align,
        };
        let (read_only, page) = (u64::try_from(read_only)?, u64::try_from(PAGE)?);
        let (readable, writable) = (elf::PF_R, elf::PF_R | elf::PF_W);
        let thread_locals = self.count(Kind::ThreadLocal) * OBJECT_BYTES;
        writer.write_program_header(&program(elf::PT_LOAD, readable, 0, read_only, read_only, page));
        writer.write_program_header(&program(elf::PT_LOAD, writable, start, end - start, objects_end - start, page));
        writer.write_program_header(&program(elf::PT_DYNAMIC, writable, start, end - start, end - start, 8));
        writer.write_program_header(&program(elf::PT_TLS, readable, start, 0, thread_locals, 16));
        writer.write_program_header(&program(elf::PT_GNU_STACK, writable, 0, 0, 0, 16));

        let hashes: Vec<_> = sought.iter().map(|(_, sought, _)| elf::hash(&sought.name)).collect();
        writer.write_hash(buckets, chain, |index| {
            index.checked_sub(1).and_then(|index| hashes.get(usize::try_from(index).ok()?).copied())
        });
        writer.write_null_gnu_versym();
        for (version, ..) in &sought {
            writer.write_gnu_versym(*version);
        }
        writer.write_align_gnu_verdef();
        let names = [(elf::VER_FLG_BASE, name)].into_iter().chain(versions.iter().map(|version| (0, *version)));
        for (index, (flags, name)) in (1_u16..).zip(names) {
            writer.write_gnu_verdef(&Verdef { version: elf::VER_DEF_CURRENT, flags, index, aux_count: 1, name });
        }
        writer.write_null_dynamic_symbol();
        let mut room = Room::default();
        for (_, sought, name) in &sought {
            let (kind, st_value, st_shndx) = room.place(sought.kind, function, objects);
            writer.write_dynamic_symbol(&Symbol {
                name: Some(*name),
                section: None,
                st_info: elf::STB_GLOBAL << 4 | kind,
                st_other: elf::STV_DEFAULT,
                st_shndx,
                st_value,
                st_size: if sought.kind == Kind::Function { 0 } else { OBJECT_BYTES },
            });
        }
        writer.write_dynstr();
        writer.write_align(PAGE);
        writer.write_align_dynamic();
        writer.write_dynamic_string(elf::DT_SONAME, name)?;
        let places = [
            (elf::DT_HASH, hash),
            (elf::DT_SYMTAB, dynsym),
            (elf::DT_STRTAB, dynstr),
            (elf::DT_STRSZ, dynstr_bytes),
            (elf::DT_SYMENT, size_of::<elf::Sym64<Endianness>>()),
            (elf::DT_VERSYM, versym),
            (elf::DT_VERDEF, verdef),
            (elf::DT_VERDEFNUM, versions.len() + 1),
            (elf::DT_NULL, 0),
        ];
        for (tag, place) in places {
            writer.write_dynamic(tag, u64::try_from(place)?)?;
        }
        Ok(bytes)
    }
}
