//! ProvChain on whole machines: sessions whose chain is verified on the host, floods, losses, a panic and the boot after it.
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use abi::boot::{beb, virt};
use abi::prov::{ProvRecord, boot, kind};
use abi::stats::end;
use nexus::audit::{of_file, sealing_key, verify};
use nexus::failure::code;
use nexus::machine::Outcome;
use prov::{Anchor, Found, Report};
use system::command::{nexus as command, run};
use system::session::{answers, profile, script};
use system::{Boot, built, expect_exit, folder, workspace};

use crate::gdb::Gdb;

/// What the development key says of a chain.
pub(crate) fn judged(chain: &[u8], from: u64) -> Report {
    let key = sealing_key(None, &workspace().root).expect("the tree has a key");
    verify(chain, from, Anchor::None, &key)
}

fn records(chain: &[u8]) -> Vec<ProvRecord> {
    chain.chunks(ProvRecord::SIZE).map(|r| ProvRecord::decode(r).expect("whole")).collect()
}

pub(crate) fn chain(outcome: &Outcome) -> Vec<u8> {
    outcome.audit.clone().expect("a machine that stopped")
}

fn session(profile_name: &str, commands: &[&str]) -> Outcome {
    let boot = Boot::of(&built(&profile(profile_name))).script(script(commands.iter().copied()));
    let outcome = boot.run();
    expect_exit(&outcome, code::OK);
    outcome
}

/// Name of a record's subject, by kind.
fn name(record: &ProvRecord) -> &str {
    abi::text(match record.kind {
        kind::SPAWN => &record.data,
        _ => &record.data[16..],
    })
}

#[test]
fn a_session_is_in_the_chain_that_is_exported_and_in_the_one_that_is_saved() {
    // The service that floods ends during the first command, so that its end is not told in the midst of the table.
    let script = [
        "run flood 8000",
        "run touch read 0x10",
        "run misuse nothing",
        "audit 300",
        "audit head",
        "audit export",
    ];
    let outcome = session("audit", &script);
    let saved = chain(&outcome);
    let report = judged(&saved, 0);
    assert_eq!(report.bad, None);
    assert!(report.closed && report.seals >= 1, "the power-off was sealed: {report:?}");

    let all = records(&saved);
    assert_eq!((all[0].kind, all[0].status), (kind::BOOT, boot::MACHINE));
    let bundle = &built(&profile("audit")).bundle;
    assert_eq!(all[0].data, machine_of(bundle));
    let has = |kind: u16, who: &str| all.iter().any(|r| r.kind == kind && name(r) == who);
    for who in ["uart", "init", "provd", "flood", "shell", "touch", "misuse"] {
        assert!(has(kind::SPAWN, who), "{who}");
    }
    let fault = all.iter().find(|r| r.kind == kind::FAULT).expect("touch died");
    assert_eq!((fault.object, name(fault)), (u32::from(end::PAGE_FAULT), "touch"));
    assert_eq!(fault.data[8..16], 0x10u64.to_le_bytes());

    // What the shell exported is the beginning of what was saved.
    let exported = of_file(outcome.text().as_bytes());
    assert!(exported.len() > 20 * ProvRecord::SIZE, "{}", exported.len());
    assert_eq!(saved[..exported.len()], exported);
    let printed = answers(&outcome);
    let head = printed.iter().find(|a| a.command == "audit head").expect("it was asked").text();
    let digits = nexus::audit::digits(&judged(&exported, 0).head);
    assert!(head.ends_with(&digits), "{head}");
    let table = printed.iter().find(|a| a.command == "audit 300").expect("it was asked").text();
    assert!(table.contains("page fault at 0x10"), "{table}");
}

/// BLAKE3 of the index's contents, by the bundle's own reader.
fn machine_of(bundle: &[u8]) -> [u8; 32] {
    let key = system::signing().key.public_key();
    bundle::verify(bundle, &key, 1).expect("it boots").machine
}

