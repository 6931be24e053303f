//! Source lines behind the console's lines, looked up in this test's own ELF file.
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use nexus::machine::remark::Remarks;
use object::{Object, ObjectSymbol};

/// What a remark is to find.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn nexus_landmark(n: u64) -> u64 {
    std::hint::black_box(n) + 1
}

/// Where the output goes; each write is one entry.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<Vec<u8>>>>);

impl Seen {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }
    fn bytes(&self) -> Vec<u8> {
        self.0.lock().expect("nobody panics").concat()
    }
}

impl Write for Seen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("nobody panics").push(bytes.to_vec());
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A filter that knows this program under the name `mine`.
fn filter() -> (Remarks, Seen) {
    let seen = Seen::default();
    let me = std::env::current_exe().expect("a program");
    (Remarks::new(BTreeMap::from([("mine".into(), me)]), Box::new(seen.clone())), seen)
}

fn landmark() -> u64 {
    assert_eq!(nexus_landmark(1), 2);
    let me = std::fs::read(std::env::current_exe().expect("a program")).expect("its bytes");
    let file = object::File::parse(&*me).expect("an ELF file");
    let found = file.symbols().find(|s| s.name() == Ok("nexus_landmark"));
    found.expect("the symbol").address()
}

fn printed(text: &[u8]) -> String {
    let (mut remarks, seen) = filter();
    remarks.write_all(text).expect("memory");
    seen.text()
}

#[test]
fn an_address_gets_its_function_and_line_however_the_line_is_split() {
    let text = format!("  pc mine+{:#x}, sp 0x10\r\nnext", landmark());
    let whole = printed(text.as_bytes());
    let lines: Vec<&str> = whole.split('\n').collect();
    assert_eq!(
        (lines.len(), lines[0], lines[2]),
        (3, text.lines().next().map(|l| l.to_owned() + "\r").unwrap_or_default().as_str(), "next")
    );
    let place = lines[1].strip_prefix(&format!("  mine+{:#x}: nexus_landmark (", landmark()));
    let place = place.unwrap_or_else(|| panic!("{whole}"));
    assert!(place.contains("tests/remark.rs:"), "{whole}");
    let line: usize = place
        .rsplit(':')
        .next()
        .and_then(|n| n.trim_end_matches(')').parse().ok())
        .expect("a line");
    let source: Vec<&str> = include_str!("remark.rs").lines().collect();
    assert!(source[line - 1].contains("fn nexus_landmark"), "line {line}");
    for at in 1..text.len() {
        let (mut remarks, seen) = filter();
        remarks.write_all(&text.as_bytes()[..at]).expect("memory");
        if !text[..at].contains('\n') {
            assert_eq!(seen.text(), text[..at], "nothing is held back");
        }
        remarks.write_all(&text.as_bytes()[at..]).expect("memory");
        assert_eq!(seen.text(), whole, "split at {at}");
    }
}

/// A call of the landmark returns behind it: the address that is looked up is the one before.
#[test]
fn a_return_address_is_that_of_the_call() {
    let at = landmark();
    let behind = printed(format!("return mine+{:#x}\n", at + 1).as_bytes());
    assert!(behind.contains(": nexus_landmark ("), "{behind}");
    let before = printed(format!("return mine+{at:#x}\n").as_bytes());
    assert!(!before.contains(": nexus_landmark ("), "{before}");
    assert_eq!(printed(b"return mine+0x0\n"), "return mine+0x0\n", "nothing is before 0");
}

#[test]
fn everything_else_passes_byte_for_byte() {
    let at = landmark();
    let long = format!("{}mine+{at:#x}\n", " ".repeat(600));
    let cases: [&[u8]; 9] = [
        b"mine+0x\n+0x12\n mine +0x10\nmine+0xzz\n",
        b"mine+0xffffffffffffffff\nmine+0x11111111111111111111\n",
        format!("yours+{at:#x} ../mine/{at:#x} notmine+{at:#x}\n").leak().as_bytes(),
        b"\xFF\xFE+0x10\xC3\nmine\xC3+0x10\n\0\x1B[2J\r\n\n",
        long.as_bytes(),
        b"$ mine+0x1000",
        b"",
        b"\n\n\r\n",
        "mïne+0x10 +0x+0x+0x\n".as_bytes(),
    ];
    for case in cases {
        let (mut remarks, seen) = filter();
        remarks.write_all(case).expect("memory");
        assert_eq!(seen.bytes(), case, "{}", String::from_utf8_lossy(case));
    }
}

/// Whatever a program prints: what it printed is all there, in order, and a line has four remarks at most.
#[test]
fn hostile_text_gets_remarks_and_nothing_else() {
    let at = landmark();
    let line = format!("mine+{at:#x} ").repeat(12) + "\n";
    let told = printed(line.as_bytes());
    assert!(told.starts_with(&line));
    assert_eq!(told.lines().count(), 1 + 4);
    let place = |i: u64| format!("mine+{:#x}\n", at + i % 3 + i / 3 % 1500);
    let many = (0..6000).map(place).collect::<Vec<_>>().concat();
    let told = printed(many.as_bytes());
    let own: Vec<&str> = told.split_inclusive('\n').filter(|l| !l.starts_with("  ")).collect();
    assert_eq!(own.concat(), many);
}

/// A program that walks through its own text is not looked up for ever.
#[test]
fn the_number_of_places_has_a_limit() {
    let (mut remarks, seen) = filter();
    for i in 0..4096 {
        writeln!(remarks, "mine+{:#x}", (1u64 << 60) + i).expect("memory");
    }
    writeln!(remarks, "mine+{:#x}", landmark()).expect("memory");
    assert!(!seen.text().contains("nexus_landmark"));
}
