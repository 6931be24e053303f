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
}

macro_rules! integer {
    ($($t:ty),*) => {$(
        impl Field for $t {
            const LEN: usize = size_of::<$t>();
            fn get(b: &[u8]) -> Self {
                let mut raw = [0; size_of::<$t>()];
                raw.copy_from_slice(&b[..Self::LEN]);
                <$t>::from_le_bytes(raw)
            }
            fn put(self, b: &mut [u8]) {
                b[..Self::LEN].copy_from_slice(&self.to_le_bytes());
            }
        }
    )*};
}
integer!(u8, u16, u32, u64, i32, i64);

impl<T: Field + Default, const N: usize> Field for [T; N] {
    const LEN: usize = T::LEN * N;
    fn get(b: &[u8]) -> Self {
        core::array::from_fn(|i| T::get(&b[i * T::LEN..]))
    }
    fn put(self, b: &mut [u8]) {
        for (i, v) in self.into_iter().enumerate() {
            v.put(&mut b[i * T::LEN..]);
        }
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
