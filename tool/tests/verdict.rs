//! Every end of a machine has its exit code.
use abi::boot::{BEB_MAGIC, Beb, beb};
use abi::hypercall::{POST_MORTEM_MAGIC, PostMortem, cause};
use nexus::failure::code;
use nexus::machine::verdict::{BootError, judge, post_mortems};

fn boot_error(state: u32, end: u32, text: &str) -> BootError {
    let head = Beb {
        magic: BEB_MAGIC,
        state,
        text_len: text.len() as u32,
        code: end,
        pc: 0x1234,
        ..Beb::zeroed()
    };
    let mut bytes = head.encode().to_vec();
    bytes.extend_from_slice(text.as_bytes());
    bytes.extend_from_slice(b"left over");
    BootError::decode(&bytes).expect("a boot error")
}

fn dead(cause: u16) -> PostMortem {
    let p = PostMortem {
        magic: POST_MORTEM_MAGIC,
        cause,
        address: 0x4020_0000,
        pc: 0x5008_1000,
        ..PostMortem::zeroed()
    };
    post_mortems(&p.encode()).pop().expect("a post-mortem")
}

#[test]
fn text_ends_where_its_length_says() {
    assert_eq!(boot_error(beb::PANIC, 0, "why").text, "why");
}

#[test]
fn a_length_past_the_buffer_is_cut() {
    let head = Beb { magic: BEB_MAGIC, text_len: u32::MAX, ..Beb::zeroed() };
    assert_eq!(BootError::decode(&head.encode()).map(|b| b.text), Some(String::new()));
}

#[test]
fn zeros_are_no_record() {
    assert_eq!(BootError::decode(&[0; 4096]), None);
    assert_eq!(post_mortems(&[0; 4096]), []);
}

#[test]
fn only_off_with_code_zero_is_good() {
    let off = boot_error(beb::OFF, 0, "");
    assert_eq!(judge(Some(&off), &[], false).code, code::OK);
    assert_eq!(judge(Some(&off), &[dead(cause::OFF)], true).code, code::OK);
    let failed = boot_error(beb::OFF, 7, "");
    assert_eq!(judge(Some(&failed), &[], false).code, code::ERROR);
}

#[test]
fn under_rumkv_the_cell_alone_is_not_believed() {
    let off = boot_error(beb::OFF, 0, "");
    assert_eq!(judge(Some(&off), &[], true).code, code::DEAD_CELL);
    let verdict = judge(Some(&off), &[dead(cause::DATA)], true);
    assert_eq!(verdict.code, code::DEAD_CELL);
    assert!(verdict.text.contains("data access outside the map at 0x40200000"), "{verdict:?}");
    assert_eq!(verdict.pc, Some(0x5008_1000));
}

#[test]
fn each_bad_state_has_its_code() {
    let codes = [
        (beb::BOOTING, code::REFUSED),
        (beb::RUNNING, code::PANIC),
        (beb::RESET, code::ERROR),
        (beb::PANIC, code::PANIC),
        (beb::REFUSED, code::REFUSED),
        (beb::TRAP, code::PANIC),
        (beb::NO_SUBJECT, code::PANIC),
        (99, code::PANIC),
    ];
    for (state, wanted) in codes {
        assert_eq!(judge(Some(&boot_error(state, 0, "x")), &[], false).code, wanted, "{state}");
    }
    assert_eq!(judge(None, &[], false).code, code::PANIC);
}

#[test]
fn a_refusal_names_what_nexus_boot_named() {
    let refused = boot_error(beb::REFUSED, 0, "nexus-boot: refused: cells.bin: hash\n");
    assert_eq!(judge(Some(&refused), &[], true).text, "nexus-boot: refused: cells.bin: hash");
}
