use super::*;
use std::os::unix::fs::{PermissionsExt, symlink};

struct Fixture {
    parent: tempfile::TempDir,
    cache: ArtifactCache,
}

fn fixture(max_bytes: u64) -> Fixture {
    let parent = tempfile::tempdir().unwrap();
    let cache = open_in(parent.path(), max_bytes).unwrap();
    Fixture { parent, cache }
}

fn open_in(parent: &Path, max_bytes: u64) -> Result<ArtifactCache> {
    ArtifactCache::open(&CacheConfig { directory: Some(parent.join("cache")), max_bytes })
}

fn insert(cache: &ArtifactCache, key: &Key, note: &[u8], code: &[u8]) {
    let scratch = cache.scratch().unwrap();
    let path = scratch.path().join("code");
    std::fs::write(&path, code).unwrap();
    cache.insert(key, note, &path).unwrap();
}

fn found(cache: &ArtifactCache, key: &Key) -> Option<(Vec<u8>, Vec<u8>)> {
    cache.find(key).map(|mut hit| {
        let mut code = Vec::new();
        hit.code.read_to_end(&mut code).unwrap();
        (hit.note, code)
    })
}

fn key(number: u8) -> Key {
    Key::of(&[&[number]])
}

#[test]
fn what_was_put_in_comes_out_also_for_the_next_process() {
    let fixture = fixture(1 << 20);
    assert!(found(&fixture.cache, &key(1)).is_none());
    insert(&fixture.cache, &key(1), b"note", b"code");
    assert_eq!(found(&fixture.cache, &key(1)).unwrap(), (b"note".to_vec(), b"code".to_vec()));
    let again = open_in(fixture.parent.path(), 1 << 20).unwrap();
    assert!(found(&again, &key(1)).is_some());
    assert!(found(&again, &key(2)).is_none());
}

#[test]
fn changed_truncated_swapped_and_foreign_entries_are_removed_and_never_returned() {
    type Attack = fn(&Path, &str);
    let attacks: &[(&str, Attack)] = &[
        ("changed code", |dir, name| std::fs::write(dir.join(code_name(name)), b"evil").unwrap()),
        ("longer code", |dir, name| std::fs::write(dir.join(code_name(name)), b"code and more").unwrap()),
        ("truncated code", |dir, name| std::fs::write(dir.join(code_name(name)), b"cod").unwrap()),
        ("empty code", |dir, name| std::fs::write(dir.join(code_name(name)), b"").unwrap()),
        ("missing code", |dir, name| std::fs::remove_file(dir.join(code_name(name))).unwrap()),
        ("truncated note", |dir, name| std::fs::write(dir.join(note_name(name)), [0; 31]).unwrap()),
        ("changed note", |dir, name| {
            let mut note = std::fs::read(dir.join(note_name(name))).unwrap();
            *note.last_mut().unwrap() ^= 1;
            std::fs::write(dir.join(note_name(name)), note).unwrap();
        }),
        ("another entry's files", |dir, name| {
            let other = key(2).to_hex();
            std::fs::copy(dir.join(code_name(&other)), dir.join(code_name(name))).unwrap();
            std::fs::copy(dir.join(note_name(&other)), dir.join(note_name(name))).unwrap();
        }),
        ("linked code", |dir, name| {
            std::fs::rename(dir.join(code_name(name)), dir.join("elsewhere")).unwrap();
            symlink(dir.join("elsewhere"), dir.join(code_name(name))).unwrap();
        }),
        ("group-writable code", |dir, name| {
            std::fs::set_permissions(dir.join(code_name(name)), std::fs::Permissions::from_mode(0o660)).unwrap();
        }),
    ];
    for (attack, carry_out) in attacks {
        let fixture = fixture(1 << 20);
        insert(&fixture.cache, &key(1), b"note", b"code");
        insert(&fixture.cache, &key(2), b"other note", b"other code");
        carry_out(fixture.cache.path(), &key(1).to_hex());
        assert!(found(&fixture.cache, &key(1)).is_none(), "{attack}");
        assert!(!fixture.cache.path().join(note_name(&key(1).to_hex())).exists(), "{attack}: still there");
        assert!(found(&fixture.cache, &key(2)).is_some(), "{attack}: took the other entry with it");
        insert(&fixture.cache, &key(1), b"note", b"code");
        assert!(found(&fixture.cache, &key(1)).is_some(), "{attack}: could not be made again");
    }
}

#[test]
fn entries_sealed_with_another_secret_are_not_ours() {
    let fixture = fixture(1 << 20);
    insert(&fixture.cache, &key(1), b"note", b"code");
    std::fs::write(fixture.cache.path().join(seal::KEY_NAME), [7; 32]).unwrap();
    let again = open_in(fixture.parent.path(), 1 << 20).unwrap();
    assert!(found(&again, &key(1)).is_none());
}

#[test]
fn directories_that_others_can_reach_are_refused() {
    let fixture = fixture(1 << 20);
    let path = fixture.cache.path().to_owned();
    for mode in [0o770, 0o707, 0o750, 0o701] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let error = open_in(fixture.parent.path(), 1 << 20).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{mode:o}");
    }
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    let link = fixture.parent.path().join("link");
    symlink(&path, &link).unwrap();
    assert!(ArtifactCache::open(&CacheConfig::in_directory(&link)).is_err());
    assert!(open_in(fixture.parent.path(), 1 << 20).is_ok());
}

#[test]
fn the_least_recently_used_entries_go_first() {
    let fixture = fixture(5000);
    for number in 1..=4 {
        insert(&fixture.cache, &key(number), b"", &[number; 1500]);
        let note = fixture.cache.path().join(note_name(&key(number).to_hex()));
        let age = Duration::from_secs(1000 - u64::from(number) * 100);
        File::options().write(true).open(note).unwrap().set_modified(SystemTime::now() - age).unwrap();
    }
    assert!(found(&fixture.cache, &key(1)).is_none());
    for number in 2..=4 {
        assert!(found(&fixture.cache, &key(number)).is_some(), "{number}");
    }
    assert_eq!(fixture.cache.entries().unwrap().len(), 3);
    assert_eq!(fixture.cache.clear().unwrap().0, 3);
    let left: Vec<_> = fixture.cache.directory.list().unwrap().into_iter().map(|file| file.name).collect();
    assert_eq!(left, [seal::KEY_NAME]);
}

#[test]
fn one_maker_at_a_time() {
    let fixture = fixture(1 << 20);
    let lock = fixture.cache.lock(&key(1), None).unwrap();
    assert!(lock.is_some());
    assert!(fixture.cache.lock(&key(1), Some(Duration::ZERO)).unwrap().is_none());
    assert!(fixture.cache.lock(&key(2), Some(Duration::ZERO)).unwrap().is_some());
    drop(lock);
    assert!(fixture.cache.lock(&key(1), Some(Duration::ZERO)).unwrap().is_some());
}
