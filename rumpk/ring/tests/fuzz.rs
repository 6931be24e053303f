//! Fuzz target: a ring whose other side writes what it likes, whenever it likes.
//!
//! The input is what the peer does between two steps of ours. `Plain` panics on a slot out of range.
mod memory;

use abi::call::Error;
use abi::ring::Slot;
use memory::Plain;
use ring::{Consumer, Memory, Producer, Word};

const SLOTS: u32 = 8;
const WORDS: [Word; 4] = [Word::Read, Word::ConsumerAsleep, Word::Write, Word::ProducerAsleep];

fn number(bytes: &[u8]) -> u32 {
    let mut word = [0; 4];
    let len = bytes.len().min(4);
    word[..len].copy_from_slice(&bytes[..len]);
    u32::from_le_bytes(word)
}

/// What the peer does.
fn attack(m: &Plain, bytes: &[u8]) {
    let [what, rest @ ..] = bytes else { return };
    let word = WORDS[usize::from(what >> 2) % 4];
    match what % 3 {
        0 => m.force(word, m.word(word).wrapping_add(number(rest) % 16)),
        1 => m.force(word, number(rest)),
        _ => {
            let mut slot = [0; 64];
            slot[..rest.len()].copy_from_slice(rest);
            m.force_slot(usize::from(what >> 2) % SLOTS as usize, slot);
        }
    }
}

#[test]
fn hostile_peer() {
    // The producer's index goes on by one, then a slot is written.
    let polite = vec![0x08, 1, 0, 0, 0, 0, 0, 0, 2, 2, 7, 0, 0, 0, 8, 0, 0, 0];
    fuzz::run("ring", &[polite, vec![0; 90], vec![0xFF; 90]], |bytes| {
        // Two rings: on one memory an honest producer would mend what the peer did to the consumer, and the other way round.
        let (to, from) = (Plain::new(SLOTS), Plain::new(SLOTS));
        let (mut p, mut c) = (Producer::new(SLOTS).expect("8"), Consumer::new(SLOTS).expect("8"));
        let (mut p_gone, mut c_gone) = (false, false);
        for step in bytes.chunks(9) {
            attack(&to, step);
            attack(&from, step);
            let slot = Slot { kind: 1, flags: 0, len: 8, arg: 2, payload: [3; 48] };
            let pushed =
                if step.len() % 2 == 0 { p.push(&to, &slot) } else { p.push_word(&to, 1, 1) };
            assert!(!p_gone || pushed == Err(Error::Gone), "a broken ring mends itself");
            p_gone |= pushed == Err(Error::Gone);
            let popped = c.pop(&from);
            assert!(!c_gone || popped == Err(Error::Gone), "a broken ring mends itself");
            c_gone |= popped == Err(Error::Gone);
            if let Ok(popped) = popped {
                assert!(popped.slot.len <= 48 && popped.slot.flags <= 1, "{:?}", popped.slot);
                let _ = ring::descriptor(&popped.slot, 4096);
            }
            if let Ok(available) = c.available(&from) {
                assert!(available <= SLOTS);
            }
            if let Ok(room) = p.room(&to) {
                assert!(room <= SLOTS);
            }
            let _ = p.prepare_sleep(&to) || c.prepare_sleep(&from);
            // The kernel stands in for a side: it begins anew from the shared words, and only from plausible ones.
            for m in [&to, &from] {
                let (read, write) = (m.load_relaxed(Word::Read), m.load_relaxed(Word::Write));
                let plausible = write.wrapping_sub(read) <= SLOTS;
                assert_eq!(Consumer::resume(m, SLOTS).is_ok(), plausible);
                assert_eq!(Producer::resume(m, SLOTS).is_ok(), plausible);
            }
        }
    });
}
