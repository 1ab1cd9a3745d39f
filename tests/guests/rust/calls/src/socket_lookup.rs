//! `getaddrinfo NODE SERVICE [family=F] [type=T] [protocol=P] [flags=F,F] [max=N] [room=N]`: looks a name up.
//!
//! Prints each result as `TYPE/PROTOCOL ADDRESS:PORT`, sorted, without what occurs twice. NODE and SERVICE are passed with a NUL behind
//! them, as the usual crate does it. `max` is for how many results there is room, `room` how long the room for each address says it is:
//! there are always 26 bytes, since hosts write as many for IPv6.

use crate::host;
use crate::socket_abi::{self, flags_of, name_of, number_of, shown_address};
use crate::socket_script::{Answer, at, at_mut, with};
use crate::words::{Words, integer};

/// Flags; family, type, protocol; then the length of the address, the address, the name, its length, the next.
#[repr(C)]
#[derive(Clone, Default)]
struct Info {
    flags: u16,
    family: u8,
    kind: u8,
    protocol: u8,
    address_length: u32,
    address: i32,
    name: i32,
    name_length: u32,
    next: i32,
}

#[repr(C)]
#[derive(Clone, Default)]
struct Address {
    family: u8,
    length: u32,
    bytes: i32,
}

/// Makes the call.
pub unsafe fn look_up(words: &mut Words<'_>) -> Answer {
    let (node, service) = (terminated(words.string()?), terminated(words.string()?));
    let mut hints = Info { kind: 2, protocol: 1, ..Info::default() };
    let (mut most, mut room) = (16usize, 26u32);
    while let Some(word) = words.optional() {
        let (key, value) = word.split_once('=').ok_or_else(|| format!("'{word}' is not KEY=VALUE"))?;
        match key {
            "family" => hints.family = number_of(socket_abi::FAMILY, value)? as u8,
            "type" => hints.kind = number_of(socket_abi::KIND, value)? as u8,
            "protocol" => hints.protocol = number_of(socket_abi::PROTOCOL, value)? as u8,
            "flags" => hints.flags = flags_of(socket_abi::LOOK_UP, value)? as u16,
            "max" => most = integer(value)? as usize,
            "room" => room = integer(value)? as u32,
            _ => return Err(format!("'{key}' is no key")),
        }
    }
    // One entry even for none: the call takes a pointer to the first in any case.
    let count = most.max(1);
    let (mut bytes, mut names) = (vec![[0u8; 28]; count], vec![[0u8; 256]; count]);
    let mut addresses: Vec<Address> =
        bytes.iter_mut().map(|bytes| Address { family: 0, length: room, bytes: at_mut(bytes) }).collect();
    let mut infos = vec![Info::default(); count];
    for index in (0..count).rev() {
        let next = if index + 1 < count { at_mut(&mut infos[index + 1]) } else { 0 };
        let (address, name) = (at_mut(&mut addresses[index]), at_mut(&mut names[index]));
        infos[index] = Info { address, name, name_length: 256, next, ..Info::default() };
    }
    let (mut first, mut found) = (at_mut(infos.as_mut_slice()), 0u32);
    let number = host::sock_getaddrinfo(
        at(node.as_slice()),
        node.len() as i32,
        at(service.as_slice()),
        service.len() as i32,
        at(&hints),
        at_mut(&mut first),
        most as i32,
        at_mut(&mut found),
    );
    with(number, || {
        let results = infos.iter().zip(&addresses).zip(&bytes).take(found as usize);
        let mut shown: Vec<String> = results
            .map(|((info, address), bytes)| {
                let octets = if address.family == 2 { &bytes[6..] } else { &bytes[2..] };
                format!(
                    "{}/{} {}:{}",
                    name_of(socket_abi::KIND, i32::from(info.kind)),
                    name_of(socket_abi::PROTOCOL, i32::from(info.protocol)),
                    shown_address(i32::from(address.family), octets),
                    u16::from_be_bytes([bytes[0], bytes[1]])
                )
            })
            .collect();
        shown.sort();
        shown.dedup();
        shown.join(" ")
    })
}

/// With a NUL behind it; nothing stays nothing.
fn terminated(mut text: Vec<u8>) -> Vec<u8> {
    if !text.is_empty() {
        text.push(0);
    }
    text
}
