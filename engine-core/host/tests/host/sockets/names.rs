//! Names, as far as rules let a guest ask for them.

use super::{ACCES, DATA, OUT, with_rules};
use crate::guest::Guest;

/// Looks a name up in a list of two entries; gives (family, port, address) of what was found.
pub(super) fn look_up(
    guest: &mut Guest,
    node: &str,
    service: &str,
    family: u8,
) -> Result<Vec<(u8, u16, Vec<u8>)>, u64> {
    let (hints, list, infos, addresses, data) = (OUT, OUT + 32, OUT + 64, OUT + 192, OUT + 256);
    let small = |value: u64| u32::try_from(value).unwrap().to_le_bytes();
    guest.put(hints, &[0, 0, family, 2, 1, 0, 0, 0]);
    for index in 0..2 {
        guest.put(infos + index * 28, &[0; 28]);
        guest.put(infos + index * 28 + 12, &small(addresses + index * 12));
        guest.put(addresses + index * 12 + 8, &small(data + index * 32));
    }
    guest.put(infos + 24, &small(infos + 28));
    guest.put(list, &small(infos));
    guest.put(DATA, node.as_bytes());
    guest.put(DATA + 512, service.as_bytes());
    let args = [DATA, node.len() as u64, DATA + 512, service.len() as u64, hints, list, 2, list + 8];
    match guest.call("sock_getaddrinfo", &args) {
        0 => {}
        errno => return Err(errno),
    }
    Ok((0..guest.word(list + 8))
        .map(|index| {
            let family = guest.get(infos + index * 28 + 2, 1)[0];
            let sockaddr = guest.get(data + index * 32, 26);
            let bytes = if family == 1 { &sockaddr[2..6] } else { &sockaddr[6..22] };
            (family, u16::from_be_bytes([sockaddr[0], sockaddr[1]]), bytes.to_vec())
        })
        .collect())
}

#[test]
fn names_are_asked_for_where_a_rule_says() {
    let mut guest = with_rules(&["resolve=localhost".to_owned()], "");
    assert_eq!(look_up(&mut guest, "localhost", "http", 1), Ok(vec![(1, 80, vec![127, 0, 0, 1])]));
    assert_eq!(look_up(&mut guest, "localhost\0", "8080\0", 1), Ok(vec![(1, 8080, vec![127, 0, 0, 1])]));
    assert_eq!(look_up(&mut guest, "example.com", "80", 1), Err(ACCES));
    assert_eq!(guest.refusals.lines().len(), 1);
    // Numbers are no names.
    assert_eq!(look_up(&mut guest, "10.0.0.1", "80", 0), Ok(vec![(1, 80, vec![10, 0, 0, 1])]));
    assert_eq!(look_up(&mut guest, "::1", "80", 2).unwrap()[0].2[15], 1);
    assert_eq!(look_up(&mut guest, "::1", "80", 1), Err(83));
    assert_eq!(look_up(&mut guest, "10.0.0.1", "nonsense", 0), Err(85));
    assert_eq!(look_up(&mut guest, "", "", 0), Err(84));
    let mut guest = Guest::new("{}");
    assert_eq!(look_up(&mut guest, "localhost", "80", 1), Err(ACCES));
}
