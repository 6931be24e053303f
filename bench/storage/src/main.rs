//! The same work with NexFS and with littlefs on a device in memory that counts requests and bytes. Prints a table, and NexFS's
//! part as lines `figure NAME VALUE UNIT` for the history.
//!
//! Both have blocks of 4 KB, sectors of 512 bytes and about 64 KB of memory or less: NexFS a cache of 15 blocks and one, littlefs
//! caches of a block each and 4 KB of lookahead, as much as one may need here: with less it searches oftener.
//! littlefs's file stays open during a workload, NexFS goes by path each time. Erasing costs nothing: the device is no flash.
mod disk;
mod littlefs;
mod nexus;

use disk::Cost;

/// Bytes of a block of either.
pub const BLOCK: usize = 4096;
/// Blocks of the volume that is filled: 64 MB.
const SMALL: usize = 16 << 10;
/// Blocks of the volume with the large file: 256 MB.
const LARGE: usize = 64 << 10;
/// Operations in a random workload.
const TIMES: u64 = 100;
const MB: usize = 1 << 20;

/// An open file.
pub trait Opened {
    /// Writes at a byte.
    fn write(&mut self, at: u64, bytes: &[u8]);
    /// Reads from a byte on.
    fn read(&mut self, at: u64, buffer: &mut [u8]);
    /// Makes what was written lasting.
    fn sync(&mut self);
}

/// A filesystem on a device of its own.
pub trait Store {
    /// Mounts, opens or makes a file, and lets it be used. Returns what using it cost: not the mount.
    fn with_file(&mut self, name: &str, run: &mut dyn FnMut(&mut dyn Opened)) -> Cost;
    /// What a mount costs.
    fn mount(&mut self) -> Cost;
}

/// Places for random access, the same for both.
fn places() -> impl Iterator<Item = u64> {
    let mut state = 0x5EED_u64;
    std::iter::repeat_with(move || {
        state = state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
        (state >> 33) % (MB / BLOCK) as u64 * BLOCK as u64
    })
    .take(TIMES as usize)
}

/// Writes a file in pieces, and syncs it once.
fn fill(store: &mut dyn Store, name: &str, bytes: usize) -> Cost {
    store.with_file(name, &mut |file| {
        let piece = vec![7; (64 << 10).min(bytes)];
        (0..bytes / piece.len()).for_each(|i| file.write((i * piece.len()) as u64, &piece));
        file.sync();
    })
}

/// 100 bytes at the end and a sync, again and again.
fn append(store: &mut dyn Store, name: &str, from: usize) -> Cost {
    store.with_file(name, &mut |file| {
        for i in 0..TIMES {
            file.write(from as u64 + 100 * i, &[i as u8; 100]);
            file.sync();
        }
    })
}

/// A row of the table: what was done, and what one of it cost.
type Row = (String, Cost);

/// All workloads on the small volume, filled to each level in turn.
fn levels(store: &mut dyn Store) -> Vec<Row> {
    let (mut rows, mut files) = (Vec::new(), 0);
    for percent in [1, 50, 95] {
        // The file of the workloads is a part of the level.
        let wanted = (SMALL * BLOCK * percent / 100 / MB).saturating_sub(2);
        while files < wanted {
            fill(store, &format!("f{files}"), MB);
            files += 1;
        }
        let name = format!("work{percent}");
        let mut row = |what: &str, cost: Cost, times: u64| {
            rows.push((format!("{what}, {percent} % full"), cost.each(times)));
        };
        row("mount", store.mount(), 1);
        row("write 1 MB in order", fill(store, &name, MB), 1);
        let read = store.with_file(&name, &mut |file| {
            let mut piece = vec![0; 64 << 10];
            (0..16).for_each(|i| file.read(i * (64 << 10), &mut piece));
        });
        row("read 1 MB in order", read, 1);
        let read = store.with_file(&name, &mut |file| {
            places().for_each(|at| file.read(at, &mut [0; BLOCK]));
        });
        row("read 4 KB anywhere in 1 MB", read, TIMES);
        let written = store.with_file(&name, &mut |file| {
            for at in places() {
                file.write(at, &[9; BLOCK]);
                file.sync();
            }
        });
        row("write 4 KB anywhere in 1 MB, sync", written, TIMES);
        row("append 100 bytes to 1 MB, sync", append(store, &name, MB), TIMES);
    }
    rows
}

/// Appending to a large file.
fn large(store: &mut dyn Store) -> Vec<Row> {
    fill(store, "large", 128 * MB);
    let cost = append(store, "large", 128 * MB).each(TIMES);
    vec![
        ("append 100 bytes to 128 MB, sync".into(), cost),
        ("mount, 256 MB half full".into(), store.mount()),
    ]
}

/// `append 100 bytes to 1 MB, sync, 1 % full` as a name in the history.
fn name(row: &str) -> String {
    let words: Vec<&str> = row.split([' ', ',', '%']).filter(|w| !w.is_empty()).collect();
    format!("nexfs-{}", words.join("-"))
}

fn main() {
    let mut nexfs = levels(&mut nexus::Nexus::new(SMALL));
    nexfs.extend(large(&mut nexus::Nexus::new(LARGE)));
    let mut littlefs = levels(&mut littlefs::Littlefs::<SMALL>::new());
    littlefs.extend(large(&mut littlefs::Littlefs::<LARGE>::new()));
    println!("{:45} {:^29}   {:^29}", "for one operation", "NexFS", "littlefs");
    let head = format!("{:>9} {:>9} {:>9}", "requests", "read", "written");
    println!("{:45} {head}   {head}", "");
    for ((row, ours), (_, theirs)) in nexfs.iter().zip(&littlefs) {
        println!("{row:45} {ours}   {theirs}");
    }
    for (row, cost) in &nexfs {
        println!("figure {}-read {} bytes", name(row), cost.read);
        println!("figure {}-written {} bytes", name(row), cost.written);
    }
}