#[test]
fn the_command_saves_verifies_and_refuses_what_was_tampered_with() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let saved = path("chain");
    let arguments = ["run", "micro", "--timeout", "100", "--audit", &saved];
    let ended = run(command(&arguments), b"audit export\npoweroff\n");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let good = run(command(&["audit", "verify", &saved]), b"");
    assert_eq!(good.code, Some(0), "{good:?}");
    assert!(good.out.contains("only the last seal itself"), "{good:?}");

    // The terminal's log, then one digit of it changed.
    let log = path("log");
    std::fs::write(&log, &ended.out).expect("a file");
    assert_eq!(run(command(&["audit", "verify", &log]), b"").code, Some(0));
    let at = ended.out.find("prov 3.1 ").expect("record 3") + 20;
    let mut tampered = ended.out.clone().into_bytes();
    tampered[at] = if tampered[at] == b'0' { b'1' } else { b'0' };
    std::fs::write(&log, &tampered).expect("a file");
    let bad = run(command(&["audit", "verify", &log]), b"");
    assert_eq!(bad.code, Some(1), "{bad:?}");
    assert!(bad.err.contains("record 3 was altered"), "{bad:?}");

    // Cut at the end: only the anchor tells.
    let bytes = std::fs::read(&saved).expect("the chain");
    let cut = path("cut");
    std::fs::write(&cut, &bytes[..bytes.len() - 2 * ProvRecord::SIZE]).expect("a file");
    assert_eq!(run(command(&["audit", "verify", &cut]), b"").code, Some(0));
    let bad = run(command(&["audit", "verify", &cut, "--head", &saved]), b"");
    assert_eq!(bad.code, Some(1), "{bad:?}");
    assert!(bad.err.contains("the chain ends before its anchor"), "{bad:?}");

    // Another key.
    let other = path("key");
    std::fs::write(&other, "11".repeat(32)).expect("a file");
    let public = run(command(&["audit", "public", &other]), b"");
    std::fs::write(&other, &public.out).expect("a file");
    let bad = run(command(&["audit", "verify", &saved, "--key", &other]), b"");
    assert_eq!(bad.code, Some(1), "{bad:?}");
    assert!(bad.err.contains("is not by this key"), "{bad:?}");
}

#[test]
fn a_flood_is_dropped_counted_and_told_and_erases_nothing() {
    let outcome = Boot::of(&built(&profile("audit-unsigned"))).run();
    expect_exit(&outcome, code::OK);
    let all = records(&chain(&outcome));
    assert_eq!(judged(&chain(&outcome), 0).bad, None);
    // Everything the kernel noted is there: the first record and all births.
    assert_eq!(all[0].seq, 0);
    for who in ["uart", "init", "flood"] {
        assert!(all.iter().any(|r| r.kind == kind::SPAWN && name(r) == who), "{who}");
    }
    let of_applications: Vec<_> =
        all.iter().filter(|r| matches!(r.kind, kind::APPLICATION | kind::OVERRUN)).collect();
    assert!(of_applications.len() <= 256, "a quarter: {}", of_applications.len());
    let told = |r: &ProvRecord, at: usize| {
        u64::from_le_bytes(r.data[at..at + 8].try_into().expect("eight bytes"))
    };
    let overruns: Vec<_> = all.iter().filter(|r| r.kind == kind::OVERRUN).collect();
    let dropped = told(overruns.last().expect("it is told"), 0);
    let taken = all.iter().filter(|r| r.kind == kind::APPLICATION).count() as u64;
    let said = outcome.text();
    let said = said.lines().find(|l| l.contains(" taken, ")).expect("flood ends");
    assert!(said.contains(&format!("{taken} taken")), "{said}: {taken}");
    assert!(dropped > 50_000 && dropped <= 60_000 - taken, "{dropped} {taken}");
    assert!(overruns.iter().all(|r| told(r, 8) == 0), "no kernel record was lost");
}

#[test]
fn without_its_signer_the_tail_is_unsealed_and_the_verifier_says_so() {
    let outcome = session("audit", &["kill provd", "run touch read 0x10"]);
    let chain = chain(&outcome);
    let report = judged(&chain, 0);
    assert_eq!(report.bad, None);
    assert!(!report.closed && report.unsealed < report.count, "{report:?}");
    let tail = &records(&chain)[report.unsealed as usize..];
    assert!(tail.iter().any(|r| r.kind == kind::FAULT), "what came after it is in the tail");
}

