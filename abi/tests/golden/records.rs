//! Every record as offset, name and type, typed from the design and not from the code.
//!
//! A record is decoded from bytes that all differ; each field must be the little-endian value at
//! its literal offset, the fields must cover the record without a gap, and encoding must give the
//! bytes back.

/// A field's value read from bytes without the code under test.
trait Take {
    fn take(b: &[u8]) -> Self;
}

macro_rules! take {
    ($($t:ty)*) => {$(impl Take for $t {
        fn take(b: &[u8]) -> Self {
            let mut v = 0;
            for &byte in b[..size_of::<$t>()].iter().rev() {
                v = ((v as u128) << 8 | byte as u128) as $t;
            }
            v
        }
    })*};
}
take!(u8 u16 u32 u64 i32 i64);

impl<T: Take, const N: usize> Take for [T; N] {
    fn take(b: &[u8]) -> Self {
        std::array::from_fn(|i| T::take(&b[i * size_of::<T>()..]))
    }
}

/// Bytes that differ from their neighbours and from those 256 before.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 7 + i / 256 + 1) as u8).collect()
}

macro_rules! record_goldens {
    ($($test:ident: $($m:ident)::+ $size:literal { $($off:literal $f:ident $t:ty),* $(,)? })*) => {
        $(#[test]
        fn $test() {
            type R = abi::$($m)::+;
            let bytes = pattern($size);
            let r = R::decode(&bytes).expect("long enough");
            let mut end = 0;
            let mut fields = 0;
            $(
                assert_eq!($off, end, "{} follows the field before it", stringify!($f));
                assert_eq!(core::mem::offset_of!(R, $f), $off, "{} in memory", stringify!($f));
                assert_eq!(r.$f, <$t as Take>::take(&bytes[$off..]), stringify!($f));
                assert_eq!(R::FIELDS[fields].name, stringify!($f));
                assert_eq!(R::FIELDS[fields].offset, $off, "{}", stringify!($f));
                assert_eq!(R::FIELDS[fields].len, size_of::<$t>(), "{}", stringify!($f));
                end += size_of::<$t>();
                fields += 1;
            )*
            assert_eq!(end, $size, "the fields cover the record");
            assert_eq!(fields, R::FIELDS.len(), "no field is left out");
            assert_eq!((R::SIZE, size_of::<R>()), ($size, $size));
            assert_eq!(r.encode().as_slice(), bytes.as_slice());
            assert!(R::decode(&bytes[..$size - 1]).is_none(), "one byte short is refused");
            assert_eq!(R::zeroed().encode(), [0; $size]);
        })*

        /// Names of the records that have a golden test.
        pub const NAMES: &[&str] = &[$(stringify!($($m)::+)),*];
    };
}

