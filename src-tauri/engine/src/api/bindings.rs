//! Writes the types of this module as TypeScript and holds `ui/src/lib/bindings.ts` to them, so that the window
//! and the engine cannot drift apart. Only a test: nothing of it is in the program.

use std::{env, fs, path::PathBuf};

use ts_rs::{Config, TS, TypeVisitor};

use super::{Command, ConnectionRow, Event, Failure, Interest, Reply, Status};

const UPDATE: &str = "UPDATE_BINDINGS=1 cargo test -p ropeway-engine bindings";

#[test]
fn bindings_of_the_window_are_what_the_api_says() {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../ui/src/lib/bindings.ts");
    let expected = bindings();
    if env::var_os("UPDATE_BINDINGS").is_some() {
        fs::write(&file, &expected).expect("the folder of the window's sources exists");
    }
    let found = fs::read_to_string(&file).unwrap_or_default();
    assert!(found == expected, "ui/src/lib/bindings.ts is not what the API says; run: {UPDATE}");
}

#[test]
fn every_type_of_the_api_is_declared_once() {
    let text = bindings();
    for name in
        ["Profile", "ProfileId", "ImportPreview", "ConnectionsDelta", "Totals", "Phase", "Code", "Field"]
    {
        assert_eq!(text.matches(&format!("export type {name} =")).count(), 1, "{name}");
    }
}

/// The whole file. A type is declared because one of the roots needs it, so the list of roots is short.
fn bindings() -> String {
    // Numbers are JSON's on the way to the window; none of ours comes near 2^53.
    let config = Config::new().with_large_int("number");
    let mut declarations = Declarations { config, found: Vec::new() };
    declarations.visit::<Command>();
    declarations.visit::<Reply>();
    declarations.visit::<Failure>();
    declarations.visit::<Interest>();
    declarations.visit::<Event>();
    declarations.visit::<Status>();
    declarations.visit::<ConnectionRow>();
    // By name: the order in which ts-rs tells what a type needs changes from build to build.
    declarations.found.sort();
    let body: String =
        declarations.found.into_iter().fold(String::new(), |body, (_, text)| body + "\n" + &text);
    format!("// Generated from the engine's API; never edit. To update: {UPDATE}\n{body}")
}

/// Collects each type and what it needs.
struct Declarations {
    config: Config,
    /// Name and text.
    found: Vec<(String, String)>,
}

impl TypeVisitor for Declarations {
    fn visit<T: TS + 'static + ?Sized>(&mut self) {
        // Only the types that derive `TS` have a path; numbers, lists and options are TypeScript's own.
        if T::output_path().is_none() || self.found.iter().any(|(name, _)| *name == T::ident(&self.config)) {
            return T::visit_generics(self);
        }
        let (name, docs) = (T::ident(&self.config), T::docs().unwrap_or_default());
        let declaration = T::decl(&self.config);
        self.found.push((name, format!("{docs}export {declaration}\n")));
        T::visit_dependencies(self);
    }
}
