//! Reads Rust source as text: its tokens, without comments, literals and tests, and what a module
//! declares, imports and names.

use std::collections::BTreeSet;

/// A module of a crate; an inline one shares its parent's file.
#[derive(Debug, Default)]
pub struct Module<'a> {
    pub file: &'a str,
    pub parent: Option<usize>,
    /// Child modules that stand in a file of their own.
    pub declared: Vec<&'a str>,
    pub children: Vec<(&'a str, usize)>,
    pub items: BTreeSet<&'a str>,
    pub imports: Vec<Import<'a>>,
    /// Paths of two or more segments outside of imports.
    pub paths: BTreeSet<Vec<&'a str>>,
    /// Names that stand alone or start a path.
    pub words: BTreeSet<&'a str>,
    /// Methods by the type that an inherent `impl` is for.
    pub methods: BTreeSet<(&'a str, &'a str)>,
    /// Methods that are called on `self` or `Self`.
    pub calls: BTreeSet<&'a str>,
}

/// One name of a `use` declaration; `*` for all of a module.
#[derive(Debug)]
pub struct Import<'a> {
    pub path: Vec<&'a str>,
    pub alias: &'a str,
    pub public: bool,
}

pub fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// The tokens of a text: names and numbers, `::`, and other punctuation by the character. A string
/// is its first quote; comments and lifetimes are left out.
pub fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (len, keep) = token(rest, first);
        if keep {
            let shown = if first == '"' { 1 } else { len };
            tokens.push(&rest[..shown]);
        }
        rest = &rest[len..];
    }
    without_tests(&tokens)
}

/// The length of the token that starts `rest`, and whether it is kept.
fn token(rest: &str, first: char) -> (usize, bool) {
    let end_of =
        |start: usize, end: &str| rest[start..].find(end).map_or(rest.len(), |at| start + at);
    let word = |c: char| c.is_alphanumeric() || c == '_';
    if rest.starts_with("//") {
        return (end_of(2, "\n"), false);
    }
    if rest.starts_with("/*") {
        return ((end_of(2, "*/") + 2).min(rest.len()), false);
    }
    if let Some(len) = raw_string(rest) {
        return (len, false);
    }
    match first {
        '"' => (string(rest), true),
        '\'' => (character_or_lifetime(rest), false),
        ':' if rest.starts_with("::") => (2, true),
        _ if word(first) => (rest.find(|c| !word(c)).unwrap_or(rest.len()), true),
        _ => (first.len_utf8(), !first.is_whitespace()),
    }
}

/// `r"..."`, `br#"..."#`.
fn raw_string(rest: &str) -> Option<usize> {
    let body = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r'))?;
    let hashes = body.len() - body.trim_start_matches('#').len();
    body[hashes..].strip_prefix('"')?;
    let start = rest.len() - body.len() + hashes + 1;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(start + rest[start..].find(&end)? + end.len())
}

fn string(rest: &str) -> usize {
    let mut escaped = false;
    let end = rest.bytes().skip(1).position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    });
    end.map_or(rest.len(), |end| end + 2)
}

fn character_or_lifetime(rest: &str) -> usize {
    let body = &rest[1..];
    if let Some(escape) = body.strip_prefix('\\') {
        return 3 + escape
            .chars()
            .next()
            .map_or(0, |c| c.len_utf8() + escape[c.len_utf8()..].find('\'').unwrap_or(0));
    }
    let first = body.chars().next().map_or(0, char::len_utf8);
    match body[first..].starts_with('\'') {
        true => first + 2,
        false => 1 + body.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(body.len()),
    }
}

/// Leaves out every item under `#[cfg(test)]`.
fn without_tests<'a>(tokens: &[&'a str]) -> Vec<&'a str> {
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at..].starts_with(&["#", "[", "cfg"]) {
            let end = closing(tokens, at + 1);
            let condition = &tokens[at..end];
            if condition.contains(&"test") && !condition.contains(&"not") {
                at = end_of_item(tokens, end);
                continue;
            }
        }
        kept.push(tokens[at]);
        at += 1;
    }
    kept
}

/// The index after the bracket that closes the one at `at`.
pub fn closing(tokens: &[&str], at: usize) -> usize {
    let mut depth = 0;
    for (index, token) in tokens.iter().enumerate().skip(at) {
        match *token {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return index + 1;
        }
    }
    tokens.len()
}

