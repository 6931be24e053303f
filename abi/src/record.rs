//! Fixed-layout little-endian records, without `unsafe`.
//!
//! Every structure that crosses a privilege level, a file or a reset is declared once with [`record!`](crate::record).
//! The declaration spells each offset; the compiler proves it against the `repr(C)` layout, so the
//! same type can be read by offset from assembly, decoded from bytes, and printed in a document.

/// A value that may stand in a record: plain integers and arrays of them, without padding.
pub trait Field: Copy {
    /// Length in bytes.
    const LEN: usize;
    /// Reads the value from the first [`Field::LEN`] bytes of `b`, little-endian.
    fn get(b: &[u8]) -> Self;
    /// Writes the value to the first [`Field::LEN`] bytes of `b`, little-endian.
    fn put(self, b: &mut [u8]);
    /// Reads an array.
    fn get_all<const N: usize>(b: &[u8]) -> [Self; N] {
        core::array::from_fn(|i| Self::get(&b[i * Self::LEN..]))
    }
    /// Writes an array.
    fn put_all<const N: usize>(all: &[Self; N], b: &mut [u8]) {
        for (i, v) in all.iter().enumerate() {
            v.put(&mut b[i * Self::LEN..]);
        }
    }
}

macro_rules! integer {
    ($t:ty $(, $arrays:item)*) => {
        impl Field for $t {
            const LEN: usize = size_of::<$t>();
            #[inline]
            fn get(b: &[u8]) -> Self {
                let mut raw = [0; size_of::<$t>()];
                raw.copy_from_slice(&b[..Self::LEN]);
                <$t>::from_le_bytes(raw)
            }
            #[inline]
            fn put(self, b: &mut [u8]) {
                b[..Self::LEN].copy_from_slice(&self.to_le_bytes());
            }
            $($arrays)*
        }
    };
}
// Payloads, names and hashes are the longest fields there are: one copy, not a byte at a time.
integer!(
    u8,
    #[inline]
    fn get_all<const N: usize>(b: &[u8]) -> [u8; N] {
        let mut all = [0; N];
        all.copy_from_slice(&b[..N]);
        all
    },
    #[inline]
    fn put_all<const N: usize>(all: &[u8; N], b: &mut [u8]) {
        b[..N].copy_from_slice(all);
    }
);
integer!(u16);
integer!(u32);
integer!(u64);
integer!(i32);
integer!(i64);

impl<T: Field, const N: usize> Field for [T; N] {
    const LEN: usize = T::LEN * N;
    #[inline]
    fn get(b: &[u8]) -> Self {
        T::get_all(b)
    }
    #[inline]
    fn put(self, b: &mut [u8]) {
        T::put_all(&self, b);
    }
}

/// Name, offset and length in bytes of one field: what the pages in `docs/` are compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldInfo {
    /// The field's name in Rust.
    pub name: &'static str,
    /// Bytes from the record's start.
    pub offset: usize,
    /// Bytes the field takes.
    pub len: usize,
}

/// Declares a record: its size, and for each field offset, name and type.
///
/// Generates `SIZE`, `FIELDS`, `encode` and `decode`; a wrong size or offset does not compile.
#[macro_export]
macro_rules! record {
    ($(#[$m:meta])* $name:ident : $size:literal {
        $($(#[$fm:meta])* $off:literal $f:ident : $t:ty),* $(,)?
    }) => {
        $(#[$m])*
        #[repr(C)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name { $($(#[$fm])* pub $f: $t),* }

        const _: () = assert!(size_of::<$name>() == $size);
        $(const _: () = assert!(core::mem::offset_of!($name, $f) == $off);)*

        impl $name {
            /// Length of the record in bytes.
            pub const SIZE: usize = $size;
            /// Every field in order of its offset.
            pub const FIELDS: &'static [$crate::record::FieldInfo] = &[
                $($crate::record::FieldInfo {
                    name: stringify!($f),
                    offset: $off,
                    len: <$t as $crate::record::Field>::LEN,
                }),*
            ];
            /// The record as bytes.
            #[must_use]
            pub fn encode(&self) -> [u8; $size] {
                let mut b = [0; $size];
                $($crate::record::Field::put(self.$f, &mut b[$off..]);)*
                b
            }
            /// Reads the record from the start of `b`; `None` if `b` is shorter than [`Self::SIZE`].
            /// Nothing about the values is checked.
            #[must_use]
            pub fn decode(b: &[u8]) -> Option<Self> {
                let b = b.get(..$size)?;
                Some(Self { $($f: $crate::record::Field::get(&b[$off..])),* })
            }
            /// A record of zeros.
            #[must_use]
            pub fn zeroed() -> Self {
                Self { $($f: $crate::record::Field::get(&[0; $size])),* }
            }
        }
    };
}
