//! A second reader of NexFS, written from `docs/nexfs.md` alone: it uses nothing of the crate, allocates as it likes, and
//! verifies every checksum, hash, count and sum of the golden images on its way.
use std::collections::BTreeMap;
use std::fmt::Write;

use blake3::hazmat::{HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root};

fn number(bytes: &[u8], at: usize, len: usize) -> u64 {
    bytes[at..at + len].iter().rev().fold(0, |n, &b| n << 8 | u64::from(b))
}

/// CRC32C, bit by bit.
fn crc32c(before: u32, bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!before, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |c, _| (c >> 1) ^ (0x82F6_3B78 * (c & 1)))
    })
}

/// The checksum of `bytes` with the four bytes at `field` zero.
fn sealed(start: u32, bytes: &[u8], field: usize) -> u64 {
    let mut bytes = bytes.to_vec();
    bytes[field..field + 4].fill(0);
    crc32c(start, &bytes).into()
}

/// Turns the text of a golden image into bytes.
fn image(text: &str) -> Vec<u8> {
    let mut lines = text.lines();
    let mut image = vec![0; lines.next().unwrap()[6..].parse().unwrap()];
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        let at = usize::from_str_radix(words[0], 16).unwrap();
        let piece = u128::from_str_radix(words[1], 16).unwrap().to_be_bytes();
        let times = words.get(2).map_or(1, |w| w[1..].parse().unwrap());
        image[at..at + 16 * times].copy_from_slice(&piece.repeat(times));
    }
    image
}

#[derive(Clone, Copy, PartialEq)]
struct Ptr {
    block: u64,
    birth: u64,
}

fn ptr(bytes: &[u8], at: usize) -> Ptr {
    Ptr { block: number(bytes, at, 8), birth: number(bytes, at + 8, 8) }
}

struct Reader<'i> {
    image: &'i [u8],
    superblock: &'i [u8],
    block: usize,
    start: u32,
    /// Blocks that were reached, and how many pointers lead to each.
    pointers: BTreeMap<u64, u64>,
    lines: String,
}

impl<'i> Reader<'i> {
    /// All four superblocks of the golden images are whole: the newest one of those at the front.
    fn mount(image: &'i [u8]) -> Self {
        let shift = image[48];
        let block = 1usize << shift;
        let last = image.len() / block;
        let whole = |at: usize| {
            let s = &image[at * block..][..512];
            assert_eq!(&s[..8], b"NexFS\r\n\x1A");
            assert_eq!(number(s, 12, 4), sealed(0, s, 12), "superblock {at}");
            assert_eq!((number(s, 8, 4), number(s, 264, 8)), (1, 0), "version, features");
            assert_eq!((number(s, 40, 8), s[48]), (last as u64, shift));
            s
        };
        assert_eq!((whole(0), whole(1)), (whole(last - 2), whole(last - 1)));
        assert_eq!((number(whole(0), 16, 8) % 2, number(whole(1), 16, 8) % 2), (0, 1));
        let superblock = whole(usize::from(number(whole(1), 16, 8) > number(whole(0), 16, 8)));
        let start = crc32c(0, &superblock[24..40]);
        Reader { image, superblock, block, start, pointers: BTreeMap::new(), lines: String::new() }
    }

