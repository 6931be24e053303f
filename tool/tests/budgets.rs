//! Figures beside budgets and history.
use nexus::bench::{history, parse, record, regressions};
use nexus::budget::{Budgets, Figure, Origin, compare, load, problems, table};

const BUDGETS: &str = r#"
[a]
unit = "bytes"
from = "size"
limit = 100
aim = 50
[b]
unit = "instructions"
from = "bench"
limit = 10
[c]
unit = "instructions"
from = "bench"
limit = 10
required = false
"#;

fn budgets() -> Budgets {
    toml::from_str(BUDGETS).expect("budgets")
}

fn figure(name: &str, value: u64, unit: &str) -> Figure {
    Figure { name: name.into(), value, unit: unit.into() }
}

#[test]
fn the_limit_itself_is_allowed() {
    let rows = compare(&budgets(), Origin::Size, &[figure("a", 100, "bytes")]);
    assert_eq!(problems(&rows), Vec::<String>::new());
    let rows = compare(&budgets(), Origin::Size, &[figure("a", 101, "bytes")]);
    assert_eq!(problems(&rows), ["a: over budget by 1"]);
}

#[test]
fn what_is_not_measured_is_a_problem_unless_nobody_requires_it() {
    let rows = compare(&budgets(), Origin::Bench, &[]);
    assert_eq!(problems(&rows), ["b: not measured"]);
}

#[test]
fn another_unit_is_a_problem() {
    let rows = compare(&budgets(), Origin::Bench, &[figure("b", 1, "ns")]);
    assert_eq!(problems(&rows), ["b: measured in ns"]);
}

#[test]
fn a_figure_without_budget_is_shown() {
    let rows = compare(&budgets(), Origin::Size, &[figure("z", 3, "bytes")]);
    assert!(table(&rows).contains("z                3           -"), "{}", table(&rows));
}

#[test]
fn the_budgets_of_the_tree_can_be_read() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let budgets = load(&root).expect("budgets.toml");
    assert_eq!(budgets["rumkv-resident"].limit, 5119);
    assert!(budgets.values().all(|b| b.aim.is_none_or(|aim| aim <= b.limit)));
}

#[test]
fn figures_are_found_between_other_lines() {
    let text = "hello\r\nfigure null-syscall 80 instructions\r\n figure x 0 traps\nfigures\n";
    let found = parse(text).expect("figures");
    assert_eq!(found, [figure("null-syscall", 80, "instructions"), figure("x", 0, "traps")]);
}

#[test]
fn half_a_figure_is_an_error() {
    for text in ["figure", "figure x", "figure x 1", "figure x y z", "figure x 1 a b"] {
        let wrong = parse(&format!("{text} \n"));
        assert!(text == "figure" || wrong.is_err(), "{text}: {wrong:?}");
    }
}

const HISTORY: &str =
    "figure,value,unit,why\nb,100,instructions,first\nb,200,instructions,two, or so\n";

#[test]
fn over_five_percent_is_a_regression() {
    let history = history(HISTORY).expect("history");
    assert_eq!(history[1].why, "two, or so");
    let worse = |n| regressions(&history, &[figure("b", n, "instructions")]);
    assert_eq!(worse(210), Vec::<String>::new());
    assert_eq!(worse(211), ["b: 211 was 200 (two, or so)"]);
    assert_eq!(worse(10), Vec::<String>::new());
}

#[test]
fn a_zero_that_grows_is_a_regression() {
    let history = history("figure,value,unit,why\nt,0,traps,none\n").expect("history");
    assert_eq!(regressions(&history, &[figure("t", 1, "traps")]).len(), 1);
}

#[test]
fn only_what_changed_is_recorded() {
    let before = history(HISTORY).expect("history");
    let figures = [figure("b", 200, "instructions"), figure("n", 1, "us")];
    assert_eq!(record(&before, &figures, "a\nb"), "n,1,us,a b\n");
    assert!(history("b,1,x,y\n").is_err());
}
