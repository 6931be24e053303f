//! CRC32C (Castagnoli, RFC 3720 appendix B.4), four bytes at a step: tables of 4 KB, about two instructions per byte.
//! The processor's own CRC instructions would need `unsafe` or a target feature that not every machine has.

const POLYNOMIAL: u32 = 0x82F6_3B78;

static TABLE: [[u32; 256]; 4] = table();

const fn table() -> [[u32; 256]; 4] {
    let mut table = [[0; 256]; 4];
    let mut i = 0;
    while i < 256 {
        let (mut crc, mut bit) = (i as u32, 0);
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ POLYNOMIAL } else { crc >> 1 };
            bit += 1;
        }
        table[0][i] = crc;
        i += 1;
    }
    let mut k = 1;
    while k < 4 {
        i = 0;
        while i < 256 {
            let before = table[k - 1][i];
            table[k][i] = before >> 8 ^ table[0][(before & 255) as usize];
            i += 1;
        }
        k += 1;
    }
    table
}

/// Continues the CRC `before` of what came earlier (0 at the start) over `bytes`.
pub(crate) fn crc32c(before: u32, bytes: &[u8]) -> u32 {
    let mut crc = !before;
    let (words, rest) = bytes.as_chunks::<4>();
    for word in words {
        let [a, b, c, d] = (crc ^ u32::from_le_bytes(*word)).to_le_bytes();
        crc = TABLE[3][a as usize]
            ^ TABLE[2][b as usize]
            ^ TABLE[1][c as usize]
            ^ TABLE[0][d as usize];
    }
    for &byte in rest {
        crc = crc >> 8 ^ TABLE[0][(crc as u8 ^ byte) as usize];
    }
    !crc
}

/// The CRC of `block` in a volume whose blocks start from `seed`, the four bytes at `field` taken as zero.
pub(crate) fn sealed(seed: u32, block: &[u8], field: usize) -> u32 {
    let (head, rest) = block.split_at(field.min(block.len()));
    let crc = crc32c(crc32c(seed, head), &[0; 4]);
    crc32c(crc, rest.get(4..).unwrap_or(&[]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_values() {
        // RFC 3720 appendix B.4, and the check value of the CRC catalogue.
        assert_eq!(crc32c(0, b"123456789"), 0xE306_9283);
        assert_eq!(crc32c(0, &[0; 32]), 0x8A91_36AA);
        assert_eq!(crc32c(0, &[0xFF; 32]), 0x62A8_AB43);
        assert_eq!(crc32c(crc32c(0, b"12345"), b"6789"), 0xE306_9283);
    }
}
