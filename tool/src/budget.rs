//! Figures and their budgets (`budgets.toml`), and the table that shows them side by side.
use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::failure::{Context, Failure};

/// Where a figure comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Read from files.
    Size,
    /// Counted by a machine.
    Bench,
}

/// What a figure may be.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Unit of the figure, for people and to catch a mix-up.
    pub unit: String,
    /// Where it comes from.
    pub from: Origin,
    /// Most that is allowed.
    pub limit: u64,
    /// What is aimed at.
    pub aim: Option<u64>,
    /// Whether it is an error that nothing measures it.
    #[serde(default = "yes")]
    pub required: bool,
}

fn yes() -> bool {
    true
}

/// Budgets by the figure's name.
pub type Budgets = BTreeMap<String, Budget>;

/// Reads `budgets.toml` of the tree at `root`.
pub fn load(root: &Path) -> Result<Budgets, Failure> {
    let path = root.join("budgets.toml");
    let text = std::fs::read_to_string(&path).context(|| format!("read {}", path.display()))?;
    toml::from_str(&text).context(|| format!("understand {}", path.display()))
}

/// A figure that was measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Figure {
    /// Name as in `budgets.toml`.
    pub name: String,
    /// Value.
    pub value: u64,
    /// Unit.
    pub unit: String,
}

/// One row: a figure beside its budget.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Name of the figure.
    pub name: String,
    /// Unit.
    pub unit: String,
    /// Measured; `None` if nothing measured it.
    pub value: Option<u64>,
    /// Most that is allowed; `None` for a figure without a budget.
    pub limit: Option<u64>,
    /// What is aimed at.
    pub aim: Option<u64>,
    /// What is wrong with it; empty if nothing is.
    pub problem: String,
}

/// Puts the figures beside the budgets of their source: first the budgets in order, then figures
/// that have none.
#[must_use]
pub fn compare(budgets: &Budgets, from: Origin, figures: &[Figure]) -> Vec<Row> {
    let mut rows: Vec<Row> = budgets
        .iter()
        .filter(|(_, b)| b.from == from)
        .map(|(name, b)| judge(name, b, figures.iter().find(|f| f.name == *name)))
        .collect();
    rows.extend(figures.iter().filter(|f| !budgets.contains_key(&f.name)).map(|f| Row {
        name: f.name.clone(),
        unit: f.unit.clone(),
        value: Some(f.value),
        limit: None,
        aim: None,
        problem: String::new(),
    }));
    rows
}

fn judge(name: &str, budget: &Budget, figure: Option<&Figure>) -> Row {
    let problem = match figure {
        None if budget.required => "not measured".into(),
        Some(f) if f.unit != budget.unit => format!("measured in {}", f.unit),
        Some(f) if f.value > budget.limit => format!("over budget by {}", f.value - budget.limit),
        _ => String::new(),
    };
    Row {
        name: name.into(),
        unit: budget.unit.clone(),
        value: figure.map(|f| f.value),
        limit: Some(budget.limit),
        aim: budget.aim,
        problem,
    }
}

/// Names and problems of the rows that have one.
#[must_use]
pub fn problems(rows: &[Row]) -> Vec<String> {
    let bad = rows.iter().filter(|r| !r.problem.is_empty());
    bad.map(|r| format!("{}: {}", r.name, r.problem)).collect()
}

/// The rows as a table for people.
#[must_use]
pub fn table(rows: &[Row]) -> String {
    let width = rows.iter().map(|r| r.name.len()).max().unwrap_or(0).max(6);
    let number = |n: Option<u64>| n.map_or_else(|| "-".into(), |n| n.to_string());
    let head = ["figure", "measured", "budget", "aim", "unit"];
    let mut out = format!(
        "{:width$}  {:>10}  {:>10}  {:>10}  {}\n",
        head[0], head[1], head[2], head[3], head[4]
    );
    for r in rows {
        let (value, limit, aim) = (number(r.value), number(r.limit), number(r.aim));
        let line = format!(
            "{:width$}  {value:>10}  {limit:>10}  {aim:>10}  {:12}  {}",
            r.name, r.unit, r.problem
        );
        out += line.trim_end();
        out.push('\n');
    }
    out
}