    fn bytes(&self, block: u64) -> &'i [u8] {
        &self.image[block as usize * self.block..][..self.block]
    }

    fn node(&self, at: Ptr, sort: u8, level: u8) -> &'i [u8] {
        let bytes = self.bytes(at.block);
        assert_eq!(number(bytes, 0, 4), sealed(self.start, bytes, 0), "block {}", at.block);
        assert_eq!((bytes[4], bytes[5]), (sort, level), "block {}", at.block);
        assert!(ptr(bytes, 8) == at && at.birth <= number(self.superblock, 16, 8));
        bytes
    }

    /// Counts a pointer; whether it is the first to its block.
    fn count(&mut self, at: Ptr) -> bool {
        let pointers = self.pointers.entry(at.block).or_default();
        *pointers += 1;
        *pointers == 1
    }

    /// Walks a tree of names. `title`: what its lines start with, none for a tree that was walked before.
    fn tree(&mut self, at: Ptr, height: u8, title: Option<&str>, found: &mut Vec<String>) {
        if height == 0 {
            return;
        }
        let (node, first) = (self.node(at, 1, height - 1), self.count(at));
        if !first && title.is_none() {
            return;
        }
        let (mut at, end, mut last) = (64, 64 + number(node, 24, 4) as usize, None);
        while at < end {
            let value = at + 2 + number(node, at, 2) as usize;
            let name = &node[at + 2..value];
            assert!(last < Some(name), "names in order");
            last = Some(name);
            // Below a node that was met before everything is counted already.
            let before = self.pointers.clone();
            if height > 1 {
                self.tree(ptr(node, value), height - 1, title, found);
                at = value + 16;
            } else {
                self.object(&node[value..value + 80], name, title, found);
                at = value + 80;
            }
            if !first {
                self.pointers = before;
            }
        }
        assert_eq!(at, end);
    }

    fn object(&mut self, o: &[u8], name: &[u8], title: Option<&str>, found: &mut Vec<String>) {
        let (root, size, time, made) =
            (ptr(o, 24), number(o, 8, 8), number(o, 16, 8), number(o, 72, 8));
        let path = title.map(|t| format!("{t}{}", String::from_utf8_lossy(name)));
        let mut tell = |rest: String| found.extend(path.iter().map(|p| format!("{p} {rest}")));
        match o[0] {
            1 => {
                let content = self.file(root, size, &o[40..72], title.is_some());
                if let Some(content) = content {
                    tell(format!("{made} {time} {size} {}", blake3::hash(&content).to_hex()));
                }
            }
            2 => {
                tell(format!("{made} {time} folder"));
                self.tree(root, o[1], path.map(|p| p + "/").as_deref(), found);
            }
            3 => {
                let client = name.iter().fold(0, |n, &b| n << 8 | u64::from(b));
                found.push(format!("client {client} {size} {time}"));
            }
            other => panic!("an object of sort {other}"),
        }
    }

    /// A file's content, its values checked on the way; only counted if nobody reads it.
    fn file(&mut self, root: Ptr, size: u64, value: &[u8], read: bool) -> Option<Vec<u8>> {
        let (n, fanout) = (size.div_ceil(self.block as u64), self.block as u64 / 64);
        let level = (0u8..12).find(|&l| fanout.pow(l.into()) >= n.max(1)).unwrap();
        let mut content = Vec::new();
        if size == 0 {
            assert!(root.block == 0 && value == [0; 32]);
            return Some(content);
        }
        if !read {
            assert!(level == 0, "nothing large died in a golden image");
            self.count(root);
            return None;
        }
        let computed = self.part(root, level, size, &mut content);
        assert_eq!((&computed[..], content.len() as u64), (value, size));
        if level > 0 {
            let node = self.node(root, 2, level);
            let hashes = self.hashes(node);
            let half = hashes.len().next_power_of_two() / 2;
            let top =
                merge_subtrees_root(&fold(&hashes[..half]), &fold(&hashes[half..]), Mode::Hash);
            assert_eq!(top, blake3::hash(&content), "the file's BLAKE3 from its tree");
        }
        Some(content)
    }

    /// The values of a node's children.
    fn hashes(&self, node: &[u8]) -> Vec<[u8; 32]> {
        let (f, n) = (self.block / 64, number(node, 6, 2) as usize);
        let at = |i: usize| 64 + 16 * f + 32 * i;
        let all: Vec<[u8; 32]> =
            (0..n).map(|i| node[at(i)..at(i) + 32].try_into().unwrap()).collect();
        // The groups of 4, 8, ... f / 2 children behind them.
        let (mut place, mut size) = (at(f), 4);
        while size < f {
            for i in 0..f / size {
                let group = all.get(i * size..).map(|g| &g[..g.len().min(size)]);
                let value = group.filter(|g| !g.is_empty()).map_or([0; 32], fold);
                assert_eq!(node[place..place + 32], value, "group {i} of {size}");
                place += 32;
            }
            size *= 2;
        }
        assert_eq!(place, self.block);
        all
    }

    /// Reads what lies below `at` to the end of `content`; its value.
    fn part(&mut self, at: Ptr, level: u8, size: u64, content: &mut Vec<u8>) -> [u8; 32] {
        let first = self.count(at);
        if level == 0 {
            let offset = content.len() as u64;
            content
                .extend(&self.bytes(at.block)[..(size - offset).min(self.block as u64) as usize]);
            let mut hasher = blake3::Hasher::new();
            hasher.set_input_offset(offset).update(&content[offset as usize..]);
            return hasher.finalize_non_root();
        }
        let node = self.node(at, 2, level);
        let hashes = self.hashes(node);
        let before = self.pointers.clone();
        for (i, hash) in hashes.iter().enumerate() {
            assert_eq!(self.part(ptr(node, 64 + 16 * i), level - 1, size, content), *hash);
        }
        if !first {
            self.pointers = before;
        }
        fold(&hashes)
    }

    /// Verifies a node of the space map and all below it against what was counted; the free blocks below.
    fn map(&self, g: &Map, level: usize, i: u64, entry: &[u8]) -> u64 {
        let [written, free, pending, copy] = [0, 8, 16, 24].map(|at| number(entry, at, 8));
        let below = g.spans[level].min(g.blocks - i * g.spans[level]);
        let numbers = i * g.spans[level]..i * g.spans[level] + below;
        if written == 0 {
            assert!(numbers.clone().all(|n| !self.pointers.contains_key(&(g.first + n))));
            return below;
        }
        let at = Ptr { block: g.bases[level] + 2 * i + copy, birth: written };
        let node = self.node(at, 3, level as u8);
        assert_eq!(number(node, 32, 8), i);
        let mut sum = 0;
        if level == 0 {
            for (k, n) in numbers.enumerate() {
                let count = number(node, 64 + 2 * k, 2) % 0xFFFF;
                assert_eq!(count, self.pointers.get(&(g.first + n)).copied().unwrap_or(0));
                sum += u64::from(count == 0);
            }
        } else {
            let children = below.div_ceil(g.spans[level - 1]);
            for k in 0..children {
                let child = i * (g.spans[level] / g.spans[level - 1]) + k;
                sum += self.map(g, level - 1, child, &node[64 + 32 * k as usize..][..32]);
            }
        }
        assert_eq!(free + pending, sum, "node {i} of level {level}");
        sum
    }
}