/// Somebody without the key cannot make the sealed part say something else.
#[test]
fn a_forged_chain_of_a_real_machine_breaks_its_seal() {
    let outcome = session("audit", &["run touch read 0x10"]);
    let mut forged = chain(&outcome);
    let len = ProvRecord::SIZE;
    let at = records(&forged).iter().position(|r| r.kind == kind::FAULT).expect("a fault");
    forged[at * len + 32] ^= 1;
    for n in at..forged.len() / len {
        let prev: [u8; 32] = forged[n * len - 32..][..32].try_into().expect("a hash");
        forged[n * len + 64..][..32].copy_from_slice(&prev);
        let hash = prov::hash_of(forged[n * len..][..len].try_into().expect("a record"));
        forged[n * len + 96..][..32].copy_from_slice(&hash);
    }
    let bad = judged(&forged, 0).bad.expect("it is noticed");
    assert_eq!(bad.found, Found::Seal);
    assert!(bad.seq > at as u64);
}

#[test]
fn the_key_and_the_ring_are_out_of_reach() {
    let commands =
        [virt::SECRET, virt::PROVCHAIN].map(|address| format!("run touch read {address:#x}"));
    let outcome = session("audit", &[&commands[0], &commands[1]]);
    for answer in answers(&outcome).iter().filter(|a| a.command.starts_with("run touch")) {
        assert!(answer.text().contains("page fault"), "{answer:?}");
    }
    // Nor does a file lead there.
    let outcome = session("audit", &["ls /", "ls /Boot", "cat /cell0/secret", "cat /secret"]);
    assert!(!outcome.text().contains("Development key"), "{}", outcome.text());
}

/// The kernel panics, the machine is reset, and the chain of the next boot says what happened.
#[test]
fn a_kernel_panic_is_in_the_chain_after_the_next_boot() {
    const NOWHERE: u64 = 0xFFFF_FF80_0000_1234;
    let folder = folder();
    let socket = folder.path().join("gdb");
    // The service that floods ends long before the program that does four times as much: nothing is noted after the head. Then
    // more lines than driver and shell hold: what is left is read after the reset, and ends with Ctrl-D.
    let script = String::from("run flood 8000\nrun flood sleep &\naudit head\nwait\n");
    let script = script + &"\n".repeat(6000);
    let mut boot = Boot::of(&built(&profile("audit"))).script(script);
    boot = boot.timeout(Duration::from_mins(1));
    boot.options.resets = 1;
    let server = format!("unix:{},server=on,wait=off", socket.display());
    boot.options.board.extra = vec!["-gdb".into(), server];
    let (tell, heard) = channel();
    boot.options.output = Box::new(Listener { seen: Vec::new(), tell });
    let outcome = std::thread::scope(|scope| {
        let ran = scope.spawn(|| boot.run());
        heard.recv_timeout(Duration::from_mins(2)).expect("the shell waits");
        // It waits from here on but for a moment 20 times a second.
        while !Gdb::connect(&socket).go_on_at(NOWHERE) {}
        ran.join().expect("it booted")
    });
    expect_exit(&outcome, code::OK);
    let all = records(&chain(&outcome));
    assert_eq!(judged(&chain(&outcome), 0).bad, None);
    let of = |status: i32| all.iter().find(|r| r.kind == kind::BOOT && r.status == status);
    let end = of(boot::END).expect("how the boot before ended");
    assert_eq!(end.data[..8], NOWHERE.to_le_bytes(), "the program counter");
    assert_eq!(end.data[24..28], beb::PANIC.to_le_bytes());
    let text: Vec<u8> =
        all.iter().filter(|r| r.status == boot::TEXT).flat_map(|r| r.data).collect();
    assert!(abi::text(&text).contains("fault in the kernel"), "{}", abi::text(&text));
    // And the head of the chain that the panic cut off.
    let head = nexus::audit::digits(&of(boot::HEAD).expect("the head before").data);
    assert!(outcome.text().contains(&head), "{head} in {}", outcome.text());
}

/// Tells once that the shell waits for a program that sleeps.
struct Listener {
    seen: Vec<u8>,
    tell: Sender<()>,
}

impl std::io::Write for Listener {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.seen.extend_from_slice(bytes);
        if self.seen.windows(6).any(|w| w == b"> wait") {
            self.seen.clear();
            // Nobody listens any more after the first time.
            let _ = self.tell.send(());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
