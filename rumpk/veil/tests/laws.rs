//! The table against a model that keeps a list of lists and folds nothing.
use abi::call::Error;
use abi::cap::{R, W, X};
use proptest::prelude::*;
use veil::{PATHS, TEXT, Veil};

const ALL: u8 = R | W | X;

/// One list per ancestor that unveiled anything, and the own one; each path with its permissions.
#[derive(Clone, Debug, Default)]
struct Model {
    above: Vec<Vec<(String, u8)>>,
    own: Vec<(String, u8)>,
}

fn parts(path: &str) -> Vec<&str> {
    path.split('/').filter(|p| !p.is_empty()).collect()
}

fn within(above: &str, path: &str) -> bool {
    parts(path).starts_with(&parts(above))
}

impl Model {
    fn perms(&self, path: &str) -> u8 {
        let lists = self.above.iter().chain(std::iter::once(&self.own));
        lists.filter(|l| !l.is_empty()).fold(ALL, |left, list| {
            let covering = list.iter().filter(|(p, _)| within(p, path));
            left & covering.max_by_key(|(p, _)| parts(p).len()).map_or(0, |(_, perms)| *perms)
        })
    }
    fn shows(&self, path: &str, universe: &[String]) -> bool {
        universe.iter().any(|below| within(path, below) && self.perms(below) != 0)
    }
    fn unveil(&mut self, path: &str, perms: u8) {
        self.own.retain(|(p, _)| p != path);
        self.own.push((path.into(), perms));
    }
    fn child(&self) -> Self {
        let mut above = self.above.clone();
        above.push(self.own.clone());
        Self { above, own: Vec::new() }
    }
}

/// All paths of up to three parts of a, b and ab, so that one part begins another.
fn universe() -> Vec<String> {
    let names = ["a", "b", "ab"];
    let mut all = vec![String::new()];
    for depth in 0..3 {
        let longest: Vec<_> = all.iter().filter(|p| parts(p).len() == depth).cloned().collect();
        for above in longest {
            all.extend(
                names.map(|n| if above.is_empty() { n.into() } else { format!("{above}/{n}") }),
            );
        }
    }
    all
}

#[derive(Clone, Debug)]
enum Step {
    Unveil(usize, u8),
    Child,
    Manifest(Vec<(usize, u8)>),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let path = 0..universe().len();
    let step = prop_oneof![
        6 => (path.clone(), 0..=ALL).prop_map(|(path, perms)| Step::Unveil(path, perms)),
        2 => Just(Step::Child),
        1 => proptest::collection::vec((path, 0..=ALL), 0..3).prop_map(Step::Manifest),
    ];
    proptest::collection::vec(step, 0..10)
}

fn list(of: &[(usize, u8)], universe: &[String]) -> Vec<u8> {
    let one = |&(path, perms): &(usize, u8)| {
        let path = universe[path].as_bytes();
        [&[perms, path.len() as u8], path].concat()
    };
    of.iter().flat_map(one).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    /// Whatever is unveiled, inherited and listed by manifests: the folded table says of every path what the lists one by
    /// one say, no step shows a path that was hidden by an ancestor, and a table without room changes nothing.
    #[test]
    fn the_table_says_what_the_lists_say(steps in steps()) {
        let universe = universe();
        let (mut table, mut model) = (Veil::new(), Model::default());
        for step in steps {
            let before: Vec<u8> = universe.iter().map(|p| table.perms(p)).collect();
            match step {
                Step::Unveil(path, perms) => match table.unveil(&universe[path], perms) {
                    Ok(()) => model.unveil(&universe[path], perms),
                    Err(error) => {
                        prop_assert_eq!(error, Error::Full);
                        let after: Vec<u8> = universe.iter().map(|p| table.perms(p)).collect();
                        prop_assert_eq!(&after, &before);
                    }
                },
                Step::Child => (table, model) = (table.inherited(), model.child()),
                Step::Manifest(paths) => {
                    // An empty list narrows nothing, and the own one goes on.
                    if table.narrow(&list(&paths, &universe)).is_ok() && !paths.is_empty() {
                        let mut lists = model.child();
                        for (path, perms) in paths {
                            lists.unveil(&universe[path], perms);
                        }
                        model = lists.child();
                        for (path, before) in universe.iter().zip(before) {
                            prop_assert_eq!(table.perms(path) & !before, 0, "{} widened", path);
                        }
                    }
                }
            }
            for path in &universe {
                prop_assert_eq!(table.perms(path), model.perms(path), "{}", path);
                prop_assert_eq!(table.shows(path), model.shows(path, &universe), "shows {}", path);
            }
        }
    }
}

#[test]
fn before_the_first_everything_is_visible() {
    let mut v = Veil::new();
    assert!(v.is_open() && v.shows("any") && v.perms("any/where") == ALL);
    v.unveil("Boot/bin", R | X).expect("room");
    assert_eq!((v.perms("Boot/bin/x"), v.perms("Boot/bin")), (R | X, R | X));
    for hidden in ["", "Boot", "Boot/bi", "Boot/binary", "Boot/motd", "Other"] {
        assert_eq!(v.perms(hidden), 0, "{hidden}");
    }
    assert!(v.shows("") && v.shows("Boot") && v.shows("Boot/bin/x"), "what leads there");
    assert!(!v.shows("Boot/motd") && !v.shows("Boot/bi") && !v.shows("Bootx"));
    // Hidden again below, and nothing leads to what is hidden.
    v.unveil("Boot/bin/secret", 0).expect("room");
    assert!(!v.shows("Boot/bin/secret") && v.shows("Boot/bin/secrets"));
}

#[test]
fn lock_ends_it_and_a_child_may_narrow_again() {
    let mut v = Veil::new();
    v.unveil("a", R).expect("room");
    v.lock();
    assert_eq!(v.unveil("b", R), Err(Error::Denied));
    assert_eq!(v.perms("b"), 0);
    let mut child = v.inherited();
    child.unveil("a/x", ALL).expect("its own list is open");
    child.unveil("b", ALL).expect("shows nothing more");
    assert_eq!((child.perms("a/x"), child.perms("a"), child.perms("b")), (R, 0, 0));
    // Locked before anything was unveiled: all stays visible, and to children too.
    let mut v = Veil::new();
    v.lock();
    assert!(v.unveil("a", R).is_err() && v.perms("b") == ALL && v.inherited().is_open());
}

#[test]
fn the_table_has_an_end() {
    let mut v = Veil::new();
    for i in 0..PATHS {
        v.unveil(&format!("p{i}"), R).expect("room");
    }
    assert_eq!(v.unveil("more", R), Err(Error::Full));
    assert_eq!(v.unveil("p0", 0), Ok(()), "the same path needs no place");
    let mut v = Veil::new();
    let long = "x".repeat(255);
    for i in 0..TEXT / 255 {
        v.unveil(&format!("{i}{}", &long[1..]), R).expect("room");
    }
    assert_eq!(v.unveil(&long, R), Err(Error::Full));
    assert_eq!(v.unveil(&"x".repeat(256), R), Err(Error::TooBig));
    assert_eq!(v.unveil("a", 8), Err(Error::BadCall));
    for broken in [&[1][..], &[1, 5, b'a'], &[1, 1, 0xFF], &[9, 1, b'a']] {
        assert!(Veil::new().narrow(broken).is_err(), "{broken:?}");
    }
    let mut open = Veil::new();
    assert!(open.narrow(&[]).is_ok() && open.is_open());
}