/// The value of a group of children.
fn fold(hashes: &[[u8; 32]]) -> [u8; 32] {
    if let [one] = hashes {
        return *one;
    }
    let (left, right) = hashes.split_at(hashes.len().next_power_of_two() / 2);
    merge_subtrees_non_root(&fold(left), &fold(right), Mode::Hash)
}

/// The shape of the space map.
struct Map {
    first: u64,
    blocks: u64,
    spans: Vec<u64>,
    bases: Vec<u64>,
}

impl Map {
    /// A map over `blocks` blocks, and where the blocks that it takes end.
    fn over(blocks: u64, block: u64) -> (Self, u64) {
        let (mut spans, mut bases, mut next) = (vec![(block - 64) / 2], Vec::new(), 2);
        loop {
            let nodes = blocks.div_ceil(spans[spans.len() - 1]);
            bases.push(next);
            next += 2 * nodes;
            if nodes == 1 {
                return (Map { first: 0, blocks, spans, bases }, next);
            }
            spans.push(spans[spans.len() - 1] * ((block - 64) / 32));
        }
    }
}

/// All that the image holds, as `golden/NAME.list` has it.
fn list(image: &[u8]) -> String {
    let mut r = Reader::mount(image);
    let s = r.superblock;
    let (n, block) = (number(s, 40, 8), r.block as u64);
    let tree = |i: usize| (ptr(s, 96 + 32 * i), s[112 + 32 * i]);
    let mut lines = [Vec::new(), Vec::new(), Vec::new(), Vec::new()];
    for (i, title) in [Some("live "), Some("snapshot "), None, Some("")].into_iter().enumerate() {
        r.tree(tree(i).0, tree(i).1, title, &mut lines[i]);
    }
    let (_, area) = Map::over(n - 4, block);
    let map = Map { first: area, ..Map::over(n - 2 - area, block).0 };
    let free = r.map(&map, map.spans.len() - 1, 0, &s[64..96]);
    let label = String::from_utf8_lossy(&s[232..264]).trim_end_matches('\0').to_owned();
    writeln!(r.lines, "volume {label} {n} blocks of {block} free {free}").unwrap();
    // The tree's order is that of one folder; the list's that of whole paths. A snapshot itself has no line.
    let path = |line: &String| line.split(' ').nth(1).unwrap_or("").to_owned();
    lines[1].retain(|line| path(line).contains('/'));
    lines[..2].iter_mut().for_each(|part| part.sort_by_key(path));
    lines[2].clear();
    let all = lines.concat().join("\n");
    r.lines
        + &all
        + if all.is_empty() { "" } else { "\n" }
        + if tree(2).1 > 0 { "untidy\n" } else { "" }
}

#[test]
fn a_reader_that_knows_only_the_page_reads_the_golden_images() {
    for name in ["empty", "tree", "full"] {
        let text = |end| {
            std::fs::read_to_string(format!("{}/golden/{name}.{end}", env!("CARGO_MANIFEST_DIR")))
        };
        assert_eq!(list(&image(&text("hex").unwrap())), text("list").unwrap(), "{name}");
    }
}
