//! Makes memories that a module imports its own.
//!
//! A guest that expects its embedder to bring the memory (`env.memory`) gets one that nobody else holds. Imported memories come first in the
//! index space and are adopted all together or not at all, so every index keeps its meaning. The limit then holds for them as for any other, and
//! engines see nothing but functions imported.

use crate::binary::Edits;
use crate::bounds::encoder_failed;
use crate::outline::{Outline, id};
use crate::refusal::Result;
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{Encode, ExportKind};
use wasmparser::{BinaryReader, ExportSectionReader, Import, ImportSectionReader, TypeRef};
use wasmrt_model::{Error, ErrorKind};

/// What host functions and embedders look for.
const MEMORY: &str = "memory";

/// A memory that a module may import and then owns.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OwnMemory {
    /// The module part of its name.
    pub module: String,
    /// The field part of its name.
    pub name: String,
    /// The pages that it starts with, if the module does not ask for more.
    pub pages: u64,
}

/// Which imports went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Adopted {
    /// None.
    Nothing,
    /// All memories.
    Memories,
}

/// Takes over what is offered of what the module imports.
///
/// # Errors
/// `MissingImports` when another memory is imported too; `Unsupported` when one is imported twice, which would make it two; `InvalidInput`
/// when it is to start above its own maximum.
pub(crate) fn adopt(outline: &mut Outline<'_>, offered: &[OwnMemory], edits: &mut Edits) -> Result<Adopted> {
    if offered.is_empty() || !outline.memories.iter().any(|memory| memory.imported) {
        return Ok(Adopted::Nothing);
    }
    let Some(imports) = imports(outline)? else { return Ok(Adopted::Nothing) };
    let mut seen: Vec<(&str, &str)> = Vec::new();
    let mut kept = Vec::new();
    let mut count = 0u32;
    let mut memories = outline.memories.iter_mut();
    for import in &imports {
        let named = || format!("{}.{}", import.module, import.name);
        if !matches!(import.ty, TypeRef::Memory(_)) {
            import.module.encode(&mut kept);
            import.name.encode(&mut kept);
            RoundtripReencoder.entity_type(import.ty).map_err(encoder_failed)?.encode(&mut kept);
            count = count.saturating_add(1);
            continue;
        }
        let offer =
            offered.iter().find(|offer| (offer.module.as_str(), offer.name.as_str()) == (import.module, import.name));
        let Some(offer) = offer else {
            return Err(Error::new(ErrorKind::MissingImports, format!("the memory {} is not offered", named())).into());
        };
        if seen.contains(&(import.module, import.name)) {
            let message = format!("the module imports the memory {} twice, and it cannot own one twice", named());
            return Err(Error::new(ErrorKind::Unsupported, message).into());
        }
        seen.push((import.module, import.name));
        let Some(memory) = memories.next() else { break };
        memory.imported = false;
        memory.memory_type.initial = memory.memory_type.initial.max(offer.pages);
        if let Some(maximum) = memory.memory_type.maximum.filter(|maximum| *maximum < offer.pages) {
            let message =
                format!("the memory {} has {maximum} pages at most, and is to start with {}", named(), offer.pages);
            return Err(Error::new(ErrorKind::InvalidInput, message).into());
        }
    }
    let mut section = Vec::with_capacity(kept.len() + 5);
    count.encode(&mut section);
    section.extend(kept);
    edits.replace(id::IMPORT, section);
    if !exports_name(outline, MEMORY)? {
        edits.append(id::EXPORT, |entry| {
            MEMORY.encode(entry);
            ExportKind::Memory.encode(entry);
            0u32.encode(entry);
        });
    }
    Ok(Adopted::Memories)
}

fn imports<'a>(outline: &Outline<'a>) -> Result<Option<Vec<Import<'a>>>> {
    let Some(reader) = reader(outline, id::IMPORT) else { return Ok(None) };
    let imports: std::result::Result<_, _> = ImportSectionReader::new(reader)?.into_imports().collect();
    Ok(Some(imports?))
}

fn exports_name(outline: &Outline<'_>, name: &str) -> Result<bool> {
    let Some(reader) = reader(outline, id::EXPORT) else { return Ok(false) };
    for export in ExportSectionReader::new(reader)? {
        if export?.name == name {
            return Ok(true);
        }
    }
    Ok(false)
}

fn reader<'a>(outline: &Outline<'a>, id: u8) -> Option<BinaryReader<'a>> {
    let section = outline.section(id)?;
    Some(BinaryReader::new(outline.bytes.get(section.content.clone())?, section.content.start))
}