/// The index after an item: after its `;`, its `{...}`, or the `,` of a field or variant.
fn end_of_item(tokens: &[&str], mut at: usize) -> usize {
    let mut import = false;
    while at < tokens.len() {
        match tokens[at] {
            ";" | "," => return at + 1,
            "}" => return at,
            "{" if !import => return closing(tokens, at),
            "(" | "[" | "{" => at = closing(tokens, at),
            token => {
                import |= token == "use";
                at += 1;
            }
        }
    }
    at
}

/// The modules of one file, the file's own first; `base` is the index that it will have.
pub fn modules<'a>(file: &'a str, text: &'a str, base: usize) -> Vec<Module<'a>> {
    let tokens = tokens(text);
    let mut modules = vec![Module { file, ..Module::default() }];
    // The open inline modules, each with the depth of its brace.
    let (mut open, mut depth, mut at) = (vec![(0, 0)], 0, 0);
    while at < tokens.len() {
        let (index, inside) = open[open.len() - 1];
        let next = tokens.get(at + 1).copied().unwrap_or_default();
        match tokens[at] {
            "{" => depth += 1,
            "}" => {
                depth -= 1;
                if depth < inside {
                    open.pop();
                }
            }
            "use" if is_name(next) || next == "::" || next == "{" => {
                let public = at > 0 && matches!(tokens[at - 1], "pub" | ")");
                at = import(&tokens, at + 1, Vec::new(), public, &mut modules[index].imports);
            }
            "mod" if is_name(next) && tokens.get(at + 2) == Some(&";") => {
                modules[index].declared.push(next);
            }
            "mod" if is_name(next) => {
                let child = modules.len();
                modules.push(Module { file, parent: Some(base + index), ..Module::default() });
                modules[index].children.push((next, base + child));
                depth += 1;
                open.push((child, depth));
                at += 2;
            }
            "impl" if depth == inside => methods(&tokens[at..], &mut modules[index].methods),
            _ => at += name(&tokens, at, depth == inside, &mut modules[index]),
        }
        at += 1;
    }
    modules
}

/// Takes up the item that is declared at `at`, or the path that starts there; returns how many more
/// tokens it has.
fn name<'a>(tokens: &[&'a str], at: usize, at_top: bool, module: &mut Module<'a>) -> usize {
    let token = tokens[at];
    let next = tokens.get(at + 1).copied().unwrap_or_default();
    const KEYWORDS: [&str; 9] =
        ["fn", "struct", "enum", "union", "trait", "type", "const", "static", "macro_rules"];
    if KEYWORDS.contains(&token) {
        let name = tokens[at + 1..].iter().find(|token| !matches!(**token, "!" | "mut"));
        if let Some(name) = name.filter(|name| is_name(name) && !KEYWORDS.contains(name) && at_top)
        {
            module.items.insert(name);
        }
        return 0;
    }
    let before = if at > 0 { tokens[at - 1] } else { "" };
    if !is_name(token) || before == "." || before == "::" {
        return 0;
    }
    let mut path = vec![token];
    while tokens.get(at + 2 * path.len() - 1) == Some(&"::")
        && let Some(segment) = tokens.get(at + 2 * path.len()).filter(|token| is_name(token))
    {
        path.push(segment);
    }
    if token == "self" && next == "." && tokens.get(at + 3) == Some(&"(") {
        module.calls.insert(tokens[at + 2]);
    }
    if token == "Self" && path.len() > 1 {
        module.calls.insert(path[1]);
    }
    module.words.insert(token);
    let more = 2 * (path.len() - 1);
    if path.len() > 1 {
        module.paths.insert(path);
    }
    more
}