record_goldens! {
    systable: systable::SysTable 240 {
        0x00 magic u32, 0x04 abi_major u16, 0x06 size u16, 0x08 flags u64, 0x10 entries [u64; 13],
        0x78 counter_hz u64, 0x80 wall_at_boot u64, 0x88 hw_addr u64, 0x90 hw_len u32,
        0x94 hw_kind u32, 0x98 manifest_addr u64, 0xA0 manifest_len u64, 0xA8 memmap_addr u64,
        0xB0 memmap_count u64, 0xB8 cpu_count u32, 0xBC boot_cpu u32, 0xC0 beb_addr u64,
        0xC8 beb_len u64, 0xD0 measurement [u8; 32],
    }
    wait_entry: call::WaitEntry 4 { 0 slot u8, 1 want u8, 2 got u8, 3 zero u8 }
    spawn: call::Spawn 128 {
        0 op u32, 4 channel_slot u8, 5 zero [u8; 3], 8 pledge u64, 16 energy u64, 24 memory u64,
        32 entry u64, 40 stack u64, 48 name [u8; 64], 112 zero2 [u8; 16],
    }
    range: call::Range 16 { 0 offset u64, 8 len u64 }
    unveil: call::Unveil 8 { 0 perms u32, 4 path_len u32 }
    time: call::Time 16 { 0 now u64, 8 wall u64 }
    energy: call::Energy 32 {
        0 left i64, 8 budget u64, 16 deadline u64, 24 strikes u32, 28 spectrum u32,
    }
    map_info: call::MapInfo 64 {
        0 tx_p u64, 8 tx_c u64, 16 rx_p u64, 24 rx_c u64, 32 tx_buffer u64, 40 rx_buffer u64,
        48 slots u32, 52 buffer_len u32, 56 generation u32, 60 slot_len u32,
    }
    landed: call::Landed 32 {
        0 kind u8, 1 verbs u8, 2 perms u8, 3 depth u8, 4 zero u32, 8 offset u64, 16 len u64,
        24 expiry u64,
    }
    producer_head: ring::ProducerHead 8 { 0 write u32, 4 p_asleep u32 }
    consumer_head: ring::ConsumerHead 8 { 0 read u32, 4 c_asleep u32 }
    slot: ring::Slot 64 { 0 kind u16, 2 flags u16, 4 len u32, 8 arg u64, 16 payload [u8; 48] }
    descriptor: ring::Descriptor 16 { 0 offset u64, 8 len u32, 12 zero u32 }
    image_header: image::ImageHeader 96 {
        0 magic u32, 4 version u16, 6 arch u8, 7 kind u8, 8 file_len u64, 16 mem_len u64,
        24 entry u64, 32 segments u32, 36 segment_count u32, 40 relocations u32,
        44 relocation_count u32, 48 manifest u32, 52 manifest_len u32, 56 zero [u8; 8],
        64 hash [u8; 32],
    }
    segment: image::Segment 32 {
        0 addr u64, 8 mem_len u64, 16 offset u32, 20 file_len u32, 24 perms u32, 28 zero u32,
    }
    quiesce_step: image::QuiesceStep 24 {
        0 op u8, 1 device u8, 2 zero u16, 4 offset u32, 8 mask u32, 12 value u32, 16 within_us u32,
        20 zero2 u32,
    }
    image_manifest: image::ImageManifest 128 {
        0 magic u32, 4 version u32, 8 name [u8; 32], 40 kind u8, 41 policy u8, 42 zero u16,
        44 quiesce u32, 48 pledge u64, 56 energy u64, 64 stack u64, 72 heap u64, 80 fibers u32,
        84 devices u32, 88 channels u32, 92 zero2 [u8; 36],
    }
    prov_record: prov::ProvRecord 128 {
        0 seq u64, 8 time u64, 16 kind u16, 18 cell u16, 20 fiber u32, 24 object u32,
        28 status i32, 32 data [u8; 32], 64 prev [u8; 32], 96 hash [u8; 32],
    }
    notice: prov::Notice 48 { 0 time u64, 8 fiber u32, 12 status i32, 16 data [u8; 32] }
    left_off: call::LeftOff 64 { 0 pc u64, 8 registers [u64; 6], 56 zero u64 }
    append: call::Append 16 { 0 kind u16, 2 zero u16, 4 object u32, 8 status i32, 12 zero2 u32 }
    post_mortem: hypercall::PostMortem 64 {
        0 magic u32, 4 cell u16, 6 cause u16, 8 address u64, 16 pc u64, 24 mask u64, 32 time u64,
        40 syndrome u64, 48 core u32, 52 zero u32, 56 zero2 u64,
    }
    index_header: boot::IndexHeader 64 {
        0 magic u32, 4 version u16, 6 zero u16, 8 count u32, 12 bundle_version u32,
        16 total_len u64, 24 signer [u8; 32], 56 zero2 u64,
    }
    index_entry: boot::IndexEntry 160 {
        0 name [u8; 104], 104 version u32, 108 zero u32, 112 offset u64, 120 len u64,
        128 hash [u8; 32],
    }
    cells_header: boot::CellsHeader 32 {
        0 magic u32, 4 version u16, 6 cells u16, 8 count u32, 12 rumkv u32, 16 entry u64,
        24 handoff u64,
    }
    cell_record: boot::CellRecord 32 {
        0 kind u16, 2 cell u16, 4 arg u32, 8 a u64, 16 b u64, 24 c u64,
    }
    handoff: boot::Handoff 256 {
        0 magic u32, 4 version u16, 6 size u16, 8 archive u64, 16 archive_len u64, 24 cells u64,
        32 cells_len u64, 40 fdt u64, 48 fdt_len u64, 56 manifest u64, 64 manifest_len u64,
        72 ram u64, 80 ram_len u64, 88 beb u64, 96 beb_len u64, 104 wall u64, 112 started u64,
        120 measurement [u8; 32], 152 machine [u8; 32], 184 seed [u8; 32], 216 boot_base u64,
        224 boot_len u64, 232 gicd u64, 240 gicr u64, 248 cores u32, 252 zero u32,
    }
    memory_range: boot::MemoryRange 24 { 0 base u64, 8 len u64, 16 kind u32, 20 zero u32 }
    cell_manifest: boot::CellManifest 32 {
        0 magic u32, 4 version u16, 6 size u16, 8 total_len u32, 12 services u32, 16 links u32,
        20 grants u32, 24 text u32, 28 text_len u32,
    }
    service: boot::Service 160 {
        0 name [u8; 32], 32 image [u8; 64], 96 pledge u64, 104 energy u64, 112 stack u64,
        120 heap u64, 128 flags u32, 132 policy u16, 134 core u16, 136 grant_first u32, 140 grant_count u32,
        144 args u32, 148 args_len u32, 152 unveils u16, 154 unveils_len u16, 156 child_pages u16,
        158 child_places u16,
    }
    link: boot::Link 32 {
        0 number u32, 4 a u16, 6 b u16, 8 a_slot u8, 9 b_slot u8, 10 zero u16, 12 slots u32,
        16 buffer u32, 20 pledge u32, 24 zero2 u64,
    }
    grant: boot::Grant 32 {
        0 kind u8, 1 slot u8, 2 verbs u8, 3 perms u8, 4 arg u32, 8 a u64, 16 b u64, 24 zero u64,
    }
    beb: boot::Beb 64 {
        0 magic u32, 4 state u32, 8 text_len u32, 12 code u32, 16 time u64, 24 pc u64,
        32 address u64, 40 syndrome u64, 48 scratch [u64; 2],
    }
    event: stats::Event 24 { 0 kind u32, 4 source u32, 8 count u32, 12 generation u32, 16 arg u64 }
    fiber_stats: stats::FiberStats 128 {
        0 fiber u32, 4 domain u32, 8 parent u32, 12 state u8, 13 end u8, 14 spectrum u8,
        15 policy u8, 16 pledge u64, 24 energy_left i64, 32 energy_budget u64, 40 time u64,
        48 memory u64, 56 missed u32, 60 strikes u32, 64 code u64, 72 pc u64, 80 blinks u32,
        84 slots u32, 88 zero [u8; 8], 96 name [u8; 32],
    }
    fiber_end: stats::FiberEnd 48 {
        0 fiber u32, 4 end u8, 5 zero [u8; 3], 8 code u64, 16 pc u64, 24 time u64, 32 name [u8; 16],
    }
    heap: stats::Heap 16 { 0 base u64, 8 len u64 }
    fiber_post_mortem: stats::FiberPostMortem 256 {
        0 fiber u32, 4 cause u8, 5 last_call u8, 6 slot u8, 7 fate u8, 8 time u64, 16 pc u64, 24 sp u64,
        32 address u64, 40 syndrome u64, 48 pledge u64, 56 base u64, 64 blinks u32,
        68 message_len u32, 72 name [u8; 32], 104 message [u8; 88], 192 registers [u64; 8],
    }
    system_stats: stats::SystemStats 128 {
        0 ram u64, 8 free u64, 16 largest u64, 24 kernel u64, 32 fibers u32, 36 domains u32,
        40 timer_interrupts u64, 48 device_interrupts u64, 56 calls u64, 64 switches u64,
        72 tlb_maintenance u64, 80 idles u64, 88 idle_time u64, 96 faults u64, 104 first_npl u64,
        112 objects u32, 116 channels u32, 120 audits_lost u64,
    }
    vfs_request: vfs::Request 48 {
        0 path u64, 8 path_len u32, 12 handle u32, 16 offset u64, 24 data u64, 32 len u32,
        36 perms u32, 40 zero u64,
    }
    vfs_answer: vfs::Answer 48 { 0 value u64, 8 size u64, 16 kind u32, 20 zero [u8; 28] }
}