/// Reads the tree of a `use` from `at` on; returns the index of the token that ends it.
fn import<'a>(
    tokens: &[&'a str],
    mut at: usize,
    mut path: Vec<&'a str>,
    public: bool,
    imports: &mut Vec<Import<'a>>,
) -> usize {
    while at < tokens.len() {
        match tokens[at] {
            "::" => {}
            "{" => {
                loop {
                    at = import(tokens, at + 1, path.clone(), public, imports);
                    if tokens.get(at) != Some(&",") {
                        break;
                    }
                }
                return at + 1;
            }
            ";" | "," | "}" => {
                if path.len() > 1 && path.last() == Some(&"self") {
                    path.pop();
                }
                if let Some(&alias) = path.last() {
                    imports.push(Import { path, alias, public });
                }
                return at;
            }
            "as" => {
                let alias = tokens[at + 1];
                imports.push(Import { path, alias, public });
                return at + 2;
            }
            segment => path.push(segment),
        }
        at += 1;
    }
    at
}

/// The methods of an inherent `impl` that starts `tokens`.
fn methods<'a>(tokens: &[&'a str], methods: &mut BTreeSet<(&'a str, &'a str)>) {
    let Some(body) = tokens.iter().position(|token| *token == "{") else { return };
    let head = &tokens[1..body];
    if head.contains(&"for") {
        return;
    }
    let mut angles = 0;
    let mut of = None;
    for token in head {
        match *token {
            "<" => angles += 1,
            ">" => angles -= 1,
            "where" => break,
            token if angles == 0 && is_name(token) => of = Some(token),
            _ => {}
        }
    }
    let Some(of) = of else { return };
    let block = &tokens[body + 1..closing(tokens, body)];
    let mut depth = 0;
    for pair in block.windows(2) {
        match pair[0] {
            "{" => depth += 1,
            "}" => depth -= 1,
            "fn" if depth == 0 => _ = methods.insert((of, pair[1])),
            _ => {}
        }
    }
}

#[test]
fn tokens_leave_out_comments_literals_and_tests() {
    let text = r##"
        //! crate::doc
        /* crate::comment */
        #[cfg(test)]
        #[path = "x_tests.rs"]
        mod tests;
        #[cfg(test)]
        mod more { fn f() { crate::hidden(); } }
        #[cfg(test)]
        use crate::{a, b};
        #[cfg(not(test))]
        fn f<'a>(x: &'a str) -> char { g("crate::text", r#"a " b"#, b"\"", '"', '\'', '\\', 0..3) }
    "##;
    let expected = "# [ cfg ( not ( test ) ) ] fn f < > ( x : & str ) - > char \
                    { g ( \" , , b \" , , , , 0 . . 3 ) }";
    assert_eq!(tokens(text).join(" "), expected);
}

#[test]
fn modules_have_items_imports_paths_and_methods() {
    let text = "
        mod child;
        pub(crate) use child::{self, Made as Other, deep::{A, B}};
        use super::*;
        pub struct Thing(crate::shape::Shape);
        impl<T: Into<u8>> Thing where T: Copy {
            pub const fn new() -> Self { fn inner() {} Self::make() }
        }
        impl Clone for Thing { fn clone(&self) -> Self { self.copy_it(|x| x::y) } }
        mod inner { use super::Thing; const N: usize = 1; }
    ";
    let modules = modules("src/thing.rs", text, 7);
    let [outer, inner] = &modules[..] else { panic!("{modules:?}") };
    assert_eq!(outer.declared, ["child"]);
    assert_eq!(outer.children, [("inner", 8)]);
    assert_eq!(outer.items, BTreeSet::from(["Thing"]));
    assert_eq!(outer.methods, BTreeSet::from([("Thing", "new")]));
    assert_eq!(outer.calls, BTreeSet::from(["make", "copy_it"]));
    let shown = |import: &Import<'_>| {
        format!(
            "{}{} = {}",
            if import.public { "pub " } else { "" },
            import.alias,
            import.path.join("::")
        )
    };
    let imports: Vec<_> = outer.imports.iter().map(shown).collect();
    let expected = [
        "pub child = child",
        "pub Other = child::Made",
        "pub A = child::deep::A",
        "pub B = child::deep::B",
        "* = super::*",
    ];
    assert_eq!(imports, expected);
    assert!(outer.paths.contains(&vec!["crate", "shape", "Shape"]), "{outer:?}");
    assert!(outer.paths.contains(&vec!["x", "y"]), "{outer:?}");
    assert_eq!((inner.parent, inner.items.first()), (Some(7), Some(&"N")));
    assert_eq!(inner.imports[0].path, ["super", "Thing"]);
}
